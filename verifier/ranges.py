"""Sets of integers as sorted, disjoint closed intervals that do not touch.

In and out: `ir.Ranges`.  What always holds: every result is normal again, and an empty set is `()`.
"""

from __future__ import annotations

from collections.abc import Iterable

from govlang.compiler.ir import Ranges


def normal(intervals: Iterable[tuple[int, int]]) -> Ranges:
    """The union of any intervals; empty ones are dropped."""
    merged: list[tuple[int, int]] = []
    for lo, hi in sorted(i for i in intervals if i[0] <= i[1]):
        if merged and lo <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(hi, merged[-1][1]))
        else:
            merged.append((lo, hi))
    return tuple(merged)


def meet(a: Ranges, b: Ranges) -> Ranges:
    """What both sets hold."""
    if a is b or a == b:
        return a
    if len(a) == 1 and len(b) == 1:
        lo, hi = max(a[0][0], b[0][0]), min(a[0][1], b[0][1])
        return ((lo, hi),) if lo <= hi else ()
    found: list[tuple[int, int]] = []
    i = j = 0
    while i < len(a) and j < len(b):
        lo, hi = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if lo <= hi:
            found.append((lo, hi))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def overlap(a: Ranges, b: Ranges) -> bool:
    """Whether the sets have a value in common."""
    if len(a) == 1 and len(b) == 1:
        return a[0][0] <= b[0][1] and b[0][0] <= a[0][1]
    return bool(meet(a, b))


def join(a: Ranges, b: Ranges) -> Ranges:
    """What one of the sets holds."""
    return normal((*a, *b))


def minus(a: Ranges, b: Ranges) -> Ranges:
    """What the first set holds and the second does not."""
    found: list[tuple[int, int]] = []
    for lo, hi in a:
        start = lo
        for cut_lo, cut_hi in b:
            if cut_hi < start:
                continue
            if cut_lo > hi:
                break
            if cut_lo > start:
                found.append((start, cut_lo - 1))
            start = cut_hi + 1
        if start <= hi:
            found.append((start, hi))
    return tuple(found)


def within(a: Ranges, b: Ranges) -> bool:
    """Whether the second set holds all of the first."""
    return not minus(a, b)


def holds(a: Ranges, value: int) -> bool:
    """Whether a set holds a value."""
    return any(lo <= value <= hi for lo, hi in a)


def size(a: Ranges) -> int:
    """How many values a set holds."""
    return sum(hi - lo + 1 for lo, hi in a)


def of_values(values: Iterable[int]) -> Ranges:
    """The set of some values."""
    return normal((v, v) for v in values)
