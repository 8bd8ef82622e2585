"""The generated policies over time verify, whether a field tells their rules apart or nothing does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from benchmarks.generate_time import generate_overlapping_policy, generate_time_policy
from benchmarks.stages import TIME_POLICIES

from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.verifier.findings import Severity, Status
from govlang.verifier.report import verify
from govlang.verifier.time.divide import divided

GENERATORS = (generate_time_policy, generate_overlapping_policy)


@pytest.mark.parametrize("generate", GENERATORS)
def test_a_policy_over_time_has_as_many_rules_as_asked_for(
    generate: Callable[[int, int], str],
) -> None:
    assert generate(60, 1).count("\nrule ") == 60
    assert generate(60, 1) == generate(60, 1) != generate(60, 2)


def test_every_set_of_the_benchmark_is_generated_here() -> None:
    assert set(TIME_POLICIES.values()) == set(GENERATORS)


def test_rules_that_nothing_tells_apart_are_judged_as_a_whole_and_proved() -> None:
    policy = compile_source(Source("p.gov", generate_overlapping_policy(60, 1))).policy
    assert divided(policy) is None
    report = verify(policy)
    assert report.status is Status.PROVED
    assert {one.severity for one in report.findings} <= {Severity.NOTE}
