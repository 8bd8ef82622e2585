"""Which classes of texts there are, a shortest text of each, and how many texts it has.

In: class columns, and what makes a text valid (UTF-8, a size, the rules of paths).  Out: for every
combination of classes that some valid text has, a shortest such text and the number of them, up to
`MANY`.  Proofs need it: a class without a valid text must not occur in a witness, and of a class
with one text two fields can only hold the same.

The walk goes over bytes, level by level, through the product of the automata with that of valid
texts.  A state reached in `MANY` ways is walked no further a second time: whatever can be reached
from it was reached `MANY` times before, by shorter texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from govlang.compiler import ir
from govlang.compiler.automata import TooManyStatesError
from govlang.compiler.text_classes import ClassColumn, TextClasses

MANY: Final = 16
"""Counts stop here: more texts than any comparison of fields needs."""

_PRODUCT_MAX: Final = 400_000

Classes = tuple[int, ...]
_State = tuple[int, int, Classes]  # state of UTF-8, of the path, of each automaton


@dataclass(frozen=True, slots=True)
class TextSpace:
    """What valid texts there are: class combination → shortest text, and → number up to `MANY`."""

    examples: dict[Classes, str]
    counts: dict[Classes, int]


def text_space(classes: Sequence[TextClasses]) -> TextSpace:
    """The texts that are valid in every one of these fields, which share their columns.

    Raises:
        TooManyStatesError: the product of the automata is too large to be walked.
    """
    fields = [one.field for one in classes]
    is_path = any(field.kind is ir.Kind.PATH for field in fields)
    return _Walk(classes[0].columns, is_path).texts(min(field.max_bytes for field in fields))


# --- valid bytes ---------------------------------------------------------------------------------

_ASCII = (
    b"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_-.:/@ "
    b"!\"#$%&'()*+,;<=>?[]^`{|}~"
)
_CONTROL = bytes(b for b in range(128) if b not in _ASCII)
_LEAD: Final = (
    (_ASCII + _CONTROL, 0),
    (bytes(range(0xC2, 0xE0)), 1),
    (bytes((*range(0xE1, 0xED), 0xEE, 0xEF)), 2),
    (bytes(range(0xF1, 0xF4)), 3),
    (b"\xe0", 4),
    (b"\xed", 5),
    (b"\xf0", 6),
    (b"\xf4", 7),
)
_UTF8: Final = (  # state → (bytes, next state); state n of 1..3 wants n more bytes
    _LEAD,
    ((bytes(range(0x80, 0xC0)), 0),),
    ((bytes(range(0x80, 0xC0)), 1),),
    ((bytes(range(0x80, 0xC0)), 2),),
    ((bytes(range(0xA0, 0xC0)), 1),),
    ((bytes(range(0x80, 0xA0)), 1),),
    ((bytes(range(0x90, 0xC0)), 2),),
    ((bytes(range(0x80, 0x90)), 2),),
)
_START, _DOT, _DOTS, _INNER, _REFUSED = range(5)  # of a path: where in its segment


def _path_step(state: int, byte: int) -> int:
    if byte in (0x00, 0x5C):
        return _REFUSED
    if byte == 0x2F:
        return _START if state == _INNER else _REFUSED
    if byte == 0x2E and state != _INNER:
        return min(state + 1, _INNER)
    return _INNER


class _Walk:
    """The product of the automata with that of valid texts."""

    def __init__(self, columns: Sequence[ClassColumn], is_path: bool) -> None:  # noqa: FBT001 - a private constructor
        self.dfas = [column.dfa for column in columns]
        self.edges = [[dict(edges) for edges in dfa.edges] for dfa in self.dfas]
        self.is_path = is_path
        self.known: dict[_State, list[tuple[_State, int, int]]] = {}

    def texts(self, max_bytes: int) -> TextSpace:
        """Every class combination with its shortest text and number of texts."""
        start: _State = (0, _START if self.is_path else _INNER, (0,) * len(self.dfas))
        cause: dict[_State, tuple[_State, int] | None] = {start: None}
        arrivals = {start: 1}
        level = {start: 1}
        space = TextSpace({}, {})
        for size in range(max_bytes + 1):
            for state, ways in level.items():
                self._count(space, state, ways, cause)
            if not level or size == max_bytes:
                break
            level = self._next_level(level, arrivals, cause)
        return space

    def _count(
        self,
        space: TextSpace,
        state: _State,
        ways: int,
        cause: dict[_State, tuple[_State, int] | None],
    ) -> None:
        utf8, path, inner = state
        if utf8 != 0 or path != _INNER:
            return
        classes = tuple(dfa.classes[s] for dfa, s in zip(self.dfas, inner, strict=True))
        if classes not in space.examples:
            space.examples[classes] = _spelled(state, cause)
        space.counts[classes] = min(MANY, space.counts.get(classes, 0) + ways)

    def _next_level(
        self,
        level: dict[_State, int],
        arrivals: dict[_State, int],
        cause: dict[_State, tuple[_State, int] | None],
    ) -> dict[_State, int]:
        found: dict[_State, int] = {}
        for state, ways in level.items():
            if state not in self.known:
                self.known[state] = list(self._successors(state))
            for to, byte, share in self.known[state]:
                if arrivals.get(to, 0) < MANY:
                    found[to] = min(MANY, found.get(to, 0) + ways * share)
                    cause.setdefault(to, (state, byte))
        for to, ways in found.items():
            arrivals[to] = arrivals.get(to, 0) + ways
        if len(arrivals) > _PRODUCT_MAX:
            raise TooManyStatesError
        return found

    def _successors(self, state: _State) -> Iterator[tuple[_State, int, int]]:
        """Where a state goes: the next state, one byte that leads there, and how many do."""
        utf8, path, inner = state
        own: set[int] = set()
        for edges, at in zip(self.edges, inner, strict=True):
            own |= edges[at].keys()
        if self.is_path:
            own |= {0x00, 0x2E, 0x2F, 0x5C}
        for group, after in _UTF8[utf8]:
            special = own.intersection(group)
            rest = len(group) - len(special)
            tried = [(byte, 1) for byte in sorted(special)]
            if rest:
                tried.insert(0, (next(b for b in group if b not in special), rest))
            for byte, share in tried:
                at_path = _path_step(path, byte) if self.is_path else _INNER
                if at_path != _REFUSED:
                    yield (after, at_path, self._step(inner, byte)), byte, share

    def _step(self, inner: Classes, byte: int) -> Classes:
        return tuple(
            edges[at].get(byte, dfa.default[at])
            for edges, dfa, at in zip(self.edges, self.dfas, inner, strict=True)
        )


def _spelled(state: _State, cause: dict[_State, tuple[_State, int] | None]) -> str:
    spelled = bytearray()
    step = cause[state]
    while step is not None:
        state, byte = step
        spelled.append(byte)
        step = cause[state]
    spelled.reverse()
    return spelled.decode()
