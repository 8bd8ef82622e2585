"""Concrete texts for the classes that proofs see.

In: the classes of a policy's text fields.  Out: for each class the shortest valid texts, as many as
there can be different ones at a time, and texts for a model of classes and equalities.

What always holds: a text that is handed out is valid UTF-8, fits the field and, for a path, has no
segment that a path must not have; a list shorter than was asked for holds *all* texts of its class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from govlang.compiler import ir
from govlang.compiler.automata import Dfa, TooManyStatesError
from govlang.compiler.text_classes import TextClasses

_DEAD: Final = -1
_SEARCH_MAX: Final = 100_000  # states of a product that a search for one text may visit
_COMPANIONS_MAX: Final = 20_000  # and a search for all classes that go with one
_TUPLES_MAX: Final = 2_000  # tuples of classes that are worth telling the solver

# UTF-8 by RFC 3629: state → (first byte, last byte, next state) triples; 0 is between characters.
_UTF8: Final[tuple[tuple[tuple[int, int, int], ...], ...]] = (
    (
        (0x00, 0x7F, 0),
        (0xC2, 0xDF, 1),
        (0xE0, 0xE0, 4),
        (0xE1, 0xEC, 2),
        (0xED, 0xED, 5),
        (0xEE, 0xEF, 2),
        (0xF0, 0xF0, 6),
        (0xF1, 0xF3, 3),
        (0xF4, 0xF4, 7),
    ),
    ((0x80, 0xBF, 0),),
    ((0x80, 0xBF, 1),),
    ((0x80, 0xBF, 2),),
    ((0xA0, 0xBF, 1),),
    ((0x80, 0x9F, 1),),
    ((0x90, 0xBF, 2),),
    ((0x80, 0x8F, 2),),
)
_UTF8_CELLS: Final = tuple(sorted({edge[0] for row in _UTF8 for edge in row} | {0x90, 0xA0, 0xC0}))
_LIKED: Final = b"abcdefghijklmnopqrstuvwxyz0123456789-_ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# Where a path stands: at the start of a segment, after `.`, after `..`, inside a proper segment.
_START, _DOT, _DOTS, _INSIDE = range(4)


def _utf8(state: int, byte: int) -> int:
    return next((to for lo, hi, to in _UTF8[state] if lo <= byte <= hi), _DEAD)


def _path(state: int, byte: int) -> int:
    if byte in b"\\\0":
        return _DEAD
    if byte == ord("/"):
        return _START if state == _INSIDE else _DEAD
    if byte == ord("."):
        return {_START: _DOT, _DOT: _DOTS}.get(state, _INSIDE)
    return _INSIDE


def _moves(alphabet: tuple[int, ...], utf8: int, place: int | None) -> list[tuple[int, int, int]]:
    """The bytes that may come next, with the states after them; `place` None: not in a path."""
    found = ((b, _utf8(utf8, b), _INSIDE if place is None else _path(place, b)) for b in alphabet)
    return [move for move in found if _DEAD not in move]


@dataclass(frozen=True)
class ClassTexts:
    """The shortest texts of each class of one automaton; `most` of them, fewer if there are no more."""

    dfa: Dfa
    most: int
    longest: int

    @cached_property
    def plain(self) -> dict[int, tuple[bytes, ...]]:
        """By class, for texts and keys."""
        return self._shortest(path=False)

    @cached_property
    def paths(self) -> dict[int, tuple[bytes, ...]]:
        """By class, for paths."""
        return self._shortest(path=True)

    def of(self, field: ir.Field, number: int) -> tuple[bytes, ...]:
        """The shortest texts of a class that fit a field."""
        found = self.paths if field.kind is ir.Kind.PATH else self.plain
        return tuple(t for t in found.get(number, ()) if len(t) <= field.max_bytes)

    def _shortest(self, *, path: bool) -> dict[int, tuple[bytes, ...]]:
        """Breadth first over (state, UTF-8 state, path state); each keeps its shortest texts."""
        start = (0, 0, _START if path else _INSIDE)
        kept: dict[tuple[int, int, int], list[bytes]] = {start: [b""]}
        found: dict[int, list[bytes]] = {}
        wave = [(start, b"")]
        for _ in range(self.longest + 1):
            for key, text in wave:
                if key[1] == 0 and key[2] == _INSIDE:
                    own = found.setdefault(self.dfa.classes[key[0]], [])
                    if len(own) < self.most:
                        own.append(text)
            wave = list(self._next_wave(wave, kept, path=path))
            if not wave:
                break
        return {number: tuple(texts) for number, texts in found.items()}

    def _next_wave(
        self,
        wave: list[tuple[tuple[int, int, int], bytes]],
        kept: dict[tuple[int, int, int], list[bytes]],
        *,
        path: bool,
    ) -> Iterator[tuple[tuple[int, int, int], bytes]]:
        moves = self._path_moves if path else self._text_moves
        for (state, utf8, place), text in wave:
            edges = dict(self.dfa.edges[state])
            default = self.dfa.default[state]
            for byte, after, spot in moves[utf8, place]:
                key = (edges.get(byte, default), after, spot)
                own = kept.get(key)
                if own is None:
                    own = kept[key] = []
                if len(own) < self.most:
                    own.append(text + bytes((byte,)))
                    yield key, own[-1]

    @cached_property
    def _path_moves(self) -> dict[tuple[int, int], list[tuple[int, int, int]]]:
        places = (_START, _DOT, _DOTS, _INSIDE)
        return {(u, p): _moves(self.alphabet, u, p) for u in range(len(_UTF8)) for p in places}

    @cached_property
    def _text_moves(self) -> dict[tuple[int, int], list[tuple[int, int, int]]]:
        return {(u, _INSIDE): _moves(self.alphabet, u, None) for u in range(len(_UTF8))}

    @cached_property
    def alphabet(self) -> tuple[int, ...]:
        """As many bytes of each kind as matter, the ones that people like to read first."""
        group_of, _ = self.dfa.byte_groups()
        order = {byte: place for place, byte in enumerate(_LIKED)}
        cells: dict[tuple[int, int, int], list[int]] = {}
        for byte in sorted(range(256), key=lambda b: order.get(b, 256 + b)):
            utf8 = sum(byte >= edge for edge in _UTF8_CELLS)
            special = byte if byte in b"/.\\\0" else -1
            cell = cells.setdefault((group_of[byte], utf8, special), [])
            if len(cell) < self.most:
                cell.append(byte)
        chosen = {byte for cell in cells.values() for byte in cell}
        return tuple(sorted(chosen, key=lambda b: order.get(b, 256 + b)))


@dataclass(frozen=True, slots=True)
class Choices:
    """Valid texts of some classes; `enough`: all there are, or more than can have to differ."""

    texts: tuple[bytes, ...]
    enough: bool


class Texts:
    """The texts of a policy's fields."""

    def __init__(self, classes: Mapping[str, TextClasses]) -> None:
        self.classes = classes
        self._shared: dict[int, ClassTexts] = {}
        self._companions: dict[tuple[str, int, int], frozenset[tuple[int, ...]] | None] = {}
        alike: dict[int, list[ir.Field]] = {}
        for one in classes.values():
            for column in one.columns:
                alike.setdefault(id(column), []).append(one.field)
        for one in classes.values():
            for column in one.columns:
                fields = alike[id(column)]
                longest = max(field.max_bytes for field in fields)
                self._shared[id(column)] = ClassTexts(column.dfa, len(fields) + 2, longest)

    def column(self, name: str, index: int) -> ClassTexts:
        """The texts of a field's column."""
        return self._shared[id(self.classes[name].columns[index])]

    def inhabited(self, name: str, index: int) -> tuple[int, ...]:
        """The classes that some valid text of the field has."""
        one = self.classes[name]
        texts = self.column(name, index)
        return tuple(
            number for number in range(one.columns[index].classes) if texts.of(one.field, number)
        )

    def choices(self, name: str, classes: Sequence[int | None]) -> Choices:
        """Valid texts of these classes, one a column (`None`: any); several where there are."""
        one = self.classes[name]
        if all(number is None for number in classes):
            words = self._any(one.field)
            return Choices(words, enough=len(words) > len(self.classes))
        some: tuple[bytes, ...] = ()
        for index, number in enumerate(classes):
            if number is None:
                continue
            column = self.column(name, index)
            texts = column.of(one.field, number)
            fitting = tuple(t for t in texts if self.fits(name, t, classes))
            if len(one.columns) == 1 or len(texts) < column.most:
                return Choices(fitting, enough=True)
            some = some or fitting
        return Choices(some, enough=False) if some else self._search(one, classes)

    def fits(self, name: str, text: bytes, classes: Sequence[int | None]) -> bool:
        """Whether a text has these classes."""
        own = self.classes[name].class_of(text)
        return all(want is None or want == got for want, got in zip(classes, own, strict=True))

    def plain_texts(self, name: str) -> tuple[bytes, ...]:
        """Short words that no pattern of the field needs to know."""
        return self._any(self.classes[name].field)

    def _any(self, field: ir.Field) -> tuple[bytes, ...]:
        """Short words, more of them than there are fields that could have to differ."""
        letters = _LIKED[:26]
        words = [bytes((a,)) for a in letters]
        if len(self.classes) >= len(words):
            words += [bytes((a, b)) for a in letters for b in letters]
        fitting = tuple(word for word in words if len(word) <= field.max_bytes)
        return fitting or (() if field.kind is ir.Kind.PATH else (b"",))

    def _search(self, one: TextClasses, classes: Sequence[int | None]) -> Choices:
        """The shortest text of these classes, by a walk through the product of the automata."""
        try:
            for text, found in self._walk(one, classes, _SEARCH_MAX):
                if all(w is None or w == got for w, got in zip(classes, found, strict=True)):
                    return Choices((text,), enough=False)
        except TooManyStatesError:
            return Choices((), enough=False)
        return Choices((), enough=True)

    def companions(self, name: str, index: int, number: int) -> frozenset[tuple[int, ...]] | None:
        """All classes, a tuple for all columns, of texts that have one class; None if too many."""
        key = name, index, number
        if key not in self._companions:
            one = self.classes[name]
            wanted = [number if i == index else None for i, _ in enumerate(one.columns)]
            self._companions[key] = self._all(one, wanted)
        return self._companions[key]

    def _all(
        self, one: TextClasses, wanted: Sequence[int | None]
    ) -> frozenset[tuple[int, ...]] | None:
        found: set[tuple[int, ...]] = set()
        try:
            for _, classes in self._walk(one, wanted, _COMPANIONS_MAX):
                if all(w is None or w == c for w, c in zip(wanted, classes, strict=True)):
                    found.add(classes)
        except TooManyStatesError:
            return None
        return frozenset(found) if len(found) <= _TUPLES_MAX else None

    def _walk(
        self, one: TextClasses, wanted: Sequence[int | None], most: int
    ) -> Iterator[tuple[bytes, tuple[int, ...]]]:
        """Valid texts with their classes, shortest first, one for each state of the product.

        States from which a wanted class cannot be reached are left out.

        Raises:
            TooManyStatesError: there are more than `most` states.
        """
        dfas = [column.dfa for column in one.columns]
        alive = [
            None if n is None else _leading_to(d, n) for d, n in zip(dfas, wanted, strict=True)
        ]
        path = one.field.kind is ir.Kind.PATH
        alphabet = self._alphabet(one)
        start = (tuple(0 for _ in dfas), 0, _START if path else _INSIDE)
        seen = {start}
        wave = [(start, b"")]
        for size in range(one.field.max_bytes + 1):
            later: list[tuple[tuple[tuple[int, ...], int, int], bytes]] = []
            for (states, utf8, place), text in wave:
                if utf8 == 0 and place == _INSIDE:
                    yield text, tuple(d.classes[s] for d, s in zip(dfas, states, strict=True))
                if size == one.field.max_bytes:
                    continue
                for byte in alphabet:
                    after, spot = _utf8(utf8, byte), _path(place, byte) if path else _INSIDE
                    if _DEAD in (after, spot):
                        continue
                    moved = tuple(d.step(s, byte) for d, s in zip(dfas, states, strict=True))
                    key = (moved, after, spot)
                    dead = any(
                        a is not None and s not in a for a, s in zip(alive, moved, strict=True)
                    )
                    if not dead and key not in seen:
                        seen.add(key)
                        later.append((key, text + bytes((byte,))))
                if len(seen) > most:
                    raise TooManyStatesError
            wave = later

    def _alphabet(self, one: TextClasses) -> list[int]:
        """Bytes of every kind that some column of a field tells apart."""
        groups = [column.dfa.byte_groups()[0] for column in one.columns]
        order = {byte: place for place, byte in enumerate(_LIKED)}
        cells: dict[tuple[object, ...], int] = {}
        for byte in sorted(range(256), key=lambda b: order.get(b, 256 + b)):
            utf8 = sum(byte >= edge for edge in _UTF8_CELLS)
            special = byte if byte in b"/.\\\0" else -1
            cells.setdefault((*(g[byte] for g in groups), utf8, special), byte)
        return list(cells.values())


@lru_cache(maxsize=4096)
def _leading_to(dfa: Dfa, number: int) -> frozenset[int]:
    """The states from which a text of a class can still come."""
    before: dict[int, list[int]] = {}
    for state, default in enumerate(dfa.default):
        for to in {default, *(to for _, to in dfa.edges[state])}:
            before.setdefault(to, []).append(state)
    stack = [state for state, own in enumerate(dfa.classes) if own == number]
    found = set(stack)
    while stack:
        for state in before.get(stack.pop(), ()):
            if state not in found:
                found.add(state)
                stack.append(state)
    return frozenset(found)
