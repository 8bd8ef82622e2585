"""Effects and obligations: limits inside their range, typed arguments, times in milliseconds."""

from __future__ import annotations

import pytest
from front import FIELDS, FULL, check, codes, errors

from govlang.compiler import interpret, ir
from govlang.compiler.ir import FieldValue, IntConst
from govlang.compiler.requests import read_sample
from govlang.compiler.step import Request

OUTPUT = "output speed : number in 2..20 m/s step 0.5\n"

LIMITS = [
    ("speed to 10 m/s", ir.Limit("speed", IntConst(4), IntConst(20))),
    ("speed to 36 km/h", ir.Limit("speed", IntConst(4), IntConst(20))),
    ("speed to 3 m/s..10 m/s", ir.Limit("speed", IntConst(6), IntConst(20))),
    ("payload to 0 kg", ir.Limit("payload", IntConst(0), IntConst(0))),
    ("cargo to payload", ir.Limit("cargo", IntConst(0), ir.FloorDiv(FieldValue("payload"), 50))),
    ("pause to 15 min", ir.Limit("pause", IntConst(0), IntConst(900_000))),
]


@pytest.mark.parametrize(("text", "wanted"), LIMITS, ids=[t for t, _ in LIMITS])
def test_a_limit_counts_steps_of_its_target(text: str, wanted: ir.Limit) -> None:
    assert check(f"{FIELDS}{OUTPUT}rule r limit {text}").policy.rules[0].limits == (wanted,)


FAULTS = [
    ("limit speed to 30 m/s", "GOV209", "30 m/s", "outside the range 2..20 m/s"),
    ("limit speed to 1 m/s", "GOV209", "1 m/s", "outside the range"),
    ("limit speed to 10", "GOV206", "10", "has no unit"),
    ("limit speed to 10 kg", "GOV205", "10 kg", "do not fit"),
    ("limit speed to 2.25 m/s", "GOV208", "2.25 m/s", "between two steps"),
    ("limit speed to 10 m/s..5 m/s", "GOV207", "limit speed to 10 m/s..5 m/s", "is empty"),
    ("limit payload to cargo", "GOV209", "cargo", "can be 0..40"),
    ("limit payload to payload + 1 kg", "GOV209", "payload + 1 kg", "can be 1..26"),
    ("limit sped to 3 m/s", "GOV201", "sped", "no input or output"),
    ("limit zone to 3", "GOV234", "zone", "is an enumeration"),
    ("limit since to 3 s", "GOV234", "since", "is a time"),
    ("limit hosted to 3", "GOV234", "hosted", "is set by the host"),
    ("deny and do isolte", "GOV201", "isolte", "there is no action"),
    ('deny and do page(who = "a")', "GOV234", 'do page(who = "a")', "is not given `hard`"),
    ('deny and do page(who = "a", hard = 3, soft = 4)', "GOV201", "soft", "no argument of `page`"),
    ('deny and do page(who = "a", who = "b", hard = 3)', "GOV202", "who", "declared twice"),
    ('deny and do page(who = "a", hard = 30)', "GOV209", "30", "outside the range"),
    ("deny and do page(who = sre, hard = 3)", "GOV204", "sre", "does not fit `who`"),
    ("deny and do page(who = topic, hard = 3)", "GOV204", "topic", "not always a valid `who`"),
    ("deny and do page(who = branch, hard = payload)", "GOV205", "payload", "do not fit"),
    ("deny and do page(who = branch, hard = risk)", "GOV208", "risk", "between two steps"),
    ("deny and do isolate for 10", "GOV206", "10", "has no unit"),
    ("deny and do isolate for 10 kg", "GOV205", "10 kg", "not a time"),
    ("throttle retry 0.5 ms", "GOV207", "0.5 ms", "whole number of milliseconds"),
    ("throttle retry 100_000_000 d", "GOV207", "100_000_000 d", "in reach"),
    ('deny remedy "x" with topc = "a"', "GOV201", "topc", "no field of a request"),
    ('deny remedy "x" with hosted = 3', "GOV201", "hosted", "no field of a request"),
    ('deny remedy "x" with branch = "12345678901"', "GOV215", '"12345678901"', "at most 10"),
    (
        "deny and do page(who = branch, hard = count)",
        "GOV209",
        "count",
        "can lie outside the range",
    ),
]


