"""Rules for the two sides of one test, as tables have them, taken together.

In: the statements of a step.  Out: statements that give the same: where one slot takes a number if A
and B hold and another number if A and not B, it takes one of the two if A holds; and (A and B) or (A
and not B) is A.  Flags that nobody asks for any more are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from govlang.compiler.boxes import join_ranges
from govlang.compiler.ir import Ranges
from govlang.compiler.program import (
    Both,
    Choose,
    Condition,
    Decide,
    Either,
    Flag,
    Gather,
    Inside,
    Mark,
    Number,
    Slot,
    Statement,
    Way,
)
from govlang.compiler.program_walk import all_reads, fixed_slots, reads
from govlang.compiler.steps_logic import YES, both, either, negation

Body = tuple[Statement, ...]
Flags = Mapping[Slot, Condition]

_PARTS_MAX: Final = 32
"""The most alternatives that are held against each other."""


def paired(body: Body) -> Body:
    """The statements with the two sides of a test together."""
    fixed = fixed_slots(body)
    flags = {
        one.slot: one.condition
        for one in body
        if isinstance(one, Decide) and fixed.issuperset((one.slot, *reads(one)))
    }
    kept: list[Statement] = []
    for before in body:
        one = before
        if isinstance(one, Gather | Mark):
            one = replace(one, condition=_merged(one.condition, flags))
        joined = _joined(kept[-1], one, flags) if kept else None
        if joined is None:
            kept.append(one)
        else:
            kept[-1] = joined
    return _without_unasked(tuple(kept), flags)


def _joined(last: Statement, one: Statement, flags: Flags) -> Statement | None:
    """Two statements as one."""
    match last, one:
        case (
            Gather(slot=slot, condition=a, value=Number() as x, way=Way.LAST),
            Gather(slot=other, condition=b, value=Number() as y, way=Way.LAST),
        ) if slot == other and (split := _split(a, b, flags)):
            rest, test = split
            return Gather(slot, rest, Choose(test, x, y), Way.LAST)
        case _:
            return None


def _merged(condition: Condition, flags: Flags) -> Condition:
    """Alternatives that are the two sides of a test, or ranges of one slot, as one."""
    if not isinstance(condition, Either) or len(condition.parts) > _PARTS_MAX:
        return condition
    condition = _united(condition, flags)
    if not isinstance(condition, Either):
        return condition
    parts = list(condition.parts)
    for i, a in enumerate(parts):
        for b in parts[i + 1 :]:
            if split := _split(a, b, flags):
                others = [part for part in parts if part not in (a, b)]
                return _merged(either((split[0], *others)), flags)
    return condition


def _united(condition: Either, flags: Flags) -> Condition:
    """Alternatives with one test for all ranges of a slot."""
    tests: dict[tuple[Slot, int, int], Ranges] = {}
    parts: dict[tuple[Slot, int, int], list[Condition]] = {}
    others: list[Condition] = []
    for part in condition.parts:
        match _parts(part, flags):
            case (Inside(slot=slot, ranges=ranges, lo=lo, hi=hi),):
                place = slot, lo, hi
                tests[place] = join_ranges(tests.get(place, ()), ranges)
                parts.setdefault(place, []).append(part)
            case _:
                others.append(part)
    for (slot, lo, hi), ranges in tests.items():
        same = parts[slot, lo, hi]
        if len(same) > 1:
            others.append(YES if ranges == ((lo, hi),) else Inside(slot, ranges, lo, hi))
        else:
            others += same
    return either(others)


def _split(a: Condition, b: Condition, flags: Flags) -> tuple[Condition, Condition] | None:
    """What two conditions have in common, and the test that holds in the first and not in the second."""
    of_a, of_b = _parts(a, flags), _parts(b, flags)
    only_a = [part for part in of_a if part not in of_b]
    only_b = [part for part in of_b if part not in of_a]
    if len(only_a) != 1 or len(only_b) != 1:
        return None
    (test,), (other,) = only_a, only_b
    if negation(test) != other and negation(other) != test:
        return None
    return both(part for part in of_a if part != test), test


def _parts(condition: Condition, flags: Flags) -> tuple[Condition, ...]:
    while isinstance(condition, Flag) and condition.slot in flags:
        condition = flags[condition.slot]
    return condition.parts if isinstance(condition, Both) else (condition,)


def _without_unasked(body: Body, flags: Flags) -> Body:
    """The statements without flags that nobody asks for."""
    asked = Counter(all_reads(body))
    kept: list[Statement] = []
    for one in reversed(body):
        if isinstance(one, Decide) and one.slot in flags and not asked[one.slot]:
            asked.subtract(reads(one))
        else:
            kept.append(one)
    return tuple(reversed(kept))
