"""Arithmetic on checked numbers: units agree, grids are brought together, nothing can overflow.

In: constants and quantities.  Out: constants, folded exactly, or quantities whose expression counts
steps of the finest grid that holds both operands.

INVARIANT: every integer node that is made here has had its interval held against int64, in the
order in which it is emitted; scaling to a common grid is such a node.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import reduce
from math import gcd
from typing import Final

from govlang.compiler import flow, intervals, ir, measure
from govlang.compiler.ir import ArithOp
from govlang.compiler.refusal import RefusalError, shortened
from govlang.compiler.types import Condition, Constant, Number, Quantity, flow_of
from govlang.dsl.source import Span
from govlang.dsl.units import Unit

ZERO: Final = ir.IntConst(0)


def added(op: str, left: Number, right: Number, span: Span) -> Number:
    """`left + right` or `left - right`."""
    agree(left, right, span)
    moment = _moment_of_sum(op, left, right, span)
    if isinstance(left, Constant) and isinstance(right, Constant):
        value = left.value + right.value if op == "+" else left.value - right.value
        return _constant(value, _shared(left, right), span)
    first, second = aligned(left, right, span)
    joined = _emitted(ArithOp.ADD if op == "+" else ArithOp.SUB, first, second, span)
    return replace(joined, moment=moment)


def multiplied(left: Number, right: Number, span: Span) -> Number:
    """`left * right`; a whole factor leaves the grid as it is, another makes it finer."""
    _no_moment(left, right, span)
    unit = measure.product(left.unit, right.unit)
    if isinstance(left, Quantity) and isinstance(right, Quantity):
        product = _emitted(ArithOp.MUL, left, right, span)
        return replace(product, unit=unit)
    if isinstance(left, Constant) and isinstance(right, Constant):
        return _constant(left.value * right.value, unit, span)
    factor, quantity = (left, right) if isinstance(left, Constant) else (right, left)
    assert isinstance(factor, Constant)
    assert isinstance(quantity, Quantity)
    return replace(_stretched(quantity, factor.value, span), unit=unit)


def divided(left: Number, right: Number, span: Span) -> Number:
    """`left / right`: constants exactly, quantities floored to the grid of the dividend.

    Raises:
        RefusalError: the divisor varies or is 0 (GOV211), or a side is a point in time.
    """
    _no_moment(left, right, span)
    if isinstance(right, Quantity):
        raise RefusalError(
            "GOV211",
            f"`{shortened(span)}` divides by what is no constant",
            span,
            "multiply the other side of the comparison instead",
        )
    if right.value == 0:
        raise RefusalError(
            "GOV211", f"`{shortened(span)}` divides by 0", span, "divide by another constant"
        )
    unit = measure.quotient(left.unit, right.unit)
    if isinstance(left, Constant):
        return _constant(left.value / right.value, unit, span)
    return replace(_floored(left, right.value, span), unit=unit)


def negated(operand: Number, span: Span) -> Number:
    """`-operand`."""
    if isinstance(operand, Constant):
        return replace(operand, value=-operand.value, span=span)
    _no_moment(operand, operand, span)
    zero = replace(operand, expr=ZERO, interval=(0, 0), flow=flow.EMPTY)
    return _emitted(ArithOp.SUB, zero, operand, span)


def absolute(operand: Number, span: Span) -> Number:
    """`abs(operand)`, as the greatest of it and its negative."""
    if isinstance(operand, Constant):
        return replace(operand, value=abs(operand.value), span=span)
    return extreme(ArithOp.GREATEST, (operand, negated(operand, span)), span)


def extreme(op: ArithOp, operands: tuple[Number, ...], span: Span) -> Number:
    """`least(a, b, …)` or `greatest(a, b, …)`."""
    return reduce(lambda left, right: _extreme(op, left, right, span), operands)


def _extreme(op: ArithOp, left: Number, right: Number, span: Span) -> Number:
    agree(left, right, span)
    same_time(left, right, span)
    if isinstance(left, Constant) and isinstance(right, Constant):
        choose = min if op is ArithOp.LEAST else max
        return replace(left, value=choose(left.value, right.value), span=span)
    return _emitted(op, *aligned(left, right, span), span)


def chosen(condition: Condition, then: Number, otherwise: Number, span: Span) -> Quantity:
    """`if condition then then else otherwise` of numbers."""
    agree(then, otherwise, span)
    same_time(then, otherwise, span)
    first, second = aligned(then, otherwise, span)
    return replace(
        first,
        expr=ir.Choose(condition.expr, first.expr, second.expr),
        interval=intervals.hull(first.interval, second.interval),
        unit=_shared(first, second),
        flow=flow.chosen(condition.flow, flow_of(then), flow_of(otherwise)),
    )


# --- grids -------------------------------------------------------------------------------------


def aligned(left: Number, right: Number, span: Span) -> tuple[Quantity, Quantity]:
    """Both numbers on their finest common grid; two constants on one that has their units."""
    step = _common(_grain(left), _grain(right))
    if isinstance(left, Constant) and isinstance(right, Constant):
        step = _common(step, _common(left.unit.factor, right.unit.factor))
    return on_grid(left, step, span), on_grid(right, step, span)


def on_grid(number: Number, step: Fraction, span: Span) -> Quantity:
    """The number counted in steps of `step`, which must divide its own grid."""
    if isinstance(number, Constant):
        steps = number.value / step
        assert steps.denominator == 1
        value = steps.numerator
        found = _checked((value, value), step, number.unit, span)
        return Quantity(ir.IntConst(value), found, step, number.unit)
    factor = number.step / step
    assert factor.denominator == 1
    if factor == 1:
        return number
    return replace(_scaled(number, factor.numerator, step, span), step=step)


def _grain(number: Number) -> Fraction:
    return abs(number.value) if isinstance(number, Constant) else number.step


def _common(left: Fraction, right: Fraction) -> Fraction:
    """The largest step of which both are multiples; 0 if both are 0."""
    shared = gcd(left.numerator * right.denominator, right.numerator * left.denominator)
    return Fraction(shared, left.denominator * right.denominator)


def _constant(value: Fraction, unit: Unit, span: Span) -> Constant:
    return Constant(_short(value, span), unit, span)


def _shared(left: Number, right: Number) -> Unit:
    """The unit in which a sum, an extreme or a choice is shown."""
    return left.unit if left.unit.text else right.unit


def _short(value: Fraction, span: Span) -> Fraction:
    """The same value, if it could be a constant or a step of 64-bit numbers."""
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _BITS_MAX:
        raise _too_long(span)
    return value


def _too_long(span: Span) -> RefusalError:
    message = f"a constant in `{shortened(span)}` has too many digits"
    return RefusalError("GOV210", message, span, "round it")


_BITS_MAX: Final = 512
"""Of a constant's numerator and denominator: far more than 64-bit numbers need."""


