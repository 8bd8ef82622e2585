from __future__ import annotations

import random

import pytest
from ir_strategies import random_policy
from tables import policy_of

from govlang.compiler import interface, ir
from govlang.compiler.program import Cell, Variable
from govlang.compiler.text_classes import classify_fields

TEXT = ir.Kind.TEXT


def variables(policy: ir.Policy) -> tuple[Variable, ...]:
    return interface.variables(policy, classify_fields(policy))


def only(field: ir.Field) -> Variable:
    return variables(policy_of(field))[-1]


def cell_names(policy: ir.Policy) -> list[str]:
    return [cell.name for cell in interface.cells(policy)]


def rule(name: str, **rest: object) -> ir.Rule:
    return ir.Rule(name, ir.TRUE, **({"effect": ir.Effect.LIMIT} | rest))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lo", "hi", "width", "unset"),
    [
        (0, 10, 32, 11),
        (-(2**31), 2**31 - 2, 32, 2**31 - 1),
        (0, 2**31 - 1, 64, 2**31),
        (-(2**31) - 1, 0, 64, 1),
        (0, 2**63 - 1, 64, -1),
        (-(2**63), 2**63 - 1, 64, 0),
    ],
)
def test_a_number_takes_32_bits_where_the_unset_value_fits_too(
    lo: int, hi: int, width: int, unset: int
) -> None:
    found = only(ir.Field("n", ir.Kind.NUMBER, lo, hi))
    assert (found.width, found.unset, found.mask) == (width, unset, False)


@pytest.mark.parametrize(
    ("members", "width", "unset"),
    [(1, 32, -1), (31, 32, -1), (32, 64, -1), (63, 64, -1), (64, 64, 0)],
)
def test_a_set_is_a_mask_that_starts_as_no_set_where_it_can(
    members: int, width: int, unset: int
) -> None:
    names = tuple(f"m{i}" for i in range(members))
    found = only(ir.Field("s", ir.Kind.SET, 0, 2**members - 1, members=names))
    assert (found.width, found.unset, found.mask, found.lo) == (width, unset, True, 0)
    assert found.hi == 2**members - 1


def test_nobody_has_approved_before_the_host_says_so() -> None:
    roles = ir.Field(ir.APPROVED, ir.Kind.SET, 0, 3, members=("a", "b"), origin=ir.Origin.RUNTIME)
    assert only(roles).unset == 0


def test_optional_fields_and_texts_have_the_variables_that_rules_read() -> None:
    fields = (
        ir.Field("zone", ir.Kind.ENUM, 0, 1, members=("a", "b"), optional=True),
        ir.Field("note", TEXT, max_bytes=8),
        ir.Field("path", TEXT, max_bytes=8, optional=True),
        ir.Field("other", TEXT, max_bytes=8),
        ir.Field("third", TEXT, max_bytes=8, optional=True),
    )
    test = ir.TextTest("path", (ir.Pattern(ir.PatternKind.LITERAL, "x"),))
    both = ir.conjunction((test, ir.TextEqual("path", "third"), ir.TextEqual("other", "path")))
    cap = ir.Param(ir.Field("cap", ir.Kind.NUMBER, 1, 5), 2)
    found = variables(
        policy_of(*fields, rules=(ir.Rule("r", both, ir.Effect.DENY),), params=(cap,))
    )
    assert [one.name for one in found] == [
        "has.zone",
        "zone",
        "has.path",
        "class.path.0",
        "has.third",
        "same.other.path",
        "same.path.third",
        "param.cap",
    ]
    assert [one.has for one in found] == [(), (0,), (), (2,), (), (2,), (2, 4), ()]
    assert [one.unset for one in found] == [2, 2, 2, 2, 2, 2, 2, 2]
    assert found[3].hi == 1


def test_a_property_alone_asks_for_no_variable() -> None:
    test = ir.TextTest("path", (ir.Pattern(ir.PatternKind.LITERAL, "x"),))
    policy = policy_of(ir.Field("path", TEXT, max_bytes=8), properties=(ir.Property("p", test),))
    assert variables(policy) == ()


def test_a_policy_without_obligations_has_three_cells() -> None:
    cells = interface.cells(policy_of(rules=(rule("r", effect=ir.Effect.DENY),)))
    assert [(c.name, c.neutral) for c in cells] == [
        ("out.decision", 4),
        ("out.rule", 2),
        ("out.invalid", -1),
    ]


def test_cells_follow_the_order_in_which_rules_name_things_first() -> None:
    fields = (ir.Field("a", ir.Kind.NUMBER, 0, 9), ir.Field("b", ir.Kind.NUMBER, 0, 2**40))
    action = ir.Action(
        "act", (ir.Field("x", ir.Kind.NUMBER, 0, 9), ir.Field("y", TEXT, max_bytes=4))
    )
    do = ir.Do("act", (ir.FieldValue("a"), ir.TextConst("t")))
    constant = ir.Do("act", (ir.IntConst(1), ir.TextConst("t")))
    limit = [ir.Limit(name, ir.IntConst(0), ir.IntConst(1)) for name in "ab"]
    rules = (
        rule("r", limits=(limit[1],), dos=(constant, do)),
        rule(
            "s", limits=tuple(limit), dos=(do,), remedy=ir.Remedy("w", (("b", ir.FieldValue("a")),))
        ),
        rule("t", effect=ir.Effect.THROTTLE, retry_ms=5),
        rule("u", effect=ir.Effect.REQUIRE_HUMAN),
    )
    policy = policy_of(*fields, rules=rules, actions=(action,))
    assert cell_names(policy)[3:] == [
        "out.limited.0",
        "out.lo.b",
        "out.hi.b",
        "out.lo.a",
        "out.hi.a",
        "out.dos.0",
        "out.do.1.x",
        "out.roles",
        "out.expires",
        "out.retry",
        "out.remedies.0",
        "out.remedy.0.b",
    ]
    by_name = {cell.name: cell for cell in interface.cells(policy)}
    assert by_name["out.hi.b"] == Cell("out.hi.b", 64, 2**40, False, by_name["out.hi.b"].comment)
    assert by_name["out.expires"].neutral == -1


@pytest.mark.parametrize("start", range(0, 300, 100))
def test_names_are_distinct_and_unset_values_lie_outside(start: int) -> None:
    for seed in range(start, start + 100):
        policy = random_policy(random.Random(seed))
        found = variables(policy)
        names = [one.name for one in (*found, *interface.cells(policy))]
        assert len(set(names)) == len(names)
        for one in found:
            full = one.hi - one.lo == 2**64 - 1
            known = one.param or one.name == ir.APPROVED or full
            assert known or not one.lo <= one.unset <= one.hi
