"""Comparisons of checked numbers as atoms of the IR.

In: two numbers and an operator.  Out: `InRanges` for a field against a constant, clipped to the
field's range (empty when it can never hold), else `Compare`.

What always holds: the atom is true exactly where the comparison of the rational values is, also
against a constant between two steps.  `==` and `!=` with such a constant are refused: they would
never and always hold.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import Final

from govlang.compiler import ir, measure
from govlang.compiler.boxes import complement_ranges, join_ranges
from govlang.compiler.intervals import Interval
from govlang.compiler.numbers import agree, aligned, same_time
from govlang.compiler.refusal import RefusalError, shortened
from govlang.compiler.types import Constant, Number, Quantity
from govlang.dsl.source import Span

MIRRORED: Final = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OPS: Final = {
    "==": ir.CompareOp.EQ,
    "!=": ir.CompareOp.NE,
    "<": ir.CompareOp.LT,
    "<=": ir.CompareOp.LE,
}


def compared(op: str, left: Number, right: Number, span: Span) -> ir.BoolExpr:
    """`left op right`."""
    agree(left, right, span)
    same_time(left, right, span)
    if isinstance(left, Constant) and isinstance(right, Quantity):
        return _against_constant(MIRRORED[op], right, left, span)
    if isinstance(left, Quantity) and isinstance(right, Constant):
        return _against_constant(op, left, right, span)
    first, second = aligned(left, right, span)
    return _compare(op, first.expr, second.expr, span)


def among(quantity: Quantity, members: tuple[Constant, ...], span: Span) -> ir.BoolExpr:
    """`quantity in {members}`."""
    for member in members:
        agree(quantity, member, span)
        same_time(quantity, member, span)
    steps = [member.value / quantity.step for member in members]
    for member, step in zip(members, steps, strict=True):
        _refuse_between("==", quantity, member, step)
    if quantity.field is not None:
        ranges = merged([(s.numerator,) * 2 for s in steps], quantity.interval)
        return ir.InRanges(quantity.field, ranges, span)
    return ir.disjunction([_bounded("==", quantity, s, span) for s in steps], span)


def field_ranges(op: str, bound: Fraction, field: Interval) -> ir.Ranges:
    """The values of `field` (in steps) for which `value op bound` holds."""
    lo, hi = field
    match op:
        case "==":
            wanted = [(bound.numerator,) * 2] if bound.denominator == 1 else []
        case "!=":
            wanted = [(lo, ceil(bound) - 1), (floor(bound) + 1, hi)]
        case "<":
            wanted = [(lo, ceil(bound) - 1)]
        case "<=":
            wanted = [(lo, floor(bound))]
        case ">":
            wanted = [(floor(bound) + 1, hi)]
        case _:
            wanted = [(ceil(bound), hi)]
    return merged(wanted, field)


def complement(ranges: ir.Ranges, field: Interval) -> ir.Ranges:
    """The values of a field that lie in none of the ranges."""
    return complement_ranges(ranges, *field)


def merged(wanted: list[Interval], field: Interval) -> ir.Ranges:
    """Clipped to the field, sorted, disjoint and not touching."""
    clipped = ((max(lo, field[0]), min(hi, field[1])) for lo, hi in wanted)
    return join_ranges(tuple((lo, hi) for lo, hi in clipped if lo <= hi), ())


def _against_constant(op: str, quantity: Quantity, constant: Constant, span: Span) -> ir.BoolExpr:
    steps = constant.value / quantity.step
    if op in ("==", "!="):
        _refuse_between(op, quantity, constant, steps)
    if quantity.field is not None:
        return ir.InRanges(quantity.field, field_ranges(op, steps, quantity.interval), span)
    return _bounded(op, quantity, steps, span)


def _bounded(op: str, quantity: Quantity, bound: Fraction, span: Span) -> ir.Compare:
    """`quantity op bound`, with the bound rounded, and clamped to where it says the same."""
    lo, hi = quantity.interval
    match op:
        case "<" | ">=":
            steps = min(max(ceil(bound), lo), hi + 1)
        case "<=" | ">":
            steps = min(max(floor(bound), lo - 1), hi)
        case _:
            steps = min(max(bound.numerator, lo - 1), hi + 1)
    return _compare(op, quantity.expr, ir.IntConst(steps), span)


def _compare(op: str, left: ir.IntExpr, right: ir.IntExpr, span: Span) -> ir.Compare:
    if op in (">", ">="):
        op, left, right = MIRRORED[op], right, left
    return ir.Compare(_OPS[op], left, right, span)


def _refuse_between(op: str, quantity: Quantity, constant: Constant, steps: Fraction) -> None:
    if steps.denominator == 1:
        return
    unit = constant.unit if constant.unit.text else quantity.unit
    below, above = (measure.shown(s * quantity.step, unit) for s in (floor(steps), ceil(steps)))
    raise RefusalError(
        "GOV208",
        f"`{shortened(constant.span)}` lies between two steps, so `{op}` "
        f"{'never' if op == '==' else 'always'} holds",
        constant.span,
        f"the nearest values are `{below}` and `{above}`; or compare with `<` or `>=`",
    )
