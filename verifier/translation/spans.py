"""What an integer of the proof can be, as far as intervals tell.

In: trees of `tree.py`, `integers.py` and `words.py` over the columns of a domain.  Out: their least and
largest values.  What always holds: the interval holds every value that the tree can have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from govlang.verifier.translation.tree import Domain, Tree

Span = tuple[int, int]

EXACT: Final[Mapping[str, Callable[[int, int], int]]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "least": min,
    "greatest": max,
}


def full(width: int) -> Span:
    """The signed range of a width."""
    return -(1 << (width - 1)), (1 << (width - 1)) - 1


@dataclass(slots=True)
class Ranges:
    """The intervals of integers over the columns of a domain.

    `widths`: the bits of the columns that hold sets; `symbols`: the intervals of integers that are
    named elsewhere.
    """

    domain: Domain
    widths: Mapping[int, int]
    symbols: dict[Tree, Span] = field(default_factory=dict)
    known: dict[Tree, Span] = field(default_factory=dict)

    def span(self, tree: Tree) -> Span:
        """The least and the largest value that an integer can have."""
        if tree[0] == "const":
            return tree[1], tree[1]
        found = self.known.get(tree)
        if found is None:
            found = self.known[tree] = self._span(tree)
        return found

    def _span(self, tree: Tree) -> Span:
        match tree[0]:
            case "load":
                return self._of_column(tree[1])
            case "truth":
                return 0, 1
            case "map":
                return min(tree[2]), max(tree[2])
            case "word":
                weights = [weight for weight, _ in tree[1]]
                return sum(w for w in weights if w < 0), sum(w for w in weights if w > 0)
            case "wrap" | "window":
                return full(tree[1])
            case "union":
                (a, b), (c, d) = self.span(tree[1]), self.span(tree[2])
                size = (1 << max(x.bit_length() for x in (a, b, c, d))) - 1
                return (max(a, c), size) if a >= 0 and c >= 0 else (-size - 1, size)
            case "common":
                (a, b), (c, d) = self.span(tree[1]), self.span(tree[2])
                if a < 0 and c < 0:
                    return -(1 << max(a.bit_length(), c.bit_length())), max(b, d)
                return 0, min(end for start, end in ((a, b), (c, d)) if start >= 0)
            case "cases":
                values = [tree[2], *(value for _, value in tree[1])]
                return min(values), max(values)
            case "if":
                (a, b), (c, d) = self.span(tree[2]), self.span(tree[3])
                return min(a, c), max(b, d)
            case "floor":
                lo, hi = self.span(tree[1])
                return lo // tree[2], hi // tree[2]
            case "trunc":
                lo, hi = self.span(tree[1])
                return -(-min(0, lo) // tree[2]), max(0, hi) // tree[2]
            case "rem":
                lo, hi = self.span(tree[1])
                return max(1 - tree[2], min(0, lo)), min(tree[2] - 1, max(0, hi))
            case "+" | "-" | "*" | "least" | "greatest":
                return _span_of(tree[0], self.span(tree[1]), self.span(tree[2]))
            case _:
                return self.symbols[tree]

    def _of_column(self, column: int) -> Span:
        spans = self.domain.spans[column]
        if spans is not None:
            return spans[0][0], spans[-1][1]
        members, width = self.domain.members[column], self.widths[column]
        return full(width) if members >= width else (0, (1 << members) - 1)


def _span_of(op: str, a: Span, b: Span) -> Span:
    if op == "-":
        return a[0] - b[1], a[1] - b[0]
    corners = [EXACT[op](x, y) for x in a for y in b] if op == "*" else []
    ends = EXACT[op](a[0], b[0]), EXACT[op](a[1], b[1])
    return (min(corners), max(corners)) if corners else ends
