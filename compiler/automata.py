"""Minimal automata over bytes: one for many text patterns at once.

In: patterns, each with the separator its `*` does not cross.  Out: the minimal deterministic
automaton whose states know exactly which of the patterns the bytes read so far match.

What always holds: byte 0xFF stands in no UTF-8 text, so `default` (the edge taken on every byte
that has no edge of its own) is the edge of 0xFF; an edge never goes where the default goes; states
and classes are numbered in the order of a breadth-first walk from the start, so equal patterns
give equal automata.

Literals, prefixes and the literal heads of globs share one trie; only what follows the first `*`
of a glob is simulated, as a bit set of positions.  Ten thousand literals cost one pass over them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, assert_never

from govlang.compiler.ir import Pattern, PatternKind

STATES_MAX: Final = 4096
"""The most states of one automaton; patterns that need more are split over several."""

_DRAFT_MAX: Final = 2 * STATES_MAX  # states before minimisation
_NOWHERE: Final = -1


class TooManyStatesError(Exception):
    """The joint automaton of these patterns passes the limit."""


class TextPattern(NamedTuple):
    """A pattern and the byte that its `*` does not cross."""

    pattern: Pattern
    separator: int


@dataclass(frozen=True, slots=True)
class Dfa:
    """A total automaton over bytes; state 0 is the start.

    `classes[s]` is the class of a text that ends in state s; `accepted[c]` are the indexes of the
    patterns that texts of class c match, in increasing order.
    """

    default: tuple[int, ...]
    edges: tuple[tuple[tuple[int, int], ...], ...]
    classes: tuple[int, ...]
    accepted: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.default)

    def step(self, state: int, byte: int) -> int:
        """The state after one more byte."""
        return next((to for b, to in self.edges[state] if b == byte), self.default[state])

    def class_of(self, text: bytes) -> int:
        """The class of a text."""
        state = 0
        for byte in text:
            state = self.step(state, byte)
        return self.classes[state]

    def byte_groups(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Bytes that no state tells apart: the group of each byte, and one byte of each group.

        The bytes without any edge form the last group.
        """
        columns: dict[int, list[tuple[int, int]]] = {}
        for state, edges in enumerate(self.edges):
            for byte, to in edges:
                columns.setdefault(byte, []).append((state, to))
        groups: dict[tuple[tuple[int, int], ...], int] = {}
        chosen: list[int] = []
        group_of = [_NOWHERE] * 256
        for byte in sorted(columns):
            key = tuple(columns[byte])
            if key not in groups:
                groups[key] = len(chosen)
                chosen.append(byte)
            group_of[byte] = groups[key]
        last = len(chosen)
        return tuple(last if g == _NOWHERE else g for g in group_of), (*chosen, 0xFF)


def build_dfa(patterns: Sequence[TextPattern]) -> Dfa:
    """The minimal automaton that tells which of `patterns` a text matches.

    Raises:
        TooManyStatesError: it has more than `STATES_MAX` states.
    """
    draft = _determinise(_machine(patterns))
    dfa = _minimise(draft)
    if len(dfa) > STATES_MAX:
        raise TooManyStatesError
    return dfa


# --- the machine of all patterns -----------------------------------------------------------------