def _scaled(quantity: Quantity, factor: int, step: Fraction, span: Span) -> Quantity:
    """The steps of a quantity times an integer; they then count steps of `step`."""
    found = intervals.arithmetic(ArithOp.MUL, quantity.interval, (factor, factor))
    _checked(found, step, quantity.unit, span)
    if not intervals.fits((factor, factor)):  # of what is always 0
        raise _too_long(span)
    expr = quantity.expr
    if factor != 1:
        expr = ir.Arith(ArithOp.MUL, expr, ir.IntConst(factor))
    return replace(quantity, expr=expr, interval=found)


def _stretched(quantity: Quantity, factor: Fraction, span: Span) -> Quantity:
    """`quantity * factor` on the grid of the quantity, made finer where the factor is no integer."""
    step = _short(quantity.step / factor.denominator, span)
    return replace(_scaled(quantity, factor.numerator, step, span), step=step)


def _floored(quantity: Quantity, divisor: Fraction, span: Span) -> Quantity:
    """`quantity / divisor` on the same grid; the divisor that is emitted is positive."""
    if divisor < 0:
        quantity, divisor = negated_quantity(quantity, span), -divisor
    widened = on_grid(quantity, quantity.step / divisor.denominator, span)
    return replace(_quotient(widened, divisor.numerator), step=quantity.step)


def _quotient(dividend: Quantity, divisor: int) -> Quantity:
    """The steps of the dividend by a positive divisor; one beyond all its values divides alike."""
    lo, hi = dividend.interval
    by = max(1, min(divisor, max(hi + 1, -lo)))
    return replace(
        dividend,
        expr=dividend.expr if by == 1 else ir.FloorDiv(dividend.expr, by),
        interval=intervals.divided(dividend.interval, by),
    )


