"""A comparison with a constant, on the grid or off it, says what the rationals say."""

from __future__ import annotations

import itertools
import operator
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from govlang.compiler import interpret, ir
from govlang.compiler.comparisons import compared, complement, field_ranges, merged
from govlang.compiler.refusal import RefusalError
from govlang.compiler.types import Constant, Quantity
from govlang.dsl.source import NO_SPAN

OPS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
STEPS = st.sampled_from(
    [Fraction(1), Fraction(1, 10), Fraction(1, 4), Fraction(5, 18), Fraction(2)]
)
ENDS = st.tuples(st.integers(-8, 8), st.integers(-8, 8)).map(sorted)
CONSTANTS = st.builds(Fraction, st.integers(-80, 80), st.sampled_from([1, 3, 4, 7, 10, 18]))


def holds(condition: ir.BoolExpr, ends: list[int], value: int) -> bool:
    field = ir.Field("x", ir.Kind.NUMBER, ends[0], ends[1])
    policy = ir.Policy("p", "1", 1, ir.Combine.STRICT, ir.Default.DENY, (field,), ())
    return interpret.Environment(policy, {}, {"x": value}).holds(condition)


@given(st.sampled_from(sorted(OPS)), STEPS, ENDS, CONSTANTS, st.booleans(), st.booleans())
def test_a_comparison_with_a_constant_agrees_with_fractions(
    op: str, step: Fraction, ends: list[int], bound: Fraction, flipped: bool, bare: bool
) -> None:
    expr: ir.IntExpr = ir.FieldValue("x")
    if not bare:
        expr = ir.Arith(ir.ArithOp.ADD, expr, ir.IntConst(0))
    quantity = Quantity(expr, (ends[0], ends[1]), step)
    sides = (Constant(bound), quantity) if flipped else (quantity, Constant(bound))
    if op in ("==", "!=") and (bound / step).denominator != 1:
        with pytest.raises(RefusalError) as caught:
            compared(op, *sides, NO_SPAN)
        assert caught.value.diagnostic.code == "GOV208"
        return
    condition = compared(op, *sides, NO_SPAN)
    assert isinstance(condition, ir.InRanges if bare else ir.Compare)
    for value in range(ends[0], ends[1] + 1):
        rational = value * step
        wanted = OPS[op](bound, rational) if flipped else OPS[op](rational, bound)
        assert holds(condition, ends, value) == wanted


@given(st.sampled_from(sorted(OPS)), ENDS, CONSTANTS)
def test_ranges_are_clipped_sorted_and_apart(op: str, ends: list[int], bound: Fraction) -> None:
    assume(op not in ("==", "!=") or bound.denominator == 1)
    ranges = field_ranges(op, bound, (ends[0], ends[1]))
    edges = [edge for one in ranges for edge in one]
    assert edges == sorted(edges)
    assert all(ends[0] <= edge <= ends[1] for edge in edges)
    assert all(b[0] > a[1] + 1 for a, b in itertools.pairwise(ranges))


@given(ENDS, st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9))))
def test_a_complement_holds_exactly_where_the_ranges_do_not(
    ends: list[int], wanted: list[tuple[int, int]]
) -> None:
    ranges = merged(wanted, (ends[0], ends[1]))
    rest = complement(ranges, (ends[0], ends[1]))
    for value in range(ends[0], ends[1] + 1):
        inside = any(lo <= value <= hi for lo, hi in wanted)
        assert any(lo <= value <= hi for lo, hi in ranges) == inside
        assert any(lo <= value <= hi for lo, hi in rest) != inside
