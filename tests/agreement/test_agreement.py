"""The release gate: interpreter and compiled table agree on random policies and requests.

Row (words in), dict and whole columns; every part of the outcome.  `make agreement-long` asks ten
million questions.  The generator is held to its spread, and small finite policies are enumerated.
"""

from __future__ import annotations

import itertools
import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import tables
from arrow_columns import arrow_column
from ir_strategies import (
    Requests,
    all_requests,
    random_params,
    random_policy,
    request_count,
    small_policy,
)

from govlang.compiler import ir
from govlang.compiler.interpret import Outcome, decide, default_params
from govlang.compiler.requests import write_request
from govlang.runtime.policy import Policy

BATCHES = 20
POLICIES = 50  # a batch
REQUESTS = 100
LONG_POLICIES, LONG_REQUESTS = 2000, 5000
SMALL_MAX = 3000


@dataclass(frozen=True, slots=True)
class Case:
    """A request, and what the interpreter says of it."""

    request: dict[str, Any]
    runtime: dict[str, Any]
    expected: Outcome


def parts(outcome: Any) -> tuple[Any, ...]:
    decision = outcome.decision
    word = decision.word if isinstance(decision, ir.Effect) else decision.value
    return word, outcome.rule_id, outcome.reason, outcome.obligations, outcome.matched


def words_of(outcome: Any) -> list[int]:
    """The request as the table saw it."""
    data = outcome._words
    return [int.from_bytes(data[i : i + 8], "little", signed=True) for i in range(0, len(data), 8)]


def assert_rows(loaded: Policy, cases: list[Case]) -> None:
    for case in cases:
        outcome = loaded.decide(case.request, runtime=case.runtime)
        assert parts(outcome) == parts(case.expected), case
        words = words_of(outcome)
        if words:
            found = loaded.table.decide(words)
            rule = dict(enumerate(loaded.rule_ids)).get(found.rule, case.expected.rule_id)
            assert (found.effect, rule) == (case.expected.decision, case.expected.rule_id), case


def assert_columns(policy: ir.Policy, loaded: Policy, cases: list[Case]) -> None:
    asked, hosted = {}, {}
    for field in policy.fields:
        host = field.origin is not ir.Origin.REQUEST
        values = [(case.runtime if host else case.request).get(field.name) for case in cases]
        (hosted if host else asked)[field.name] = arrow_column(field, values)
    outcome = loaded.decide_batch(asked, runtime=hosted)
    for row, case in enumerate(cases):
        found = outcome.decision(row).value, outcome.rule_id(row)
        assert found == (case.expected.decision.word, case.expected.rule_id), case


def cases_of(
    policy: ir.Policy, params: Mapping[str, int], requests: Iterator[dict[str, int | str]]
) -> list[Case]:
    return [
        Case(*write_request(policy, values), decide(policy, params, values)) for values in requests
    ]


def agree(seed: int, requests: int) -> None:
    rng = random.Random(seed)
    policy = random_policy(rng)
    params = random_params(rng, policy)
    loaded = tables.load(policy, params)
    source = Requests(policy)
    cases = cases_of(policy, params, (source.request(rng) for _ in range(requests)))
    assert_rows(loaded, cases)
    assert_columns(policy, loaded, cases)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_interpreter_and_table_agree(batch: int) -> None:
    for seed in range(batch * POLICIES, (batch + 1) * POLICIES):
        agree(seed, REQUESTS)


@pytest.mark.long
@pytest.mark.skipif(os.environ.get("GOVLANG_AGREEMENT") != "long", reason="make agreement-long")
@pytest.mark.parametrize("batch", range(LONG_POLICIES // POLICIES))
def test_interpreter_and_table_agree_ten_million_times(batch: int) -> None:
    for seed in range(batch * POLICIES, (batch + 1) * POLICIES):
        agree(1_000_000 + seed, LONG_REQUESTS)


@pytest.mark.parametrize("batch", range(6))
def test_small_policies_agree_on_every_request(batch: int) -> None:
    found = 0
    for seed in itertools.count(batch * 10_000):
        policy = small_policy(random.Random(seed))
        if request_count(policy) > SMALL_MAX:
            continue
        params = default_params(policy)
        loaded = tables.load(policy, params)
        assert_rows(loaded, cases_of(policy, params, all_requests(policy)))
        found += 1
        if found == 25:
            break


# --- the generator -------------------------------------------------------------------------------


def features(policy: ir.Policy) -> set[object]:
    """Every operator, kind, effect and combine that a policy has."""
    found: set[object] = {policy.combine, ("default", policy.default)}
    found.update(field.kind for field in policy.fields)
    found.update(("origin", field.origin) for field in policy.fields)
    found.update("optional" for field in policy.fields if field.optional)
    for rule in policy.rules:
        found.update((rule.effect, rule.kind))
        found.update(
            name for name in ("overrides", "remedy", "dos", "limits") if getattr(rule, name)
        )
        found |= condition_features(rule.condition)
        ends = [end for limit in rule.limits for end in (limit.lo, limit.hi)]
        for expr in ends:
            found.update(type(part).__name__ for part in ir.int_parts(expr))
    found.update("assumption" for _ in policy.assumptions)
    found.update("param" for _ in policy.params)
    return found


def condition_features(condition: ir.BoolExpr) -> set[object]:
    found: set[object] = {type(condition).__name__}
    match condition:
        case ir.Not(operand=operand):
            found |= condition_features(operand)
        case ir.And(operands=operands) | ir.Or(operands=operands):
            found = found.union(*map(condition_features, operands))
        case ir.Compare(op=op, left=left, right=right):
            found.add(op)
            for part in (*ir.int_parts(left), *ir.int_parts(right)):
                found.add(type(part).__name__)
                if isinstance(part, ir.Arith):
                    found.add(part.op)
        case ir.SetTest(op=op):
            found.add(op)
        case ir.TextTest(patterns=patterns):
            found.update(pattern.kind for pattern in patterns)
        case _:
            pass
    return found


EXPECTED: tuple[object, ...] = (
    *ir.Combine,
    *ir.Kind,
    *ir.Effect,
    *ir.RuleKind,
    *ir.CompareOp,
    *ir.SetOp,
    *ir.PatternKind,
    *ir.ArithOp,
    *(("default", default) for default in ir.Default),
    *(("origin", origin) for origin in (ir.Origin.REQUEST, ir.Origin.RUNTIME)),
    *("optional", "overrides", "remedy", "dos", "limits", "assumption", "param"),
    *("And", "Or", "Not", "InRanges", "Compare", "SetTest", "TextTest", "TextEqual", "Has"),
    *("BoolConst", "IntConst", "FieldValue", "ParamValue", "Arith", "FloorDiv", "Choose"),
)


def test_the_generator_spreads_over_the_language() -> None:
    seen: Counter[object] = Counter()
    outcomes: Counter[ir.Effect] = Counter()
    policies = 1000
    for seed in range(policies):
        rng = random.Random(seed)
        policy = random_policy(rng)
        seen.update(features(policy))
        params, source = random_params(rng, policy), Requests(policy)
        for _ in range(10):
            outcomes[decide(policy, params, source.request(rng)).decision] += 1
    assert {one: seen[one] for one in EXPECTED if seen[one] < policies // 100} == {}
    assert max(outcomes.values()) <= 0.6 * outcomes.total(), outcomes
    assert set(outcomes) == set(ir.Effect)