@pytest.mark.parametrize(("text", "code", "caret", "message"), FAULTS, ids=[f[0] for f in FAULTS])
def test_an_effect_that_cannot_be_carried_out_is_refused(
    text: str, code: str, caret: str, message: str
) -> None:
    extra = (
        OUTPUT
        + "input { count : number in 0..20\n hosted : number in 0..9 from runtime }\naction isolate\n"
        "action page { who : text max 10 hard : number in 0..9 }\n"
    )
    found = errors(f"{FIELDS}{extra}rule r {text}")
    assert [one.code for one in found] == [code]
    assert found[0].span is not None
    assert found[0].span.text == caret
    assert message in found[0].message
    assert found[0].help


def test_a_moving_lower_end_is_raised_to_the_grid_and_a_cap_is_floored() -> None:
    body = "rule r limit cargo to least(payload, 5 kg)..greatest(payload, 6 kg)"
    policy = check(FIELDS + body).policy
    for payload, low, high in [("3.2", "3.5", 6), ("7.7", 5, "7.5"), ("5", 5, 6)]:
        sample = read_sample(policy, {**FULL, "payload": float(payload)})
        assert isinstance(sample, Request)
        limit = interpret.decide(policy, {}, sample.values).obligations
        assert limit == () or [str(limit[0][k]) for k in ("from", "to")] == [str(low), str(high)]
        rule = policy.rules[0].limits[0]
        env = interpret.Environment(policy, {}, sample.values)
        assert env.evaluate(rule.lo) == float(low) * 2
        assert env.evaluate(rule.hi) == float(high) * 2


def test_arguments_are_typed_by_the_action_and_may_be_fields() -> None:
    body = (
        "action page { who : text level : one of low, high labels : set of write, delete, pii "
        "on : bool weight : number in 0..50 kg step 0.01 at_zone : one of urban, rural, airport }\n"
        "rule r deny and do page(on = ticket, who = topic, level = high, labels = {pii}, "
        "weight = payload, at_zone = zone) for 10 min"
    )
    do = check(FIELDS + body).policy.rules[0].dos[0]
    assert do == ir.Do(
        "page",
        (
            ir.TextField("topic"),
            IntConst(1),
            IntConst(4),
            FieldValue("ticket"),
            FieldValue("payload"),
            FieldValue("zone"),
        ),
        600_000,
    )


def test_every_clause_of_a_rule_arrives() -> None:
    body = (
        'rule a when ticket require human from "x", "y" expires 15 min because "why" '
        'remedy "try" with topic = "customer.verify", ticket = true\n'
        "rule b throttle retry 1.5 min\nrule c deny overrides a, b\nrule d require human"
    )
    a, b, c, d = check(FIELDS + body).policy.rules
    assert (a.effect, a.roles, a.expires_ms) == (ir.Effect.REQUIRE_HUMAN, ("x", "y"), 900_000)
    assert a.because == "why"
    assert a.remedy == ir.Remedy(
        "try", (("topic", ir.TextConst("customer.verify")), ("ticket", IntConst(1)))
    )
    assert (b.effect, b.retry_ms) == (ir.Effect.THROTTLE, 90_000)
    assert c.overrides == ("a", "b")
    assert d.roles == ("human",)


def test_a_limit_follows_a_parameter_inside_the_range() -> None:
    body = "param cap : number in 1..5 kg = 2 kg\nrule r limit payload to cap"
    assert check(FIELDS + body).policy.rules[0].limits[0].hi == ir.Arith(
        ir.ArithOp.MUL, ir.ParamValue("cap"), IntConst(100)
    )
    assert codes(FIELDS + body.replace("1..5", "1..50")) == ["GOV209"]
