"""Cells that never leave their ranges, by interval arithmetic.

In: a policy over time in its flat form.  Out: the cells that every sample keeps in their ranges, each with the cells
because of whose ranges it does.

What always holds: if the cells named beside a cell lie in their ranges before a sample, that cell does behind each
stage of it.  A growing cell stops at its cap, and what an update writes lies in the interval of what it reads.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping

from govlang.compiler import ir
from govlang.compiler.intervals import Interval, RangeOverflowError, interval, policy_ranges

Ranges = dict[str, Interval]


def bounded(policy: ir.Policy, time: ir.Time) -> dict[str, frozenset[str]]:
    """The cells that stay in their ranges, each with those that are kept because of whose ranges it does."""
    ranges = dict(_ranges(policy, time))
    found = {c.name: {c.name} for c in time.cells if c.cap is None or c.cap >= c.field.lo}
    names = {cell.name for cell in time.cells}
    for update in time.updates:
        if update.cell in found and _stays(update, ranges):
            found[update.cell] |= _read(update.value) & names
        else:
            found.pop(update.cell, None)
    while lost := [name for name, read in found.items() if not read <= found.keys()]:
        for name in lost:
            del found[name]
    brief = {
        cell.name for cell in time.cells if cell.brief
    }  # which start in their ranges each time
    return {name: frozenset(_closure(name, found) - brief) for name in found}


def _ranges(policy: ir.Policy, time: ir.Time) -> Iterator[tuple[str, Interval]]:
    """What fields, parameters and columns of a sample hold, and cells in their ranges; of sets nothing is known."""
    sets = {field.name for field in policy.fields if field.kind is ir.Kind.SET}
    yield from ((n, own) for n, own in policy_ranges(policy).items() if n not in sets)
    yield from ((cell.name, (cell.field.lo, cell.field.hi)) for cell in time.cells)


def _stays(update: ir.Update, ranges: Ranges) -> bool:
    """Whether all that an update can write lies in the range of its cell."""
    lo, hi = ranges[update.cell]
    try:
        low, high = interval(update.value, ChainMap(dict(_narrowed(update, ranges)), ranges))
    except (RangeOverflowError, KeyError):
        return False
    return lo <= low and high <= hi


def _narrowed(update: ir.Update, ranges: Ranges) -> Iterator[tuple[str, Interval]]:
    """What the tests, without which an update does not apply, leave of the ranges that its value reads."""
    condition, read = update.condition, _read(update.value)
    for part in condition.operands if isinstance(condition, ir.And) else (condition,):
        if isinstance(part, ir.InRanges) and part.name in read & ranges.keys():
            lo, hi = ranges[part.name]
            ends = max(lo, part.ranges[0][0]), min(hi, part.ranges[-1][1])
            if ends[0] <= ends[1]:
                yield part.name, ends


def _read(value: ir.IntExpr) -> set[str]:
    return {one.name for one in ir.int_parts(value) if isinstance(one, ir.FieldValue)}


def _closure(name: str, read: Mapping[str, set[str]]) -> set[str]:
    """A cell, and all that its values come from."""
    found, stack = {name}, [name]
    while stack:
        new = read[stack.pop()] - found
        found |= new
        stack += new
    return found
