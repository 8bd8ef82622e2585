"""The four integer types of the documented part of C, values of them, and conversions (C99 6.3.1).

In: a machine expression and its type.  Out: a value: also what is known of it by its form; and the
same in another type.

`int` has 32 bits here.  Where a wider one would compute something else, the value is `low`: only its
low 32 bits are sure; it may go into a `uint32_t`, through `&` and nowhere else, so that what is read
is what every compiler means.  What always holds: signed operations are exact (outside the range of
the type they are undefined), unsigned ones wrap, a conversion to a signed type that cannot hold the
value is undefined (C lets the compiler choose; we take no choice); nothing is evaluated that C does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from govlang.verifier.translation.machine import (
    Binary,
    Compared,
    Const,
    Expr,
    Extend,
    Lowest,
    Op,
    Select,
    Test,
    Wrap,
)
from govlang.verifier.translation.machine_run import signed

SIZE_MAX: Final = 200_000
"""Nodes of one expression, shared ones counted as often as they are used."""


class OddError(Exception):
    """Something that the documented part of C does not have; the message says what."""


class Type(Enum):
    """A type, by its rank; an unsigned one stands behind the signed one of its width."""

    INT32 = 0
    UINT32 = 1
    INT64 = 2
    UINT64 = 3

    @property
    def width(self) -> int:
        """Its bits."""
        return 32 if self.value < 2 else 64

    @property
    def signed(self) -> bool:
        """Whether it has negative values."""
        return self in (Type.INT32, Type.INT64)

    @property
    def least(self) -> int:
        """Its least value."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def greatest(self) -> int:
        """Its greatest value."""
        return (1 << (self.width - self.signed)) - 1

    def __str__(self) -> str:
        return f"{self.name.lower()}_t"


