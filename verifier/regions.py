"""The space of requests, cut into regions where few rules can fire.

In: a context and a box.  Out: boxes that together are the box, each with the rules that may fire in
it; a question is put to the solver region by region.

What always holds: the regions cover the box exactly; where no column tells rules apart a region
keeps them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from govlang.compiler.ir import Ranges
from govlang.verifier import ranges
from govlang.verifier.options import Context
from govlang.verifier.shapes import Box, overlap

RULES_MAX: Final = 120  # a region with fewer rules is small enough for one question
VALUES_MAX: Final = 4
PROGRESS: Final = 0.8  # a cut must leave no part with more than this share of the rules


@dataclass(frozen=True, slots=True)
class Region:
    """A box and the rules that may fire in it, in precedence order."""

    box: Box
    rules: tuple[int, ...]


def regions(
    context: Context, box: Box, closed: Callable[[int], bool] | None = None
) -> Iterator[Region]:
    """The parts of a box, without those that one exact box of a `closed` rule covers."""
    stack = [Region(box, tuple(context.judge.meeting([box])))]
    while stack:
        region = stack.pop()
        if closed is not None and _is_closed(context, region, closed):
            continue
        parts = _cut(context, region) if len(region.rules) > RULES_MAX else ()
        if parts:
            stack.extend(parts)
        else:
            yield region


def _is_closed(context: Context, region: Region, closed: Callable[[int], bool]) -> bool:
    columns = context.judge.columns
    return any(
        term.exact
        and all(
            ranges.within(region.box.get(column, columns.domain(column)), allowed)
            for column, allowed in term.box.items()
        )
        for i in region.rules
        if closed(i)
        for term in context.judge.shapes[i]
    )


def _cut(context: Context, region: Region) -> Sequence[Region]:
    """Parts of a region; none if no column helps."""
    best: tuple[int, int, tuple[Ranges, ...]] | None = None
    for column, own in _constraints(context, region).items():
        domain = region.box.get(column, context.judge.columns.domain(column))
        for parts in (_by_values(own, domain), _by_middle(own, domain)):
            if len(parts) < 2:
                continue
            free = len(region.rules) - len(own)
            largest = max(_count(own, part) for part in parts) + free
            if largest < PROGRESS * len(region.rules) and (best is None or largest < best[0]):
                best = largest, column, parts
    if best is None:
        return ()
    _, column, parts = best
    found = [_part(context, region, column, part) for part in parts]
    return list(_gathered(found, column))


def _gathered(parts: Sequence[Region], column: int) -> Iterator[Region]:
    """Small neighbours as one part: a question has its price too."""
    kept: Region | None = None
    for part in parts:
        if kept is not None and len(kept.rules) + len(part.rules) <= RULES_MAX:
            allowed = ranges.join(kept.box[column], part.box[column])
            rules = tuple(sorted({*kept.rules, *part.rules}))
            kept = Region({**part.box, column: allowed}, rules)
            continue
        if kept is not None:
            yield kept
        kept = part
    if kept is not None:
        yield kept


def _part(context: Context, region: Region, column: int, allowed: Ranges) -> Region:
    box = {**region.box, column: allowed}
    shapes = context.judge.shapes
    rules = tuple(i for i in region.rules if any(overlap(t.box, box) for t in shapes[i]))
    return Region(box, rules)


def _constraints(context: Context, region: Region) -> dict[int, list[Ranges]]:
    """For each column the values that rules constrain it to; a rule of several terms by their hull."""
    found: dict[int, list[Ranges]] = {}
    for i in region.rules:
        shape = context.judge.shapes[i]
        first, *more = (t.box for t in shape)
        for column in first:
            if all(column in box for box in more):
                allowed = first[column]
                for box in more:
                    allowed = ranges.join(allowed, box[column])
                found.setdefault(column, []).append(allowed)
    return found


def _by_values(own: Sequence[Ranges], domain: Ranges) -> tuple[Ranges, ...]:
    """A part for each value that some rule is about, and one for all others."""
    keys = {
        v for a in own if ranges.size(a) <= VALUES_MAX for lo, hi in a for v in range(lo, hi + 1)
    }
    keys = {v for v in keys if ranges.holds(domain, v)}
    if len(keys) < 2:
        return ()
    rest = ranges.minus(domain, ranges.of_values(keys))
    return (*(((v, v),) for v in sorted(keys)), *((rest,) if rest else ()))


def _by_middle(own: Sequence[Ranges], domain: Ranges) -> tuple[Ranges, ...]:
    """Two parts, cut where half of the ranges end."""
    ends = sorted(end for a in own for end in (a[0][0] - 1, a[-1][1]))
    middle = ends[len(ends) // 2]
    if not domain[0][0] <= middle < domain[-1][1]:
        return ()
    return (
        ranges.meet(domain, ((domain[0][0], middle),)),
        ranges.meet(domain, ((middle + 1, domain[-1][1]),)),
    )


def _count(own: Sequence[Ranges], part: Ranges) -> int:
    return sum(ranges.overlap(allowed, part) for allowed in own)
