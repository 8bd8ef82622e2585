"""The number that a cell's meaning has, from the policy: by docs/formats.md, "What a policy remembers".

In: what a policy remembers, and a cell of it.  Out: 64 bits of a hash of its canonical JSON.

What always holds: two cells that are moved alike have the same number, in whatever version of a policy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final

import rfc8785

from govlang.compiler import ir

_EXACT: Final = 2**53


def definition_of(time: ir.Time, cell: ir.Cell) -> int:
    """The number of what a cell means: the first 8 bytes of the SHA-256 of its JSON, the low byte first."""
    own = [one for one in time.updates if one.cell == cell.name]
    moved = [[int(one.stage), _json(time, one.condition), _json(time, one.value)] for one in own]
    written = rfc8785.dumps([_json(time, cell), list(_in_one_order(own, moved))])
    return int.from_bytes(hashlib.sha256(written).digest()[:8], "little")


def _in_one_order(own: Sequence[ir.Update], moved: Sequence[Any]) -> Iterator[Any]:
    """What moves a cell: first, again and again, the least in writing of those that may go before all that are left."""
    texts = [rfc8785.dumps(one) for one in moved]
    behind = {
        place: {other for other in range(place) if _in_order(own[other], own[place])}
        for place in range(len(own))
    }
    while behind:
        first = min((one for one, others in behind.items() if not others), key=texts.__getitem__)
        del behind[first]
        for others in behind.values():
            others.discard(first)
        yield moved[first]


def _in_order(one: ir.Update, other: ir.Update) -> bool:
    """Whether it may matter which of two updates of a cell goes first."""
    if one.stage != other.stage or one.value == other.value:
        return False
    parts = [_conjuncts(update.condition) for update in (one, other)]
    return not any(
        a.name == b.name
        and all(hi < low or top < lo for lo, hi in a.ranges for low, top in b.ranges)
        for a in parts[0]
        for b in parts[1]
    )


def _conjuncts(condition: ir.BoolExpr) -> list[ir.InRanges]:
    """The ranges in which single columns must lie for a condition to hold."""
    parts = condition.operands if isinstance(condition, ir.And) else (condition,)
    return [one for one in parts if isinstance(one, ir.InRanges)]


def _json(time: ir.Time, node: Any) -> Any:
    """A part of a policy: an object with its class in `is` and all its members but the span."""
    match node:
        case ir.InRanges(name=ir.SAMPLE, ranges=ranges):
            return _kinds(time, ranges)
        case bool() | None:
            return node
        case Enum():
            return node.value
        case int():
            return node if abs(node) < _EXACT else str(node)
        case str():
            return node
        case tuple():
            return [_json(time, one) for one in node]
        case frozenset():
            return sorted(_json(time, one) for one in node)
        case _:
            assert is_dataclass(node), node
            members = (one.name for one in fields(node) if one.name != "span")
            named = {name: _json(time, getattr(node, name)) for name in members}
            return {"is": type(node).__name__} | named


def _kinds(time: ir.Time, ranges: ir.Ranges) -> list[str]:
    """The kinds of samples that are meant, by their names."""
    names = ["request", "tick", *(one.name for one in time.samples)]
    return [name for kind, name in enumerate(names) if any(lo <= kind <= hi for lo, hi in ranges)]
