"""The operators of C99 on the four integer types (6.5).

In: values.  Out: the value that an operator gives: its type by the usual conversions, its meaning as a
machine expression, bounds by its form.

What always holds: operations on constants are done; what C leaves undefined stays undefined, and
nothing is evaluated that C does not evaluate; what depends on the width of `int` is refused (see
`c_types.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from govlang.verifier.translation.c_types import (
    OddError,
    Type,
    Value,
    checked,
    guarded,
    known,
    resized,
    too_low,
    usual,
)
from govlang.verifier.translation.machine import Binary, Compared, Const, Expr, Op, Select, Test
from govlang.verifier.translation.machine_run import UndefinedError, compare, operate

_OPS: Final = {"+": Op.ADD, "-": Op.SUB, "*": Op.MUL, "&": Op.AND, "|": Op.OR, "^": Op.XOR}

_TESTS: Final = {
    "==": (Test.EQ, Test.EQ),
    "!=": (Test.NE, Test.NE),
    "<": (Test.LT_S, Test.LT_U),
    "<=": (Test.LE_S, Test.LE_U),
    ">": (Test.GT_S, Test.GT_U),
    ">=": (Test.GE_S, Test.GE_U),
}


def binary(sign: str, left: Value, right: Value) -> Value:
    """`left sign right`, of all signs but `&&` and `||`.

    Raises:
        OddError: the documented part has no such operation.

    """
    if sign in ("<<", ">>"):
        return _shift(sign, left, right)
    left, right = usual(left, right)
    if sign in _TESTS:
        return _compare(sign, left, right)
    if sign in ("/", "%"):
        return _divide(sign, left, right)
    if sign in ("&", "|", "^"):
        return _bits(sign, left, right)
    if sign not in _OPS:
        raise OddError(f"the operator `{sign}`")
    return _ring(sign, left, right)


def _made(type_: Type, op: Op, left: Value, right: Value, lo: int, hi: int, *, low: bool) -> Value:
    """An operation; one on constants is done, unless it is undefined."""
    width, exact = type_.width, type_.signed
    node = Binary(op, width, left.expr, right.expr, exact)
    if isinstance(left.expr, Const) and isinstance(right.expr, Const):
        try:
            pattern = operate(node, left.expr.value, right.expr.value)
        except UndefinedError:
            return Value(type_, node, type_.least, type_.greatest, total=False)
        value = pattern if type_.signed else pattern & type_.greatest
        return replace(known(type_, value), low=low)
    total = left.total and right.total
    if lo < type_.least or hi > type_.greatest:
        total, lo, hi = total and not exact, type_.least, type_.greatest
    return checked(Value(type_, node, lo, hi, low, total, left.size + right.size + 1))


def _ring(sign: str, left: Value, right: Value) -> Value:
    """`+ - *`."""
    _refuse_low(left, right)
    type_ = left.type
    ends = _ends(sign, left, right)
    lo, hi = min(ends), max(ends)
    wraps = lo < type_.least or hi > type_.greatest
    if type_ is Type.UINT32 and sign == "*" and wraps:
        raise OddError("a product of `uint32_t` depends on the width of `int`")
    return _made(type_, _OPS[sign], left, right, lo, hi, low=type_ is Type.UINT32 and wraps)


def _ends(sign: str, left: Value, right: Value) -> tuple[int, ...]:
    match sign:
        case "+":
            return left.lo + right.lo, left.hi + right.hi
        case "-":
            return left.lo - right.hi, left.hi - right.lo
        case _:
            return tuple(a * b for a in (left.lo, left.hi) for b in (right.lo, right.hi))


def _refuse_low(*values: Value) -> None:
    if any(value.low for value in values):
        raise too_low()


def _bits(sign: str, left: Value, right: Value) -> Value:
    """`& | ^`: bits that are sure make a value sure behind `&`."""
    low = left.low and right.low if sign == "&" else left.low or right.low
    lo, hi = left.type.least, left.type.greatest
    if left.lo >= 0 and right.lo >= 0:
        lo, hi = 0, (1 << max(left.hi, right.hi).bit_length()) - 1
    if sign == "&":
        tops = [one.hi for one in (left, right) if one.lo >= 0]
        lo, hi = (0, min(tops)) if tops else (lo, hi)
    return _made(left.type, _OPS[sign], left, right, lo, hi, low=low)


def _divide(sign: str, left: Value, right: Value) -> Value:
    """`/ %`, which machines of ours have for signed numbers only."""
    _refuse_low(left, right)
    top = (1 << (left.type.width - 1)) - 1
    if not left.type.signed and max(left.hi, right.hi) > top:
        raise OddError(f"`{sign}` of unsigned numbers: cast them to a signed type")
    op = Op.DIV_S if sign == "/" else Op.REM_S
    made = _made(left.type, op, left, right, left.type.least, left.type.greatest, low=False)
    if made.constant is not None:
        return made
    reach = max(abs(left.lo), abs(left.hi))
    lo, hi = (0 if left.lo >= 0 else -reach), (0 if left.hi <= 0 else reach)
    if right.lo < 0:
        lo, hi = -reach, reach
    total = left.total and right.total and right.lo > 0
    return replace(made, lo=max(lo, left.type.least), hi=min(hi, left.type.greatest), total=total)


def _shift(sign: str, left: Value, count: Value) -> Value:
    """`<< >>`: the type is that of the left side; the count lies below its width (6.5.7)."""
    _refuse_low(left, count)
    type_ = left.type
    if count.hi < 0 or count.lo >= type_.width:
        raise OddError(f"a shift of {type_.width} bits by {count.lo}")
    if sign == ">>" and left.hi < 0:
        raise OddError("`>>` of a negative number")
    made = _shifted_left(left, count) if sign == "<<" else _shifted_right(left, count)
    if isinstance(made.expr, Const):
        return made
    if sign == ">>" and left.lo < 0:
        width = type_.width
        made = _where(Compared(Test.GE_S, width, left.expr, Const(width, 0)), made, left.size)
    if count.lo < 0 or count.hi >= type_.width:
        width = count.type.width
        inside = Compared(Test.LT_U, width, count.expr, Const(width, type_.width))
        made = _where(inside, made, count.size)
    return made


def _shifted_left(left: Value, count: Value) -> Value:
    type_ = left.type
    most = min(count.hi, type_.width)
    lo, hi = min(left.lo, left.lo << most), max(left.hi << most, left.hi)
    made = _made(type_, Op.SHL, left, _as_count(count, type_), lo, hi, low=False)
    wraps = hi > type_.greatest
    return replace(made, low=type_ is Type.UINT32 and wraps) if left.lo >= 0 else _risky(made)


def _shifted_right(left: Value, count: Value) -> Value:
    return _made(
        left.type,
        Op.SHR_U,
        left,
        _as_count(count, left.type),
        0,
        max(left.hi, 0) >> max(count.lo, 0),
        low=False,
    )


def _as_count(count: Value, of: Type) -> Value:
    """A count in the width of what it shifts; the low bits do, as the rest is checked to be 0."""
    return replace(count, expr=resized(count, of))


def _where(condition: Expr, made: Value, size: int) -> Value:
    """A value that is undefined unless the condition holds."""
    expr = guarded(condition, made.expr)
    return checked(replace(made, expr=expr, total=False, size=made.size + size + 5))


def _risky(made: Value) -> Value:
    return replace(made, total=False)


# --- truth -----------------------------------------------------------------------------------------


def _compare(sign: str, left: Value, right: Value) -> Value:
    """`< <= > >= == !=` of values of one type: an `int`, 0 or 1."""
    _refuse_low(left, right)
    test, width = _TESTS[sign][not left.type.signed], left.type.width
    if isinstance(left.expr, Const) and isinstance(right.expr, Const):
        return known(Type.INT32, compare(test, width, left.expr.value, right.expr.value))
    return _truth_value(Compared(test, width, left.expr, right.expr), left, right)


def _truth_value(expr: Expr, *of: Value) -> Value:
    total, size = all(one.total for one in of), sum(one.size for one in of) + 1
    return checked(Value(Type.INT32, expr, 0, 1, False, total, size))


def truth(value: Value) -> Expr:
    """A value as a condition."""
    if value.low:
        raise too_low()
    if value.constant is not None:
        return Const(32, int(value.constant != 0))
    if value.type.width == 32:
        return value.expr
    return Compared(Test.NE, 64, value.expr, Const(64, 0))


def negation(value: Value) -> Value:
    """`!value`."""
    return _compare("==", value, known(value.type, 0))


def complement(value: Value) -> Value:
    """`~value`."""
    _refuse_low(value)
    ends = (~value.lo, ~value.hi) if value.type.signed else (0, value.type.greatest)
    ones = Value(value.type, Const(value.type.width, -1), -1, -1)
    low = value.type is Type.UINT32
    return _made(value.type, Op.XOR, value, ones, min(ends), max(ends), low=low)


def negative(value: Value) -> Value:
    """`-value`."""
    return _ring("-", known(value.type, 0), value)


def both(left: Value, right: Value) -> Value:
    """`left && right`: the right side counts only if the left one is true."""
    _refuse_low(left)
    if left.constant is not None:
        return bit(right) if left.constant else known(Type.INT32, 0)
    expr = Select(32, truth(left), bit(right).expr, Const(32, 0))
    return _truth_value(expr, left, right)


def either(left: Value, right: Value) -> Value:
    """`left || right`: the right side counts only if the left one is false."""
    _refuse_low(left)
    if left.constant is not None:
        return known(Type.INT32, 1) if left.constant else bit(right)
    expr = Select(32, truth(left), Const(32, 1), bit(right).expr)
    return _truth_value(expr, left, right)


def bit(value: Value) -> Value:
    """1 if a value is not 0, else 0."""
    _refuse_low(value)
    if value.lo >= 0 and value.hi <= 1 and value.type.width == 32:
        return replace(value, type=Type.INT32)
    return _compare("!=", value, known(value.type, 0))


def choose(condition: Value, then: Value, otherwise: Value) -> Value:
    """`condition ? then : otherwise`, in the usual type of both."""
    _refuse_low(condition, then, otherwise)
    then, otherwise = usual(then, otherwise)
    if condition.constant is not None:
        return then if condition.constant else otherwise
    expr = Select(then.type.width, truth(condition), then.expr, otherwise.expr)
    lo, hi = min(then.lo, otherwise.lo), max(then.hi, otherwise.hi)
    total = condition.total and then.total and otherwise.total
    size = condition.size + then.size + otherwise.size + 1
    return checked(Value(then.type, expr, lo, hi, False, total, size))


def behind(values: Sequence[Value], value: Value) -> Value:
    """A value, evaluated behind others that it may not read: undefined where one of them is."""
    for one in values:
        again = Compared(Test.EQ, one.type.width, one.expr, one.expr)
        expr = Select(value.type.width, again, value.expr, value.expr)
        size = 2 * (one.size + value.size) + 2
        value = checked(replace(value, expr=expr, total=False, size=size))
    return value
