"""The first of several conditions as a lookup: no jump, however the conditions hang together.

In: the statements of a step.  Out: where slots take one number of several, the last that may; and how C
looks such a number up.

Flags are joined to one word, the best in its lowest bit, and above them all a bit that is always set.
That word's lowest set bit, times a constant, has a number of its own in the five bits on top, which is the
place of the number in an array.  Compilers make jumps of a row of `?:` where one condition tells of another, and
such jumps go now here, now there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from govlang.compiler.c_expressions import CHEAP, cost
from govlang.compiler.program import Condition, Gather, Number, Slot, Start, Statement, Truth, Way
from govlang.compiler.program_walk import condition_reads, reads, writes

LEAST: Final = 4
"""Conditions from which on a lookup is worth its array."""

MOST: Final = 30
"""Conditions that an `int32_t` holds beside the bit that is always set."""

FACTOR: Final = 0x77CB531
"""A de Bruijn sequence of the words of five bits: shifted by 0 … 31, it begins with each of them once."""

SIZE: Final = 32
_NUMBER_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class First:
    """A slot has the number of the first condition that holds, else the last of the numbers."""

    slot: Slot
    conditions: tuple[Condition, ...]
    numbers: tuple[int, ...]

    def array(self) -> tuple[int, ...]:
        """The array in which a number stands at the place of its bit; the other places are never read."""
        found = [0] * SIZE
        for bit, number in enumerate(self.numbers):
            found[place_of(bit)] = number
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Lookup:
    """The names of a function and its array, and what they are for."""

    function: str
    array: str
    first: First


def place_of(bit: int) -> int:
    """Where the number of a bit stands."""
    return (FACTOR << bit) % 2**32 >> 27


def firsts(body: Sequence[Statement]) -> Mapping[int, First]:
    """Statements that gather such a number, by the place of the first one in the body.

    Between the slot's first value and them nothing asks for it or changes it.
    """
    starts: dict[Slot, int] = {}
    found: dict[int, First] = {}
    at = 0
    while at < len(body):
        one, size = body[at], 1
        if isinstance(one, Gather) and one.slot in starts:
            run = [*takewhile(lambda s, slot=one.slot: _takes(s, slot), body[at:])]  # type: ignore[misc]
            if LEAST <= len(run) <= MOST:
                found[at], size = _first(run, starts[one.slot]), len(run)
        for slot in (*reads(one), *writes(one)):
            starts.pop(slot, None)
        if isinstance(one, Start) and isinstance(one.value, Number) and _is_small(one.value):
            starts[one.slot] = one.value.value
        at += size
    return found


def _takes(one: Statement, slot: Slot) -> bool:
    """Whether a slot takes a number under a condition that costs little and does not ask for it."""
    return (
        isinstance(one, Gather)
        and (one.slot, one.way) == (slot, Way.LAST)
        and isinstance(one.value, Number)
        and _is_small(one.value)
        and not isinstance(one.condition, Truth)
        and cost(one.condition) <= CHEAP
        and slot not in condition_reads(one.condition)
    )


def _is_small(number: Number) -> bool:
    return number.width == 32 and 0 <= number.value <= _NUMBER_MAX


def _first(run: Sequence[Statement], start: int) -> First:
    taken = [one for one in reversed(run) if isinstance(one, Gather)]
    numbers = [one.value.value for one in taken if isinstance(one.value, Number)]
    return First(taken[0].slot, tuple(one.condition for one in taken), (*numbers, start))


# --- text ------------------------------------------------------------------------------------------


def lookup_lines(lookup: Lookup) -> Iterator[str]:
    """The array, and the function that has the number of a word's lowest bit."""
    cells = lookup.first.array()
    yield f"static const uint8_t {lookup.array}[{SIZE}] = {{"
    for row in (cells[: SIZE // 2], cells[SIZE // 2 :]):
        yield f"    {', '.join(map(str, row))},"
    yield from ("};", "", f"static int32_t {lookup.function}(uint32_t found)", "{")
    low = "(uint64_t)(found & (0u - found))"
    top = f"(({low} * UINT64_C(0x{FACTOR:x})) & UINT64_C(0xffffffff)) >> 27"
    yield from (f"    return {lookup.array}[{top}];", "}")
