"""Text fields whose patterns are split over several automata: facts, texts at hand, and walks.

In: the columns of such a field.  Out: facts that tie the columns together, real texts with their
classes, and walks through the product of the automata.

What always holds: a fact is true of every text, also of one that is too long or no path; a walk
that ran out of fuel raises, so that what it did not see is never taken for absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, islice, permutations
from time import monotonic
from typing import Final

from govlang.compiler.automata import Dfa, TextPattern, TooManyStatesError, build_dfa
from govlang.compiler.text_classes import TextClasses
from govlang.verifier.letters import LIKED, UTF8_CELLS

PATTERNS_MAX: Final = 400  # a field with more gets no facts
FACTS_FUEL: Final = 500_000  # states of all products of two patterns of a field
PAIR_STATES_MAX: Final = 2_000  # states of the product of two patterns
CORES_MAX: Final = 40  # patterns whose cores are put together
JOINS_MAX: Final = 24  # orders in which texts of several columns are put together
QUESTION_FUEL: Final = 20_000  # moves of an automaton that all walks of one question may make
TOTAL_FUEL: Final = 200_000  # and all walks of one policy
GLUE: Final = (b"", b"-", b" ")


@dataclass
class Fuel:
    """How many moves walks may still make; the deadline is the last resort."""

    question: int = QUESTION_FUEL
    total: int = TOTAL_FUEL
    deadline: float | None = None

    def refill(self, deadline: float | None) -> None:
        """Begin a new question."""
        self.question, self.deadline = min(QUESTION_FUEL, self.total), deadline

    def burn(self, moves: int) -> None:
        """Take note of moves, one for each state and automaton.

        Raises:
            TooManyStatesError: nothing is left.
        """
        self.question -= moves
        self.total -= moves
        late = self.deadline is not None and monotonic() > self.deadline
        if self.question < 0 or late:
            raise TooManyStatesError


@dataclass(frozen=True, slots=True)
class Fact:
    """Every text has one of `classes` in one column, or one of `others` in another."""

    index: int
    classes: frozenset[int]
    other: int
    others: frozenset[int]


@dataclass(frozen=True)
class Split:
    """One field with several columns."""

    classes: TextClasses

    # --- facts -------------------------------------------------------------------------------------

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """What pairs of patterns in different columns say of one another."""
        patterns = list(self._patterns())
        if len(patterns) > PATTERNS_MAX:
            return ()
        own = {pattern: build_dfa((pattern,)) for _, pattern in patterns}
        found: dict[Fact, None] = {}
        left = FACTS_FUEL
        for (i, one), (j, other) in combinations(patterns, 2):
            if i != j and left > 0:
                missing, states = _never(own[one], own[other])
                left -= states
                found.update((self._fact(i, one, j, other, m), None) for m in missing)
        return tuple(found)

    def _patterns(self) -> Iterator[tuple[int, TextPattern]]:
        for index, column in enumerate(self.classes.columns):
            for pattern in column.accepting:
                yield index, pattern

    def _fact(
        self, i: int, one: TextPattern, j: int, other: TextPattern, never: tuple[bool, bool]
    ) -> Fact:
        """That no text matches the first as `never` says and the second as it says."""
        return Fact(i, self._but(i, one, never[0]), j, self._but(j, other, never[1]))

    def _but(self, index: int, pattern: TextPattern, matched: bool) -> frozenset[int]:  # noqa: FBT001
        column = self.classes.columns[index]
        accepting = column.accepting[pattern]
        return frozenset(range(column.classes)) - accepting if matched else accepting

    # --- texts at hand -----------------------------------------------------------------------------

    def literal_texts(self) -> tuple[bytes, ...]:
        """The patterns without their stars, and two of them put together."""
        cores = [p.pattern.text.replace("*", "").encode() for _, p in self._patterns()]
        some = cores[:CORES_MAX]
        pairs = [a + b for a, b in permutations(some, 2)]
        return tuple(dict.fromkeys([b"", *cores, *pairs]))

    def class_of(self, text: bytes) -> tuple[int, ...]:
        """The class of a text in each column."""
        found = []
        for dfa, edges in zip(self._dfas, self._edges, strict=True):
            state = 0
            for byte in text:
                state = edges[state].get(byte, dfa.default[state])
            found.append(dfa.classes[state])
        return tuple(found)

    @cached_property
    def _dfas(self) -> tuple[Dfa, ...]:
        return tuple(column.dfa for column in self.classes.columns)

    @cached_property
    def _edges(self) -> tuple[tuple[dict[int, int], ...], ...]:
        return tuple(tuple(dict(edges) for edges in dfa.edges) for dfa in self._dfas)

    # --- walks -------------------------------------------------------------------------------------

    @cached_property
    def alphabet(self) -> tuple[int, ...]:
        """Bytes of every kind that some column of a field tells apart."""
        groups = [dfa.byte_groups()[0] for dfa in self._dfas]
        order = {byte: place for place, byte in enumerate(LIKED)}
        cells: dict[tuple[object, ...], int] = {}
        for byte in sorted(range(256), key=lambda b: order.get(b, 256 + b)):
            utf8 = sum(byte >= edge for edge in UTF8_CELLS)
            special = byte if byte in b"/.\\\0" else -1
            cells.setdefault((*(g[byte] for g in groups), utf8, special), byte)
        return tuple(cells.values())

    @cached_property
    def _tables(self) -> list[dict[int, tuple[int, ...]]]:
        return [{} for _ in self._dfas]

    def moves(self, states: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """The states after each byte of the alphabet."""
        rows = []
        for place, state in enumerate(states):
            table = self._tables[place]
            row = table.get(state)
            if row is None:
                edges, default = self._edges[place][state], self._dfas[place].default[state]
                row = table[state] = tuple(edges.get(byte, default) for byte in self.alphabet)
            rows.append(row)
        return zip(*rows, strict=True)


def joined(parts: Sequence[bytes]) -> Iterator[bytes]:
    """Texts put together, in several orders."""
    for glue in GLUE:
        for order in islice(permutations(parts), JOINS_MAX):
            yield glue.join(order)


def _never(a: Dfa, b: Dfa) -> tuple[list[tuple[bool, bool]], int]:
    """Which ways of matching two patterns, or not, no text has, and how many states were seen.

    None where that is too much work.
    """
    left, right = ([dict(edges) for edges in dfa.edges] for dfa in (a, b))
    ends = [[bool(dfa.accepted[c]) for c in dfa.classes] for dfa in (a, b)]
    seen = {(0, 0)}
    stack = [(0, 0)]
    found: set[tuple[bool, bool]] = set()
    while stack and len(found) < 4:
        s, t = stack.pop()
        found.add((ends[0][s], ends[1][t]))
        x, y = a.default[s], b.default[t]
        own, other = left[s], right[t]
        after = {(own.get(byte, x), other.get(byte, y)) for byte in own.keys() | other.keys()}
        after.add((x, y))
        after -= seen
        seen |= after
        stack += after
        if len(seen) > PAIR_STATES_MAX:
            return [], len(seen)
    ways = ((True, True), (True, False), (False, True), (False, False))
    return [way for way in ways if way not in found], len(seen)
