"""Integers in normal form, beyond what `tree.py` has: folded by intervals and tables.

In: operations on trees.  Out: trees.  Both sides of the proof of an artefact are built here and in
`conditions.py`, so that most pairs that mean the same are the same tuple.

Further integers: `("map", column, values)`: the n-th value where the column is n; `("word", ((weight,
condition), …))`: the sum of the weights whose conditions hold, a weight being a power of two, negative
for the sign of its width; `("cases", ((condition, value), …), start)`: the value of the condition that
holds, of which there is one at most, else the start: constants.

What always holds: a tree is the exact value, without bounds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from govlang.verifier.translation.spans import EXACT, Ranges
from govlang.verifier.translation.tree import FALSE, TRUE, Spans, Tree, spans_of

FAR: Final = 2**140
ZERO: Final[Tree] = ("const", 0)
TABLE_MAX: Final = 1 << 16
"""A constant is written out as a table only over columns of fewer words; classes have no more."""


def const(value: int) -> Tree:
    """An integer."""
    return ("const", value)


@dataclass(slots=True)
class Integers(Ranges, ABC):
    """Constructors over the columns of a domain.

    `absent`: a condition and a value for a column: `if condition then column else value` is the column.
    """

    absent: Mapping[int, tuple[Tree, Tree]] = field(default_factory=dict)

    @abstractmethod
    def within(self, tree: Tree, spans: Spans) -> Tree:
        """An integer lies in one of the spans."""

    @abstractmethod
    def chosen(self, condition: Tree, a: Tree, b: Tree) -> Tree:
        """`a` if the condition holds, else `b`."""

    def load(self, column: int) -> Tree:
        """The word of a column."""
        spans = self.domain.spans[column]
        only = spans is not None and spans[0][0] == spans[-1][1]
        return const(spans[0][0]) if spans is not None and only else ("load", column)

    # --- arithmetic ------------------------------------------------------------------------------

    def exact(self, op: str, a: Tree, b: Tree) -> Tree:
        """`a op b` for + - * least greatest."""
        found = self.pointwise(EXACT[op], a, b)
        if found is not None:
            return found
        if op in ("least", "greatest"):
            return self._extreme(op, a, b)
        if ZERO in (a, b) and op != "-":
            return ZERO if op == "*" else b if a == ZERO else a
        if op == "*" and const(1) in (a, b):
            return b if a == const(1) else a
        if op == "-":
            return self._difference(a, b)
        return self.domain.arithmetic(op, a, b)

    def _difference(self, a: Tree, b: Tree) -> Tree:
        if b in (ZERO, a):
            return a if b == ZERO else ZERO
        if a == ZERO and b[0] == "truth":
            return self.chosen(b[1], const(-1), ZERO)
        if a[0] == "trunc":
            below = self.within(self.domain.node("rem", a[1], a[2]), ((-FAR, -1),))
            if b == self.number(below):
                return self.floor(a[1], a[2])
        return self.domain.arithmetic("-", a, b)

    def _extreme(self, op: str, a: Tree, b: Tree) -> Tree:
        if a == b:
            return a
        (a_lo, a_hi), (b_lo, b_hi) = self.span(a), self.span(b)
        if a_hi <= b_lo:
            return a if op == "least" else b
        if b_hi <= a_lo:
            return b if op == "least" else a
        return self.domain.arithmetic(op, a, b)

    def floor(self, a: Tree, divisor: int) -> Tree:
        """`a / divisor`, rounded down."""
        if divisor < 0:
            return self.floor(self.exact("-", ZERO, a), -divisor)
        if divisor == 1:
            return a
        found = self.pointwise(lambda x, y: x // y, a, const(divisor))
        if found is not None:
            return found
        lo, hi = (end // divisor for end in self.span(a))
        return const(lo) if lo == hi else self.domain.node("floor", a, divisor)

    # --- tables ----------------------------------------------------------------------------------

    def table(self, column: int, values: tuple[int, ...]) -> Tree:
        """The integer that has the n-th value where the column is n."""
        same = len(set(values)) == 1
        return const(values[0]) if same else self.domain.node("map", column, values)

    def cases(self, pairs: Sequence[tuple[Tree, int]], start: int) -> Tree:
        """The value of the condition that holds, of which there is one at most, else the start."""
        kept: dict[int, list[Tree]] = {}
        for condition, value in pairs:
            if value != start:
                kept.setdefault(value, []).append(condition)
        if len(kept) == 1:
            ((value, conditions),) = kept.items()
            return self.chosen(self.domain.disj(conditions), const(value), const(start))
        joined = tuple((self.domain.disj(own), value) for value, own in sorted(kept.items()))
        return self.domain.node("cases", joined, start) if joined else const(start)

    def pointwise(self, op: Callable[[int, int], int], a: Tree, b: Tree) -> Tree | None:
        """The result where both sides are constants, or tables of one column, or chosen of such."""
        if a[0] == b[0] == "const":
            return const(op(a[1], b[1]))
        if "truth" in (a[0], b[0]) and "const" in (a[0], b[0]):
            one, other = (self.pointwise(op, *_instead(a, b, bit)) for bit in (1, 0))
            condition = a[1] if a[0] == "truth" else b[1]
        elif a[0] == "if" and self._is_plain(a) and self._is_plain(b):
            condition, (one, other) = a[1], (self.pointwise(op, part, b) for part in a[2:])
        elif a[0] == "cases" and b[0] == "const":
            return self.cases([(c, op(value, b[1])) for c, value in a[1]], op(a[2], b[1]))
        elif b[0] == "if" and self._is_plain(a) and self._is_plain(b):
            condition, (one, other) = b[1], (self.pointwise(op, a, part) for part in b[2:])
        else:
            return self._tabled(op, a, b)
        return None if one is None or other is None else self.chosen(condition, one, other)

    def _is_plain(self, tree: Tree) -> bool:
        """Constants and tables, chosen between."""
        if tree[0] == "if":
            self.domain.deadline.raise_if_over()
            return self._is_plain(tree[2]) and self._is_plain(tree[3])
        return tree[0] in ("const", "map", "truth")

    def _tabled(self, op: Callable[[int, int], int], a: Tree, b: Tree) -> Tree | None:
        column = a[1] if a[0] == "map" else b[1] if b[0] == "map" else None
        if column is None:
            return None
        left, right = self.values(a, column), self.values(b, column)
        if left is None or right is None:
            return None
        return self.table(column, tuple(map(op, left, right)))

    def values(self, tree: Tree, column: int) -> Sequence[int] | None:
        """The values of a constant or a table for each word of a column."""
        if tree[0] == "const":
            spans = self.domain.spans[column]
            assert spans is not None
            known = spans[0][0] >= 0 and spans[-1][1] < TABLE_MAX
            return (tree[1],) * (spans[-1][1] + 1) if known else None
        return tree[2] if tree[0] == "map" and tree[1] == column else None

    # --- words -----------------------------------------------------------------------------------

    def bits(self, tree: Tree, width: int) -> dict[int, Tree] | None:
        """The conditions under which the bits of a value are set; None where they are not known."""
        match tree[0]:
            case "const":
                return {bit: TRUE for bit in range(width) if tree[1] >> bit & 1}
            case "truth":
                return {0: tree[1]}
            case "word":
                return _bits_of_word(tree, width)
            case "load" if self.domain.spans[tree[1]] is None:
                sign = self.widths[tree[1]] - 1
                members = self.domain.members[tree[1]]
                bits = range(width if members > sign else members)
                return {bit: self.domain.has_bit(tree[1], min(bit, sign)) for bit in bits}
            case "load" if self.span(tree) == (0, 1):
                return {0: self.domain.inside(tree[1], ((1, 1),))}
            case "map":
                found = {bit: _positions(tree[2], bit) for bit in range(width)}
                return {b: self.domain.inside(tree[1], held) for b, held in found.items() if held}
            case "if":
                return self._bits_of_choice(tree, width)
            case "cases":
                values = {value for _, value in tree[1]} | {tree[2]}
                some = [bit for bit in range(width) if any(v >> bit & 1 for v in values)]
                return {b: self.case_within(tree, _with_bit(values, b)) for b in some}
            case _:
                return None

    def _bits_of_choice(self, tree: Tree, width: int) -> dict[int, Tree] | None:
        first, second = self.bits(tree[2], width), self.bits(tree[3], width)
        if first is None or second is None:
            return None
        return {
            bit: self.either(tree[1], first.get(bit, FALSE), second.get(bit, FALSE))
            for bit in sorted({*first, *second})
        }

    def number(self, condition: Tree) -> Tree:
        """A condition as 0 or 1."""
        if condition in (TRUE, FALSE):
            return const(int(condition == TRUE))
        if condition[0] == "in" and condition[2] == ((1, 1),) and self.is_flag(condition[1]):
            return ("load", condition[1])
        return self.domain.node("truth", condition)

    def is_flag(self, column: int) -> bool:
        return self.domain.spans[column] == ((0, 1),)

    def either(self, condition: Tree, a: Tree, b: Tree) -> Tree:
        """`a` if the condition holds, else `b`: conditions."""
        if a == b:
            return a
        domain = self.domain
        return domain.disj([domain.conj([condition, a]), domain.conj([domain.neg(condition), b])])

    def case_within(self, tree: Tree, spans: Spans) -> Tree:
        at_start = holds(spans, tree[2])
        chosen = [c for c, value in tree[1] if holds(spans, value) != at_start]
        found = self.domain.disj(chosen)
        return self.domain.neg(found) if at_start else found


def _instead(a: Tree, b: Tree, bit: int) -> tuple[Tree, Tree]:
    """The same with 0 or 1 where one of them is the truth of a condition."""
    return (const(bit), b) if a[0] == "truth" else (a, const(bit))


def holds(spans: Spans, value: int) -> bool:
    """Whether a value lies in one of the spans."""
    return any(lo <= value <= hi for lo, hi in spans)


def _with_bit(values: Iterable[int], bit: int) -> Spans:
    return spans_of(value for value in values if value >> bit & 1)


def _positions(values: Sequence[int], bit: int) -> Spans:
    return spans_of(i for i, value in enumerate(values) if value >> bit & 1)


def _bits_of_word(tree: Tree, width: int) -> dict[int, Tree]:
    """The bits of a word; that of a sign is repeated."""
    found: dict[int, Tree] = {}
    for weight, condition in tree[1]:
        bit = abs(weight).bit_length() - 1
        found.update(dict.fromkeys(range(bit, width if weight < 0 else bit + 1), condition))
    return {bit: condition for bit, condition in found.items() if bit < width}
