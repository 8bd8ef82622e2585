"""The meaning of a policy, case by case."""

from __future__ import annotations

import pytest

from govlang.compiler import ir
from govlang.compiler.interpret import DEFAULT_RULE, INVALID_REQUEST, Environment, decide
from govlang.compiler.ir import Combine, Default, Effect, Rule
from govlang.compiler.requests import read_sample, write_request
from govlang.compiler.step import Request, Tick, initial_state, step

X = ir.Field("x", ir.Kind.NUMBER, 0, 100)
APPROVED = ir.Field(
    "approved",
    ir.Kind.SET,
    0,
    3,
    members=("ops", "boss"),
    origin=ir.Origin.RUNTIME,
    implied=0,
)


def upto(n: int) -> ir.BoolExpr:
    return ir.InRanges("x", ((0, n),))


def policy(
    *rules: Rule, combine: Combine = Combine.STRICT, default: Default = Default.DENY
) -> ir.Policy:
    """A policy over `x` (0..100) and the roles ops and boss."""
    return ir.Policy("p", "1", 1, combine, default, (X, APPROVED), rules)


def outcome_of(p: ir.Policy, x: int, approved: int = 0) -> tuple[Effect, str]:
    outcome = decide(p, {}, {"x": x, "approved": approved})
    return outcome.decision, outcome.rule_id


ALLOW = Rule("a", ir.TRUE, Effect.ALLOW)
DENY = Rule("d", upto(50), Effect.DENY)
LIMIT = Rule("l", upto(50), Effect.LIMIT, limits=(ir.Limit("x", ir.IntConst(0), ir.IntConst(9)),))
HUMAN = Rule("h", upto(50), Effect.REQUIRE_HUMAN, roles=("ops", "boss"), expires_ms=60_000)


@pytest.mark.parametrize(
    ("rules", "default", "x", "approved", "expected"),
    [
        ((), Default.ALLOW, 5, 0, (Effect.ALLOW, DEFAULT_RULE)),
        ((), Default.DENY, 5, 0, (Effect.DENY, DEFAULT_RULE)),
        ((), Default.NONE, 5, 0, (Effect.DENY, DEFAULT_RULE)),
        ((ALLOW,), Default.DENY, 5, 0, (Effect.ALLOW, "a")),
        ((ALLOW, DENY), Default.DENY, 5, 0, (Effect.DENY, "d")),
        ((ALLOW, DENY), Default.DENY, 51, 0, (Effect.ALLOW, "a")),
        ((LIMIT,), Default.DENY, 5, 0, (Effect.DENY, DEFAULT_RULE)),
        ((LIMIT,), Default.ALLOW, 5, 0, (Effect.LIMIT, "l")),
        ((LIMIT, ALLOW), Default.DENY, 5, 0, (Effect.LIMIT, "l")),
        ((HUMAN,), Default.DENY, 5, 0, (Effect.REQUIRE_HUMAN, "h")),
        ((HUMAN,), Default.DENY, 5, 1, (Effect.REQUIRE_HUMAN, "h")),
        ((HUMAN,), Default.DENY, 5, 3, (Effect.ALLOW, "h")),
        ((HUMAN, LIMIT), Default.DENY, 5, 3, (Effect.LIMIT, "l")),
        ((HUMAN, DENY), Default.ALLOW, 5, 3, (Effect.DENY, "d")),
    ],
)
def test_the_strictest_standing_effect_is_joined_with_a_default_that_nothing_lifts(
    rules: tuple[Rule, ...],
    default: Default,
    x: int,
    approved: int,
    expected: tuple[Effect, str],
) -> None:
    assert outcome_of(policy(*rules, default=default), x, approved) == expected


def test_first_match_takes_the_first_fired_rule_whole() -> None:
    p = policy(LIMIT, DENY, ALLOW, combine=Combine.FIRST_MATCH)
    assert outcome_of(p, 5) == (Effect.LIMIT, "l")
    assert outcome_of(p, 60) == (Effect.ALLOW, "a")


def test_unique_denies_by_default_when_two_rules_stand() -> None:
    p = policy(ALLOW, LIMIT, combine=Combine.UNIQUE, default=Default.ALLOW)
    assert outcome_of(p, 5) == (Effect.DENY, DEFAULT_RULE)
    assert outcome_of(p, 60) == (Effect.ALLOW, "a")


def test_a_guard_wins_under_unique() -> None:
    guard = Rule("g", upto(10), Effect.DENY, tier=-1, kind=ir.RuleKind.GUARD)
    p = policy(guard, ALLOW, combine=Combine.UNIQUE)
    assert outcome_of(p, 5) == (Effect.DENY, "g")


