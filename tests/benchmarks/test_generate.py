from __future__ import annotations

import pytest
from benchmarks.generate import KINDS, generate_policy, generate_workload, odd_share
from benchmarks.index import CellIndex
from benchmarks.model import NO_RULE, first_match
from benchmarks.small import small_requests, small_workload
from benchmarks.streams import request_stream

SIZES = (10, 100, 1_000)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_a_generated_policy_has_as_many_rules_as_asked_for(kind: str, size: int) -> None:
    assert len(generate_workload(size, 1, kind).rules) == size
    assert generate_policy(size, 1, kind).count("rule ") == size


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_at_least_five_percent_of_the_rules_are_not_box_shaped(kind: str, size: int) -> None:
    assert odd_share(generate_workload(size, 1, kind)) >= 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(kind: str) -> None:
    assert generate_policy(50, 3, kind) == generate_policy(50, 3, kind)
    assert generate_policy(50, 3, kind) != generate_policy(50, 4, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_the_index_names_the_rule_that_the_slow_judge_names(kind: str, size: int) -> None:
    workload = generate_workload(size, 2, kind)
    index = CellIndex(workload)
    for request in request_stream(workload, index, 200, seed=3):
        assert index.decide(request) == first_match(workload.rules, request)


@pytest.mark.parametrize("kind", KINDS)
def test_half_of_the_requests_are_met_by_a_rule(kind: str) -> None:
    workload = generate_workload(300, 2, kind)
    index = CellIndex(workload)
    stream = request_stream(workload, index, 1_000, seed=3)
    met = sum(index.decide(request) != NO_RULE for request in stream)
    assert 480 <= met <= 520
    assert len({str(request) for request in stream}) > 990


def test_half_of_the_requests_for_the_eight_rules_are_met() -> None:
    workload = small_workload()
    found = [first_match(workload.rules, request) for request in small_requests(2_000, seed=1)]
    assert 0.4 <= sum(rule != NO_RULE for rule in found) / 2_000 <= 0.6
    assert set(found) == set(range(-1, 8))


def test_two_rules_of_different_effects_never_fire_together() -> None:
    for kind in KINDS:
        workload = generate_workload(200, 5, kind)
        for request in request_stream(workload, CellIndex(workload), 300, seed=5):
            fired = [
                r for r in workload.rules if r.tier == "business" and first_match([r], request) == 0
            ]
            assert len({rule.effect for rule in fired}) <= 1


def test_an_unknown_kind_or_a_tiny_size_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one of"):
        generate_workload(9, 1, "cells")
    with pytest.raises(ValueError, match="must be one of"):
        generate_workload(100, 1, "shapes")
