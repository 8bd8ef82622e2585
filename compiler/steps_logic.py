"""Conditions of a step joined and negated, folded as far as looking at one slot goes.

In: conditions of program.py.  Out: a condition with the same truth.

What always holds: parts that speak of one slot in ranges, or of one set by what it has and lacks, are
one test; where they exclude one another nothing is left to test, since compilers refuse such tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, assert_never

from govlang.compiler.boxes import complement_ranges, intersect_ranges, join_ranges
from govlang.compiler.ir import CompareOp, Ranges, SetOp
from govlang.compiler.program import (
    Bit,
    Both,
    Compare,
    Condition,
    Either,
    Flag,
    Inside,
    MaskTest,
    Negation,
    Slot,
    Truth,
    Value,
)

YES: Final = Truth(True)
NO: Final = Truth(False)


def both(parts: Iterable[Condition]) -> Condition:
    """All of the parts."""
    return _joined(parts, Both, YES, intersect_ranges)


def either(parts: Iterable[Condition]) -> Condition:
    """Some of the parts."""
    return _joined(parts, Either, NO, join_ranges)


def negation(part: Condition) -> Condition:
    """The part does not hold."""
    match part:
        case Truth(value=value):
            return Truth(not value)
        case Negation(part=inner):
            return inner
        case Inside(slot=slot, ranges=ranges, lo=lo, hi=hi):
            return Inside(slot, complement_ranges(ranges, lo, hi), lo, hi)
        case MaskTest(slot=slot, op=SetOp.ANY, mask=mask):
            return MaskTest(slot, SetOp.WITHIN, _others(slot, mask))
        case MaskTest(slot=slot, op=SetOp.WITHIN, mask=mask):
            return MaskTest(slot, SetOp.ANY, _others(slot, mask))
        case Compare(op=op, left=left, right=right):
            return _opposite(op, left, right)
        case Both(parts=parts):
            return either(map(negation, parts))
        case Either(parts=parts):
            return both(map(negation, parts))
        case MaskTest() | Flag() | Bit():
            return Negation(part)
        case _:
            assert_never(part)


def _opposite(op: CompareOp, left: Value, right: Value) -> Compare:
    match op:
        case CompareOp.EQ:
            return Compare(CompareOp.NE, left, right)
        case CompareOp.NE:
            return Compare(CompareOp.EQ, left, right)
        case CompareOp.LT:
            return Compare(CompareOp.LE, right, left)
        case CompareOp.LE:
            return Compare(CompareOp.LT, right, left)
        case _:
            assert_never(op)


def _others(slot: Slot, mask: int) -> int:
    return (1 << slot.width) - 1 & ~mask


# --- joining ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Members:
    """What is known to be in a set (or: of what some is), and what is not (or: of what some is not)."""

    has: int = 0
    lacks: int = 0


@dataclass(slots=True)
class _Found:
    """The parts of a conjunction or a disjunction, those of one slot together."""

    inside: dict[tuple[Slot, int, int], Ranges] = field(default_factory=dict)
    sets: dict[Slot, _Members] = field(default_factory=dict)
    rest: dict[Condition, None] = field(default_factory=dict)


def _joined(
    parts: Iterable[Condition],
    node: type[Both | Either],
    neutral: Truth,
    meet: Callable[[Ranges, Ranges], Ranges],
) -> Condition:
    opposite = Truth(not neutral.value)
    found = _Found()
    for part in _flat(parts, node):
        match part:
            case Truth():
                if part == opposite:
                    return opposite
            case Inside(slot=slot, ranges=ranges, lo=lo, hi=hi):
                known = found.inside.get((slot, lo, hi))
                found.inside[slot, lo, hi] = ranges if known is None else meet(known, ranges)
            case _:
                members = _members(part, of_all=node is Both)
                if members is None:
                    found.rest[part] = None
                else:
                    slot, has, lacks = members
                    known_set = found.sets.setdefault(slot, _Members())
                    known_set.has |= has
                    known_set.lacks |= lacks
    if any(negation(one) in found.rest for one in found.rest):
        return opposite
    if any(one.has & one.lacks for one in found.sets.values()):
        return opposite
    return _rejoined(found, node, neutral)


def _flat(parts: Iterable[Condition], node: type[Both | Either]) -> Iterator[Condition]:
    for part in parts:
        if isinstance(part, node):
            yield from part.parts
        else:
            yield part


def _members(part: Condition, *, of_all: bool) -> tuple[Slot, int, int] | None:
    """A test of a set as what it has and lacks: all of that, or (`of_all` is false) some of it."""
    match part:
        case MaskTest(slot=slot, op=SetOp.ALL, mask=mask) if of_all or _single(mask):
            return slot, mask, 0
        case MaskTest(slot=slot, op=SetOp.ANY, mask=mask) if not of_all or _single(mask):
            return slot, mask, 0
        case MaskTest(slot=slot, op=SetOp.WITHIN, mask=mask):
            outside = _others(slot, mask)
            return (slot, 0, outside) if of_all or _single(outside) else None
        case Negation(part=MaskTest(slot=slot, op=SetOp.ALL, mask=mask)):
            return (slot, 0, mask) if not of_all or _single(mask) else None
        case _:
            return None


def _single(mask: int) -> bool:
    return mask.bit_count() == 1


def _rejoined(found: _Found, node: type[Both | Either], neutral: Truth) -> Condition:
    kept: list[Condition] = []
    for (slot, lo, hi), ranges in found.inside.items():
        if ranges in ((), ((lo, hi),)):
            return Truth(not neutral.value)
        kept.append(Inside(slot, ranges, lo, hi))
    for slot, members in found.sets.items():
        kept += _tests(slot, members, of_all=node is Both)
    kept += found.rest
    if not kept:
        return neutral
    return kept[0] if len(kept) == 1 else node(tuple(kept))


def _tests(slot: Slot, members: _Members, *, of_all: bool) -> Iterator[Condition]:
    if members.has:
        yield MaskTest(slot, SetOp.ALL if of_all else SetOp.ANY, members.has)
    if members.lacks and (of_all or _single(members.lacks)):
        yield MaskTest(slot, SetOp.WITHIN, _others(slot, members.lacks))
    elif members.lacks:
        yield Negation(MaskTest(slot, SetOp.ALL, members.lacks))
