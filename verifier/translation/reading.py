"""What a gathered value is as a tree.

In: a gathered value, and the path on which it is read.  Out: an integer.  `Plain` spells the value out,
which is exact and grows with every item; `Canonical` gives names to what was gathered, the same name
to what is the same, and leaves it to `_condition` to say in few words when an item counts.

Names: where all values are constants, a column of its own: n if the n-th of the conditions, best value
first, is the first that holds (`firsts`); else `("gathered", n)` (`gathers`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final, Protocol

from govlang.verifier.translation.cuts import Cuts
from govlang.verifier.translation.gathered import UNSET, Gathered, Value, Way
from govlang.verifier.translation.paths import Path
from govlang.verifier.translation.spans import Span
from govlang.verifier.translation.tree import FALSE, TRUE, Spans, Tree
from govlang.verifier.translation.words import OddCodeError, Words

_APART_MAX: Final = 400
"""Paths of which every two are held against each other."""

Pairs = tuple[tuple[Tree, Tree], ...]
"""Conditions, each with the value that counts where it holds."""


class Reader(Protocol):
    """What makes an integer of a gathered value."""

    def read(self, value: Gathered, path: Path) -> Tree:
        """The integer where the path is taken; may hold `UNSET` where it was never set."""

    def named(self, condition: Tree) -> Tree:
        """A condition that is the same, at best one that the policy speaks of."""

    def settled(self, condition: Tree) -> Tree:
        """A condition that is the same wherever every request comes, at best one that is none."""

    def first(self, pairs: Pairs, start: Tree) -> Tree:
        """The value of the first condition that holds, else the start: all of them constants."""

    def known(self, value: Tree) -> Tree:
        """The same integer, by the name that the policy's side has for it if that has one."""

    def settled_integer(self, value: Tree) -> Tree:
        """The same where every request comes; the solver may be asked."""


@dataclass(slots=True)
class Plain:
    """Every item spelt out; `impossible` tells what cannot hold of any request of this run."""

    words: Words
    impossible: Callable[[Tree], bool] = lambda _: False

    def named(self, condition: Tree) -> Tree:
        """The condition itself."""
        return condition

    def settled(self, condition: Tree) -> Tree:
        """Whether it holds, where that is known."""
        if condition in (TRUE, FALSE):
            return condition
        if self.impossible(condition):
            return FALSE
        return TRUE if self.impossible(self.words.domain.neg(condition)) else condition

    def known(self, value: Tree) -> Tree:
        """The integer itself."""
        return value

    def settled_integer(self, value: Tree) -> Tree:
        """The integer itself."""
        return value

    def first(self, pairs: Pairs, start: Tree) -> Tree:
        """The value of the first condition that holds, else the start."""
        found = start
        for condition, value in reversed(pairs):
            found = self.words.chosen(condition, value, found)
        return found

    def read(self, value: Gathered, path: Path) -> Tree:
        """The integer where the path is taken."""
        found = self._tree(value.start, path)
        for item in value.items():
            condition = item.path.beyond(path).tree(self.words.domain)
            found = self._with(value, found, condition, self._tree(item.value, path))
        return found

    def _tree(self, value: Value, path: Path) -> Tree:
        return self.read(value, path) if isinstance(value, Gathered) else value

    def _with(self, value: Gathered, found: Tree, condition: Tree, item: Tree) -> Tree:
        if value.way is Way.LAST:
            return self.words.chosen(condition, item, found)
        if UNSET in (found, item):
            raise OddCodeError("a local is gathered before it is set")
        if value.way is not Way.BITS:
            return self.words.chosen(condition, self.words.exact(value.way, item, found), found)
        bits, more = self.words.bits(found, 64), self.words.bits(item, 64)
        if bits is None or more is None:
            raise OddCodeError("bits of a number")
        domain = self.words.domain
        for bit in more:
            bits[bit] = domain.disj([bits.get(bit, FALSE), condition])
        return self.words.word(64, bits)


