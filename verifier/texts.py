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
from itertools import islice
from typing import Final

from govlang.compiler import ir
from govlang.compiler.automata import Dfa, TooManyStatesError
from govlang.compiler.text_classes import TextClasses
from govlang.verifier.letters import (
    DEAD,
    DOT,
    DOTS,
    INSIDE,
    LIKED,
    START,
    UTF8,
    UTF8_CELLS,
    after_byte,
    is_valid,
    moves,
    place_after,
)
from govlang.verifier.split import Fact, Fuel, Split, joined

_SEARCH_MAX: Final = 5_000  # states of a product that a search for one text may visit
_COMPANIONS_MAX: Final = 500  # and a search for all classes that go with one
_TUPLES_MAX: Final = 1_000  # tuples of classes that are worth telling the solver
_OWN_MAX: Final = 300  # classes of one column whose texts are kept at hand
_SHORT_MAX: Final = 60  # texts that are tried for a plainer request


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
        start = (0, 0, START if path else INSIDE)
        kept: dict[tuple[int, int, int], list[bytes]] = {start: [b""]}
        found: dict[int, list[bytes]] = {}
        wave = [(start, b"")]
        for _ in range(self.longest + 1):
            for key, text in wave:
                if key[1] == 0 and key[2] == INSIDE:
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
        places = (START, DOT, DOTS, INSIDE)
        return {(u, p): moves(self.alphabet, u, p) for u in range(len(UTF8)) for p in places}

    @cached_property
    def _text_moves(self) -> dict[tuple[int, int], list[tuple[int, int, int]]]:
        return {(u, INSIDE): moves(self.alphabet, u, None) for u in range(len(UTF8))}

    @cached_property
    def alphabet(self) -> tuple[int, ...]:
        """As many bytes of each kind as matter, the ones that people like to read first."""
        group_of, _ = self.dfa.byte_groups()
        order = {byte: place for place, byte in enumerate(LIKED)}
        cells: dict[tuple[int, int, int], list[int]] = {}
        for byte in sorted(range(256), key=lambda b: order.get(b, 256 + b)):
            utf8 = sum(byte >= edge for edge in UTF8_CELLS)
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
        self.fuel = Fuel()
        self._shared: dict[int, ClassTexts] = {}
        self._companions: dict[tuple[str, int, int], frozenset[tuple[int, ...]] | None] = {}
        self._pools: dict[str, dict[tuple[int, ...], tuple[bytes, ...]]] = {}
        self._splits: dict[tuple[int, ...], Split] = {}
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

    def choices(self, name: str, classes: Sequence[int | None], *, search: bool = True) -> Choices:
        """Valid texts of these classes, one a column (`None`: any); several where there are.

        Without `search` only texts at hand are tried.
        """
        one = self.classes[name]
        if all(number is None for number in classes):
            words = self._any(one.field)
            return Choices(words, enough=len(words) > len(self.classes))
        for index, number in enumerate(classes):
            texts = () if number is None else self.column(name, index).of(one.field, number)
            few = len(texts) < self.column(name, index).most
            if number is not None and (few or len(one.columns) == 1):
                fitting = tuple(t for t in texts if self.fits(name, t, classes))
                return Choices(fitting, enough=True)
        some = self._at_hand(name, classes)
        if some or not search:
            return Choices(some, enough=False)
        return self._search(one, classes)

    def fits(self, name: str, text: bytes, classes: Sequence[int | None]) -> bool:
        """Whether a text has these classes."""
        own = self.class_of(name, text)
        return all(want is None or want == got for want, got in zip(classes, own, strict=True))

    def plain_texts(self, name: str) -> tuple[bytes, ...]:
        """Short words that no pattern of the field needs to know."""
        return self._any(self.classes[name].field)

    def _any(self, field: ir.Field) -> tuple[bytes, ...]:
        """Short words, more of them than there are fields that could have to differ."""
        letters = LIKED[:26]
        words = [bytes((a,)) for a in letters]
        if len(self.classes) >= len(words):
            words += [bytes((a, b)) for a in letters for b in letters]
        fitting = tuple(word for word in words if len(word) <= field.max_bytes)
        return fitting or (() if field.kind is ir.Kind.PATH else (b"",))

    # --- fields with several columns ---------------------------------------------------------------

    def _split(self, one: TextClasses) -> Split:
        key = tuple(id(column) for column in one.columns)
        return self._splits.setdefault(key, Split(one))

    def class_of(self, name: str, text: bytes) -> tuple[int, ...]:
        """The class of a text in each column of a field."""
        return self._split(self.classes[name]).class_of(text)

    def facts(self, name: str) -> tuple[Fact, ...]:
        """What the columns of a field say of one another, as far as that is cheap to know."""
        one = self.classes[name]
        return self._split(one).facts if len(one.columns) > 1 else ()

    def pool(self, name: str) -> Mapping[tuple[int, ...], tuple[bytes, ...]]:
        """Valid texts of a field with several columns that are at hand, by their classes."""
        if name not in self._pools:
            found: dict[tuple[int, ...], tuple[bytes, ...]] = {}
            most = self.column(name, 0).most
            for text in self._candidates(name):
                classes = self.class_of(name, text)
                own = found.get(classes, ())
                if len(own) < most and text not in own and (own or len(found) < _TUPLES_MAX):
                    found[classes] = (*own, text)
            self._pools[name] = found
        return self._pools[name]

    def short(self, name: str) -> tuple[bytes, ...]:
        """The shortest texts at hand of a field with several columns."""
        if len(self.classes[name].columns) < 2:
            return ()
        texts = (text for own in self.pool(name).values() for text in own)
        return tuple(sorted(texts, key=lambda t: (len(t), t))[:_SHORT_MAX])

    def _candidates(self, name: str) -> Iterator[bytes]:
        one = self.classes[name]
        for text in self._split(one).literal_texts():
            if is_valid(one.field, text):
                yield text
        for index, column in enumerate(one.columns):
            for number in range(min(column.classes, _OWN_MAX)):
                yield from self.column(name, index).of(one.field, number)

    def _at_hand(self, name: str, classes: Sequence[int | None]) -> tuple[bytes, ...]:
        """Texts of these classes: of the pool, of one column, or put together of several."""
        one = self.classes[name]
        whole = tuple(number for number in classes if number is not None)
        known = self.pool(name).get(whole) if len(whole) == len(classes) else None
        if known:
            return known
        empty = self.class_of(name, b"")
        parts: list[bytes] = []
        for index, number in enumerate(classes):
            own = () if number is None else self.column(name, index).of(one.field, number)
            fitting = tuple(t for t in own if self.fits(name, t, classes))
            if fitting:
                return fitting
            if number != empty[index]:
                parts += own[:1]
        most = self.column(name, 0).most
        found = (t for t in joined(parts) if is_valid(one.field, t) and self.fits(name, t, classes))
        return tuple(islice(dict.fromkeys(found), most))

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
            self._companions[key] = self._all(name, index, number)
        return self._companions[key]

    def _all(self, name: str, index: int, number: int) -> frozenset[tuple[int, ...]] | None:
        one = self.classes[name]
        texts = self.column(name, index).of(one.field, number)
        if len(texts) < self.column(name, index).most:
            return frozenset(self.class_of(name, text) for text in texts)
        wanted = [number if i == index else None for i, _ in enumerate(one.columns)]
        found: set[tuple[int, ...]] = set()
        try:
            for _, classes in self._walk(one, wanted, _COMPANIONS_MAX):
                if classes[index] == number:
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
            TooManyStatesError: there are more than `most` states, or the fuel does not last.
        """
        split = self._split(one)
        dfas = [column.dfa for column in one.columns]
        alive = [
            (place, _leading_to(dfas[place], n)) for place, n in enumerate(wanted) if n is not None
        ]
        path = one.field.kind is ir.Kind.PATH
        start = (tuple(0 for _ in dfas), 0, START if path else INSIDE)
        seen = {start}
        wave = [(start, b"")]
        burnt = 0
        for size in range(one.field.max_bytes + 1):
            later: list[tuple[tuple[tuple[int, ...], int, int], bytes]] = []
            for (states, utf8, place), text in wave:
                if utf8 == 0 and place == INSIDE:
                    yield text, tuple(d.classes[s] for d, s in zip(dfas, states, strict=True))
                if size == one.field.max_bytes:
                    continue
                for byte, moved in zip(split.alphabet, split.moves(states), strict=True):
                    after, spot = (
                        after_byte(utf8, byte),
                        place_after(place, byte) if path else INSIDE,
                    )
                    key = (moved, after, spot)
                    if DEAD in (after, spot) or key in seen:
                        continue
                    if all(moved[i] in own for i, own in alive):
                        seen.add(key)
                        later.append((key, text + bytes((byte,))))
                if len(seen) > most:
                    raise TooManyStatesError
                self.fuel.burn((len(seen) - burnt) * len(dfas))
                burnt = len(seen)
            wave = later


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
