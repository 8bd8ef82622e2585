"""The engine decides as the interpreter does: row by row, on dicts, and on whole columns."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest
import tables
from arrow_columns import arrow_column
from ir_strategies import (
    Shape,
    all_requests,
    random_params,
    random_policy,
    random_request,
    request_count,
    small_policy,
)

from govlang.compiler import ir
from govlang.compiler.interpret import Outcome, decide
from govlang.compiler.requests import write_request
from govlang.runtime.policy import Policy

SEEDS = range(40)
ROWS = 50


def parts(outcome: Any) -> tuple[Any, ...]:
    decision = outcome.decision
    word = decision.word if isinstance(decision, ir.Effect) else decision.value
    return (word, outcome.rule_id, outcome.reason, outcome.obligations, outcome.matched)


def sample(
    seed: int, shape: Shape | None = None
) -> tuple[ir.Policy, Policy, list[tuple[dict[str, Any], dict[str, Any], Outcome]]]:
    """A policy, its table, and requests with what the interpreter says."""
    rng = random.Random(seed)
    policy = random_policy(rng, shape)
    params = random_params(rng, policy)
    cases = []
    for _ in range(ROWS):
        values = random_request(rng, policy)
        cases.append((*write_request(policy, values), decide(policy, params, values)))
    return policy, tables.load(policy, params), cases


@pytest.mark.parametrize("seed", SEEDS)
def test_dicts_are_decided_as_the_interpreter_says(seed: int) -> None:
    _, loaded, cases = sample(seed)
    for request, runtime, expected in cases:
        assert parts(loaded.decide(request, runtime=runtime)) == parts(expected), request


@pytest.mark.parametrize("seed", SEEDS)
def test_the_long_road_ends_where_the_short_one_does(seed: int) -> None:
    _, loaded, cases = sample(seed + 500)
    for request, runtime, _ in cases:
        words = loaded.decide(request, runtime=runtime)._words
        table = loaded.table
        numbers = [
            int.from_bytes(words[i : i + 8], "little", signed=True) for i in range(0, len(words), 8)
        ]
        assert table.collect(words).decision == table.decide(numbers)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_fixed_by_a_mark_is_the_same_in_every_outcome_with_it(seed: int) -> None:
    _, loaded, cases = sample(seed + 900)
    told: dict[bytes, dict[str, Any]] = {}
    for request, runtime, _ in cases:
        outcome = loaded.decide(request, runtime=runtime)
        mark = outcome.fixed_by
        if mark is not None:
            assert outcome.to_dict() == told.setdefault(mark, outcome.to_dict())


@pytest.mark.parametrize("seed", range(60))
def test_small_policies_are_decided_as_the_interpreter_says_on_every_request(seed: int) -> None:
    rng = random.Random(seed)
    policy = small_policy(rng)
    if request_count(policy) > 5_000:
        pytest.skip("too many requests")
    params = random_params(rng, policy)
    loaded = tables.load(policy, params)
    for values in all_requests(policy):
        request, runtime = write_request(policy, values)
        expected = decide(policy, params, values)
        found = loaded.decide(request, runtime=runtime)
        assert (found.decision.value, found.rule_id) == (expected.decision.word, expected.rule_id)
        assert found.matched == expected.matched


def test_words_out_of_range_are_denied_on_every_road() -> None:
    fields = tuple(ir.Field(f"f{i}", ir.Kind.NUMBER, 0, 10 + 5000 * (i % 2)) for i in range(4))
    for many in (fields[:1], fields):
        rules = (ir.Rule("r", ir.InRanges("f0", ((0, 5),)), ir.Effect.LIMIT),)
        table = tables.load(tables.policy_of(*many, rules=rules)).table
        for column in range(len(many)):
            for word in (-1, 2**62, -(2**63), 5011):
                words = [1] * len(many)
                words[column] = word
                decision = table.decide(words)
                assert (decision.effect, decision.rule) == (4, 0xFFFFFFFE)
                assert decision.culprit == column
                assert table.collect(words).decision == decision


def columns_of(
    policy: ir.Policy, cases: list[tuple[dict[str, Any], dict[str, Any], Outcome]]
) -> tuple[dict[str, pa.Array], dict[str, pa.Array]]:
    asked, hosted = {}, {}
    for field in policy.fields:
        part = 0 if field.origin is ir.Origin.REQUEST else 1
        column = arrow_column(field, [case[part].get(field.name) for case in cases])
        (hosted if part else asked)[field.name] = column
    return asked, hosted


@pytest.mark.parametrize("seed", [*SEEDS, *range(900, 960)])
def test_columns_are_decided_like_rows(seed: int) -> None:
    shape = Shape(rules=70, fields=5, wide=False) if seed % 3 == 0 else Shape(wide=False)
    policy, loaded, cases = sample(seed, shape)
    asked, hosted = columns_of(policy, cases)
    outcome = loaded.decide_batch(asked, runtime=hosted)
    for row, (request, runtime, expected) in enumerate(cases):
        found = (outcome.decision(row).value, outcome.rule_id(row))
        assert found == (expected.decision.word, expected.rule_id), (request, runtime)
