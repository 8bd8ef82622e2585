"""What a class column says of texts: its automaton held against the patterns of the policy.

In: an automaton read from a table, and patterns with their separator.  Out: its cells: for every
class and every set of patterns that texts of this class match, some valid texts.  A column decides
a pattern if no class has both texts that match it and texts that do not.

The walk is the product of three machines over bytes: the automaton, a simulation of the patterns
written here, and valid texts (UTF-8; for a path its segments).  Heads of patterns share a trie;
behind the first `*` a pattern is a set of positions.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, NamedTuple

from govlang.compiler import ir
from govlang.compiler.text_match import matches
from govlang.verifier.translation.decode import Automaton

STATES_MAX: Final = 400_000
EXAMPLES_MAX: Final = 3
_KEPT: Final = 64
"""How many walks are remembered: the automata of a policy with many texts."""


class TooManyTextsError(Exception):
    """The product of automaton and patterns cannot be walked."""


@dataclass(slots=True)
class Cell:
    """Texts of one class that match the same patterns; without `examples` only absent ones do."""

    number: int | None
    matched: frozenset[int]
    examples: list[str] = field(default_factory=list)


# --- patterns ------------------------------------------------------------------------------------

_ANY_RUN, _OTHER_RUN = "**", "*"


class _Matching(NamedTuple):
    node: int  # of the trie; -1 outside it
    items: int  # places in the tails that may come next, one bit each


@dataclass(slots=True)
class Matcher:
    """All patterns of a field at once.

    The head of a pattern is a path in the trie.  Its tail is a row of places: a byte, a run, or the
    end of the pattern.
    """

    separator: int
    trie: list[dict[int, int]] = field(default_factory=lambda: [{}])
    begins: list[int] = field(default_factory=lambda: [0])
    ends: dict[int, int] = field(default_factory=dict)  # place → pattern
    literal: dict[int, int] = field(default_factory=dict)  # byte → places that want it
    end: int = 0
    any_run: int = 0
    other_run: int = 0
    places: int = 0

    def add(self, pattern: ir.Pattern, number: int) -> None:
        """Take a pattern in."""
        pieces: list[str] = [pattern.text]
        if pattern.kind is ir.PatternKind.GLOB:
            pieces = re.split(r"(\*\*|\*)", pattern.text)
        elif pattern.kind is ir.PatternKind.UNDER:
            pieces = [pattern.text, _ANY_RUN, ""]
        at = 0
        for byte in pieces[0].encode():
            if byte not in self.trie[at]:
                self.trie[at][byte] = len(self.trie)
                self.trie.append({})
                self.begins.append(0)
            at = self.trie[at][byte]
        self.begins[at] |= 1 << self.places
        for piece in pieces[1:]:
            if piece == _ANY_RUN:
                self.any_run |= self._place()
            elif piece == _OTHER_RUN:
                self.other_run |= self._place()
            else:
                for byte in piece.encode():
                    self.literal[byte] = self.literal.get(byte, 0) | self._place()
        self.ends[self.places] = number
        self.end |= self._place()

    def _place(self) -> int:
        self.places += 1
        return 1 << self.places - 1

    def start(self) -> _Matching:
        """Before the first byte."""
        return self._entered(0, 0)

    def _entered(self, node: int, items: int) -> _Matching:
        """A trie node with the tails that begin there, and all that empty runs lead to."""
        if node >= 0:
            items |= self.begins[node]
        runs = self.any_run | self.other_run
        while True:
            more = items | (items & runs) << 1
            if more == items:
                return _Matching(node, items)
            items = more

    def step(self, state: _Matching, byte: int) -> _Matching:
        """After one more byte."""
        items = (state.items & self.literal.get(byte, 0)) << 1 | state.items & self.any_run
        if byte != self.separator:
            items |= state.items & self.other_run
        node = self.trie[state.node].get(byte, -1) if state.node >= 0 else -1
        return self._entered(node, items)

    def matched(self, state: _Matching) -> frozenset[int]:
        """The patterns that a text ending here matches."""
        found, left = [], state.items & self.end
        while left:
            low = left & -left
            found.append(self.ends[low.bit_length() - 1])
            left ^= low
        return frozenset(found)

    def named(self, state: _Matching) -> set[int]:
        """The bytes that the state treats in a way of their own."""
        found = {byte for byte, places in self.literal.items() if state.items & places}
        if state.items & self.other_run:
            found.add(self.separator)
        return found if state.node < 0 else found.union(self.trie[state.node])


# --- valid texts ---------------------------------------------------------------------------------

_SLASH, _DOT_SIGN = 0x2F, 0x2E
_LIKED: Final = bytes(
    sorted(range(128), key=lambda b: (not chr(b).isalnum(), not chr(b).isprintable(), b))
)
_TAIL: Final = bytes(range(0x80, 0xC0))
# What may follow in UTF-8: bytes and the state after them; state 0 stands between characters.
FOLLOWS: Final[dict[int, tuple[tuple[bytes, int], ...]]] = {
    0: (
        (_LIKED, 0),
        (bytes(range(0xC2, 0xE0)), 1),
        (bytes([0xE0]), 10),
        (bytes([*range(0xE1, 0xED), 0xEE, 0xEF]), 2),
        (bytes([0xED]), 11),
        (bytes([0xF0]), 20),
        (bytes(range(0xF1, 0xF4)), 3),
        (bytes([0xF4]), 21),
    ),
    1: ((_TAIL, 0),),
    2: ((_TAIL, 1),),
    3: ((_TAIL, 2),),
    10: ((_TAIL[32:], 1),),
    11: ((_TAIL[:32], 1),),
    20: ((_TAIL[16:], 2),),
    21: ((_TAIL[:16], 2),),
}


def segment_after(state: str, byte: int) -> str | None:
    """Where a path stands: what its last segment has so far, `x` for anything proper."""
    if byte in (0x00, 0x5C):
        return None
    if byte == _SLASH:
        return "" if state == "x" else None
    if byte == _DOT_SIGN and state in ("", "."):
        return state + "."
    return "x"


# --- the product ---------------------------------------------------------------------------------


class _Place(NamedTuple):
    state: int  # of the automaton
    matching: _Matching
    utf8: int
    segment: str


def find_cells(
    one: ir.Field, automaton: Automaton | None, patterns: Sequence[ir.Pattern]
) -> list[Cell]:
    """The cells of a column: what valid texts there are, and the empty text of an absent field.

    Without an automaton only the patterns tell texts apart.

    Raises:
        TooManyTextsError: there are too many states.
    """
    bare = None if automaton is None else replace(automaton, field=0, column=0)
    return list(_cells(one, bare, tuple(patterns)))


@lru_cache(maxsize=_KEPT)
def _cells(
    one: ir.Field, automaton: Automaton | None, patterns: tuple[ir.Pattern, ...]
) -> tuple[Cell, ...]:
    """The table, the C file and the module of a policy have the same automata: one walk is enough."""
    matcher = Matcher(ord(one.separator))
    for number, pattern in enumerate(patterns):
        matcher.add(pattern, number)
    return tuple(_Walk(one, automaton, matcher).cells())


class _Walk:
    def __init__(self, one: ir.Field, automaton: Automaton | None, matcher: Matcher) -> None:
        self.field = one
        self.automaton = automaton
        self.matcher = matcher
        self.found: dict[tuple[int | None, frozenset[int]], Cell] = {}
        self.steps: dict[tuple[_Matching, int], _Matching] = {}
        self.cause: dict[_Place, tuple[_Place, int] | None] = {}
        self.size: dict[_Place, int] = {}
        self.bytes_of: dict[int, list[int]] = {}
        for byte, symbol in enumerate(automaton.symbol if automaton else ()):
            self.bytes_of.setdefault(symbol, []).append(byte)

    def cells(self) -> list[Cell]:
        """Walk breadth first: the first text of a cell is a shortest one."""
        segment = "" if self.field.kind is ir.Kind.PATH else "x"
        start = _Place(0, self.matcher.start(), 0, segment)
        self._cell(start)
        self.cause[start], self.size[start] = None, 0
        queue = [start]
        self._take(start)
        for place in queue:
            if self.size[place] >= self.field.max_bytes:
                continue
            for byte, after in self._after(place):
                if after not in self.cause:
                    self.cause[after], self.size[after] = (place, byte), self.size[place] + 1
                    queue.append(after)
                    self._take(after)
                elif _ends(after) and len(self._cell(after).examples) < EXAMPLES_MAX:
                    self._example(self._cell(after), self._spelled(place) + bytes([byte]))
            if len(queue) > STATES_MAX:
                raise TooManyTextsError
        return list(self.found.values())

    def _cell(self, place: _Place) -> Cell:
        number = self.automaton.classes[place.state] if self.automaton else None
        key = number, self.matcher.matched(place.matching)
        return self.found.setdefault(key, Cell(*key))

    def _take(self, place: _Place) -> None:
        if _ends(place):
            self._example(self._cell(place), self._spelled(place))

    def _example(self, cell: Cell, text: bytes) -> None:
        spelled = text.decode()
        if len(cell.examples) < EXAMPLES_MAX and spelled not in cell.examples:
            cell.examples.append(spelled)

    def _spelled(self, place: _Place) -> bytes:
        spelled = bytearray()
        step = self.cause[place]
        while step is not None:
            spelled.append(step[1])
            step = self.cause[step[0]]
        return bytes(reversed(spelled))

    def _after(self, place: _Place) -> Iterator[tuple[int, _Place]]:
        """A byte for every way to go on."""
        special = self._special(place)
        for group, utf8 in FOLLOWS[place.utf8]:
            usual = next((byte for byte in group if byte not in special), None)
            chosen = [byte for byte in group if byte in special]
            for byte in chosen if usual is None else [usual, *chosen]:
                segment = place.segment
                if self.field.kind is ir.Kind.PATH:
                    found = segment_after(segment, byte)
                    if found is None:
                        continue
                    segment = found
                yield (
                    byte,
                    _Place(
                        self._next(place.state, byte),
                        self._step(place.matching, byte),
                        utf8,
                        segment,
                    ),
                )

    def _special(self, place: _Place) -> set[int]:
        """The bytes that must be looked at one by one; all others go the same way."""
        special = self.matcher.named(place.matching)
        if self.field.kind is ir.Kind.PATH:
            special |= {0x00, _DOT_SIGN, _SLASH, 0x5C}
        if self.automaton is None:
            return special
        shift = self.automaton.shift
        row = self.automaton.next[place.state << shift : (place.state + 1) << shift]
        usual = row[self.automaton.symbol[0xFF]]
        for symbol, to in enumerate(row):
            if to != usual:
                special.update(self.bytes_of.get(symbol, ()))
        return special

    def _next(self, state: int, byte: int) -> int:
        if self.automaton is None:
            return 0
        return self.automaton.next[state << self.automaton.shift | self.automaton.symbol[byte]]

    def _step(self, matching: _Matching, byte: int) -> _Matching:
        key = matching, byte
        if key not in self.steps:
            self.steps[key] = self.matcher.step(matching, byte)
        return self.steps[key]


def _ends(place: _Place) -> bool:
    return place.utf8 == 0 and place.segment == "x"


# --- which column decides which pattern ----------------------------------------------------------


class Samples:
    """Texts that tell quickly which patterns a column cannot decide."""

    def __init__(self, patterns: Sequence[ir.Pattern], separator: str) -> None:
        self.patterns = patterns
        self.own = [_samples(pattern) for pattern in patterns]
        stride = max(1, len(patterns) // _POOL_MAX)
        self.pool = [*_DULL, *(text for own in self.own[::stride] for text in own)]
        self.matching = [
            [i for i, text in enumerate(self.pool) if matches(pattern, text, separator)]
            for pattern in patterns
        ]

    def may_decide(self, automaton: Automaton) -> tuple[ir.Pattern, ...]:
        """The patterns of which no matching sample has the class of one that does not match.

        The walk over the product has the last word.
        """
        classes = [automaton.class_of(text.encode()) for text in self.pool]
        count = Counter(classes)
        found = []
        for pattern, own, matching in zip(self.patterns, self.own, self.matching, strict=True):
            mine = Counter(classes[i] for i in matching)
            reached = {automaton.class_of(text.encode()) for text in own} | mine.keys()
            if all(count[number] == mine[number] for number in reached):
                found.append(pattern)
        return tuple(found)


_DULL: Final = ("", "\x01", "\N{REPLACEMENT CHARACTER}")
_POOL_MAX: Final = 60


def _samples(pattern: ir.Pattern) -> list[str]:
    match pattern.kind:
        case ir.PatternKind.LITERAL:
            return [pattern.text]
        case ir.PatternKind.UNDER:
            return [pattern.text + filling for filling in _DULL[1:]]
        case ir.PatternKind.GLOB:
            return [re.sub(r"\*+", filling, pattern.text) for filling in _DULL[1:]]
