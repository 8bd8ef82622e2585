"""The decision structure as data: entries, and the nodes that lead to those that may fire.

* SWITCH takes one word to the node for that word, SPLIT to the node for the interval it lies in;
  both then go on to `rest`, where entries stand that do not restrict the axis, or too widely.
* BLOCK tests up to 64 entries at once: every lookup reads one word and gives a mask.

What always holds: an entry stands on every walk of a request that it fires for; equal nodes are one
node; a node's links lead to nodes of a lower index.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from govlang.compiler import ir
from govlang.compiler.boxes import Allowed, Axis, Box
from govlang.compiler.ir import Effect


@dataclass(frozen=True, slots=True)
class Entry:
    """Rule number `rule` fires with `effect` when `box` holds, and what is tested by a program.

    The program tests `residual`, and `beside`: restrictions that are too many for lookups.
    """

    rule: int
    effect: Effect
    box: Box
    residual: tuple[ir.BoolExpr, ...] = ()
    beside: tuple[tuple[Axis, Allowed], ...] = ()

    @property
    def has_program(self) -> bool:
        """Whether lookups alone do not settle it."""
        return bool(self.residual or self.beside)


@dataclass(frozen=True, slots=True)
class Switch:
    """Go to the case of the word, if there is one; then to `rest`."""

    axis: Axis
    cases: tuple[tuple[int, int], ...]
    rest: int | None


@dataclass(frozen=True, slots=True)
class Split:
    """Go to child i where i breakpoints are at or below the word; then to `rest`."""

    axis: Axis
    breakpoints: tuple[int, ...]
    children: tuple[int | None, ...]
    rest: int | None


class LookupKind(StrEnum):
    """How a lookup turns a word into a mask."""

    DENSE = "dense"
    RANGES = "ranges"
    SET_ANY = "any"
    SET_ALL = "all"
    SET_WITHIN = "within"


@dataclass(frozen=True, slots=True)
class Lookup:
    """A mask from the word of `axis`.

    DENSE: `masks[word - keys[0]]`, 0 outside.  RANGES: `masks[i]`, i the number of keys at or below
    the word.  Sets: `masks[0]` if the word fails the test against `keys[0]`, else every bit.
    """

    kind: LookupKind
    axis: Axis
    keys: tuple[int, ...]
    masks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Entries (by rank) tested at once; bits in `residuals` need their program too."""

    entries: tuple[int, ...]
    lookups: tuple[Lookup, ...]
    residuals: tuple[int, ...]
    next: int | None


Node = Switch | Split | Block


@dataclass(frozen=True, slots=True)
class Report:
    """What an author may want to know: rules that no index helps, and the longest walk."""

    entries: int
    nodes: int
    unindexed: tuple[str, ...]
    worst_nodes: int
    worst_lookups: int
    text_columns: int

    @property
    def steps(self) -> str:
        """The worst case of one decision in words: `a + b × text bytes`."""
        fixed = self.worst_nodes + self.worst_lookups
        return f"{fixed} + {self.text_columns} × text bytes" if self.text_columns else str(fixed)


@dataclass(frozen=True, slots=True)
class Diagram:
    """Entries by rank, nodes (the root is the last; None where no rule can fire)."""

    entries: tuple[Entry, ...]
    nodes: tuple[Node, ...]
    root: int | None
    report: Report
