"""A field at the edge: the width and the domain of its variable, and what its integers mean.

In: a field that is no text.  Out: its variable, and words for people.

What always holds: an unset value lies outside the domain wherever the width has room for one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from govlang.compiler import ir
from govlang.compiler.obligations import decimal
from govlang.compiler.program import Home, Variable

_MEMBERS_32: Final = 31
"""Members of a set whose mask leaves room, in 32 bits, for a value that is no set."""

_NARROW: Final = (-(2**31), 2**31 - 2)
"""Domains inside these need 32 bits, the unset value included."""

_SHOWN: Final = 8
"""The most members that a comment names."""


def width(field: ir.Field) -> int:
    """The bits of a variable that holds a field which is no text."""
    if field.kind is ir.Kind.SET:
        return 32 if len(field.members) <= _MEMBERS_32 else 64
    return 32 if _NARROW[0] <= field.lo and field.hi <= _NARROW[1] else 64


def value_of(
    field: ir.Field, name: str, has: tuple[int, ...], home: Home = Home.REQUEST
) -> Variable:
    """The variable that holds a field which is no text."""
    return Variable(
        name,
        width(field),
        field.lo,
        field.hi,
        0 if field.name == ir.APPROVED else _unset(field),
        field.kind is ir.Kind.SET,
        False,
        has,
        field.lo,
        described(field),
        home,
    )


def _unset(field: ir.Field) -> int:
    """The value of a variable that nobody has set: outside the domain, if there is such a value."""
    if field.kind is ir.Kind.SET:
        return -1 if len(field.members) < ir.SET_MEMBERS_MAX else 0
    if field.hi < ir.INT64_MAX:
        return field.hi + 1
    return field.lo - 1 if field.lo > ir.INT64_MIN else 0


# --- for people ----------------------------------------------------------------------------------


# --- for people ------------------------------------------------------------------------------------


def described(field: ir.Field) -> str:
    """What the integers of a field mean: unit, scale, members."""
    match field.kind:
        case ir.Kind.ENUM:
            return _listed(f"{i} {member}" for i, member in enumerate(field.members[: _SHOWN + 1]))
        case ir.Kind.SET:
            return _listed(f"bit {i} {m}" for i, m in enumerate(field.members[: _SHOWN + 1]))
        case ir.Kind.BOOL:
            return "0 false, 1 true"
        case ir.Kind.TIME:
            return "ms since 1970 (UTC)"
        case ir.Kind.DURATION:
            return "ms"
        case _:
            return _scale(field)


def _listed(parts: Iterator[str]) -> str:
    found = list(parts)
    return ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")


def _scale(field: ir.Field) -> str:
    unit = f" {field.unit}" if field.unit else ""
    ends = f"{decimal(field.lo, field)}..{decimal(field.hi, field)}{unit}"
    if (field.step_num, field.step_den) == (1, 1):
        return ends
    return f"{ends} in steps of {decimal(1, field)}{unit}"
