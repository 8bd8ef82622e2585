"""The next deadline that docs/edge.md asks for, as a tree: when silence can change something.

In: a plan of which no sample comes, and the points of the table (proved to be all that matter).  Out: an integer.

What always holds: it is the least time behind now at which a cell or the gap reaches a point, 2^63 - 1 if none does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from govlang.compiler import ir
from govlang.native.layout import CellFlag, MemoryFlag
from govlang.verifier.translation.edge_time import UNKNOWN
from govlang.verifier.translation.gathered import Gathered, Way
from govlang.verifier.translation.guards import Guards
from govlang.verifier.translation.integers import const
from govlang.verifier.translation.paths import FREE
from govlang.verifier.translation.time_decode import Memory
from govlang.verifier.translation.time_plan import Plan
from govlang.verifier.translation.tree import FALSE, Tree

ONE_BY_ONE = 8
"""Points beyond which those that are multiples of one length are spoken of as such."""


@dataclass(frozen=True, slots=True)
class Points:
    """Where a value that grows changes something: at each of these, or (`whole`) at every step up to its cap."""

    at: tuple[int, ...]
    whole: bool


def points_of(memory: Memory) -> Mapping[str, Points]:
    """The points of every cell, and of the gap."""
    found = {cell.name: Points(cell.points, CellFlag.WHOLE in cell.flags) for cell in memory.cells}
    gap = Points(memory.gap_points, MemoryFlag.GAP_WHOLE in memory.flags)
    return found | {ir.GAP: gap}


def deadline_tree(plan: Plan, guards: Guards, points: Mapping[str, Points]) -> Tree:
    """The next deadline; `plan` has every scope addressed, and may have seen the clock go back."""
    words, never = plan.words, const(UNKNOWN)
    waits: list[tuple[Tree, Tree]] = []
    for scope in plan.interface.scopes:
        since = plan.since(scope)
        known = plan.domain.neg(plan.never(scope))
        for cell in scope.cells:
            if cell.cap is not None:
                value = words.load(plan.grown(scope, cell, cell.cap, since))
                counts = plan.domain.conj([known, words.within(value, ((0, ir.INT64_MAX),))])
                own = points.get(cell.name, Points((), whole=False))
                waits += _wait(plan, cell.name, value, cell.cap, own, counts)
        if scope is plan.interface.scopes[-1]:
            waits += _wait(plan, ir.GAP, since, ir.GAP_MAX, points[ir.GAP], known)
    found = Gathered(Way.LEAST, never)
    for due, wait in waits:
        path = FREE.narrowed(due, plan.domain)
        if path is not None:
            found = found.added(path, wait)
    least = guards.read(found, FREE)
    none = words.within(least, ((UNKNOWN, UNKNOWN),))
    return words.chosen(none, never, words.exact("+", plan.now, least))


def _wait(
    plan: Plan, name: str, value: Tree, cap: int, points: Points, counts: Tree
) -> list[tuple[Tree, Tree]]:
    """When something is ahead of a value, and how long it takes until then."""
    own = sorted({point for point in points.at if 1 <= point <= cap})
    last = cap if points.whole else own[-1] if own else 0
    words = plan.words
    due = plan.domain.conj([counts, words.within(value, ((ir.INT64_MIN, last - 1),))])
    if due == FALSE or not last:
        return []
    if points.whole:
        return [(due, const(1))]
    point = _next(plan, value, own)
    column = plan.cuts.column(f"the next point of {name}", point, *words.span(point))
    return [(due, words.exact("-", words.load(column), value))]


def _next(plan: Plan, value: Tree, points: Sequence[int]) -> Tree:
    """The least of the points above a value that is below the last of them."""
    words, length = plan.words, points[0]
    if len(points) > ONE_BY_ONE and all(p == length * n for n, p in enumerate(points, 1)):
        over = words.exact("+", words.floor(value, length), const(1))
        return words.exact("*", over, const(length))
    if len(points) == 1:
        return const(points[0])
    middle = len(points) // 2
    below = words.within(value, ((ir.INT64_MIN, points[middle - 1] - 1),))
    return words.chosen(
        below, _next(plan, value, points[:middle]), _next(plan, value, points[middle:])
    )
