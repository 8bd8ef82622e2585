"""The range of every integer expression, so that none can leave int64.

In: an expression and the ranges of the fields and parameters that it reads.  Out: a closed interval
that contains every value it can take, or `RangeOverflowError` for the first sub-expression, in the
order of evaluation, whose interval does not fit.

`SAFE` stops one short of int64 at both ends, so that the neighbours of every bound fit, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, assert_never

from govlang.compiler import ir
from govlang.compiler.ir import ArithOp

Interval = tuple[int, int]
"""All integers from the first to the second, both included."""

SAFE: Final[Interval] = (ir.INT64_MIN + 1, ir.INT64_MAX - 1)


class RangeOverflowError(ValueError):
    """An expression could leave int64; `interval` is what it could reach."""

    def __init__(self, interval: Interval) -> None:
        super().__init__(f"could reach {interval[0]}..{interval[1]}")
        self.interval = interval


def fits(interval: Interval, limits: Interval = SAFE) -> bool:
    """Whether an interval lies inside the limits."""
    return limits[0] <= interval[0] and interval[1] <= limits[1]


def hull(left: Interval, right: Interval) -> Interval:
    """The smallest interval that contains both."""
    return min(left[0], right[0]), max(left[1], right[1])


def arithmetic(op: ArithOp, left: Interval, right: Interval) -> Interval:
    """The exact interval of `left op right`."""
    match op:
        case ArithOp.ADD:
            return left[0] + right[0], left[1] + right[1]
        case ArithOp.SUB:
            return left[0] - right[1], left[1] - right[0]
        case ArithOp.MUL:
            corners = [a * b for a in left for b in right]
            return min(corners), max(corners)
        case ArithOp.LEAST:
            return min(left[0], right[0]), min(left[1], right[1])
        case ArithOp.GREATEST:
            return max(left[0], right[0]), max(left[1], right[1])
        case _:
            assert_never(op)


def divided(dividend: Interval, divisor: int) -> Interval:
    """The exact interval of `dividend / divisor`, rounded towards minus infinity."""
    ends = (dividend[0] // divisor, dividend[1] // divisor)
    return min(ends), max(ends)


def interval(expr: ir.IntExpr, ranges: Mapping[str, Interval]) -> Interval:
    """The interval of an expression; `ranges` names every field and parameter in it.

    Raises:
        RangeOverflowError: a sub-expression, scaled intermediates included, could leave `SAFE`.
    """
    found = _interval(expr, ranges)
    limits = (ir.INT64_MIN, ir.INT64_MAX) if isinstance(expr, ir.IntConst) else SAFE
    if not fits(found, limits):
        raise RangeOverflowError(found)
    return found


def _interval(expr: ir.IntExpr, ranges: Mapping[str, Interval]) -> Interval:
    match expr:
        case ir.IntConst(value=value):
            return value, value
        case ir.FieldValue(name=name) | ir.ParamValue(name=name):
            return ranges[name]
        case ir.Arith(op=op, left=left, right=right):
            first = interval(left, ranges)
            return arithmetic(op, first, interval(right, ranges))
        case ir.FloorDiv(dividend=dividend, divisor=divisor):
            if not fits((divisor, divisor)):
                raise RangeOverflowError((divisor, divisor))
            return divided(interval(dividend, ranges), divisor)
        case ir.Choose(condition=condition, then=then, otherwise=otherwise):
            check_condition(condition, ranges)
            first = interval(then, ranges)
            return hull(first, interval(otherwise, ranges))
        case _:
            assert_never(expr)


def check_condition(condition: ir.BoolExpr, ranges: Mapping[str, Interval]) -> None:
    """Hold every integer expression inside a condition against int64.

    Raises:
        RangeOverflowError: one could leave it.
    """
    for atom in ir.atoms(condition):
        if isinstance(atom, ir.Compare):
            interval(atom.left, ranges)
            interval(atom.right, ranges)


def policy_ranges(policy: ir.Policy) -> dict[str, Interval]:
    """The ranges of all fields and parameters that are no text."""
    declared = (*policy.fields, *policy.columns, *(param.field for param in policy.params))
    return {field.name: (field.lo, field.hi) for field in declared if not field.is_text}


def check_policy(policy: ir.Policy) -> None:
    """Hold a whole policy against int64, whoever built it.

    Raises:
        RangeOverflowError: an expression could leave it.
    """
    ranges = policy_ranges(policy)
    for assumption in policy.assumptions:
        check_condition(assumption.condition, ranges)
    for claim in policy.properties:
        check_condition(claim.condition, ranges)
    for update in policy.time.updates if policy.time else ():
        check_condition(update.condition, ranges)
        interval(update.value, ranges)
    for rule in policy.rules:
        check_condition(rule.condition, ranges)
        for limit in rule.limits:
            interval(limit.lo, ranges)
            interval(limit.hi, ranges)
        for value in _arguments(rule):
            if isinstance(value, ir.Arith | ir.FloorDiv | ir.Choose):
                interval(value, ranges)  # a set of 64 labels, passed on as it is, fills 64 bits


def _arguments(rule: ir.Rule) -> list[ir.ArgValue]:
    named = rule.remedy.values if rule.remedy else ()
    return [*(arg for do in rule.dos for arg in do.args), *(value for _, value in named)]
