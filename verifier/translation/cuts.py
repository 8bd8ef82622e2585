"""Places at which both sides of the proof of a step come to the same: integers under names of their own.

In: what the policy says a step works out, value by value, over columns.  Out: for a tree of the machine the column
that is that value, where it is one by its form or by the solver.

A column stands for its definition, of which later values know nothing but the range.  What always holds: a tree is
only exchanged for a column that is proved the same on the start of the run; a value that would leave the range of
its column is told (`stray`), and then nothing that came of it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from govlang.verifier.translation.tree import Tree
from govlang.verifier.translation.words import Words

Same = Callable[[Tree, Tree], bool]
"""Whether the solver proves two integers the same."""

_SIMPLE = frozenset({"const", "load", "unset"})
_TRIES_MAX = 3


@dataclass(slots=True)
class Cuts:
    """The columns that stand for values, in the order in which they are worked out."""

    words: Words
    spans: list[tuple[tuple[int, int], ...] | None]
    members: list[int]
    same: Same = lambda _a, _b: False
    stays: Callable[[Tree, int, int], bool] = lambda _t, _lo, _hi: False
    defined: dict[int, Tree] = field(default_factory=dict)
    stray: list[str] = field(default_factory=list)
    _known: dict[Tree, Tree] = field(default_factory=dict)
    _alike: dict[frozenset[int], list[Tree]] = field(default_factory=dict)
    _tried: dict[Tree, Tree] = field(default_factory=dict)
    _read: dict[Tree, frozenset[int]] = field(default_factory=dict)

    def column(self, name: str, value: Tree, lo: int, hi: int) -> int:
        """The column of a value that lies in a range; a value that is a column already stays that."""
        found = self._known.get(value, value)
        if found[0] == "load" and self._fits(found[1], lo, hi):
            return int(found[1])
        least, largest = self.words.span(value)
        inside = lo <= least and largest <= hi
        if not inside and not self.stays(value, lo, hi):
            self.stray.append(name)
        number = len(self.spans)
        self.spans.append(((max(lo, least), min(hi, largest)) if inside else (lo, hi),))
        self.members.append(0)
        if value[0] != "const":
            self.defined[number] = value
            self._known[value] = ("load", number)
            self._alike.setdefault(self._columns(value), []).append(value)
        return number

    def _fits(self, column: int, lo: int, hi: int) -> bool:
        spans = self.spans[column]
        return spans is None or (lo <= spans[0][0] and spans[-1][1] <= hi)

    def known(self, value: Tree) -> Tree:
        """The column of a value, by its form."""
        return self._known.get(value, value)

    def settled(self, value: Tree) -> Tree:
        """The column of a value, by its form or the solver."""
        if value[0] in _SIMPLE:
            return value
        found = self._known.get(value)
        if found is not None:
            return found
        if value not in self._tried:
            self._tried[value] = self._asked(value)
        return self._tried[value]

    def _asked(self, value: Tree) -> Tree:
        alike = self._alike.get(self._columns(value), ())
        for one in alike[:_TRIES_MAX]:
            if self.same(value, one):
                return self._known[one]
        return value

    # --- what a tree reads -----------------------------------------------------------------------

    def _columns(self, tree: Tree) -> frozenset[int]:
        found = self._read.get(tree)
        if found is None:
            found = self._read[tree] = self._look(tree)
        return found

    def _look(self, tree: Tree) -> frozenset[int]:
        match tree[0]:
            case "load" | "in" | "bit" | "any" | "map":
                return frozenset({tree[1]})
            case "below":
                return frozenset({tree[1], tree[2]})
            case "word":
                return self._union(condition for _, condition in tree[1])
            case "cases":
                return self._union(condition for condition, _ in tree[1])
            case "rule" | "text" | "same" | "stand" | "gathered":
                return frozenset({-1})  # no column: it is not the value of a cell by its columns
            case _:
                parts = (p for p in tree[1:] if isinstance(p, tuple) and p)
                return self._union(p for p in parts if isinstance(p[0], str))

    def _union(self, trees: Iterable[Tree]) -> frozenset[int]:
        found: frozenset[int] = frozenset()
        for tree in trees:
            found |= self._columns(tree)
        return found
