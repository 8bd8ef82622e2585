"""Whether rules ask for the same, and whether one rank is enough for each; the outcome stays the same."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from edge_host import encoded, expected, said
from program_run import run
from tables import policy_of

from govlang.compiler import ir
from govlang.compiler.interpret import decide
from govlang.compiler.steps import build_program
from govlang.compiler.steps_asking import Asking, asking_of
from govlang.compiler.text_classes import classify_fields

RISK = ir.Field("risk", ir.Kind.NUMBER, 0, 7)
ROLES = ir.Field(ir.APPROVED, ir.Kind.SET, 0, 3, members=("x", "y"), origin=ir.Origin.RUNTIME)


def rule(name: str, effect: ir.Effect, *bits: int) -> ir.Rule:
    """A rule that fires where `risk` has one of the bits."""
    some = tuple((n, n) for n in range(8) if any(n >> bit & 1 for bit in bits))
    return ir.Rule(name, ir.InRanges("risk", some), effect)


def asks(
    name: str, *bits: int, roles: tuple[str, ...] = ("x",), expires: int | None = 5
) -> ir.Rule:
    return replace(rule(name, ir.Effect.REQUIRE_HUMAN, *bits), roles=roles, expires_ms=expires)


DENY, THROTTLE = rule("d", ir.Effect.DENY, 0), rule("t", ir.Effect.THROTTLE, 0)
ALLOW, ASK, AGAIN = rule("a", ir.Effect.ALLOW, 1), asks("h", 2), asks("g", 1, 2)
NOBODY = asks("n", 1, roles=(), expires=None)

CASES: dict[str, tuple[tuple[ir.Rule, ...], Asking | None]] = {
    "nobody is asked": ((DENY, ALLOW), None),
    "one rule asks": ((DENY, ASK), Asking(1, 5, merged=True)),
    "two rules ask for the same": ((ASK, DENY, AGAIN), Asking(1, 5, merged=True)),
    "an effect stands between": ((THROTTLE, ASK), Asking(1, 5, merged=False)),
    "a rule allows behind": ((ASK, AGAIN, ALLOW), Asking(1, 5, merged=True)),
    "a rule allows before": ((ASK, ALLOW, AGAIN), Asking(1, 5, merged=False)),
    "a rule asks for nobody before": ((NOBODY, ASK), Asking(1, 5, merged=False)),
    "other roles": ((ASK, asks("o", 1, roles=("x", "y"))), None),
    "another time": ((ASK, asks("o", 1, expires=6)), None),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("default", [ir.Default.ALLOW, ir.Default.DENY])
def test_what_is_asked_is_found_and_told_by_the_rank(name: str, default: ir.Default) -> None:
    rules, asking = CASES[name]
    policy = replace(policy_of(RISK, ROLES, rules=rules), default=default)
    assert asking_of(policy) == asking
    classes = classify_fields(policy)
    program = build_program(policy, classes)
    for risk, approved in product(range(8), range(4)):
        values = {"risk": risk, ir.APPROVED: approved}
        cells = run(program, encoded(policy, classes, values, {}))
        assert said(policy, cells, values) == expected(decide(policy, {}, values)), values


def test_a_rule_that_is_taken_whole_says_itself_what_it_asks_for() -> None:
    policy = replace(policy_of(RISK, ROLES, rules=(ASK,)), combine=ir.Combine.FIRST_MATCH)
    assert asking_of(policy) is None
