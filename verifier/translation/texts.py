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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from govlang.compiler import ir
from govlang.compiler.text_match import matches
from govlang.verifier.translation.decode import Automaton

STATES_MAX: Final = 400_000
EXAMPLES_MAX: Final = 3


class TooManyTextsError(Exception):
    """The product of automaton and patterns cannot be walked."""


@dataclass(slots=True)
class Cell:
    """Texts of one class that match the same patterns; without `examples` only absent ones do."""

    number: int | None
    matched: frozenset[int]
    examples: list[str] = field(default_factory=list)


# --- patterns ------------------------------------------------------------------------------------

_Item = tuple[int, int]  # a pattern, and how many of its tokens are done
_ANY_RUN, _OTHER_RUN = "**", "*"


@dataclass(slots=True)
class Matcher:
    """All patterns of a field at once; a state is a node of the trie and the items behind it."""

    separator: int
    trie: list[dict[int, int]] = field(default_factory=lambda: [{}])
    ends: list[list[_Item]] = field(default_factory=lambda: [[]])
    tails: list[tuple[str | int, ...]] = field(default_factory=list)

    def add(self, pattern: ir.Pattern) -> None:
        """Take a pattern in; its number is the next one."""
        text = pattern.text
        pieces: list[str] = [text]
        if pattern.kind is ir.PatternKind.GLOB:
            pieces = re.split(r"(\*\*|\*)", text)
        elif pattern.kind is ir.PatternKind.UNDER:
            pieces = [text, _ANY_RUN, ""]
        at = 0
        for byte in pieces[0].encode():
            if byte not in self.trie[at]:
                self.trie[at][byte] = len(self.trie)
                self.trie.append({})
                self.ends.append([])
            at = self.trie[at][byte]
        tail: list[str | int] = []
        for piece in pieces[1:]:
            tail += [piece] if piece in (_ANY_RUN, _OTHER_RUN) else list(piece.encode())
        self.ends[at].append((len(self.tails), 0))
        self.tails.append(tuple(tail))

    def start(self) -> _Matching:
        """Before the first byte."""
        return self.entered(0, frozenset())

    def entered(self, node: int | None, items: frozenset[_Item]) -> _Matching:
        """A trie node with the items that begin there, and all that runs of nothing lead to."""
        found = set(items)
        if node is not None:
            found.update(self.ends[node])
        pending = list(found)
        while pending:
            pattern, at = pending.pop()
            tail = self.tails[pattern]
            if at < len(tail) and isinstance(tail[at], str) and (pattern, at + 1) not in found:
                found.add((pattern, at + 1))
                pending.append((pattern, at + 1))
        return _Matching(node, frozenset(found))

    def step(self, state: _Matching, byte: int) -> _Matching:
        """After one more byte."""
        items = set()
        for pattern, at in state.items:
            tail = self.tails[pattern]
            token = tail[at] if at < len(tail) else None
            if token == _ANY_RUN or (token == _OTHER_RUN and byte != self.separator):
                items.add((pattern, at))
            elif token == byte:
                items.add((pattern, at + 1))
        node = None if state.node is None else self.trie[state.node].get(byte)
        return self.entered(node, frozenset(items))

    def matched(self, state: _Matching) -> frozenset[int]:
        """The patterns that a text ending here matches."""
        return frozenset(p for p, at in state.items if at == len(self.tails[p]))

    def named(self, state: _Matching) -> set[int]:
        """The bytes that the state treats in a way of their own."""
        found: set[int] = set() if state.node is None else set(self.trie[state.node])
        for pattern, at in state.items:
            token = self.tails[pattern][at] if at < len(self.tails[pattern]) else None
            if isinstance(token, int):
                found.add(token)
            elif token == _OTHER_RUN:
                found.add(self.separator)
        return found


class _Matching(NamedTuple):
    node: int | None
    items: frozenset[_Item]


# --- valid texts ---------------------------------------------------------------------------------

_SLASH, _DOT_SIGN = 0x2F, 0x2E
_LIKED: Final = bytes(
    sorted(range(128), key=lambda b: (not chr(b).isalnum(), not chr(b).isprintable(), b))
)
_TAIL: Final = bytes(range(0x80, 0xC0))
# What may follow in UTF-8: bytes and the state after them; state 0 stands between characters.
_FOLLOWS: Final[dict[int, tuple[tuple[bytes, int], ...]]] = {
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


def _segment(state: str, byte: int) -> str | None:
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
    matcher = Matcher(ord(one.separator))
    for pattern in patterns:
        matcher.add(pattern)
    return _Walk(one, automaton, matcher).cells()


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
        for place in queue:
            self._take(place)
            if self.size[place] >= self.field.max_bytes:
                continue
            for byte, after in self._after(place):
                if after not in self.cause:
                    self.cause[after], self.size[after] = (place, byte), self.size[place] + 1
                    queue.append(after)
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
        for group, utf8 in _FOLLOWS[place.utf8]:
            usual = next((byte for byte in group if byte not in special), None)
            chosen = [byte for byte in group if byte in special]
            for byte in chosen if usual is None else [usual, *chosen]:
                segment = place.segment
                if self.field.kind is ir.Kind.PATH:
                    found = _segment(segment, byte)
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


def may_decide(
    automaton: Automaton, patterns: Sequence[ir.Pattern], separator: str
) -> list[ir.Pattern]:
    """The patterns that a column could decide: no sample of them has the class of a dull text.

    Quick; the walk over the product has the last word.
    """
    dull = {text: automaton.class_of(text.encode()) for text in _DULL}
    found = []
    for pattern in patterns:
        others = {number for text, number in dull.items() if not matches(pattern, text, separator)}
        if not any(automaton.class_of(text) in others for text in _samples(pattern)):
            found.append(pattern)
    return found


_DULL: Final = ("", "\x01", "\N{REPLACEMENT CHARACTER}")


def _samples(pattern: ir.Pattern) -> list[bytes]:
    match pattern.kind:
        case ir.PatternKind.LITERAL:
            return [pattern.text.encode()]
        case ir.PatternKind.UNDER:
            return [f"{pattern.text}{filling}".encode() for filling in _DULL[1:]]
        case ir.PatternKind.GLOB:
            return [re.sub(r"\*+", filling, pattern.text).encode() for filling in _DULL[1:]]
