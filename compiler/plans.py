"""Ways to tell entries apart by one axis, and what each would leave to be tested.

In: what entries allow of an axis, as ranges.  Out: the values or intervals that an entry belongs
to, and costs.  What always holds: an entry belongs to at most as many of them as it may have copies,
or to none.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from govlang.compiler.boxes import Axis
from govlang.compiler.ir import Ranges

COPIES_MAX: Final = 8
"""A pattern that takes a handful of texts is copied to each: a block of its own would cost every walk more."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A way to tell entries apart: by value, or by interval where there are breakpoints.

    `cost`: how many entries are left to be tested; `sharp`: few of those that it tells apart at all.
    """

    axis: Axis
    cost: float
    sharp: bool
    breakpoints: tuple[int, ...] | None = None

    def order(self) -> tuple[bool, float, bool, Axis]:
        """The best way comes first: a blunt one would only repeat below what a sharp one settles."""
        return not self.sharp, self.cost, self.breakpoints is not None, self.axis


def few_values(allowed: Ranges, copies: int = COPIES_MAX) -> list[int] | None:
    """The values of an entry, if they are few enough to be copied."""
    if sum(hi - lo + 1 for lo, hi in allowed) > copies:
        return None
    return [value for lo, hi in allowed for value in range(lo, hi + 1)]


def parts_of(
    allowed: Ranges, breakpoints: Sequence[int], copies: int = COPIES_MAX
) -> list[int] | None:
    """The intervals that an entry touches, if they are few enough to be copied."""
    touched: list[int] = []
    for lo, hi in allowed:
        first, last = bisect_right(breakpoints, lo), bisect_right(breakpoints, hi)
        if last - first >= copies:
            return None
        touched += [p for p in range(first, last + 1) if not touched or p > touched[-1]]
        if len(touched) > copies:
            return None
    return touched


def quantiles(ends: Sequence[int], parts: int) -> tuple[int, ...]:
    """Breakpoints that cut the ends into about equal parts."""
    return tuple(dict.fromkeys(ends[i * len(ends) // parts] for i in range(1, parts)))


def cost_of_values(allowed: Sequence[Ranges], copies: int = COPIES_MAX) -> tuple[float, int]:
    """Entries to be tested behind a switch, and those it does not tell apart."""
    sizes: dict[int, int] = {}
    rest = 0
    for one in allowed:
        values = few_values(one, copies)
        if values is None:
            rest += 1
        else:
            for value in values:
                sizes[value] = sizes.get(value, 0) + 1
    return _average(sizes), rest


def cost_of_parts(
    allowed: Sequence[Ranges], breakpoints: Sequence[int], copies: int = COPIES_MAX
) -> tuple[float, int]:
    """The same for a split."""
    sizes: dict[int, int] = {}
    rest = 0
    for one in allowed:
        touched = parts_of(one, breakpoints, copies)
        if touched is None:
            rest += 1
        else:
            for part in touched:
                sizes[part] = sizes.get(part, 0) + 1
    return _average(sizes), rest


def _average(sizes: Mapping[int, int]) -> float:
    """Entries to be tested, where requests fall as entries do."""
    total = sum(sizes.values())
    return sum(size * size for size in sizes.values()) / total if total else 0.0