@dataclass(frozen=True, slots=True)
class Storage:
    """The type of a member of the state, which may have fewer bits than what it is read into."""

    bits: int
    signed: bool

    @property
    def least(self) -> int:
        """Its least value."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def greatest(self) -> int:
        """Its greatest value."""
        return (1 << (self.bits - self.signed)) - 1

    def __str__(self) -> str:
        return f"{'' if self.signed else 'u'}int{self.bits}_t"


STORAGES: Final = {
    str(one): one for bits in (8, 16, 32, 64) for one in (Storage(bits, True), Storage(bits, False))
}


@dataclass(frozen=True, slots=True)
class Value:
    """An expression of C: its type, its pattern, and bounds of its value that hold by its form."""

    type: Type
    expr: Expr
    lo: int
    hi: int
    low: bool = False
    """Only the low 32 bits are sure where `int` is wider (`UINT32` only)."""
    total: bool = True
    """It is defined whatever its variables hold."""
    size: int = 1

    @property
    def constant(self) -> int | None:
        """Its value, if it is a constant."""
        return self.lo if isinstance(self.expr, Const) else None


def known(type_: Type, value: int) -> Value:
    """A constant of a type that can hold it."""
    return Value(type_, Const(type_.width, signed(value, type_.width)), value, value)


def unknown(type_: Type, expr: Expr) -> Value:
    """A value of which only the type is known."""
    return Value(type_, expr, type_.least, type_.greatest)


# --- conversions -----------------------------------------------------------------------------------


def convert(value: Value, to: Type) -> Value:
    """A cast, or what an assignment, an argument, an initial value does.

    Raises:
        OddError: the value depends on the width of `int`.

    """
    if value.low and to is not Type.UINT32:
        raise too_low()
    if value.constant is not None and (not to.signed or to.least <= value.lo <= to.greatest):
        return known(to, value.lo & to.greatest if not to.signed else value.lo)
    fits = to.least <= value.lo and value.hi <= to.greatest
    lo, hi = (value.lo, value.hi) if fits else (to.least, to.greatest)
    expr = resized(value, to)
    total, size = value.total, value.size + 1
    if to.signed and not fits:
        expr, total, size = guarded(_fits(value, to), expr), False, 3 * value.size + 8
    return checked(Value(to, expr, lo, hi, False, total, size))


def stored(value: Value, to: Storage, width: int) -> Value:
    """A value as a member of the state takes it, in the width of its variable; one that does not fit is undefined.

    C would let an unsigned member wrap; no member of ours has to.

    Raises:
        OddError: the value depends on the width of `int`.
    """
    kept = convert(value, Type.INT32 if value.type is Type.INT32 else Type.INT64)
    own = Type.INT64 if width == 64 else Type.INT32
    lo, hi = max(kept.lo, to.least), min(kept.hi, to.greatest)
    found = replace(kept, type=own, expr=resized(kept, own), lo=lo, hi=hi, size=kept.size + 1)
    if (lo, hi) == (kept.lo, kept.hi):
        return found
    bits = kept.type.width
    ends = (
        Compared(Test.GE_S, bits, kept.expr, Const(bits, max(to.least, kept.type.least))),
        Compared(Test.LE_S, bits, kept.expr, Const(bits, min(to.greatest, kept.type.greatest))),
    )
    expr = guarded(Select(32, *ends, Const(32, 0)), found.expr)
    return checked(replace(found, expr=expr, total=False, size=3 * kept.size + 8))


def resized(value: Value, to: Type) -> Expr:
    """The pattern in the width of the type."""
    if value.type.width == to.width:
        return value.expr
    return Wrap(value.expr) if to.width == 32 else Extend(value.expr, value.type.signed)


def _fits(value: Value, to: Type) -> Expr:
    """Whether a signed type can hold a value."""
    width = value.type.width
    if not value.type.signed:
        if to.greatest < 1 << (width - 1):
            return Compared(Test.LE_U, width, value.expr, Const(width, to.greatest))
        return Compared(Test.GE_S, width, value.expr, Const(width, 0))
    above = Compared(Test.GE_S, width, value.expr, Const(width, to.least))
    below = Compared(Test.LE_S, width, value.expr, Const(width, to.greatest))
    return Select(32, above, below, Const(32, 0))


UNDEFINED: Final = {
    width: Binary(Op.ADD, width, Const(width, (1 << (width - 1)) - 1), Const(width, 1), exact=True)
    for width in (32, 64)
}
"""What nobody may evaluate, by width: these very objects stand behind conditions that a reader put there."""


def guarded(condition: Expr, then: Expr) -> Expr:
    """`then` if the condition holds; else undefined."""
    width = _width(then)
    return Select(width, condition, then, UNDEFINED[width])


def _width(expr: Expr) -> int:
    match expr:
        case Wrap() | Compared() | Lowest():
            return 32
        case Extend():
            return 64
        case _:
            return expr.width


def too_low() -> OddError:
    """The reason to refuse a use of a value of which only the low bits are sure."""
    return OddError("depends on the width of `int`: cast it to `uint32_t` first")


def checked(value: Value) -> Value:
    """The value, unless its expression is too large to be worked with."""
    if value.size > SIZE_MAX:
        raise OddError("an expression that is too large")
    return value


def usual(left: Value, right: Value) -> tuple[Value, Value]:
    """Both in the type that an operator computes in (6.3.1.8)."""
    to = max(left.type, right.type, key=lambda one: one.value)
    for one in (left, right):
        if to is Type.UINT32 and one.type is Type.INT32 and one.lo < 0:
            raise OddError("a number that may be negative meets a `uint32_t`: cast it")
        if to is Type.INT64 and one.type is Type.UINT32:
            raise OddError(
                "a `uint32_t` meets an `int64_t`, which a wider `int` makes unsigned: cast it"
            )
    return _kept(left, to), _kept(right, to)


def _kept(value: Value, to: Type) -> Value:
    return value if value.type is to else convert(value, to)
