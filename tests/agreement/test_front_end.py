"""Lowering keeps the meaning: interpreter on the IR against rationals on the syntax tree; then the
compiled table against both.

The naive evaluator reads the tree alone; it shares no code with the compiler, and refuses to read
an absent field, so the flow check is tried with it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import tables
from hypothesis import given
from hypothesis import strategies as st
from naive import Naive
from naive import Outcome as NaiveOutcome
from source_strategies import Written, policies, write_policy

from govlang.compiler import interpret, ir
from govlang.compiler.frontend import Checked, compile_source
from govlang.compiler.imports import gather
from govlang.compiler.intervals import check_policy
from govlang.compiler.requests import read_sample
from govlang.compiler.step import Request
from govlang.dsl import ast
from govlang.dsl.source import Source

REQUESTS = 6


def compiled(written: Written) -> tuple[Checked, Naive]:
    source = Source("p.gov", written.text)
    program = gather(source, written.read)
    policy = ast.Policy(program.header, program.declarations)
    return compile_source(source, written.read), Naive(policy)


def params_for(
    written: Written, policy: ir.Policy, rng: Random
) -> tuple[dict[str, Any], dict[str, int]]:
    """Parameters as JSON has them and in steps."""
    given = {column.name: column.value(rng) for column in written.params}
    fields = tuple(param.field for param in policy.params)
    sample = read_sample(ir.Policy("p", "1", 1, policy.combine, policy.default, fields, ()), given)
    assert isinstance(sample, Request)
    return given, {name: value for name, value in sample.values.items() if isinstance(value, int)}


def known_roles(runtime: dict[str, Any], policy: ir.Policy) -> dict[str, Any]:
    """The runtime part without the roles that the policy does not name, which are ignored."""
    if "approved" not in runtime:
        return runtime
    return runtime | {"approved": [r for r in runtime["approved"] if r in policy.roles]}


def normal(value: Any) -> Any:
    """Numbers as rationals, roles as sets, so that both sides compare."""
    match value:
        case bool() | str() | None:
            return value
        case int() | Decimal() | Fraction():
            return Fraction(value)
        case set():
            return sorted(value)
        case Mapping():
            return {k: sorted(v) if k == "require" else normal(v) for k, v in value.items()}
        case _:
            return [normal(one) for one in value]


def hold_together(written: Written, rng: Random) -> Counter[str]:
    """Ask both for a few decisions and hold the answers against each other."""
    checked, naive = compiled(written)
    policy = checked.policy
    check_policy(policy)
    seen: Counter[str] = Counter()
    for _ in range(REQUESTS):
        request, runtime = written.request(rng)
        given_params, params = params_for(written, policy, rng)
        sample = read_sample(policy, request, runtime)
        assert isinstance(sample, Request), sample
        outcome = interpret.decide(policy, params, sample.values)
        asked = request | known_roles(runtime, policy)
        wanted = naive.decide(asked, given_params)
        seen[outcome.decision.word] += 1
        if wanted is None:
            assert outcome.rule_id == interpret.INVALID_REQUEST
            continue
        assert shown(outcome) == shown_naively(wanted), (request, runtime, given_params)
        env = interpret.Environment(policy, params, sample.values, outcome.decision)
        claims = [env.holds(claim.condition) for claim in policy.properties]
        assert claims == naive.proved(asked, given_params, wanted.decision)
    return seen


def shown(outcome: interpret.Outcome) -> Any:
    obligations = normal(outcome.obligations)
    return outcome.decision.word, outcome.rule_id, list(outcome.matched), obligations


def shown_naively(outcome: NaiveOutcome) -> Any:
    return outcome.decision, outcome.rule_id, list(outcome.matched), normal(outcome.obligations)


@given(policies(), st.integers(0, 2**32))
def test_lowering_keeps_the_meaning_of_every_construct(written: Written, seed: int) -> None:
    hold_together(written, Random(seed))


def test_lowering_keeps_the_meaning_over_a_spread_of_seeds() -> None:
    seen: Counter[str] = Counter()
    for seed in range(150):
        seen += hold_together(write_policy(Random(seed)), Random(seed))
    assert min(seen[effect.word] for effect in ir.Effect) >= 5, seen


@pytest.mark.long
def test_lowering_keeps_the_meaning_over_many_seeds() -> None:
    many = 200_000 if os.environ.get("GOVLANG_AGREEMENT") == "long" else 20_000
    for seed in range(many):
        hold_together(write_policy(Random(seed)), Random(seed))


def hold_table_together(written: Written, rng: Random) -> None:
    """Ask the compiled table what the interpreter is asked."""
    policy = compile_source(Source("p.gov", written.text), written.read).policy
    given_params, params = params_for(written, policy, rng)
    loaded = tables.load(policy, params)
    for _ in range(REQUESTS):
        request, runtime = written.request(rng)
        hosted = {k: v for k, v in runtime.items() if k not in {"weekday", "minute_of_day"}}
        now_ms = rng.randrange(10**13)
        sample = read_sample(policy, request, hosted | clock_fields(policy.time_zone, now_ms))
        assert isinstance(sample, Request), sample
        wanted = interpret.decide(policy, params, sample.values)
        found = loaded.decide(request, runtime=hosted, now_ms=now_ms)
        assert shown(wanted) == (
            found.decision.value,
            found.rule_id,
            list(found.matched),
            normal(found.obligations),
        ), (request, runtime, given_params)


def clock_fields(zone: str | None, at_ms: int) -> dict[str, Any]:
    """What the clock says in a zone."""
    if zone is None:
        return {}
    start = datetime(1970, 1, 1, tzinfo=UTC)
    local = (start + timedelta(milliseconds=at_ms)).astimezone(ZoneInfo(zone))
    return {"weekday": f"{local:%A}".lower(), "minute_of_day": local.hour * 60 + local.minute}


def test_the_compiled_table_decides_as_the_source_says() -> None:
    for seed in range(5000, 5120):
        hold_table_together(write_policy(Random(seed)), Random(seed))


@pytest.mark.long
def test_the_compiled_table_decides_as_many_sources_say() -> None:
    for seed in range(10_000, 20_000):
        hold_table_together(write_policy(Random(seed)), Random(seed))
