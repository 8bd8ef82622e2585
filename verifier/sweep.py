"""Which boxes meet: an index over many boxes that never looks at pairs that a column keeps apart.

In: boxes.  Out: the numbers of those that contain a row, or that overlap a box.

What always holds: the answer is exact.  A node sends its boxes apart by the values of a discrete
column, or by the middle of a range column; what straddles stays in `rest`, which asks other columns.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from govlang.compiler.ir import Ranges
from govlang.verifier import ranges
from govlang.verifier.shapes import Box, contains, overlap

LEAF_MAX: Final = 6
VALUES_MAX: Final = 4  # a box with more values on a column is no discrete one
WORTH: Final = 0.1  # the part of its boxes that a node must keep from most questions


@dataclass(frozen=True, slots=True)
class _Leaf:
    items: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Switch:
    """Boxes by their values of a column."""

    column: int
    keys: tuple[int, ...]
    children: dict[int, _Node]
    rest: _Node


@dataclass(frozen=True, slots=True)
class _Split:
    """Boxes below and above a middle of a column."""

    column: int
    middle: int
    below: _Node  # all values < middle
    above: _Node  # all values > middle
    rest: _Node


_Node = _Leaf | _Switch | _Split


class BoxIndex:
    """An index over boxes, which keep their numbers."""

    def __init__(self, boxes: Sequence[Box]) -> None:
        self.boxes = boxes
        self._root = self._node(tuple(range(len(boxes))), frozenset())

    def containing(self, row: list[int]) -> list[int]:
        """The boxes that contain a row."""
        found: list[int] = []
        stack = [self._root]
        while stack:
            node = stack.pop()
            match node:
                case _Leaf(items=items):
                    found += [i for i in items if contains(self.boxes[i], row)]
                case _Switch(column=column, children=children, rest=rest):
                    child = children.get(row[column])
                    stack += [rest] if child is None else [rest, child]
                case _Split(column=column, middle=middle, below=below, above=above, rest=rest):
                    value = row[column]
                    stack.append(rest)
                    if value != middle:
                        stack.append(below if value < middle else above)
        return found

    def overlapping(self, box: Box) -> set[int]:
        """The boxes that overlap a box."""
        found: set[int] = set()
        stack = [self._root]
        while stack:
            node = stack.pop()
            match node:
                case _Leaf(items=items):
                    found.update(i for i in items if overlap(self.boxes[i], box))
                case _Switch():
                    stack.append(node.rest)
                    stack.extend(_children(node, box))
                case _Split(column=column, middle=middle):
                    stack.append(node.rest)
                    allowed = box.get(column)
                    if allowed is None or allowed[0][0] < middle:
                        stack.append(node.below)
                    if allowed is None or allowed[-1][1] > middle:
                        stack.append(node.above)
        return found

    # --- building ----------------------------------------------------------------------------------

    def _node(self, items: tuple[int, ...], spent: frozenset[int]) -> _Node:
        if len(items) <= LEAF_MAX:
            return _Leaf(items)
        best = max(self._candidates(items, spent), key=lambda c: c[0], default=None)
        if best is None or best[0] < WORTH * len(items):
            return _Leaf(items)
        _, column, middle = best
        return (
            self._switch(items, column, spent)
            if middle is None
            else self._split(items, column, middle, spent)
        )

    def _candidates(
        self, items: tuple[int, ...], spent: frozenset[int]
    ) -> Iterator[tuple[float, int, int | None]]:
        """How many boxes a question is spared, the column, and the middle if it is split."""
        by_column: dict[int, list[Ranges]] = {}
        for i in items:
            for column, allowed in self.boxes[i].items():
                if column not in spent:
                    by_column.setdefault(column, []).append(allowed)
        for column, own in by_column.items():
            discrete = [a for a in own if ranges.size(a) <= VALUES_MAX]
            values = {v for a in discrete for lo, hi in a for v in range(lo, hi + 1)}
            if len(values) > 1 and discrete:
                yield len(discrete) * (1 - 1 / len(values)), column, None
            ends = sorted(a[0][0] for a in own) + sorted(a[-1][1] for a in own)
            middle = sorted(ends)[len(ends) // 2]
            below = sum(a[-1][1] < middle for a in own)
            above = sum(a[0][0] > middle for a in own)
            yield min(below, above) or (below + above) / 4, column, middle

    def _switch(self, items: tuple[int, ...], column: int, spent: frozenset[int]) -> _Switch:
        children: dict[int, list[int]] = {}
        rest: list[int] = []
        for i in items:
            allowed = self.boxes[i].get(column)
            if allowed is None or ranges.size(allowed) > VALUES_MAX:
                rest.append(i)
                continue
            for lo, hi in allowed:
                for value in range(lo, hi + 1):
                    children.setdefault(value, []).append(i)
        inner = spent | {column}
        nodes = {value: self._node(tuple(own), inner) for value, own in children.items()}
        return _Switch(column, tuple(sorted(nodes)), nodes, self._rest(rest, items, column, spent))

    def _split(
        self, items: tuple[int, ...], column: int, middle: int, spent: frozenset[int]
    ) -> _Split:
        below: list[int] = []
        above: list[int] = []
        rest: list[int] = []
        for i in items:
            allowed = self.boxes[i].get(column)
            if allowed is None or allowed[0][0] <= middle <= allowed[-1][1]:
                rest.append(i)
            else:
                (below if allowed[-1][1] < middle else above).append(i)
        return _Split(
            column,
            middle,
            self._node(tuple(below), spent),
            self._node(tuple(above), spent),
            self._rest(rest, items, column, spent),
        )

    def _rest(
        self, rest: list[int], items: tuple[int, ...], column: int, spent: frozenset[int]
    ) -> _Node:
        """INVARIANT: the building ends, for `rest` is smaller or may no longer ask the column."""
        fewer = len(rest) <= len(items) // 2
        return self._node(tuple(rest), spent if fewer else spent | {column})


def _children(node: _Switch, box: Box) -> Iterator[_Node]:
    allowed = box.get(node.column)
    if allowed is None:
        yield from node.children.values()
        return
    for lo, hi in allowed:
        if lo == hi:
            child = node.children.get(lo)
            if child is not None:
                yield child
        else:
            for key in node.keys[bisect_left(node.keys, lo) : bisect_right(node.keys, hi)]:
                yield node.children[key]
