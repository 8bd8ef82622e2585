"""The automata of a policy at the edge, and what the scan of each text needs of them.

In: a policy and the classes of its texts.  Out: for every text that a rule holds against patterns or
compares, the automata of docs/edge.md as plain arrays; C and WebAssembly are printed from the same.

What always holds: state 0 is the start; `next` has a cell for every state and symbol, the last 256
are padding; the validity automaton ends in class 1 on exactly the texts that a request may hold:
UTF-8 (RFC 3629) and, for a path, no empty, `.` or `..` segment, no backslash and no NUL.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from govlang.compiler import ir
from govlang.compiler.automata import Dfa
from govlang.compiler.interface import classified, compared
from govlang.compiler.text_classes import TextClasses

PADDING: Final = 256
"""Cells behind the last state, so that a wild symbol still leads to a cell."""


@dataclass(frozen=True, slots=True)
class Automaton:
    """State s and byte b lead to `next[(s << shift) + symbol[b]]`; a text ends in `classes[s]`."""

    symbol: tuple[int, ...]
    next: tuple[int, ...]
    classes: tuple[int, ...]
    shift: int

    @property
    def states(self) -> int:
        """How many states there are."""
        return len(self.classes)

    def class_of(self, text: bytes) -> int:
        """The class of a text."""
        state = 0
        for byte in text:
            state = self.next[(state << self.shift) + self.symbol[byte]]
        return self.classes[state]


@dataclass(frozen=True, slots=True)
class TextScan:
    """What `classify.F` does: `columns` are those of `class.F.k`, `others` the texts it is compared to."""

    field: ir.Field
    validity: Automaton
    columns: tuple[Automaton, ...]
    others: tuple[str, ...]


def text_scans(policy: ir.Policy, classes: Mapping[str, TextClasses]) -> tuple[TextScan, ...]:
    """The scan of every text that decisions read, in the order of the fields."""
    read, pairs = classified(policy), compared(policy)
    found = []
    for one in (field for field in policy.fields if field.is_text):
        others = tuple(b if a == one.name else a for a, b in pairs if one.name in (a, b))
        if one.name in read or others:
            columns = classes[one.name].columns if one.name in read else ()
            automata = tuple(pattern_automaton(column.dfa) for column in columns)
            found.append(TextScan(one, validity_automaton(one.kind), automata, others))
    return tuple(found)


def pattern_automaton(dfa: Dfa) -> Automaton:
    """The automaton of a class column."""
    symbol, chosen = dfa.byte_groups()
    rows = (
        [own.get(byte, default) for byte in chosen]
        for default, own in zip(dfa.default, map(dict, dfa.edges), strict=True)
    )
    return _laid_out(symbol, list(rows), dfa.classes)


def automaton_bytes(automaton: Automaton) -> bytes:
    """`u8 symbol[256]`, `u16 next[]`, `u16 class[]`, little-endian."""
    words = (*automaton.next, *automaton.classes)
    return bytes(automaton.symbol) + struct.pack(f"<{len(words)}H", *words)


def _laid_out(
    symbol: tuple[int, ...], rows: Sequence[Sequence[int]], classes: tuple[int, ...]
) -> Automaton:
    """The arrays of an automaton whose rows have a cell for each symbol."""
    shift = (len(rows[0]) - 1).bit_length()
    cells: list[int] = []
    for row in rows:
        cells += [*row, *[0] * ((1 << shift) - len(row))]
    return Automaton(symbol, (*cells, *[0] * PADDING), classes, shift)


# --- validity ------------------------------------------------------------------------------------

_Edges = tuple[tuple[int, int, str], ...]
"""First byte, last byte, state; the first that fits counts, a byte that none has leads to `_DEAD`."""

_DEAD: Final = "dead"
_INSIDE: Final = "inside"  # between two characters, and not where a segment of a path starts

_CONTINUED: Final[dict[str, _Edges]] = {
    "one more": ((0x80, 0xBF, _INSIDE),),
    "two more": ((0x80, 0xBF, "one more"),),
    "three more": ((0x80, 0xBF, "two more"),),
    "E0": ((0xA0, 0xBF, "one more"),),  # below A0 it would be overlong
    "ED": ((0x80, 0x9F, "one more"),),  # above 9F stand the surrogates
    "F0": ((0x90, 0xBF, "two more"),),  # below 90 it would be overlong
    "F4": ((0x80, 0x8F, "two more"),),  # above 8F it would pass U+10FFFF
    _DEAD: (),
}
_LEADING: Final[_Edges] = (
    (0x00, 0x7F, _INSIDE),
    (0xC2, 0xDF, "one more"),
    (0xE0, 0xE0, "E0"),
    (0xE1, 0xEC, "two more"),
    (0xED, 0xED, "ED"),
    (0xEE, 0xEF, "two more"),
    (0xF0, 0xF0, "F0"),
    (0xF1, 0xF3, "three more"),
    (0xF4, 0xF4, "F4"),
)
_TEXT: Final[dict[str, _Edges]] = {_INSIDE: _LEADING, **_CONTINUED}


def _path_edges(slash: str, dot: str) -> _Edges:
    special = ((0x00, _DEAD), (ord("\\"), _DEAD), (ord("/"), slash), (ord("."), dot))
    return (*((byte, byte, to) for byte, to in special), *_LEADING)


_PATH: Final[dict[str, _Edges]] = {
    "segment": _path_edges(_DEAD, "dot"),
    "dot": _path_edges(_DEAD, "two dots"),
    "two dots": _path_edges(_DEAD, _INSIDE),
    _INSIDE: _path_edges("segment", _INSIDE),
    **_CONTINUED,
}


@cache
def validity_automaton(kind: ir.Kind) -> Automaton:
    """The automaton whose class is 1 for a text that a field of this kind may hold, 0 for others."""
    edges = _PATH if kind is ir.Kind.PATH else _TEXT
    number = {state: i for i, state in enumerate(edges)}
    columns: dict[tuple[int, ...], int] = {}
    symbol = []
    for byte in range(256):
        column = tuple(number[_after(own, byte)] for own in edges.values())
        symbol.append(columns.setdefault(column, len(columns)))
    rows = list(zip(*columns, strict=True))
    return _laid_out(tuple(symbol), rows, tuple(int(state == _INSIDE) for state in edges))


def _after(edges: _Edges, byte: int) -> str:
    return next((to for first, last, to in edges if first <= byte <= last), _DEAD)
