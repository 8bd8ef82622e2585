"""How far a value of a step reaches, and so whether 32 bits are enough to work it out.

In: the domains of slots, and a value.  Out: the interval in which the value surely lies, if it and all
that it is made of stay in 32 bits.  Small machines work in 32 bits, and so does every comparison that
need not do otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from govlang.compiler.intervals import Interval, arithmetic, divided, hull
from govlang.compiler.program import (
    Arith,
    Choose,
    FloorDiv,
    Grown,
    Let,
    Load,
    Number,
    Read,
    Slot,
    Statement,
    Unpacked,
    Value,
)

_NARROW: Final = (-(2**31), 2**31 - 1)


@dataclass(frozen=True, slots=True)
class Reach:
    """The domains of the slots that have one smaller than their width."""

    domains: Mapping[Slot, Interval]

    def width(self, value: Value) -> int:
        """The least width in which a value can be worked out."""
        return 64 if self.narrow(value) is None else 32

    def narrow(self, value: Value) -> Interval | None:
        """Where a value lies; None if it, or a part of it, may leave 32 bits."""
        match value:
            case Number(value=number):
                return _inside((number, number))
            case Read(slot=slot):
                return _inside(self._domain(slot))
            case Unpacked():
                return _NARROW
            case Grown(slot=slot, cap=cap):
                lo, hi = self._domain(slot)
                return _inside((min(lo, 0), max(hi, cap))) if slot.width == 32 else None
            case FloorDiv(dividend=dividend, divisor=divisor):
                found = self.narrow(dividend) if _inside((divisor, divisor)) else None
                return found and divided(found, divisor)
            case Choose(then=then, otherwise=otherwise):
                a, b = self.narrow(then), self.narrow(otherwise)
                return a and b and hull(a, b)
            case Arith(op=op, left=left, right=right):
                a, b = self.narrow(left), self.narrow(right)
                return a and b and _inside(arithmetic(op, a, b))
            case _:
                assert_never(value)

    def _domain(self, slot: Slot) -> Interval:
        if slot in self.domains:
            return self.domains[slot]
        if slot.mask:
            return 0, 2**slot.width - 1
        return -(2 ** (slot.width - 1)), 2 ** (slot.width - 1) - 1


def domains(body: Iterable[Statement]) -> dict[Slot, Interval]:
    """The domains of the variables that a step reads, and of what it makes of them."""
    found: dict[Slot, Interval] = {}
    for one in body:
        if isinstance(one, Load) and not one.variable.beside:
            found[one.slot] = one.variable.lo, one.variable.hi
        elif isinstance(one, Let) and one.domain is not None:
            found[one.slot] = one.domain
    return found


def _inside(found: Interval) -> Interval | None:
    return found if _NARROW[0] <= found[0] and found[1] <= _NARROW[1] else None
