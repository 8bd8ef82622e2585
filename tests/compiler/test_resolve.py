"""Names: spaces, clashes, what is reserved, what is built in."""

from __future__ import annotations

import pytest
from front import FIELDS, check, codes, errors

from govlang.compiler import ir
from govlang.compiler.resolve import unique
from govlang.dsl import ast
from govlang.dsl.diagnostics import Diagnostics
from govlang.dsl.source import Source, Span

TWICE = [
    ("input { a : bool }\ninput { a : bool }", "name `a`"),
    ("input { a : bool }\nparam a : bool = true", "name `a`"),
    ("input { a : bool }\nlet a = true", "name `a`"),
    ("output a : number in 0..1\ninput { a : bool }", "name `a`"),
    ("rule a deny\nrule a deny", "rule `a`"),
    ("rule a deny\ninvariant a: true", "rule `a`"),
    (
        "input { b : bool }\nrule a deny\ntable a(b) -> decision {\n| b | decision |\n| true | deny |\n}",
        "rule `a`",
    ),
    (
        'input { b : bool }\nrule "a#1" deny\ntable a(b) -> decision {\n| b | decision |\n| true | deny |\n}',
        "rule `a#1`",
    ),
    ("prove a: true\nprove a: true", "property `a`"),
    ("action a\naction a", "action `a`"),
    ("action a { b : bool b : bool }", "argument `b`"),
    ("tiers a, a", "tier `a`"),
    ('test "a" { request { } expect deny }\ntest "a" { request { } expect deny }', "test `a`"),
]


@pytest.mark.parametrize(("body", "what"), TWICE, ids=[b for b, _ in TWICE])
def test_a_name_declared_twice_is_refused_with_both_places(body: str, what: str) -> None:
    found = [one for one in errors(body) if one.code == "GOV202"]
    assert len(found) == 1
    assert what in found[0].message
    first = found[0].notes[0].span
    assert first is not None
    assert found[0].span is not None
    assert first.start != found[0].span.start


def test_actions_rules_and_fields_may_share_a_name() -> None:
    body = "input { a : bool }\naction a\ntiers a\nrule a when a deny and do a\nprove a: a or not a"
    assert codes(body) == []


@pytest.mark.parametrize("name", ["approved", "weekday", "minute_of_day"])
def test_a_built_in_field_cannot_be_declared(name: str) -> None:
    assert codes(f"input {{ {name} : bool }}") == ["GOV203"]


@pytest.mark.parametrize("name", ["default", "invalid_request", "clock_fault", "state_full"])
def test_a_name_that_outcomes_use_is_no_rule(name: str) -> None:
    assert codes(f"rule {name} deny") == ["GOV203"]


@pytest.mark.parametrize("modifier", ["optional", "from runtime", "private"])
def test_an_argument_of_an_action_has_no_modifier(modifier: str) -> None:
    assert codes(f"action a {{ x : bool {modifier} }}") == ["GOV234"]


def test_an_output_cannot_be_read() -> None:
    found = errors("output speed : number in 0..9\nrule a when speed > 3 deny")
    assert [one.code for one in found] == ["GOV204"]
    assert "is an output" in found[0].message


def test_outputs_are_numbers_and_parameters_have_a_range() -> None:
    assert codes("output o : one of a, b") == ["GOV234"]
    assert codes('param p : text = "a"') == ["GOV238"]
    assert codes("param p : set of a, b = {a}") == ["GOV238"]
    assert codes("param p : time = 3 s") == ["GOV238"]


PARAMS = [
    ("number in 1..5 kg = 1000 g", [], 1),
    ("number in 1..5 kg = 6 kg", ["GOV209"], None),
    ("number in 1..5 kg = 1", ["GOV206"], None),
    ("number in 1..5 kg step 0.5 = 1.25 kg", ["GOV208"], None),
    ("number in -5..5 = -3", [], -3),
    ("one of a, b = b", [], 1),
    ("one of a, b = c", ["GOV212"], None),
    ("bool = false", [], 0),
    ("bool = 0", ["GOV204"], None),
    ("duration = 15 min", [], 900_000),
]


@pytest.mark.parametrize(("text", "wanted", "default"), PARAMS, ids=[t for t, *_ in PARAMS])
def test_a_default_lies_in_the_range_of_its_parameter(
    text: str, wanted: list[str], default: int | None
) -> None:
    assert codes(f"param p : {text}") == wanted
    if default is not None:
        assert check(f"param p : {text}").policy.params[0].default == default


def test_a_time_zone_brings_the_weekday_and_the_minute_of_the_day() -> None:
    body = 'time zone "Europe/Berlin"\nrule a when weekday in {saturday, sunday} and minute_of_day >= 9 h deny'
    policy = check(body).policy
    assert policy.time_zone == "Europe/Berlin"
    assert [(f.name, f.origin) for f in policy.fields] == [
        ("weekday", ir.Origin.CLOCK),
        ("minute_of_day", ir.Origin.CLOCK),
    ]
    assert policy.rules[0].condition == ir.And(
        (ir.InRanges("weekday", ((5, 6),)), ir.InRanges("minute_of_day", ((540, 1439),)))
    )
    assert codes("rule a when weekday is monday deny") == ["GOV201"]
    assert codes('time zone "Nowhere"') == ["GOV236"]
    assert codes('time zone "../../etc/passwd"') == ["GOV236"]


def test_roles_are_those_that_the_policy_names() -> None:
    body = 'rule a when approved contains "b" deny\nrule c require human from "d", "b"\nrule e require human'
    policy = check(body).policy
    assert policy.roles == ("b", "d", "human")
    assert policy.field("approved").implied == 0
    assert policy.rules[1].roles == ("d", "b")
    assert policy.rules[2].roles == ("human",)


def test_a_policy_without_roles_has_no_field_for_them_unless_it_asks() -> None:
    assert check(FIELDS).policy.roles == ()
    assert "approved" not in {f.name for f in check(FIELDS).policy.fields}
    asked = check("rule a when approved is empty deny").policy
    assert asked.field("approved").members == ()


def test_a_policy_names_at_most_64_roles() -> None:
    body = "".join(f'rule r{i} require human from "role{i}"\n' for i in range(65))
    found = errors(body)
    assert [(one.code, one.span.text) for one in found if one.span] == [("GOV235", '"role64"')]


def test_of_a_long_time_zone_forty_letters_are_shown() -> None:
    (found,) = errors(f'time zone "{"x" * 39}yz"')
    assert found.message == f"there is no time zone `{'x' * 39}y`"


def test_a_name_is_new_once() -> None:
    source = Source("p.gov", "one two one")
    names = [
        ast.Name(text, source.span(at, at + 3)) for text, at in (("one", 0), ("two", 4), ("one", 8))
    ]
    found, seen = Diagnostics(), dict[str, Span]()
    assert [unique(name, seen, "rule", found) for name in names] == [True, True, False]
    (twice,) = found
    assert (twice.code, twice.span) == ("GOV202", names[2].span)
    assert seen["one"] == names[0].span
