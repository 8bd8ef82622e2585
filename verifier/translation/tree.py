"""One small language for both sides of the proof: conditions and integers over columns.

In: the pieces of an IR condition or of a program of the table, one at a time.  Out: nested tuples
in a normal form, so that most pairs that mean the same are the same tuple; what is left goes to the
solver.

Conditions: TRUE, FALSE, `("in", column, ranges)`, `("bit", column, member)`, `("any", column,
mask)`, `("eq"|"lt"|"le", a, b)`, `("ne0", a)`, `("text", field, pattern)`, `("same", left, right)`,
`("not", atom)`, `("and", …)`, `("or", …)`.  Integers: `("const", n)`, `("load", column)`,
`("+"|"-"|"*"|"least"|"greatest", a, b)`, `("floor", a, divisor)`, `("if", condition, a, b)`,
`("truth", condition)`.

What always holds of the normal form: `not` stands before atoms only; `and` and `or` are flat,
sorted, and read a column at most once by `in`; operands that commute are sorted.  What holds other
trees is a `Node`, which a domain makes once: it is compared and hashed as the object that it is, so
that work grows with the number of distinct trees, however many ways lead to each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from govlang.verifier.translation.deadline import NEVER, Deadline

Tree = tuple[Any, ...]
Spans = tuple[tuple[int, int], ...]

TRUE: Final[Tree] = ("true",)
FALSE: Final[Tree] = ("false",)
ANY_BITS_MAX: Final = 4
"""`any` of so few members is written out as bits."""

_COMMUTES: Final = frozenset({"+", "*", "least", "greatest"})


class Node(tuple[Any, ...]):  # noqa: SLOT001 - a tuple has no room for slots
    """A tree made of others: the same as another one only if it is that one."""

    number: int
    """Its place in the order in which its domain made them, by which they are sorted."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __repr__(self) -> str:
        return f"({self[0]!r}, #{self.number:08})"


class OddColumnError(ValueError):
    """A table reads a set as if it were a number, or a number as a set; no emitter of ours does."""


# --- sets of integers ----------------------------------------------------------------------------


