"""The nodes of a diagram as words of `native/gov_table.h`.

In: a diagram, which column holds which axis, and the programs of residuals.  Out: the words of the
section `NODES`.  What always holds: the root is the first node, every link leads forwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from govlang.compiler.boxes import Axis
from govlang.compiler.nodes import Block, Diagram, Lookup, LookupKind, Node, Split, Switch
from govlang.compiler.residual import Programs, TableTooLargeError
from govlang.native import words as codes
from govlang.native.layout import HASH_BITS_MAX, PROBES_MAX
from govlang.native.words import MASK64, block_word, hash_slot, lookup_word, node_word, pair_words

_DENSE_CASES: Final = 8
"""Words of a dense switch for each case: as many bytes as a hashed one takes."""

_LOOKUPS: Final = {
    LookupKind.DENSE: codes.Lookup.DENSE,
    LookupKind.RANGES: codes.Lookup.RANGES,
    LookupKind.SET_ANY: codes.Lookup.SET_ANY,
    LookupKind.SET_ALL: codes.Lookup.SET_ALL,
    LookupKind.SET_WITHIN: codes.Lookup.SET_WITHIN,
}


@dataclass(frozen=True, slots=True)
class BlockBits:
    """What a block says of its entries beside what they need to fire, by entry."""

    permits: frozenset[int]
    alone: frozenset[int]
    paired: frozenset[int]

    def words(self, entries: Sequence[int]) -> list[int]:
        """The three masks of a block."""
        return [
            sum(1 << bit for bit, entry in enumerate(entries) if entry in chosen)
            for chosen in (self.permits, self.alone, self.paired)
        ]


def node_words(
    diagram: Diagram, columns: Mapping[Axis, int], programs: Programs, bits: BlockBits
) -> list[int]:
    """The words of all nodes, the root first.

    Raises:
        TableTooLargeError: a switch cannot be hashed, or the nodes pass 32-bit numbers.
    """
    writer = _Writer(diagram, columns, programs, bits)
    draft = {number: writer.words(node, {}) for number, node in _top_down(diagram)}
    place: dict[int, int] = {}
    at = 0
    for number, words in draft.items():
        place[number] = at
        at += len(words)
    if at >= 2**32:
        raise TableTooLargeError("the policy needs more nodes than a table has room for")
    return [word for number, node in _top_down(diagram) for word in writer.words(node, place)]


def _top_down(diagram: Diagram) -> list[tuple[int, Node]]:
    return list(enumerate(diagram.nodes))[::-1]


@dataclass(frozen=True, slots=True)
class _Writer:
    diagram: Diagram
    columns: Mapping[Axis, int]
    programs: Programs
    bits: BlockBits

    def words(self, node: Node, place: Mapping[int, int]) -> list[int]:
        """A node with its links as in `place`; the number of words does not depend on them."""
        match node:
            case Switch():
                return self._switch(node, place)
            case Split():
                count = len(node.breakpoints)
                first = node_word(
                    codes.Node.SPLIT, self.columns[node.axis], _link(place, node.rest)
                )
                points = [b & MASK64 for b in node.breakpoints]
                return [first, count, *points, *pair_words(_link(place, c) for c in node.children)]
            case Block():
                return self._block(node, place)

    def _switch(self, node: Switch, place: Mapping[int, int]) -> list[int]:
        column, rest = self.columns[node.axis], _link(place, node.rest)
        lo, hi = node.cases[0][0], node.cases[-1][0]
        if hi - lo >= _DENSE_CASES * len(node.cases):
            return _hashed(node, column, rest, place)
        children = [0] * (hi - lo + 1)
        for value, child in node.cases:
            children[value - lo] = _link(place, child)
        first = node_word(codes.Node.SWITCH, column, rest)
        return [first, len(children), lo & MASK64, *pair_words(children)]

    def _block(self, node: Block, place: Mapping[int, int]) -> list[int]:
        entries = node.entries
        first = block_word(
            len(entries), len(node.lookups), len(node.residuals), _link(place, node.next)
        )
        residuals = [
            bit | self.programs.residual(self.diagram.entries[entries[bit]]) << 32
            for bit in node.residuals
        ]
        lookups = [word for lookup in node.lookups for word in self._lookup(lookup)]
        return [first, *self.bits.words(entries), *pair_words(entries), *residuals, *lookups]

    def _lookup(self, lookup: Lookup) -> list[int]:
        count = {LookupKind.DENSE: len(lookup.masks), LookupKind.RANGES: len(lookup.keys)}
        kind, column = _LOOKUPS[lookup.kind], self.columns[lookup.axis]
        first = lookup_word(kind, column, count.get(lookup.kind, 0))
        return [first, *(key & MASK64 for key in lookup.keys), *lookup.masks]


def _link(place: Mapping[int, int], number: int | None) -> int:
    return 0 if number is None else place.get(number, 0)


def _hashed(node: Switch, column: int, rest: int, place: Mapping[int, int]) -> list[int]:
    bits = max(1, (2 * len(node.cases) - 1).bit_length())
    while bits <= HASH_BITS_MAX:
        slots, probes = _placed(node.cases, bits)
        if probes <= PROBES_MAX:
            first = node_word(codes.Node.HASH, column, rest, bits)
            pairs = (
                (0, 0) if slot is None else (slot[0] & MASK64, _link(place, slot[1]))
                for slot in slots
            )
            return [first, probes, *(word for pair in pairs for word in pair)]
        bits += 1
    raise TableTooLargeError("the keys of a switch cannot be hashed")


def _placed(
    cases: Sequence[tuple[int, int]], bits: int
) -> tuple[list[tuple[int, int] | None], int]:
    """Open addressing: the slots, and the most that are looked at for a key."""
    slots: list[tuple[int, int] | None] = [None] * (1 << bits)
    probes = 1
    for case in cases:
        at, needed = hash_slot(case[0], bits), 1
        while slots[at] is not None:
            at, needed = (at + 1) % len(slots), needed + 1
        slots[at] = case
        probes = max(probes, needed)
    return slots, probes