@dataclass(slots=True)
class _Machine:
    """A trie of literal heads and a bit-parallel simulation of the tails of globs.

    A tail position is one bit.  `stars` may be skipped; at a `**` every byte loops, at a `*` every
    byte but the separator; at a literal its own byte moves one bit up.
    """

    children: list[dict[int, int]]
    literal: list[list[int]]  # trie node → patterns that end here
    under: list[list[int]]  # trie node → patterns that hold from here on
    awake: list[int]  # trie node → tail positions that start here
    pattern_at: list[int]  # position → pattern, at the end of a tail, or _NOWHERE
    literals_of: dict[int, int]  # byte → positions that hold it
    stopped_by: dict[int, int]  # separator → positions of a `*` that does not cross it
    stars: int = 0

    def node(self, text: bytes) -> int:
        """The trie node of a text, made if there is none."""
        at = 0
        for byte in text:
            found = self.children[at].get(byte)
            if found is None:
                found = len(self.children)
                self.children[at][byte] = found
                self.children.append({})
                self.literal.append([])
                self.under.append([])
                self.awake.append(0)
            at = found
        return at

    def tail(self, tokens: Sequence[str], pattern: int, separator: int) -> int:
        """Lay out a tail; its first position."""
        first = len(self.pattern_at)
        for part in tokens:
            if part in ("*", "**"):
                here = 1 << len(self.pattern_at)
                self.stars |= here
                if part == "*":
                    self.stopped_by[separator] = self.stopped_by.get(separator, 0) | here
                self.pattern_at.append(_NOWHERE)
            else:
                for byte in part.encode():
                    here = 1 << len(self.pattern_at)
                    self.literals_of[byte] = self.literals_of.get(byte, 0) | here
                    self.pattern_at.append(_NOWHERE)
        self.pattern_at.append(pattern)
        return first

    def closed(self, positions: int) -> int:
        """The positions and what can be reached by skipping stars."""
        while True:
            more = positions | (positions & self.stars) << 1
            if more == positions:
                return positions
            positions = more


def _machine(patterns: Sequence[TextPattern]) -> _Machine:
    machine = _Machine([{}], [[]], [[]], [0], [], {}, {})
    for index, (pattern, separator) in enumerate(patterns):
        match pattern.kind:
            case PatternKind.LITERAL:
                machine.literal[machine.node(pattern.text.encode())].append(index)
            case PatternKind.UNDER:
                machine.under[machine.node(pattern.text.encode())].append(index)
            case PatternKind.GLOB:
                head, *tokens = re.split(r"(\*\*|\*)", pattern.text)
                node = machine.node(head.encode())
                if not tokens:
                    machine.literal[node].append(index)
                elif tokens == ["**", ""]:
                    machine.under[node].append(index)
                else:
                    machine.awake[node] |= 1 << machine.tail(tokens, index, separator)
            case _:
                assert_never(pattern.kind)
    machine.awake = [machine.closed(bits) for bits in machine.awake]
    return machine


class _Draft(NamedTuple):
    """A deterministic automaton, not minimal; labels are sorted pattern indexes."""

    default: list[int]
    edges: list[dict[int, int]]
    labels: list[tuple[int, ...]]


# A state of the draft: trie node or _NOWHERE, tail positions, the last node passed with `under`.
_Key = tuple[int, int, int]


def _determinise(machine: _Machine) -> _Draft:
    upward = _patterns_under(machine)
    ends = _bits(p >= 0 for p in machine.pattern_at)
    moves: dict[int, tuple[int, dict[int, int]]] = {}
    start = _entered(machine, 0, 0, _NOWHERE)
    number: dict[_Key, int] = {start: 0}
    queue = [start]
    draft = _Draft([], [], [])

    def numbered(key: _Key) -> int:
        found = number.get(key)
        if found is None:
            if len(number) >= _DRAFT_MAX:
                raise TooManyStatesError
            found = number[key] = len(number)
            queue.append(key)
        return found

    for node, positions, under in queue:
        label = list(upward[under]) if under >= 0 else []
        label += machine.literal[node] if node >= 0 else ()
        label += [machine.pattern_at[i] for i in _indexes(positions & ends)]
        draft.labels.append(tuple(sorted(label)))
        if positions not in moves:
            moves[positions] = _tail_moves(machine, positions)
        other, own = moves[positions]
        children = machine.children[node] if node >= 0 else {}
        draft.default.append(numbered((_NOWHERE, other, under)))
        edges: dict[int, int] = {}
        for byte in sorted(own.keys() | children.keys()):
            key = _entered(machine, children.get(byte, _NOWHERE), own.get(byte, other), under)
            edges[byte] = numbered(key)
        draft.edges.append(edges)
    return draft


def _entered(machine: _Machine, node: int, positions: int, under: int) -> _Key:
    """The state on entering a trie node: its tails wake up, its prefixes hold."""
    if node < 0:
        return node, positions, under
    return node, positions | machine.awake[node], node if machine.under[node] else under


