"""`let`: any order, no cycles, no explosion."""

from __future__ import annotations

import pytest
from front import FIELDS, codes, condition, errors, faults

from govlang.compiler import ir
from govlang.compiler.lets import LEVELS_MAX, parts_of, size_of


def test_lets_may_stand_in_any_order_and_name_numbers_conditions_and_constants() -> None:
    extra = "let b = a and payload > c\nlet a = ticket\nlet c = 2 * d\nlet d = 1 kg"
    assert condition("b", extra) == ir.And(
        (ir.InRanges("ticket", ((1, 1),)), ir.InRanges("payload", ((201, 2500),)))
    )


def test_a_member_that_is_called_like_a_let_is_no_use_of_it() -> None:
    assert condition("urban", "let urban = zone is urban") == ir.InRanges("zone", ((0, 0),))


def test_a_cycle_is_named_and_its_uses_stay_silent() -> None:
    found = faults("a", "let a = b\nlet b = c\nlet c = a")
    assert [one.message for one in found] == ["a `let` is made of itself: `a` → `b` → `c` → `a`"]
    assert [one.code for one in faults("a", "let a = a")] == ["GOV231"]


def test_a_fault_in_a_let_is_reported_once() -> None:
    assert [one.code for one in faults("a and a", "let a = nothing > 3")] == ["GOV201"]


DOUBLED = [
    ("let a0 = ticket\n", "let a{n} = a{m} and (a{m} or ticket)\n", "a40"),
    ("let a0 = payload\n", "let a{n} = least(a{m}, a{m} + a{m})\n", "a40 > 1 kg"),
    ("let a0 = payload\n", "let a{n} = abs(a{m} - 1 kg)\n", "a40 > 1 kg"),
    ("let a0 = ticket\n", "let a{n} = if a{m} then not a{m} else ticket\n", "a40"),
]


@pytest.mark.parametrize(("first", "step", "use"), DOUBLED)
def test_lets_that_double_are_refused_and_not_written_out(first: str, step: str, use: str) -> None:
    extra = first + "".join(step.format(n=n + 1, m=n) for n in range(40))
    assert {one.code for one in faults(use, extra)} == {"GOV232"}


NESTS = [
    ("abs(" * 60, "payload", ")" * 60 + " > 1 kg"),
    ("if " * 40, "ticket", " then ticket else ticket" * 40),
    ("if ticket then ticket else " * 150, "ticket", ""),
    ("payload + " * 150, "payload", " > 1 kg"),
    ("not (" * 80, "ticket", " and ticket)" * 80),
]


@pytest.mark.parametrize(("before", "inner", "after"), NESTS, ids=[n[0][:20] for n in NESTS])
def test_expressions_that_later_passes_could_not_recurse_into_are_refused(
    before: str, inner: str, after: str
) -> None:
    assert [one.code for one in faults(before + inner + after)] == ["GOV232"]


def test_a_sum_of_a_hundred_terms_is_no_nest() -> None:
    found = condition("risk + " * 100 + "risk > 3")
    assert size_of(found, 10_000) < 2 * LEVELS_MAX
    assert codes(FIELDS + "rule r when " + "ticket and " * 5000 + "ticket deny") == []


def test_a_wide_let_is_counted_where_it_is_used() -> None:
    extra = "let wide = " + " and ".join(["ticket"] * 2000)
    assert (
        errors(FIELDS + extra + "\nrule r when " + " or ".join(["wide"] * 60) + " deny")[0].code
        == "GOV232"
    )
    assert not faults(" or ".join(["wide"] * 40), extra)


def test_the_size_of_an_expression_is_its_number_of_nodes() -> None:
    found = condition("ticket and (payload + cargo > 1 kg or not (wait == pause))")
    nodes, waiting = 0, [found]
    while waiting:
        nodes += 1
        waiting += parts_of(waiting.pop())
    assert nodes > 8
    assert size_of(found, 10_000) == nodes
    assert size_of(ir.And((ir.BoolConst(True), ir.BoolConst(False))), 10) == 3
    assert size_of(found, 2) == 3
