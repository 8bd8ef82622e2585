"""When the walk makes each entry fire: the nodes of a table, read by the documented step rule.

In: the words of the nodes.  Out: for every entry the conditions under which a walk reaches a block
of its and leaves its bit set: what is known of columns on the way, what the lookups demand, and the
program of its residual.  The entry fires iff one of them holds.

What always holds: nodes are taken in the order of their numbers; links lead forwards, so all ways
to a node are known when it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from govlang.native.words import Lookup, Node, hash_slot, signed
from govlang.verifier.translation.boxes import Box, meet_boxes
from govlang.verifier.translation.tree import Domain, OddColumnError, Spans, Tree, meet, unite

WAYS_MAX: Final = 512
_FAR: Final = 2**70

Way = dict[int, Spans]
"""What is known of columns: the words with which a walk comes this way."""


class TooManyWaysError(Exception):
    """A node is reached in too many ways."""


class Occurrence(NamedTuple):
    """An entry in a block: it fires if the box and the tests hold and the program is not 0."""

    box: Box
    tests: tuple[Tree, ...]
    program: int | None


@dataclass(frozen=True, slots=True)
class Index:
    """A node that leads on by one word: the words of each child, and what comes in any case."""

    column: int
    children: tuple[tuple[int, Spans], ...]
    rest: int


@dataclass(frozen=True, slots=True)
class Block:
    """Entries with the words that each lookup leaves their bit set for."""

    entries: tuple[int, ...]
    permits: int
    alone: int
    paired: int
    residuals: Mapping[int, int]
    columns: tuple[tuple[int, tuple[Spans | None, ...]], ...]
    sets: tuple[tuple[Lookup, int, int, int], ...]  # kind, column, members, bits it keeps
    next: int


# --- reading -------------------------------------------------------------------------------------


def read_nodes(words: Sequence[int]) -> Iterator[tuple[int, Index | Block]]:
    """All nodes with their numbers, in order."""
    at = 0
    while at < len(words):
        kind = Node(words[at] & 0xFF)
        if kind is Node.BLOCK:
            block, size = _read_block(words, at)
            yield at, block
        else:
            index, size = _read_index(kind, words, at)
            yield at, index
        at += size


def _pairs(words: Sequence[int], at: int, count: int) -> tuple[int, ...]:
    return tuple(words[at + i // 2] >> 32 * (i % 2) & 0xFFFFFFFF for i in range(count))


def _read_index(kind: Node, words: Sequence[int], at: int) -> tuple[Index, int]:
    column, rest, count = words[at] >> 16 & 0xFFFF, words[at] >> 32, words[at + 1]
    cases: list[tuple[int, Spans]]
    match kind:
        case Node.SWITCH:
            lo = signed(words[at + 2])
            links = _pairs(words, at + 3, count)
            cases = [(child, ((lo + i, lo + i),)) for i, child in enumerate(links) if child]
            size = 3 + (count + 1) // 2
        case Node.HASH:
            bits = words[at] >> 8 & 0xFF
            cases = [*_hashed(words[at + 2 : at + 2 + (2 << bits)], bits, count)]
            size = 2 + (2 << bits)
        case _:
            points = [signed(word) for word in words[at + 2 : at + 2 + count]]
            links = _pairs(words, at + 2 + count, count + 1)
            edges = zip([-_FAR, *points], [*(p - 1 for p in points), _FAR], strict=True)
            cases = [(c, (edge,)) for c, edge in zip(links, edges, strict=True) if c]
            size = 2 + count + (count + 2) // 2
    merged: dict[int, list[tuple[int, int]]] = {}
    for child, spans in cases:
        merged.setdefault(child, []).extend(spans)
    children = tuple((child, unite((), tuple(spans))) for child, spans in merged.items())
    return Index(column, children, rest), size


def _hashed(slots: Sequence[int], bits: int, probes: int) -> Iterator[tuple[int, Spans]]:
    """The keys that a search finds, each with the child of the slot where it stops."""
    count = 1 << bits
    for slot in range(count):
        key = slots[2 * slot]
        if not slots[2 * slot + 1]:
            continue
        at = hash_slot(signed(key), bits)
        for _ in range(probes):
            if not slots[2 * at + 1] or slots[2 * at] == key:
                break
            at = (at + 1) % count
        if at == slot:
            yield slots[2 * slot + 1], ((signed(key), signed(key)),)


def _read_block(words: Sequence[int], at: int) -> tuple[Block, int]:
    first = words[at]
    count, lookups, residuals = first >> 8 & 0xFF, first >> 16 & 0xFF, first >> 24 & 0xFF
    entries = _pairs(words, at + 4, count)
    place = at + 4 + (count + 1) // 2
    programs = {word & 0xFFFFFFFF: word >> 32 for word in words[place : place + residuals]}
    place += residuals
    columns, sets = [], []
    for _ in range(lookups):
        kind, column, size = (
            Lookup(words[place] & 0xFF),
            words[place] >> 16 & 0xFFFF,
            words[place] >> 32,
        )
        if kind is Lookup.DENSE:
            lo, masks = signed(words[place + 1]), words[place + 2 : place + 2 + size]
            steps = [(-_FAR, 0), *((lo + i, m) for i, m in enumerate(masks)), (lo + size, 0)]
            columns.append((column, _by_bit(steps, count)))
            place += 2 + size
        elif kind is Lookup.RANGES:
            points = [signed(word) for word in words[place + 1 : place + 1 + size]]
            masks = words[place + 1 + size : place + 2 + 2 * size]
            columns.append(
                (column, _by_bit(list(zip([-_FAR, *points], masks, strict=True)), count))
            )
            place += 2 + 2 * size
        else:
            sets.append((kind, column, words[place + 1], words[place + 2]))
            place += 3
    permits, alone, paired = words[at + 1 : at + 4]
    block = Block(
        entries, permits, alone, paired, programs, tuple(columns), tuple(sets), first >> 32
    )
    return block, place - at


def _by_bit(steps: Sequence[tuple[int, int]], count: int) -> tuple[Spans | None, ...]:
    """For each bit the words from which a mask holds it; None: all.  `steps`: first word, mask."""
    opened: dict[int, int] = {}
    spans: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    before = 0
    for start, mask in steps:
        changed = before ^ mask
        while changed:
            low = changed & -changed
            bit = low.bit_length() - 1
            if mask & low:
                opened[bit] = start
            elif bit < count:
                spans[bit].append((opened.pop(bit), start - 1))
            changed ^= low
        before = mask
    for bit, start in opened.items():
        if bit < count:
            spans[bit].append((start, _FAR))
    whole = [(-_FAR, _FAR)]
    return tuple(None if own == whole else tuple(own) for own in spans)


# --- walking -------------------------------------------------------------------------------------


@dataclass(slots=True)
class Walks:
    """Every way through the nodes of a table."""

    domain: Domain
    occurrences: dict[int, list[Occurrence]] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)

    def read(self, words: Sequence[int]) -> None:
        """Read all nodes from the root on.

        Raises:
            TooManyWaysError: a node is reached in too many ways.
        """
        ways: dict[int, list[Way]] = {0: [{}]}
        for number, node in read_nodes(words):
            self.domain.deadline.raise_if_over()
            own = ways.pop(number, [])
            if len(own) > WAYS_MAX:
                raise TooManyWaysError
            if isinstance(node, Block):
                self._block(node, own)
                _add(ways, node.next, own)
            else:
                self._index(node, own, ways)

    def _index(self, node: Index, own: Sequence[Way], ways: dict[int, list[Way]]) -> None:
        domain = self.domain.spans[node.column]
        if domain is None:
            raise OddColumnError
        for way in own:
            known = way.get(node.column, domain)
            for child, spans in node.children:
                both = meet(known, spans)
                if both:
                    _add(ways, child, [{**way, node.column: both}])
        _add(ways, node.rest, own)

    def _block(self, node: Block, own: Sequence[Way]) -> None:
        self.blocks.append(node)
        for bit, entry in enumerate(node.entries):
            tests = tuple(self._set_tests(node, bit))
            program = node.residuals.get(bit)
            looked: Box | None = {}
            for column, spans in node.columns:
                if spans[bit] is not None and looked is not None:
                    part = self.domain.inside(column, spans[bit] or ())
                    looked = None if part[0] == "false" else _narrowed(looked, part)
            if looked is None:
                continue
            for way in own:
                box = meet_boxes({("in", c): s for c, s in way.items()}, looked)
                if box is not None:
                    self.occurrences.setdefault(entry, []).append(Occurrence(box, tests, program))

    def _set_tests(self, node: Block, bit: int) -> Iterator[Tree]:
        for kind, column, members, keep in node.sets:
            if keep >> bit & 1:
                continue
            match kind:
                case Lookup.SET_ANY:
                    yield self.domain.any_of(column, members)
                case Lookup.SET_ALL:
                    yield self.domain.all_of(column, members)
                case _:
                    yield self.domain.within(column, members)


def _narrowed(box: Box, part: Tree) -> Box | None:
    return box if part[0] == "true" else meet_boxes(box, {("in", part[1]): part[2]})


def _add(ways: dict[int, list[Way]], number: int, more: Sequence[Way]) -> None:
    if number and more:
        ways.setdefault(number, []).extend(more)
