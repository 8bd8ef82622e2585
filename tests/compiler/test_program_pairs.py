"""The two sides of a test are taken together; the outcome stays the same (see test_program_tidy.py)."""

from __future__ import annotations

from govlang.compiler.program import (
    Both,
    Choose,
    Condition,
    Decide,
    Either,
    Flag,
    Gather,
    Inside,
    Load,
    Mark,
    Number,
    Slot,
    Start,
    Statement,
    Truth,
    Variable,
    Way,
)
from govlang.compiler.program_pairs import paired

ZONE, BATTERY, BEST = Slot("zone", 32), Slot("battery", 32), Slot("best", 32)
MARKS = Slot("marks", 32, mask=True)
LOADS = tuple(
    Load(slot, Variable(slot.name, 32, 0, hi, hi + 1), number)
    for number, (slot, hi) in enumerate(((ZONE, 2), (BATTERY, 100)))
)


def zone(*values: int) -> Inside:
    return Inside(ZONE, tuple((value, value) for value in values), 0, 2)


LOW, HIGH = Inside(BATTERY, ((0, 49),), 0, 100), Inside(BATTERY, ((50, 100),), 0, 100)


def of(*body: Statement) -> tuple[Statement, ...]:
    """What becomes of statements behind the loads and the first values."""
    starts = (Start(BEST, Number(9, 32)), Start(MARKS, Number(0, 32)))
    return paired((*LOADS, *starts, *body))[len(LOADS) + len(starts) :]


def takes(condition: Condition, value: int) -> Gather:
    return Gather(BEST, condition, Number(value, 32), Way.LAST)


def test_a_number_for_each_side_of_a_test_is_one_choice() -> None:
    low, high = Slot("low", 32), Slot("high", 32)
    flags = (Decide(low, Both((zone(0), LOW))), Decide(high, Both((zone(0), HIGH))))
    (one,) = of(*flags, takes(Flag(low), 5), takes(Flag(high), 4))
    assert one == Gather(BEST, zone(0), Choose(LOW, Number(5, 32), Number(4, 32)), Way.LAST)


def test_a_flag_that_others_ask_for_stays() -> None:
    low, high = Slot("low", 32), Slot("high", 32)
    flags = (Decide(low, Both((zone(0), LOW))), Decide(high, Both((zone(0), HIGH))))
    found = of(*flags, takes(Flag(low), 5), takes(Flag(high), 4), Mark(MARKS, Flag(low), 1))
    assert found[0] == flags[0]
    assert len(found) == 3


def test_alternatives_on_both_sides_of_a_test_are_what_they_share() -> None:
    either = Either((Both((zone(0), LOW)), zone(1), Both((zone(0), HIGH))))
    assert of(Mark(MARKS, either, 2)) == (Mark(MARKS, Inside(ZONE, ((0, 1),), 0, 2), 2),)


def test_alternatives_that_leave_nothing_out_always_hold() -> None:
    flag = Slot("two", 32)
    found = of(Decide(flag, zone(2)), Mark(MARKS, Either((zone(0), Flag(flag), zone(1))), 2))
    assert found == (Mark(MARKS, Truth(True), 2),)


def test_tests_of_different_slots_are_left_alone() -> None:
    statements = (takes(Both((zone(0), LOW)), 5), takes(Both((zone(1), HIGH)), 4))
    assert of(*statements) == statements
    same = (takes(Both((zone(0), LOW)), 5), takes(Both((zone(0), zone(1))), 4))
    assert of(*same) == same
