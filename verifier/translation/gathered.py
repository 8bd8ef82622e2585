"""Values that a machine gathers on its way: the least, the largest, all bits, or the last of several.

In: values, each with the path on which it is taken.  Out: one `Gathered` value for all ways through
the machine, which grows by what is added and never by how often control splits.

What always holds: paths are those from the start of the function; an item counts exactly where its
path is taken, and of those that do, a later one comes later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from govlang.verifier.translation.paths import Path
from govlang.verifier.translation.tree import Tree


class Way(StrEnum):
    """How a value is made of those that are gathered; bits are those of signed integers of any width."""

    LEAST = "least"
    GREATEST = "greatest"
    BITS = "bits"
    LAST = "last"


UNSET: Final[Tree] = ("unset",)
"""The value of a local before it is set."""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A value that counts where its path is taken; before it came `earlier`."""

    earlier: Item | None
    path: Path
    value: Value


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """A start value and what was gathered since, the last item first."""

    way: Way
    start: Value
    last: Item | None = None

    def added(self, path: Path, value: Value) -> Gathered:
        """With one more item."""
        return Gathered(self.way, self.start, Item(self.last, path, value))

    def items(self) -> list[Item]:
        """The items, the first one first."""
        return self.since(None) or []

    def since(self, end: Item | None) -> list[Item] | None:
        """The items behind one of them; None if it is not there."""
        found = []
        item = self.last
        while item is not end:
            if item is None:
                return None
            found.append(item)
            item = item.earlier
        return found[::-1]


Value = Tree | Gathered


class Branch(NamedTuple):
    """One way behind a split, and what a value became on it."""

    path: Path
    value: Value


def beginning(way: Way, base: Value) -> Gathered:
    """A value that goes on to be gathered."""
    return base if isinstance(base, Gathered) and base.way is way else Gathered(way, base)


def joined(base: Value, branches: Sequence[Branch]) -> Value:
    """The value behind a split of what was the base before."""
    changed = [branch for branch in branches if branch.value is not base]
    if not changed:
        return base
    way = changed[0].value.way if isinstance(changed[0].value, Gathered) else Way.LAST
    added = [_since(base, way, branch) for branch in changed]
    if way is Way.LAST or None in added:
        way = Way.LAST
        added = [list(_as_last(base, branch)) for branch in changed]
    found = beginning(way, base)
    for items in added:
        for path, value in items or ():
            found = found.added(path, value)
    return found


def _since(base: Value, way: Way, branch: Branch) -> list[tuple[Path, Value]] | None:
    """What a branch added to the base in the same way; None if its value is no such thing.

    What was gathered elsewhere and then moved here has other paths than those of the branch.
    """
    value = branch.value
    if not isinstance(value, Gathered) or value.way is not way:
        return None
    begun = beginning(way, base)
    items = value.since(begun.last) if value.start is begun.start else None
    if items is None or not all(item.path.implies(branch.path) for item in items):
        return None
    return [(item.path, item.value) for item in items]


def _as_last(base: Value, branch: Branch) -> Iterator[tuple[Path, Value]]:
    items = _since(base, Way.LAST, branch)
    yield from [(branch.path, branch.value)] if items is None else items
