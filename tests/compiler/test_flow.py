"""Flow: an optional field is read only where it is present, and every guard that is enough counts."""

from __future__ import annotations

import pytest
from front import FIELDS, codes, errors
from hypothesis import given
from hypothesis import strategies as st

from govlang.compiler import flow
from govlang.compiler.flow import EMPTY, Flow
from govlang.dsl.source import NO_SPAN

EXTRA = "input { speed : number in 0..9 optional\n name : text optional\n mode : one of a, b optional }\n"

GUARDED = [
    "has cost and cost > 3",
    "ticket and has cost and cost > 3",
    "not has cost or cost > 3",
    "has cost implies cost > 3",
    "not (has cost implies not (cost > 3))",
    "if has cost then cost > 3 else ticket",
    "if not has cost then ticket else cost > 3",
    "(if has cost then cost else 0) > 3",
    "has cost and (cost > 3 or cost < 1)",
    "has cost and has speed and cost > speed",
    "(has cost and has speed) and cost + speed > 3",
    "not (not has cost or not has speed) and cost > speed",
    "(has cost and ticket or has cost and zone is urban) and cost > 1",
    "has cost and not (cost > 3) and cost > 1",
    'has name and name == "a"',
    "has mode and mode is a",
    "if has cost and has speed then cost > speed else ticket",
    "(if ticket then has cost else has cost) and cost > 1",
]
UNGUARDED = [
    ("cost > 3", ["cost"]),
    ("cost > 3 and has cost", ["cost"]),
    ("has cost or cost > 3", ["cost"]),
    ("not has cost and cost > 3", ["cost"]),
    ("cost > 3 implies has cost", ["cost"]),
    ("if has cost then ticket else cost > 3", ["cost"]),
    ("has speed and cost > 3", ["cost"]),
    ("has cost and cost > speed", ["speed"]),
    ("(has cost or ticket) and cost > 3", ["cost"]),
    ("not (has cost and ticket) or cost > 3 and speed > 1", ["speed"]),
    ('name == "a"', ["name"]),
    ("mode is a", ["mode"]),
    ("(if ticket then has cost else has speed) and cost > 3", ["cost"]),
    ("cost + speed > 3", ["cost", "speed"]),
]


@pytest.mark.parametrize("text", GUARDED)
def test_a_guard_is_enough(text: str) -> None:
    assert codes(FIELDS + EXTRA + f"rule r when {text} deny") == []


@pytest.mark.parametrize(("text", "names"), UNGUARDED)
def test_a_read_without_a_guard_is_refused_where_it_stands(text: str, names: list[str]) -> None:
    found = errors(FIELDS + EXTRA + f"rule r when {text} deny")
    assert [(one.code, one.span.text) for one in found if one.span] == [
        ("GOV213", name) for name in names
    ]


PLACES = [
    ("rule r when has cost limit payload to 1 kg * cost / 9", []),
    ("rule r when ticket limit payload to 1 kg * cost / 9", ["GOV213"]),
    ("rule r limit payload to 1 kg * cost / 9", ["GOV213"]),
    ("tiers t\ntier t when has cost { rule r when cost > 3 deny }", []),
    ("tiers t\ntier t when ticket { rule r when cost > 3 deny }", ["GOV213"]),
    ("assume has cost\nrule r when cost > 3 deny\nprove p: cost < 10", []),
    ("assume has cost or ticket\nrule r when cost > 3 deny", ["GOV213"]),
    ("assume cost > 3", ["GOV213"]),
    ("assume has cost\nassume cost > 3", []),
    ("assume cost > 3\nassume has cost", ["GOV213"]),
    ("invariant i: has cost implies cost > 3", []),
    ("invariant i: cost > 3", ["GOV213"]),
    ("prove p: cost > 3", ["GOV213"]),
    ("action a { n : number in 0..9 }\nrule r when has cost deny and do a(n = cost)", []),
    ("action a { n : number in 0..9 }\nrule r deny and do a(n = cost)", ["GOV213"]),
    (
        "table t(cost) -> decision {\n| cost | decision |\n| > 3 | deny |\n| not 3 | deny |\n| _ | allow |\n}",
        [],
    ),
    ("let a = cost > 3\nlet b = has cost and a\nrule r when b deny", []),
    ("let a = cost > 3\nlet b = a or ticket\nrule r when b deny", ["GOV213"]),
]


@pytest.mark.parametrize(("body", "wanted"), PLACES)
def test_guards_reach_as_far_as_the_language_says(body: str, wanted: list[str]) -> None:
    assert codes(FIELDS + body) == wanted


FACTS = st.frozensets(st.sampled_from("xyz"))


@st.composite
def conditions(draw: st.DrawFn, depth: int = 3) -> tuple[object, Flow]:
    """A condition over the presence of x, y, z and a free bit, as a function, with its flow."""
    kind = draw(
        st.sampled_from(
            ["has", "read", "free"] + ["not", "and", "or", "implies", "if"] * (depth > 0)
        )
    )
    inner = [
        draw(conditions(depth - 1)) for _ in range({"not": 1, "if": 3}.get(kind, 2 if depth else 0))
    ]
    name = draw(st.sampled_from("xyz"))
    match kind:
        case "has":
            return ("has", name), flow.presence(name)
        case "read":
            return ("read", name), flow.read(name, NO_SPAN)
        case "free":
            return ("free", draw(st.integers(0, 2))), EMPTY
        case "not":
            return ("not", inner[0][0]), flow.negated(inner[0][1])
        case "and":
            return ("and", inner[0][0], inner[1][0]), flow.both(inner[0][1], inner[1][1])
        case "or":
            return ("or", inner[0][0], inner[1][0]), flow.either(inner[0][1], inner[1][1])
        case "implies":
            return ("implies", inner[0][0], inner[1][0]), flow.implied(inner[0][1], inner[1][1])
        case _:
            parts = [part for part, _ in inner]
            return ("if", *parts), flow.chosen(*(one for _, one in inner))


def run(expr: object, present: frozenset[str], bits: tuple[bool, ...], read: set[str]) -> bool:
    """Evaluate left to right, noting the absent fields that are read."""
    match expr:
        case ("has", str(name)):
            return name in present
        case ("read", str(name)):
            read |= {name} - present
            return bits[ord(name) - ord("x")]
        case ("free", int(i)):
            return bits[i]
        case ("not", one):
            return not run(one, present, bits, read)
        case ("and", one, two):
            return run(one, present, bits, read) and run(two, present, bits, read)
        case ("or", one, two):
            return run(one, present, bits, read) or run(two, present, bits, read)
        case ("implies", one, two):
            return not run(one, present, bits, read) or run(two, present, bits, read)
        case ("if", one, two, three):
            return run(two if run(one, present, bits, read) else three, present, bits, read)
        case _:
            raise AssertionError(expr)


@given(conditions(), FACTS, st.tuples(*[st.booleans()] * 3))
def test_flow_is_sound(
    made: tuple[object, Flow], present: frozenset[str], bits: tuple[bool, ...]
) -> None:
    expr, found = made
    read: set[str] = set()
    holds = run(expr, present, bits, read)
    assert read <= set(found.needs)
    if not read:
        assert (found.when_true if holds else found.when_false) <= present