def rounded(quantity: Quantity, step: Fraction, span: Span, *, up: bool) -> Quantity:
    """The quantity counted in steps of `step`, rounded down or up to a whole one."""
    ratio = quantity.step / step
    if up and ratio.denominator != 1:
        turned = rounded(negated_quantity(quantity, span), step, span, up=False)
        return negated_quantity(turned, span)
    widened = on_grid(quantity, quantity.step / ratio.numerator, span)
    return replace(_quotient(widened, ratio.denominator), step=step)


def negated_quantity(quantity: Quantity, span: Span) -> Quantity:
    """`-quantity`, of a quantity."""
    turned = negated(quantity, span)
    assert isinstance(turned, Quantity)
    return turned


def _emitted(op: ArithOp, left: Quantity, right: Quantity, span: Span) -> Quantity:
    """The node `left op right` of two numbers on one grid (for products: on any)."""
    found = intervals.arithmetic(op, left.interval, right.interval)
    step = _short(left.step * right.step, span) if op is ArithOp.MUL else left.step
    unit = _shared(left, right)
    _checked(found, step, unit, span)
    return replace(
        left,
        expr=ir.Arith(op, left.expr, right.expr),
        interval=found,
        step=step,
        unit=unit,
        flow=flow.together((left.flow, right.flow)),
    )


def _checked(
    found: intervals.Interval, step: Fraction, unit: Unit, span: Span
) -> intervals.Interval:
    if intervals.fits(found):
        return found
    lo, hi = (measure.shown(end * step, unit) for end in found)
    raise RefusalError(
        "GOV210",
        f"`{shortened(span)}` could reach {lo}..{hi}, "
        f"which in steps of {measure.shown(step, unit)} leaves the range of 64 bits",
        span,
        "narrow the ranges of its fields, or give them wider steps",
    )


# --- units -------------------------------------------------------------------------------------


def agree(left: Number, right: Number, span: Span) -> None:
    """Refuse two numbers that measure different things, or of which only one has a unit."""
    for bare, other in ((left, right), (right, left)):
        if isinstance(bare, Constant) and not bare.unit.text and other.unit.text:
            raise RefusalError(
                "GOV206",
                f"`{shortened(bare.span)}` has no unit, the other side is in `{other.unit.text}`",
                bare.span,
                f"write `{shortened(bare.span)} {other.unit.text}`",
            )
    if left.unit.dimension != right.unit.dimension:
        raise RefusalError(
            "GOV205",
            f"the units in `{shortened(span)}` do not fit: "
            f"{measure.named(left.unit)} against {measure.named(right.unit)}",
            span,
            _unit_help(left, right),
        )


def _unit_help(left: Number, right: Number) -> str:
    for number, other in ((left, right), (right, left)):
        if isinstance(number, Constant) and other.unit.text:
            return f"write the constant in `{other.unit.text}` or a unit that converts to it"
        if isinstance(number, Constant) and not other.unit.text:
            return f"leave `{number.unit.text}` out, or declare the field in it"
    return "compare and add only what measures the same"


def same_time(left: Number, right: Number, span: Span) -> None:
    """Refuse to hold a point in time against a duration."""
    if _is_moment(left) != _is_moment(right):
        raise RefusalError(
            "GOV204",
            f"`{shortened(span)}` holds a point in time against a duration",
            span,
            "subtract two times to get a duration",
        )


def _is_moment(number: Number) -> bool:
    return isinstance(number, Quantity) and number.moment


def _no_moment(left: Number, right: Number, span: Span) -> None:
    if _is_moment(left) or _is_moment(right):
        raise RefusalError(
            "GOV204",
            f"`{shortened(span)}` calculates with a point in time",
            span,
            "subtract another time first; the difference is a duration",
        )


def _moment_of_sum(op: str, left: Number, right: Number, span: Span) -> bool:
    first, second = _is_moment(left), _is_moment(right)
    if second and (op == "+") == first:
        raise RefusalError(
            "GOV204",
            f"`{shortened(span)}` makes no sense of points in time",
            span,
            "a time may be subtracted from a time, and a duration added to it or taken from it",
        )
    return first != second