def meet(a: Spans, b: Spans) -> Spans:
    """The integers in both."""
    if a == b:
        return a
    if not a or not b or a[-1][1] < b[0][0] or b[-1][1] < a[0][0]:
        return ()
    found: list[tuple[int, int]] = []
    i = j = 0
    while i < len(a) and j < len(b):
        low, high = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if low <= high:
            found.append((low, high))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def unite(a: Spans, b: Spans) -> Spans:
    """The integers in either."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(a + b):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return tuple(joined)


def minus(a: Spans, b: Spans) -> Spans:
    """The integers of `a` that are not in `b`."""
    left: list[tuple[int, int]] = []
    j = 0
    for low, high in a:
        at = low
        while j < len(b) and b[j][1] < low:
            j += 1
        k = j
        while k < len(b) and b[k][0] <= high:
            if b[k][0] > at:
                left.append((at, b[k][0] - 1))
            at = b[k][1] + 1
            k += 1
        if at <= high:
            left.append((at, high))
    return tuple(left)


def spans_of(values: Iterable[int]) -> Spans:
    """The spans that hold exactly these integers."""
    return unite((), tuple((value, value) for value in set(values)))


# --- constructors --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Domain:
    """What the words of each column can be; None for a set, whose words are masks."""

    spans: Sequence[Spans | None]
    members: Sequence[int]  # how many members a set has; 0 for the others
    deadline: Deadline = NEVER
    _known: dict[Tree, Node] = field(default_factory=dict, repr=False, compare=False)
    _negated: dict[Tree, Tree] = field(default_factory=dict, repr=False, compare=False)

    def node(self, *parts: Any) -> Tree:
        """The tree with these parts: one object, however often it is made."""
        self.deadline.raise_if_over()
        known = self._known.get(parts)
        if known is None:
            known = self._known[parts] = Node(parts)
            known.number = len(self._known)
        return known

    def inside(self, column: int, spans: Spans) -> Tree:
        """The word of a column lies in one of the spans."""
        domain = self.spans[column]
        if domain is None:
            raise OddColumnError
        kept = meet(spans, domain)
        if not kept:
            return FALSE
        return TRUE if kept == domain else ("in", column, kept)

    def has_bit(self, column: int, member: int) -> Tree:
        """A set has a member."""
        return ("bit", column, member)

    def any_of(self, column: int, mask: int) -> Tree:
        """A set shares a member with a mask."""
        return self.disj([self.has_bit(column, bit) for bit in self._bits(column, mask)])

    def all_of(self, column: int, mask: int) -> Tree:
        """A set has every member of a mask."""
        bits = self._bits(column, mask)
        if mask >> self.members[column]:
            return FALSE
        return self.conj([self.has_bit(column, bit) for bit in bits])

    def within(self, column: int, mask: int) -> Tree:
        """A set has no member outside a mask."""
        full = (1 << self.members[column]) - 1
        outside = [self.has_bit(column, bit) for bit in self._bits(column, full & ~mask)]
        return self.conj([self.neg(bit) for bit in outside])

    def _bits(self, column: int, mask: int) -> list[int]:
        if self.spans[column] is not None:
            raise OddColumnError
        return [bit for bit in range(self.members[column]) if mask >> bit & 1]

    def compared(self, op: str, a: Tree, b: Tree) -> Tree:
        """`a op b` for eq, ne, lt, le; with a constant it is a span of the column."""
        if op == "ne":
            return self.neg(self.compared("eq", a, b))
        if a[0] == b[0] == "const":
            return TRUE if _COMPARE[op](a[1], b[1]) else FALSE
        for load, const, flipped in ((a, b, False), (b, a, True)):
            if load[0] == "load" and const[0] == "const" and self.spans[load[1]] is not None:
                return self.inside(load[1], _spans_where(op, const[1], flipped=flipped))
        if op == "eq":
            a, b = sorted((a, b), key=repr)
        return _at_most(a, b) if op == "lt" else (op, a, b)

    def truth(self, tree: Tree) -> Tree:
        """The condition that an integer is not 0; a condition as it is."""
        if tree[0] in _CONDITIONS:
            return tree
        match tree[0]:
            case "const":
                return FALSE if tree[1] == 0 else TRUE
            case "truth":
                found: Tree = tree[1]
                return found
            case "load" if self.spans[tree[1]] is not None:
                return self.inside(tree[1], ((_LOW, -1), (1, _HIGH)))
            case "load":
                full = (1 << self.members[tree[1]]) - 1
                return self.any_of(tree[1], full)
            case _:
                return ("ne0", tree)

    def chosen(self, condition: Tree, a: Tree, b: Tree) -> Tree:
        """`if condition then a else b`."""
        if condition in (TRUE, FALSE):
            return a if condition == TRUE else b
        other = self.neg(condition)
        if repr(other) < repr(condition):
            condition, a, b = other, b, a
        return self.node("if", condition, a, b)

    def arithmetic(self, op: str, a: Tree, b: Tree) -> Tree:
        """`a op b`."""
        if op in _COMMUTES:
            a, b = sorted((a, b), key=repr)
        return self.node(op, a, b)

    def integer(self, tree: Tree) -> Tree:
        """A condition as the integer 0 or 1; an integer as it is."""
        if tree[0] not in _CONDITIONS:
            return tree
        known = {TRUE: ("const", 1), FALSE: ("const", 0)}.get(tree)
        return self.node("truth", tree) if known is None else known

    def neg(self, tree: Tree) -> Tree:
        """The condition does not hold."""
        match tree[0]:
            case "true":
                return FALSE
            case "false":
                return TRUE
            case "not":
                found: Tree = tree[1]
                return found
            case "and" | "or":
                known = self._negated.get(tree)
                if known is None:
                    parts = [self.neg(part) for part in tree[1:]]
                    known = self.disj(parts) if tree[0] == "and" else self.conj(parts)
                    self._negated[tree] = known
                return known
            case "in":
                everything = self.spans[tree[1]]
                assert everything is not None
                return self.inside(tree[1], minus(everything, tree[2]))
            case "any":
                bits = self._bits(tree[1], tree[2])
                return self.conj([("not", self.has_bit(tree[1], bit)) for bit in bits])
            case "lt":
                return ("le", tree[2], tree[1])
            case "le":
                return _at_most(tree[2], tree[1])
            case _:
                return ("not", tree)

    def conj(self, parts: Sequence[Tree]) -> Tree:
        """All of the conditions."""
        flat, columns = _gathered("and", parts, meet)
        if FALSE in flat or not all(columns.values()):
            return FALSE
        return self._joined("and", flat, columns, TRUE)

    def disj(self, parts: Sequence[Tree]) -> Tree:
        """Some of the conditions."""
        flat, columns = _gathered("or", parts, unite)
        if TRUE in flat or any(self.spans[c] == spans for c, spans in columns.items()):
            return TRUE
        return self._joined("or", flat, columns, FALSE)

    def _joined(
        self, word: str, flat: dict[Tree, None], columns: dict[int, Spans], neutral: Tree
    ) -> Tree:
        found = [one for one in flat if one[0] not in ("true", "false")]
        if word == "or" and len(found) > ANY_BITS_MAX:
            found = _with_any(found)
        found += [("in", column, spans) for column, spans in columns.items()]
        if len(found) < 2:
            return found[0] if found else neutral
        return self.node(word, *sorted(found, key=repr))


def _at_most(a: Tree, b: Tree) -> Tree:
    """`a < b`; beside a constant it is an `a ≤ b`, so that there is one form of it."""
    if a[0] == "const":
        return ("le", ("const", a[1] + 1), b)
    return ("le", a, ("const", b[1] - 1)) if b[0] == "const" else ("lt", a, b)


def _gathered(
    word: str, parts: Sequence[Tree], merge: Callable[[Spans, Spans], Spans]
) -> tuple[dict[Tree, None], dict[int, Spans]]:
    """The parts of the parts, and what they say of each column."""
    flat: dict[Tree, None] = {}
    columns: dict[int, Spans] = {}
    for part in parts:
        for one in part[1:] if part[0] == word else (part,):
            if one[0] == "in":
                known = columns.get(one[1])
                columns[one[1]] = one[2] if known is None else merge(known, one[2])
            else:
                flat[one] = None
    return flat, columns


def _with_any(parts: Sequence[Tree]) -> list[Tree]:
    """The parts, with one `any` for each set of which many members are named."""
    masks: dict[int, int] = {}
    for part in parts:
        if part[0] in ("bit", "any"):
            mask = 1 << part[2] if part[0] == "bit" else part[2]
            masks[part[1]] = masks.get(part[1], 0) | mask
    many = {column: mask for column, mask in masks.items() if mask.bit_count() > ANY_BITS_MAX}
    found = [part for part in parts if part[0] not in ("bit", "any") or part[1] not in many]
    return found + [("any", column, mask) for column, mask in many.items()]


_LOW: Final = -(2**70)
_HIGH: Final = 2**70
_COMPARE: Final[dict[str, Callable[[int, int], bool]]] = {
    "eq": lambda a, b: a == b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}


def _spans_where(op: str, value: int, *, flipped: bool) -> Spans:
    if op == "eq":
        return ((value, value),)
    edge = 0 if op == "le" else 1
    return ((value + edge, _HIGH),) if flipped else ((_LOW, value - edge),)


_CONDITIONS: Final = frozenset(
    {
        "true",
        "false",
        "in",
        "bit",
        "any",
        "eq",
        "lt",
        "le",
        "ne0",
        "text",
        "same",
        "not",
        "and",
        "or",
    }
)
