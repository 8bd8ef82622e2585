"""Conditions on integers in normal form, and choices between integers.

In: comparisons of trees.  Out: trees: a statement about one column wherever it is one.  A further
condition: `("below", column, other, counts)`: the column is less than `counts[other]`.

What always holds: a condition is exact; arithmetic with constants is solved, not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from govlang.verifier.translation.integers import FAR, Integers, const, holds
from govlang.verifier.translation.spans import Span
from govlang.verifier.translation.tree import (
    FALSE,
    TRUE,
    Spans,
    Tree,
    meet,
    minus,
    spans_of,
    unite,
)


@dataclass(slots=True)
class Conditions(Integers):
    """Comparisons and choices over the columns of a domain."""

    def truth(self, tree: Tree) -> Tree:
        """An integer is not 0."""
        return self.domain.neg(self.within(tree, ((0, 0),)))

    def compared(self, op: str, a: Tree, b: Tree) -> Tree:
        """`a op b` for eq, lt, le."""
        if b[0] == "const":
            return self.within(a, _where(op, b[1], turned=False))
        if a[0] == "const":
            return self.within(b, _where(op, a[1], turned=True))
        known = self._compared_spans(op, a, b)
        if known is not None:
            return TRUE if known else FALSE
        if a[0] == b[0] == "map":
            return self._compared_tables(op, a, b)
        if op == "eq" and a[0] == b[0] == "truth":
            return self.either(a[1], b[1], self.domain.neg(b[1]))
        return self.domain.compared(op, a, b)

    def _compared_spans(self, op: str, a: Tree, b: Tree) -> bool | None:
        """What intervals alone tell."""
        if a == b:
            return op != "lt"
        (a_lo, a_hi), (b_lo, b_hi) = self.span(a), self.span(b)
        if op == "eq":
            return False if a_hi < b_lo or b_hi < a_lo else None
        if a_hi < b_lo or (op == "le" and a_hi == b_lo):
            return True
        return False if b_hi < a_lo or (op == "lt" and b_hi == a_lo) else None

    def _compared_tables(self, op: str, a: Tree, b: Tree) -> Tree:
        """Two tables: of one column a set of its words, of two a row of counts if the first one rises."""
        if a[1] == b[1]:
            test = _COMPARE[op]
            held = (i for i, pair in enumerate(zip(a[2], b[2], strict=True)) if test(*pair))
            return self.domain.inside(a[1], spans_of(held))
        if op == "lt" and _rises(a[2]):
            counts = tuple(sum(value < other for value in a[2]) for other in b[2])
            return ("below", a[1], b[1], counts)
        if op == "le" and _rises(b[2]):
            return self.domain.neg(self._compared_tables("lt", b, a))
        return self.domain.compared(op, a, b)

    def within(self, tree: Tree, spans: Spans) -> Tree:
        """An integer lies in one of the spans."""
        whole = (self.span(tree),)
        kept = meet(spans, whole)
        if not kept or kept == whole:
            return TRUE if kept else FALSE
        match tree[0]:
            case "load" if self.domain.spans[tree[1]] is not None:
                return self.domain.inside(tree[1], kept)
            case "map":
                held = (i for i, v in enumerate(tree[2]) if holds(kept, v))
                return self.domain.inside(tree[1], spans_of(held))
            case "truth":
                return tree[1] if kept == ((1, 1),) else self.domain.neg(tree[1])
            case "if":
                return self.either(tree[1], self.within(tree[2], kept), self.within(tree[3], kept))
            case "cases":
                return self.case_within(tree, kept)
            case "wrap":
                unfolded = _unfolded(tree[1], self.span(tree[2]), kept)
                return (
                    self._between(tree, kept)
                    if unfolded is None
                    else self.within(tree[2], unfolded)
                )
            case "union":
                return self._union_within(tree, kept)
            case "load" | "word":
                return self._bits_within(tree, kept)
            case "+" | "-" | "*" | "floor" | "least" | "greatest":
                solved = self._solved(tree, kept)
                return self._between(tree, kept) if solved is None else solved
            case _:
                return self._between(tree, kept)

    def _union_within(self, tree: Tree, spans: Spans) -> Tree:
        """The bits of two numbers together are 0, or are not."""
        none = self.domain.conj([self.within(part, ((0, 0),)) for part in tree[1:]])
        if spans == ((0, 0),):
            return none
        outside = minus((self.span(tree),), spans)
        return self.domain.neg(none) if outside == ((0, 0),) else self._between(tree, spans)

    def _between(self, tree: Tree, spans: Spans) -> Tree:
        least, largest = self.span(tree)
        parts = []
        for lo, hi in spans:
            ends = [("le", const(lo), tree)] if lo > least else []
            ends += [("le", tree, const(hi))] if hi < largest else []
            parts.append(self.domain.conj(ends))
        return self.domain.disj(parts)

    def _solved(self, tree: Tree, spans: Spans) -> Tree | None:
        """A statement about `a op constant` as one about `a`."""
        op, a, b = tree[0], tree[1], tree[2]
        if op == "floor":
            return self.within(a, tuple((lo * b, hi * b + b - 1) for lo, hi in spans))
        if a[0] == "const" and op != "-":
            a, b = b, a
        if a[0] == "const":
            turned = sorted((a[1] - hi, a[1] - lo) for lo, hi in spans)
            return self.within(b, tuple(turned))
        if b[0] != "const":
            return None
        number = b[1]
        match op:
            case "+" | "-":
                by = number if op == "+" else -number
                return self.within(a, tuple((lo - by, hi - by) for lo, hi in spans))
            case "*":
                return self.within(a, _quotients(spans, number))
            case _:
                own: Span = (-FAR, number) if op == "least" else (number, FAR)
                free = minus(((-FAR, FAR),), (own,))
                held = holds(spans, number)
                return self.within(a, unite(meet(spans, (own,)), free if held else ()))

    def _bits_within(self, tree: Tree, spans: Spans) -> Tree:
        """A mask lies in spans: it is one value, or not that, or has no high bits, or some."""
        whole = self.span(tree)
        width = max(end.bit_length() for end in whole) + (whole[0] < 0)
        bits = self.bits(tree, width)
        assert bits is not None
        found = self._mask_is(bits, width, whole, spans)
        if found is not None:
            return found
        outside = self._mask_is(bits, width, whole, minus((whole,), spans))
        return self._between(tree, spans) if outside is None else self.domain.neg(outside)

    def _mask_is(
        self, bits: Mapping[int, Tree], width: int, whole: Span, spans: Spans
    ) -> Tree | None:
        if len(spans) != 1:
            return None
        lo, hi = spans[0]
        if lo == hi:
            if any(lo >> bit & 1 and bit not in bits for bit in range(width)):
                return FALSE
            wanted = (c if lo >> bit & 1 else self.domain.neg(c) for bit, c in bits.items())
            return self.domain.conj(list(wanted))
        if lo == max(0, whole[0]) and hi & hi + 1 == 0:
            high = [condition for bit, condition in bits.items() if 1 << bit > hi]
            return self.domain.conj([self.domain.neg(condition) for condition in high])
        return None

    # --- choices ---------------------------------------------------------------------------------

    def chosen(self, condition: Tree, a: Tree, b: Tree) -> Tree:
        """`a` if the condition holds, else `b`."""
        self.domain.deadline.raise_if_over()
        if condition in (TRUE, FALSE):
            return a if condition == TRUE else b
        other = self.domain.neg(condition)
        a, b = _assuming(condition, other, a), _assuming(other, condition, b)
        if a == b:
            return a
        for c, x, y in ((condition, a, b), (other, b, a)):
            if x[0] == "load" and self.absent.get(x[1]) == (c, y):
                return x
            if x[0] == "if" and y == x[3]:
                return self.chosen(self.domain.conj([c, x[1]]), x[2], y)
            if x[0] == "if" and y == x[2]:
                return self.chosen(self.domain.conj([c, self.domain.neg(x[1])]), x[3], y)
        return self._merged(condition, a, b) or self.domain.chosen(condition, a, b)

    def _merged(self, condition: Tree, a: Tree, b: Tree) -> Tree | None:
        first, second = self.flag(a), self.flag(b)
        if first is not None and second is not None:
            return self.number(self.either(condition, first, second))
        if condition[0] == "in" and "map" in (a[0], b[0]):
            left, right = self.values(a, condition[1]), self.values(b, condition[1])
            if left is not None and right is not None:
                picked = (
                    x if holds(condition[2], i) else y
                    for i, (x, y) in enumerate(zip(left, right, strict=True))
                )
                return self.table(condition[1], tuple(picked))
        if not (a[0] == b[0] == "const"):
            for word, x, y in (("least", a, b), ("greatest", b, a)):
                if condition in (self.compared("le", x, y), self.compared("lt", x, y)):
                    return self.exact(word, a, b)
        return None

    def flag(self, tree: Tree) -> Tree | None:
        """The condition that an integer is the truth of."""
        if tree[0] == "truth":
            found: Tree = tree[1]
            return found
        if tree[0] == "load" and self.is_flag(tree[1]):
            return self.domain.inside(tree[1], ((1, 1),))
        return {const(0): FALSE, const(1): TRUE}.get(tree)


_COMPARE: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "eq": lambda a, b: a == b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}
_TURNS_MAX: Final = 64


def _rises(values: Sequence[int]) -> bool:
    return all(a < b for a, b in pairwise(values))


def _where(op: str, value: int, *, turned: bool) -> Spans:
    """The x of `x op value`; turned: of `value op x`."""
    if op == "eq":
        return ((value, value),)
    edge = 0 if op == "le" else 1
    return ((value + edge, FAR),) if turned else ((-FAR, value - edge),)


def _unfolded(width: int, span: Span, spans: Spans) -> Spans | None:
    """The values in a span that become one of the spans when they are wrapped; None if there are many."""
    size, (lo, hi) = 1 << width, span
    first, last = (lo >> width) - 1, (hi >> width) + 1
    if last - first > _TURNS_MAX:
        return None
    turns = range(first, last + 1)
    copies = tuple((a + turn * size, b + turn * size) for turn in turns for a, b in spans)
    return meet(unite((), copies), (span,))


def _quotients(spans: Spans, number: int) -> Spans:
    """The x for which `x * number` lies in one of the spans."""
    found = []
    for lo, hi in spans:
        least, largest = (lo, hi) if number > 0 else (-hi, -lo)
        size = abs(number)
        if -(-least // size) <= largest // size:
            found.append((-(-least // size), largest // size))
    return unite((), tuple(found))


def _assuming(known: Tree, other: Tree, tree: Tree) -> Tree:
    """A choice by a condition that is known to hold."""
    while tree[0] == "if" and tree[1] in (known, other):
        tree = tree[2] if tree[1] == known else tree[3]
    return tree
