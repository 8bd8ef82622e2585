"""The memory of a module: where automata, copies and the text area stand, held against its scans.

In: the data segment, and what the scans take to stand where.  Out: the automata.  What always holds:
automata fill the data segment without gap or overlap, so no copy writes into one; copies of compared
texts follow, each as long as the longest of these texts; behind them the text area ends in the memory.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from govlang.verifier.translation.machine import Automaton
from govlang.verifier.translation.wasm_bytes import refusal
from govlang.verifier.translation.wasm_sections import PAGE, Module

SYMBOLS: Final = 256
"""Bytes of `symbol`, which stands before `next`."""

PADDING: Final = 256
"""Entries of `next` behind those of the last state: a symbol is any byte."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an automaton stands, and what the code takes it for."""

    start: int
    shift: int
    states: int

    @property
    def entries(self) -> int:
        """The length of `next`, padding included."""
        return (self.states << self.shift) + PADDING

    @property
    def classes_at(self) -> int:
        """Where `class` stands."""
        return self.start + SYMBOLS + 2 * self.entries

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.classes_at + 2 * self.states


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair that a scan sets: the other text, the global of its length, the place of its copy."""

    other: str
    length: int
    copy: int


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scan is made of; `length` and `copy` are there if the text is compared."""

    max_bytes: int
    validity: Place
    columns: tuple[Place, ...]
    pairs: tuple[Pair, ...] = ()
    length: int | None = None
    copy: int | None = None


def read_automata(module: Module, scans: Mapping[str, Scanned]) -> dict[Place, Automaton]:
    """The automata of all scans.

    Raises:
        ArtefactError: GOV416, the data segment is not just the automata.

    """
    places = {place for scan in scans.values() for place in (scan.validity, *scan.columns)}
    ordered = sorted(places, key=lambda place: place.start)
    edges = [(0, 0), *((place.start, place.end) for place in ordered)]
    for (_, end), (start, _) in pairwise([*edges, (len(module.data), 0)]):
        if end != start:
            raise refusal(
                module.data_at + end, "the data segment is not one automaton after another"
            )
    return {place: _automaton(module.data, place) for place in ordered}


def _automaton(data: bytes, place: Place) -> Automaton:
    symbols = place.start + SYMBOLS
    return Automaton(
        tuple(data[place.start : symbols]),
        _words(data[symbols : place.classes_at]),
        _words(data[place.classes_at : place.end]),
        place.shift,
        place.states,
    )


def _words(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 2}H", data)


def check_copies(module: Module, scans: Mapping[str, Scanned], text: int) -> None:
    """Copies and the text area stand where they should.

    Raises:
        ArtefactError: GOV416, they do not.

    """
    copied = [scan for scan in scans.values() if scan.copy is not None]
    size = max((scan.max_bytes for scan in copied), default=0)
    starts = sorted(scan.copy for scan in copied if scan.copy is not None)
    end = len(module.data)
    for start in starts:
        if start != end:
            raise refusal(module.data_at, f"the copy at {start:#x} must stand at {end:#x}")
        end += size
    if text != -(-end // 8) * 8:
        raise refusal(module.data_at, f"texts go to {text:#x}, which must be behind {end:#x}")
    if text + max(scan.max_bytes for scan in scans.values()) > module.pages * PAGE:
        raise refusal(module.data_at, "the longest text does not fit into the memory")
