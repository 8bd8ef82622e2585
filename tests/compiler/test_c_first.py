"""The first of several conditions is looked up where that means the same, and only there."""

from __future__ import annotations

import pytest

from govlang.compiler.c_first import FACTOR, LEAST, MOST, SIZE, First, firsts, place_of
from govlang.compiler.ir import CompareOp
from govlang.compiler.program import (
    Cell,
    Compare,
    Condition,
    Decide,
    Flag,
    Gather,
    Mark,
    Number,
    Read,
    Slot,
    Start,
    Statement,
    Store,
    Truth,
    Way,
)

BEST, OTHER, MARKS = Slot("best", 32), Slot("other", 32), Slot("marks", 32, mask=True)
FLAGS = [Slot(f"flag{i}", 32) for i in range(MOST + 1)]
START = Start(BEST, Number(9, 32))


def takes(number: int, condition: Condition | None = None, slot: Slot = BEST) -> Gather:
    flag = Flag(FLAGS[number]) if condition is None else condition
    return Gather(slot, flag, Number(number, 32), Way.LAST)


def row(count: int) -> list[Statement]:
    return [takes(number) for number in range(count)]


def test_every_bit_has_a_place_of_its_own() -> None:
    assert sorted(map(place_of, range(SIZE))) == list(range(SIZE))
    assert all(place_of(bit) == (FACTOR * (1 << bit)) % 2**32 >> 27 for bit in range(SIZE))


def test_the_last_statement_that_may_win_has_the_lowest_bit() -> None:
    decide = Decide(OTHER, Flag(FLAGS[0]))
    (found,) = firsts([START, decide, *row(5)]).items()
    assert found == (
        2,
        First(BEST, tuple(Flag(FLAGS[i]) for i in (4, 3, 2, 1, 0)), (4, 3, 2, 1, 0, 9)),
    )
    array = found[1].array()
    assert [array[place_of(bit)] for bit in range(6)] == [4, 3, 2, 1, 0, 9]
    assert sum(array) == 19


@pytest.mark.parametrize("count", [LEAST, MOST])
def test_as_many_as_a_word_has_room_for_are_looked_up(count: int) -> None:
    assert list(firsts([START, *row(count)])) == [1]


AMONG: dict[str, list[Statement]] = {
    "few": [START, *row(LEAST - 1)],
    "many": [START, *row(MOST + 1)],
    "no first value": row(5),
    "a first value that is asked for": [START, Store(Cell("c", 32, 0), Read(BEST, 32)), *row(5)],
    "a first value that is changed": [START, Gather(BEST, Flag(OTHER), Number(1, 32), Way.LEAST), *row(5)],
    "a first value that is worked out": [Start(BEST, Read(OTHER, 32)), *row(5)],
    "numbers that no byte holds": [START, *row(3), Gather(BEST, Flag(OTHER), Number(256, 32), Way.LAST)],
    "another way": [START, *row(3), Gather(BEST, Flag(OTHER), Number(1, 32), Way.LEAST)],
    "another slot": [START, *row(3), takes(3, slot=OTHER)],
    "bits": [START, *row(3), Mark(MARKS, Flag(OTHER), 1)],
    "no condition": [START, *row(3), takes(3, Truth(True))],
    "the slot in a condition": [
        START,
        *row(3),
        takes(3, Compare(CompareOp.EQ, Read(BEST, 32), Number(1, 32))),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", AMONG)
def test_anything_else_stays_as_it_is(name: str) -> None:
    assert not firsts(AMONG[name])
