"""The same step in fewer words, for those who print it where every byte counts.

In: a `program.Program`.  Out: one that gives the same outcome for the same variables.

Only straight lines at the top of a program are looked at; what stands under a branch stays as it is.
What always holds: a flag moves only if nothing that it reads is ever set again; slots are gathered in
another order only where no statement of the stretch reads what another one gathers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from govlang.compiler.ir import CompareOp
from govlang.compiler.program import (
    Both,
    Choose,
    Compare,
    Condition,
    Decide,
    Either,
    Flag,
    Gather,
    Mark,
    Number,
    Program,
    Read,
    Slot,
    Start,
    Statement,
    Store,
    Value,
    Way,
)
from govlang.compiler.program_pairs import paired
from govlang.compiler.program_walk import (
    all_reads,
    all_writes,
    condition_reads,
    fixed_slots,
    needed_flags,
    reads,
    value_reads,
    with_flags,
    writes,
)
from govlang.compiler.steps_logic import NO, either

Body = tuple[Statement, ...]
Gathered = Gather | Mark

_SHARED: Final = "shared."
"""How slots of conditions that several statements ask for are called."""


def tidied(program: Program) -> Program:
    """The program with fewer slots, comparisons and stores."""
    body = paired(_sorted_stretches(_without_twins(program.body)))
    body = _without_never(_without_single(body))
    body = _shared(body)
    slots = tuple(dict.fromkeys(all_writes(body)))
    return replace(program, body=body, slots=slots)


def _starts(body: Body) -> dict[Slot, int]:
    """The slots that start at a number."""
    return {
        one.slot: one.value.value
        for one in body
        if isinstance(one, Start) and isinstance(one.value, Number)
    }


# --- flags ---------------------------------------------------------------------------------------


def _without_twins(body: Body) -> Body:
    """A flag that says what another one says is left out."""
    fixed, needed = fixed_slots(body), needed_flags(body)
    instead: dict[Slot, Condition] = {}
    first: dict[Condition, Slot] = {}
    kept: list[Statement] = []
    for before in body:
        one = with_flags(before, instead)
        if isinstance(one, Decide) and fixed.issuperset((one.slot, *reads(one))):
            if isinstance(one.condition, Flag) and one.slot not in needed:
                instead[one.slot] = one.condition
                continue
            twin = first.setdefault(one.condition, one.slot)
            if twin != one.slot and one.slot not in needed:
                instead[one.slot] = Flag(twin)
                continue
        kept.append(one)
    return tuple(kept)


def _without_single(body: Body) -> Body:
    """A flag that is asked for once is tested where it is asked for."""
    fixed, asked = fixed_slots(body), Counter(all_reads(body))
    needed = needed_flags(body)
    instead: dict[Slot, Condition] = {}
    kept: list[Statement] = []
    for before in body:
        one = with_flags(before, instead)
        movable = isinstance(one, Decide) and fixed.issuperset((one.slot, *reads(one)))
        if isinstance(one, Decide) and movable and asked[one.slot] == 1 and one.slot not in needed:
            instead[one.slot] = one.condition
        else:
            kept.append(one)
    return tuple(kept)


def _shared(body: Body) -> Body:
    """A condition that several statements ask for is tested once."""
    fixed = fixed_slots(body)
    asked: Counter[Condition] = Counter(
        one.condition
        for one in body
        if isinstance(one, Gather | Mark) and isinstance(one.condition, Both | Either | Compare)
    )
    slots: dict[Condition, Slot] = {}
    kept: list[Statement] = []
    for one in body:
        if not isinstance(one, Gather | Mark) or asked[one.condition] < 2:
            kept.append(one)
            continue
        condition = one.condition
        if condition not in slots and fixed.issuperset(condition_reads(condition)):
            slots[condition] = Slot(f"{_SHARED}{len(slots)}", 32)
            kept.insert(_before_gathering(kept), Decide(slots[condition], condition))
        found = slots.get(condition)
        kept.append(one if found is None else replace(one, condition=Flag(found)))
    return tuple(kept)


def _before_gathering(body: Sequence[Statement]) -> int:
    """Where the gathering starts with which statements end: it is not torn apart."""
    place = len(body)
    while place and isinstance(body[place - 1], Gather | Mark):
        place -= 1
    return place


# --- gathering -----------------------------------------------------------------------------------


def _sorted_stretches(body: Body) -> Body:
    """Statements that gather onto one slot stand together, those that win last."""
    starts, times = _starts(body), Counter(all_writes(body))
    kept: list[Statement] = []
    for stretch in _stretches(body):
        by_slot: dict[Slot, list[Gathered]] = {}
        for one in stretch:
            if isinstance(one, Gather | Mark):
                by_slot.setdefault(one.slot, []).append(one)
            else:
                kept.append(one)
        for slot, found in by_slot.items():
            known = times[slot] == len(found) + 1
            kept += _settled(slot, found, starts.get(slot) if known else None)
    return tuple(kept)


def _stretches(body: Body) -> Iterator[list[Statement]]:
    """Statements that may change places, together; others alone."""
    stretch: list[Statement] = []
    written: set[Slot] = set()
    read: set[Slot] = set()
    for one in body:
        gathers = isinstance(one, Gather | Mark)
        meets = not written.isdisjoint(reads(one)) or not read.isdisjoint(writes(one))
        if stretch and (not gathers or meets):
            yield stretch
            stretch, written, read = [], set(), set()
        if gathers:
            stretch.append(one)
            written.update(writes(one))
            read.update(reads(one))
        else:
            yield [one]
    if stretch:
        yield stretch


def _settled(slot: Slot, found: list[Gathered], start: int | None) -> Iterator[Statement]:
    """The same slot gathered with fewer statements; `start`: what it surely holds before."""
    marks = [(one.mask, one.condition) for one in found if isinstance(one, Mark)]
    yield from (Mark(slot, condition, mask) for mask, condition in _joined(marks))
    gathers = [one for one in found if isinstance(one, Gather)]
    numbers = [(one, one.value.value) for one in gathers if isinstance(one.value, Number)]
    ways = {one.way for one in gathers}
    if start is None or ways not in ({Way.LEAST}, {Way.GREATEST}):
        yield from gathers
        return
    least = ways == {Way.LEAST}
    joined = _joined((number, one.condition) for one, number in numbers)
    joined.sort(key=lambda pair: pair[0], reverse=least)
    if all(number <= start if least else number >= start for number, _ in joined):
        for number, condition in joined:
            yield Gather(slot, condition, Number(number, slot.width), Way.LAST)
        gathers = [one for one in gathers if not isinstance(one.value, Number)]
    yield from gathers


def _joined(pairs: Iterable[tuple[int, Condition]]) -> list[tuple[int, Condition]]:
    """One condition for each number."""
    found: dict[int, list[Condition]] = {}
    for number, condition in pairs:
        found.setdefault(number, []).append(condition)
    return [(number, either(conditions)) for number, conditions in found.items()]


# --- ends ----------------------------------------------------------------------------------------


def _without_never(body: Body) -> Body:
    """A slot that would be stored as another number where it still holds its first one starts there."""
    starts, asked = _starts(body), Counter(all_reads(body))
    changed: dict[Slot, tuple[int, Value]] = {}
    for one in body:
        if isinstance(one, Store) and (found := _replaced(one.value, starts)) is not None:
            slot, number, value = found
            others = asked[slot] == sum(1 for read in value_reads(one.value) if read == slot)
            if others and starts[slot] not in _gathered_numbers(body, slot, starts[slot]):
                changed[slot] = number, value
    return tuple(_starting(one, changed) for one in body)


def _replaced(value: Value, starts: Mapping[Slot, int]) -> tuple[Slot, int, Value] | None:
    """Of `d or s == first ? number : s` the slot, the number, and `d ? number : s`."""
    match value:
        case Choose(
            condition=condition, then=Number(value=number) as then, otherwise=Read() as read
        ):
            parts = condition.parts if isinstance(condition, Either) else (condition,)
            slot = read.slot
            first = Compare(CompareOp.EQ, read, Number(starts.get(slot, 0), slot.width))
            if slot in starts and first in parts:
                rest = either(part for part in parts if part != first)
                return slot, number, read if rest == NO else Choose(rest, then, read)
    return None


def _gathered_numbers(body: Body, slot: Slot, first: int) -> set[int]:
    """The numbers that a slot may take, its first one if it may take anything else."""
    found: set[int] = set()
    for one in body:
        match one:
            case Start():
                pass
            case Gather(slot=other, value=Number(value=number), way=Way.LAST) if other == slot:
                found.add(number)
            case _ if slot in writes(one):
                found.add(first)
    return found


def _starting(one: Statement, changed: Mapping[Slot, tuple[int, Value]]) -> Statement:
    match one:
        case Start(slot=slot) if slot in changed:
            return Start(slot, Number(changed[slot][0], slot.width))
        case Store(value=Choose(otherwise=Read(slot=slot))) if slot in changed:
            return replace(one, value=changed[slot][1])
        case _:
            return one