def _patterns_under(machine: _Machine) -> list[tuple[int, ...]]:
    """For each trie node the prefix patterns that hold there and below."""
    found: list[tuple[int, ...]] = [()] * len(machine.children)
    found[0] = tuple(machine.under[0])
    for node, children in enumerate(machine.children):  # a child's number is above its parent's
        for child in children.values():
            own = machine.under[child]
            found[child] = (*found[node], *own) if own else found[node]
    return found


def _tail_moves(machine: _Machine, positions: int) -> tuple[int, dict[int, int]]:
    """Where tail positions go on a byte named by none of them, and on each byte that is named."""
    kept = positions & machine.stars
    own: dict[int, int] = {}
    for byte in machine.literals_of.keys() | machine.stopped_by.keys():
        literals, stuck = machine.literals_of.get(byte, 0), machine.stopped_by.get(byte, 0)
        if positions & (literals | stuck):
            own[byte] = machine.closed((positions & literals) << 1 | kept & ~stuck)
    return machine.closed(kept), own


def _bits(flags: Iterable[bool]) -> int:
    return sum(1 << i for i, flag in enumerate(flags) if flag)


def _indexes(bits: int) -> list[int]:
    found = []
    while bits:
        low = bits & -bits
        found.append(low.bit_length() - 1)
        bits ^= low
    return found


# --- minimisation --------------------------------------------------------------------------------


def _minimise(draft: _Draft) -> Dfa:
    """Moore's refinement, looking again only at states whose successors moved to a new block.

    INVARIANT: the states of a block that were not looked at in a round are alike as before, since
    no successor of theirs moved; so one of them stands for all.
    """
    block = _numbers(draft.labels)
    members: list[set[int]] = [set() for _ in range(max(block) + 1)]
    for state, number in enumerate(block):
        members[number].add(state)
    before: list[set[int]] = [set() for _ in block]
    for state, (default, edges) in enumerate(zip(draft.default, draft.edges, strict=True)):
        for to in {default, *edges.values()}:
            before[to].add(state)
    touched = set(range(len(block)))
    while touched:
        moved = _split_blocks(draft, block, members, touched)
        touched = {state for to in moved for state in before[to]}
    return _quotient(draft, block)


def _split_blocks(
    draft: _Draft, block: list[int], members: list[set[int]], touched: set[int]
) -> list[int]:
    """Split the blocks of the touched states by what they can be told apart by; who moved."""
    parts: dict[int, dict[object, list[int]]] = {}
    for state in touched:
        own = parts.setdefault(block[state], {})
        own.setdefault(_signature(draft, block, state), []).append(state)
    for number, own in parts.items():
        if sum(map(len, own.values())) < len(members[number]):
            rest = next(s for s in members[number] if s not in touched)
            own.pop(_signature(draft, block, rest), None)  # stays with those not looked at
        else:
            own.pop(max(own, key=lambda key: len(own[key])))
    moved: list[int] = []
    for number, own in parts.items():
        for states in own.values():
            for state in states:
                block[state] = len(members)
            members[number].difference_update(states)
            members.append(set(states))
            moved += states
    return moved


def _signature(draft: _Draft, block: list[int], state: int) -> object:
    other = block[draft.default[state]]
    edges = draft.edges[state].items()
    return other, tuple((byte, block[to]) for byte, to in edges if block[to] != other)


def _numbers(keys: Iterable[object]) -> list[int]:
    number: dict[object, int] = {}
    return [number.setdefault(key, len(number)) for key in keys]


def _quotient(draft: _Draft, block: list[int]) -> Dfa:
    member = {b: state for state, b in reversed(list(enumerate(block)))}
    number = {block[0]: 0}
    queue = [block[0]]
    default: list[int] = []
    edges: list[tuple[tuple[int, int], ...]] = []
    labels: list[tuple[int, ...]] = []
    for b in queue:
        state = member[b]
        labels.append(draft.labels[state])
        reached = [(byte, block[to]) for byte, to in draft.edges[state].items()]
        other = block[draft.default[state]]
        for to in (*(to for _, to in reached), other):
            if to not in number:
                number[to] = len(number)
                queue.append(to)
        default.append(number[other])
        edges.append(tuple((byte, number[to]) for byte, to in reached if to != other))
    classes = _numbers(labels)
    return Dfa(tuple(default), tuple(edges), tuple(classes), tuple(dict.fromkeys(labels)))
