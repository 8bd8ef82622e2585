"""The updates of a cell in the one order that stands for all orders in which they mean the same.

In: the updates of one cell, of each stage the first that applies counts, and a text for each.  Out: their places in
that order.

What always holds: an update goes before another as it did unless the two can change places: where they are of two
stages, where no row satisfies both, or where both set the same.  So the order in which they come out moves the cell as
the given one does, and two orders that differ by such changes of places come out as one (the lexicographic normal form
of a trace: Anisimov and Knuth, "Inhomogeneous sorting", 1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from govlang.compiler import ir

Tests = dict[str, list[ir.Ranges]]
"""By column: ranges in all of which its value must lie for a condition to hold."""


def ordered(updates: Sequence[ir.Update], texts: Sequence[bytes]) -> list[int]:
    """The places of the updates, each time the one of the least text that none goes before."""
    tests = [_tests(one.condition) for one in updates]
    behind: list[list[int]] = [[] for _ in updates]
    waiting = [0] * len(updates)
    for later, update in enumerate(updates):
        for earlier in range(later):
            if not _commute(updates[earlier], update, tests[earlier], tests[later]):
                behind[earlier].append(later)
                waiting[later] += 1
    free = [(texts[i], i) for i, count in enumerate(waiting) if not count]
    heapify(free)
    found = []
    while free:
        _, place = heappop(free)
        found.append(place)
        for later in behind[place]:
            waiting[later] -= 1
            if not waiting[later]:
                heappush(free, (texts[later], later))
    return found


def _commute(a: ir.Update, b: ir.Update, first: Tests, second: Tests) -> bool:
    """Whether it makes no difference which of two updates goes first."""
    if a.stage != b.stage or a.value == b.value:
        return True
    both = ((x, y) for name, own in first.items() for x in own for y in second.get(name, ()))
    return any(not _meet(x, y) for x, y in both)


def _tests(condition: ir.BoolExpr) -> Tests:
    """The columns that a condition tests by themselves, whatever else it asks."""
    found: Tests = {}
    for one in condition.operands if isinstance(condition, ir.And) else (condition,):
        if isinstance(one, ir.InRanges):
            found.setdefault(one.name, []).append(one.ranges)
    return found


def _meet(a: ir.Ranges, b: ir.Ranges) -> bool:
    return any(lo <= top and low <= hi for lo, hi in a for low, top in b)