def test_overrides_are_decided_from_the_top_and_are_not_transitive() -> None:
    top = Rule("top", upto(10), Effect.ALLOW, overrides=("middle",))
    middle = Rule("middle", upto(20), Effect.DENY, overrides=("bottom",))
    bottom = Rule("bottom", upto(30), Effect.THROTTLE, retry_ms=1000)
    p = policy(bottom, middle, top, ALLOW)
    assert outcome_of(p, 5) == (Effect.THROTTLE, "bottom")
    assert outcome_of(p, 15) == (Effect.DENY, "middle")
    assert outcome_of(p, 25) == (Effect.THROTTLE, "bottom")
    assert decide(p, {}, {"x": 5}).matched == ("bottom", "middle", "top", "a")


def test_limits_of_several_rules_intersect_and_deny_where_they_do_not_meet() -> None:
    def limit(name: str, lo: int, hi: int, upper: int) -> Rule:
        ends = ir.Limit("x", ir.IntConst(lo), ir.IntConst(hi))
        return Rule(name, upto(upper), Effect.LIMIT, limits=(ends,))

    p = policy(ALLOW, limit("l", 0, 9, 50), limit("m", 5, 20, 40), limit("n", 15, 100, 10))
    assert decide(p, {}, {"x": 30}).obligations == ({"limit": "x", "from": 5, "to": 9},)
    assert outcome_of(p, 5) == (Effect.DENY, "l")


def test_an_approved_rule_asks_for_no_role_and_keeps_its_actions() -> None:
    rule = Rule(
        "h", ir.TRUE, Effect.REQUIRE_HUMAN, roles=("ops",), dos=(ir.Do("log"),), expires_ms=9
    )
    p = ir.Policy(
        "p",
        "1",
        1,
        Combine.STRICT,
        Default.DENY,
        (X, APPROVED),
        (rule,),
        actions=(ir.Action("log"),),
    )
    waiting = decide(p, {}, {"x": 1, "approved": 0}).obligations
    assert waiting == ({"do": "log"}, {"require": ["ops"], "expires_ms": 9})
    assert decide(p, {}, {"x": 1, "approved": 1}).obligations == ({"do": "log"},)


def test_deny_keeps_only_actions_and_remedies() -> None:
    remedy = ir.Remedy("slow down", (("x", ir.IntConst(3)),))
    p = policy(
        Rule("d", ir.TRUE, Effect.DENY, remedy=remedy),
        Rule("t", ir.TRUE, Effect.THROTTLE, retry_ms=5),
        LIMIT,
    )
    assert decide(p, {}, {"x": 1}).obligations == ({"remedy": "slow down", "with": {"x": 3}},)


def test_an_assumption_that_does_not_hold_makes_the_request_invalid() -> None:
    p = ir.Policy(
        "p",
        "1",
        1,
        Combine.STRICT,
        Default.ALLOW,
        (X,),
        (),
        assumptions=(ir.Assumption("x <= 50", upto(50)),),
    )
    assert decide(p, {}, {"x": 51}).rule_id == INVALID_REQUEST
    assert decide(p, {}, {"x": 50}).decision is Effect.ALLOW


def test_an_invalid_request_denies_and_names_the_field() -> None:
    p = policy(ALLOW)
    _, outcome = step(p, {}, initial_state(p), read_sample(p, {"x": 101}))
    assert outcome is not None
    assert (outcome.decision, outcome.rule_id) == (Effect.DENY, INVALID_REQUEST)
    assert "`x` is 101, must be in 0..100" in outcome.reason


def test_a_tick_decides_nothing() -> None:
    p = policy(ALLOW)
    assert step(p, {}, initial_state(p), Tick(5)) == (initial_state(p), None)


@pytest.mark.parametrize(
    ("dividend", "divisor", "quotient"),
    [(7, 2, 3), (-7, 2, -4), (7, -2, -4), (-7, -2, 3), (-8, 4, -2)],
)
def test_division_floors(dividend: int, divisor: int, quotient: int) -> None:
    env = Environment(policy(), {}, {})
    assert env.evaluate(ir.FloorDiv(ir.IntConst(dividend), divisor)) == quotient


def test_a_request_is_written_as_it_is_read() -> None:
    p = policy(ALLOW)
    sample = read_sample(p, {"x": 7}, {"approved": ["boss", "stranger"]})
    assert write_request(p, sample.values) == ({"x": 7}, {"approved": ["boss"]})  # type: ignore[union-attr]


def test_a_number_of_many_digits_is_written_exactly() -> None:
    fine = ir.Field("x", ir.Kind.NUMBER, 0, 10**18, 123456789012345678, 10**18)
    p = ir.Policy("p", "1", 1, Combine.STRICT, Default.DENY, (fine,), (ALLOW,))
    for steps in (923456789012345679, 10**18 - 1, 1):
        request, _ = write_request(p, {"x": steps})
        sample = read_sample(p, request)
        assert isinstance(sample, Request)
        assert sample.values == {"x": steps}
