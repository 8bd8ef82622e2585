"""The words of table.bin: instructions of programs, heads of nodes and lookups, slots of a HASH.

In: what a word says.  Out: the word, as `gov_table.h` draws it, an unsigned integer of 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

HASH_FACTOR: Final = 0x9E3779B97F4A7C15
MASK64: Final = (1 << 64) - 1


class Op(IntEnum):
    """The instructions of programs."""

    CONST = 1
    LOAD = 2
    ADD = 3
    SUB = 4
    MUL = 5
    LEAST = 6
    GREATEST = 7
    FLOORDIV = 8
    EQ = 9
    NE = 10
    LT = 11
    LE = 12
    IN_RANGE = 13
    MEMBER = 14
    ANY = 15
    ALL = 16
    WITHIN = 17
    AND = 18
    OR = 19
    NOT = 20
    SELECT = 21


class Node(IntEnum):
    """The kinds of nodes."""

    SWITCH = 1
    HASH = 2
    SPLIT = 3
    BLOCK = 4


class Lookup(IntEnum):
    """The kinds of lookups of a block."""

    DENSE = 1
    RANGES = 2
    SET_ANY = 3
    SET_ALL = 4
    SET_WITHIN = 5


def instruction(op: Op, column: int = 0, count: int = 0) -> int:
    """The first word of an instruction."""
    return op | column << 16 | count << 32


def node_word(kind: Node, column: int, rest: int, bits: int = 0) -> int:
    """The first word of SWITCH, HASH (with its `bits`) and SPLIT."""
    return kind | bits << 8 | column << 16 | rest << 32


def block_word(entries: int, lookups: int, residuals: int, following: int) -> int:
    """The first word of BLOCK."""
    return Node.BLOCK | entries << 8 | lookups << 16 | residuals << 24 | following << 32


def lookup_word(kind: Lookup, column: int, count: int = 0) -> int:
    """The first word of a lookup."""
    return kind | column << 16 | count << 32


def signed(word: int) -> int:
    """A word of 64 bits as the int64 that it is (the mask of 64 members is -1)."""
    return word - (1 << 64) if word >> 63 else word


def pair_words(numbers: Iterable[int]) -> list[int]:
    """u32 numbers, two a word, the last one padded with 0."""
    listed = list(numbers)
    listed += [0] * (len(listed) % 2)
    return [low | high << 32 for low, high in zip(listed[::2], listed[1::2], strict=True)]


def hash_slot(key: int, bits: int) -> int:
    """The first slot in which HASH looks for a key."""
    return ((key & MASK64) * HASH_FACTOR & MASK64) >> (64 - bits)
