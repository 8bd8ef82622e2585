"""`test` blocks: requests in JSON form in the fields' units, checked, and what they expect."""

from __future__ import annotations

from decimal import Decimal

import pytest
from front import FIELDS, check, errors

from govlang.compiler import ir
from govlang.compiler.checked import TestStep
from govlang.compiler.requests import read_sample
from govlang.compiler.step import Request

FULL = (
    "battery 50 %, payload 1 kg, cargo 1 kg, wait 1 min, risk 0.5, zone urban, labels {write}, ticket true, "
    'topic "a", branch "b", file "src/a", agent "a1", since 0 ms, until 1 min, pause 30 s'
)
RULES = (
    "action page { who : text max 10 level : one of low, high }\noutput speed : number in 0..20 m/s step 0.5\n"
    'rule r when ticket require human from "x"\ntable t(zone) -> decision {\n| zone | decision |\n| urban | deny |\n}\n'
    "param cap : number in 1..5 kg = 1 kg\n"
)


def step(text: str) -> TestStep:
    return check(f'{FIELDS}{RULES}test "t" {{ {text} }}').tests[0].steps[0]


def test_values_are_in_json_form_in_the_units_of_the_fields() -> None:
    found = step(
        "at 1.5 s request { "
        + FULL.replace("1 kg", "1500 g", 1).replace("1 min", "120 s", 1)
        + " } expect deny"
    )
    assert found.at_ms == 1500
    assert found.request == {
        "battery": 50,
        "payload": Decimal("1.5"),
        "cargo": 1,
        "wait": 2,
        "risk": Decimal("0.5"),
        "zone": "urban",
        "labels": ["write"],
        "ticket": True,
        "topic": "a",
        "branch": "b",
        "file": "src/a",
        "agent": "a1",
        "since": 0,
        "until": 60_000,
        "pause": 30_000,
    }


def test_a_request_of_a_test_is_one_that_the_policy_reads() -> None:
    checked = check(f'{FIELDS}{RULES}test "t" {{ request {{ {FULL}, cost 3 }} expect deny }}')
    found = checked.tests[0].steps[0]
    sample = read_sample(checked.policy, found.request, found.runtime)
    assert isinstance(sample, Request)
    assert sample.values["cost"] == 3


def test_runtime_and_parameters_arrive() -> None:
    text = f'params {{ cap 2 kg }} request {{ {FULL} }} runtime {{ approved {{"x", "stranger"}} }} expect allow by r'
    found = step(text)
    assert found.runtime == {"approved": ["x", "stranger"]}
    assert found.params == {"cap": 2}
    assert (found.expect, found.by) == (ir.Effect.ALLOW, "r")


EXPECTED = [
    ("deny by t#1", None),
    ('deny by "t#1"', ()),
    ("allow by default", ()),
    ("require human", ()),
    ('require human from "x" expires 15 min', ({"require": ["x"], "expires_ms": 900_000},)),
    ("throttle retry 30 s", ({"retry_ms": 30_000},)),
    ("limit", ()),
    ("limit speed to 36 km/h", ({"limit": "speed", "to": 10},)),
    ("limit speed to 2.5 m/s..10 m/s", ({"limit": "speed", "from": Decimal("2.5"), "to": 10},)),
    ("deny and do page", ({"do": "page"},)),
    (
        'deny and do page(who = "x", level = high) for 1 min',
        ({"do": "page", "args": {"who": "x", "level": "high"}, "for_ms": 60_000},),
    ),
]


@pytest.mark.parametrize(("text", "wanted"), EXPECTED[1:], ids=[t for t, _ in EXPECTED[1:]])
def test_what_is_expected_arrives(text: str, wanted: tuple[object, ...]) -> None:
    assert step(f"request {{ {FULL} }} expect {text}").obligations == wanted


FAULTS = [
    (FULL.replace("payload 1 kg, ", ""), "deny", "GOV237", "lacks `payload`"),
    (FULL.replace("payload 1 kg", "payload 1"), "deny", "GOV206", "has no unit"),
    (FULL.replace("payload 1 kg", "payload 30 kg"), "deny", "GOV209", "outside the range"),
    (FULL.replace("payload 1 kg", "payload 0.001 kg"), "deny", "GOV208", "between two steps"),
    (FULL.replace("payload 1 kg", "payload 1 m"), "deny", "GOV205", "do not fit"),
    (FULL.replace("payload 1 kg", 'payload "1"'), "deny", "GOV204", "does not fit `payload`"),
    (FULL.replace("zone urban", "zone urbn"), "deny", "GOV212", "none of the members"),
    (FULL.replace("{write}", "{write, write}"), "deny", "GOV235", "twice"),
    (FULL.replace('"src/a"', '"/src"'), "deny", "GOV215", "no valid path"),
    (FULL + ", cargoo 3", "deny", "GOV201", "no field of a request `cargoo`"),
    (FULL + ", zone urban", "deny", "GOV202", "declared twice"),
    (FULL + ', approved {"x"}', "deny", "GOV201", "no field of a request `approved`"),
    (FULL, "deny by rr", "GOV201", "no rule `rr`"),
    (FULL, "limit speed to payload", "GOV237", "expects a number"),
    (FULL, "limit sped to 3 m/s", "GOV201", "no input or output"),
    (FULL, "deny and do pge", "GOV201", "no action `pge`"),
]


@pytest.mark.parametrize(
    ("request_", "expect", "code", "message"), FAULTS, ids=[f[2] + f[3] for f in FAULTS]
)
def test_a_test_that_does_not_fit_the_policy_is_refused(
    request_: str, expect: str, code: str, message: str
) -> None:
    found = errors(f'{FIELDS}{RULES}test "t" {{ request {{ {request_} }} expect {expect} }}')
    assert [one.code for one in found] == [code], [one.message for one in found]
    assert message in found[0].message
    assert found[0].help


def test_a_step_may_expect_that_its_request_is_refused() -> None:
    found = step(
        "request { battery 500 %, payload 0.001 kg, cargo 1500 g, wait 90 s, zone moon, "
        'ticket 3, nothing "x", labels {a, "b"} } '
        'runtime { topic "forged" } expect deny by invalid_request'
    )
    assert found.by == "invalid_request"
    assert found.request == {
        "battery": 500,
        "payload": Decimal("0.001"),
        "cargo": Decimal("1.5"),
        "wait": Decimal("1.5"),
        "zone": "moon",
        "ticket": 3,
        "nothing": "x",
        "labels": ["a", "b"],
    }
    assert found.runtime == {"topic": "forged"}


def test_the_clock_fields_may_be_given_or_left_to_the_time_of_the_step() -> None:
    body = 'time zone "UTC"\nrule r when weekday is monday deny\ntest "t" {\n'
    body += "at 0 s request { } expect allow\nat 1 h request { } runtime { weekday monday } expect deny }"
    steps = check("default allow\n" + body).tests[0].steps
    assert [(s.at_ms, s.runtime) for s in steps] == [(0, {}), (3_600_000, {"weekday": "monday"})]


def test_a_number_finer_than_any_field_is_passed_on_as_written() -> None:
    fine = "0." + "3" * 40
    found = step(f"request {{ risk {fine} }} expect deny by invalid_request")
    assert found.request == {"risk": Decimal(fine)}