@dataclass(slots=True)
class Canonical(ABC):
    """Gathered values under names."""

    words: Words
    spans: list[Spans | None]
    members: list[int]
    firsts: dict[int, tuple[Tree, ...]] = field(default_factory=dict)
    gathers: dict[Tree, tuple[Way, Tree, Pairs]] = field(default_factory=dict)
    cuts: Cuts | None = None
    _columns: dict[tuple[Tree, ...], int] = field(default_factory=dict)
    _names: dict[tuple[Way, Tree, Pairs], Tree] = field(default_factory=dict)

    @abstractmethod
    def condition(self, paths: Sequence[Path]) -> Tree:
        """The condition that one of the paths is taken."""

    def settled(self, condition: Tree) -> Tree:
        """The condition itself."""
        return condition

    def known(self, value: Tree) -> Tree:
        """The integer, by its column if it has one."""
        return value if self.cuts is None else self.cuts.known(value)

    def settled_integer(self, value: Tree) -> Tree:
        """The same, the solver being asked."""
        return value if self.cuts is None else self.cuts.settled(value)

    @abstractmethod
    def is_raw(self, path: Path) -> bool:
        """Whether a path reads variables, and not only what was made of them."""

    def read(self, value: Gathered, path: Path) -> Tree:
        """The integer where the path is taken."""
        start = self._tree(value.start, path)
        domain = self.words.domain
        items = [
            (item.path.beyond(path), self._tree(item.value, path))
            for item in value.items()
            if path.is_free or not path.excludes(item.path, domain)
        ]
        if UNSET in (start, *(tree for _, tree in items)) and value.way is not Way.LAST:
            raise OddCodeError("a local is gathered before it is set")
        match value.way:
            case Way.BITS:
                return self._bits(start, items)
            case Way.LAST:
                return self._last(start, items)
            case _:
                return self._extreme(value.way, start, items)

    def _tree(self, value: Value, path: Path) -> Tree:
        return self.read(value, path) if isinstance(value, Gathered) else value

    # --- bits ------------------------------------------------------------------------------------

    def _bits(self, start: Tree, items: Sequence[tuple[Path, Tree]]) -> Tree:
        found = self.words.bits(start, 64)
        if found is None:
            raise OddCodeError("bits are gathered in a number")
        paths: dict[int, list[Path]] = {}
        for path, value in items:
            for bit in self.words.bits(value, 64) or {}:
                paths.setdefault(bit, []).append(path)
        for bit, own in paths.items():
            before = found.get(bit, FALSE)
            found[bit] = self.words.domain.disj([before, self.condition(own)])
        return self.words.word(64, found)

    # --- the last --------------------------------------------------------------------------------

    def _last(self, start: Tree, items: Sequence[tuple[Path, Tree]]) -> Tree:
        if all(value[0] == "const" for value in (start, *(value for _, value in items))):
            raw = any(self.is_raw(path) for path, _ in items)
            if len(items) > 1 and raw and self._are_apart([path for path, _ in items]):
                pairs = [(path.tree(self.words.domain), int(value[1])) for path, value in items]
                return self.words.cases(pairs, int(start[1]))
        elif len(items) == 2:
            first, second = (path.tree(self.words.domain) for path, _ in items)
            if second == self.words.domain.neg(first):
                return self.words.chosen(first, items[0][1], items[1][1])
        runs: list[tuple[Tree, list[Path]]] = []
        for path, value in items:
            if not runs or runs[-1][0] != value:
                runs.append((value, []))
            runs[-1][1].append(path)
        named = tuple((self.condition(paths), value) for value, paths in reversed(runs))
        if len(named) > 1 and all(value[0] == "const" for _, value in (*named, (TRUE, start))):
            return self.first(named, start)
        found = start
        for condition, value in reversed(named):
            found = self.words.chosen(condition, value, found)
        return found

    def _are_apart(self, paths: Sequence[Path]) -> bool:
        """Whether no two of the paths are taken at once, as far as their words tell."""
        domain = self.words.domain
        few = len(paths) <= _APART_MAX
        return few and all(a.excludes(b, domain) for a, b in combinations(paths, 2))

    # --- the least and the greatest ----------------------------------------------------------------

    def _extreme(self, way: Way, start: Tree, items: Sequence[tuple[Path, Tree]]) -> Tree:
        paths: dict[Tree, list[Path]] = {}
        for path, value in items:
            if self.words.exact(way, value, start) != start:
                paths.setdefault(value, []).append(path)
        pairs = [(self.condition(own), value) for value, own in paths.items()]
        pairs = [(condition, value) for condition, value in pairs if condition != FALSE]
        if all(value[0] == "const" for _, value in (*pairs, (TRUE, start))):
            pairs.sort(key=lambda pair: int(pair[1][1]), reverse=way is Way.GREATEST)
            return self.first(tuple(pairs), start)
        for condition, value in [pair for pair in pairs if pair[0] == TRUE]:
            start = self.words.exact(way, value, start)
            pairs.remove((condition, value))
        return self._named(way, start, tuple(sorted(pairs, key=repr))) if pairs else start

    def _named(self, way: Way, start: Tree, pairs: Pairs) -> Tree:
        if len(pairs) == 1:
            condition, value = pairs[0]
            return self.words.chosen(condition, self.words.exact(way, value, start), start)
        key = way, start, pairs
        name = self._names.setdefault(key, ("gathered", len(self._names)))
        if name not in self.gathers:
            self.gathers[name] = key
            self.words.symbols[name] = self._span(*key)
        return name

    def _span(self, way: Way, start: Tree, pairs: Pairs) -> Span:
        lo, hi = self.words.span(start)
        values = [self.words.span(self.words.exact(way, value, start)) for _, value in pairs]
        return min([lo, *(v[0] for v in values)]), max([hi, *(v[1] for v in values)])

    # --- the first of several conditions -----------------------------------------------------------

    def first(self, pairs: Pairs, start: Tree) -> Tree:
        """The value of the first condition that holds, else the start: all of them constants."""
        kept: dict[Tree, Tree] = {}
        for condition, value in pairs:
            if condition != FALSE and TRUE not in kept:
                kept.setdefault(condition, value)
        values = [*kept.values(), *([] if TRUE in kept else [start])]
        if len(values) == 1:
            return values[0]
        if len(values) == 2:
            return self.words.chosen(next(iter(kept)), values[0], values[1])
        column = self._column(tuple(kept))
        return self.words.table(column, tuple(int(value[1]) for value in values))

    def _column(self, conditions: tuple[Tree, ...]) -> int:
        column = self._columns.get(conditions)
        if column is None:
            column = self._columns[conditions] = len(self.spans)
            last = len(conditions) - (TRUE in conditions)
            self.spans.append(((0, last),))
            self.members.append(0)
            self.firsts[column] = conditions
        return column
