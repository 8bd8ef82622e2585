"""What integers can be while time goes by and nothing happens.

In: trees of `tree.py`, and for each column what its words can be: an interval, and whether the word is one and
the same all the while (`fixed`) or may go anywhere in the interval.  Out: the same of trees.

What always holds: a value lies in its interval; one that is fixed is the same at every moment of the while, if
the conditions inside it are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from govlang.verifier.translation.tree import Tree


class Drift(NamedTuple):
    """What an integer can be."""

    lo: int
    hi: int
    fixed: bool


Words = Callable[[int], Drift]
"""What the words of a column can be."""

_CORNERS: Final[dict[str, Callable[[int, int], int]]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "least": min,
    "greatest": max,
}


def drift(tree: Tree, words: Words) -> Drift:
    """What an integer can be."""
    match tree[0]:
        case "const":
            return Drift(tree[1], tree[1], fixed=True)
        case "load":
            return words(tree[1])
        case "truth":
            return Drift(0, 1, fixed=False)
        case "if":
            a, b = drift(tree[2], words), drift(tree[3], words)
            return Drift(min(a.lo, b.lo), max(a.hi, b.hi), fixed=a.fixed and b.fixed)
        case "floor":
            a = drift(tree[1], words)
            return _drift([a.lo // tree[2], a.hi // tree[2]], fixed=a.fixed)
        case _:
            a, b = drift(tree[1], words), drift(tree[2], words)
            op = _CORNERS[tree[0]]
            ends = [op(x, y) for x in a[:2] for y in b[:2]]
            return _drift(ends, fixed=a.fixed and b.fixed)


def _drift(ends: list[int], *, fixed: bool) -> Drift:
    lo, hi = min(ends), max(ends)
    return Drift(lo, hi, fixed=fixed or lo == hi)


ATOMS: Final = frozenset({"in", "eq", "lt", "le", "ne0"})
"""Conditions on integers, without conditions in them but for those that choose an integer."""


def is_steady(atom: Tree, words: Words) -> bool:
    """Whether a condition without conditions in it keeps its truth all the while."""
    match atom[0]:
        case "in":
            a = words(atom[1])
            inside = any(lo <= a.lo and a.hi <= hi for lo, hi in atom[2])
            return a.fixed or inside or all(a.hi < lo or hi < a.lo for lo, hi in atom[2])
        case "eq" | "lt" | "le":
            a, b = drift(atom[1], words), drift(atom[2], words)
            if (a.fixed and b.fixed) or a.hi < b.lo:
                return True
            return (
                b.hi < a.lo
                or (b.hi == a.lo and atom[0] == "lt")
                or (a.hi == b.lo and atom[0] == "le")
            )
        case "ne0":
            a = drift(atom[1], words)
            return a.fixed or a.lo > 0 or a.hi < 0
        case _:
            return True


# --- parts ---------------------------------------------------------------------------------------


def columns_of(tree: Tree) -> frozenset[int]:
    """The columns that a tree reads."""
    match tree[0]:
        case "load" | "in" | "bit" | "any":
            return frozenset({tree[1]})
        case _:
            parts = [part for part in tree[1:] if _is_tree(part)]
            return frozenset().union(*map(columns_of, parts))


def _is_tree(part: object) -> bool:
    return isinstance(part, tuple) and bool(part) and isinstance(part[0], str)


def atoms_of(tree: Tree) -> Iterator[Tree]:
    """The conditions without conditions in them that decide a condition or choose an integer, each once."""
    seen: set[Tree] = set()
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        if one[0] in ATOMS:
            yield one
        waiting += [part for part in one[1:] if _is_tree(part)]


def leaves_of(tree: Tree) -> Iterator[Tree]:
    """The integers between which a tree chooses."""
    while tree[0] == "if":
        yield from leaves_of(tree[2])
        tree = tree[3]
    yield tree
