"""Walks over a step's program: what its parts read and write, and the same with other conditions.

In: values, conditions and statements of `program.py`.  Out: their slots; or copies in which flags are
replaced by conditions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from govlang.compiler.program import (
    KIND,
    Arith,
    Bit,
    Both,
    Choose,
    Compare,
    Condition,
    Decide,
    Either,
    End,
    Flag,
    FloorDiv,
    Gather,
    Grown,
    Inside,
    Keep,
    Let,
    Load,
    Mark,
    MaskTest,
    Negation,
    Number,
    Read,
    Refuse,
    Slot,
    Start,
    Statement,
    Store,
    Switch,
    Truth,
    Unpacked,
    Value,
    When,
)

# --- what is read and written --------------------------------------------------------------------


def value_reads(value: Value) -> Iterator[Slot]:
    """The slots of a value, one for each time it is read."""
    match value:
        case Number():
            return
        case Read(slot=slot) | Unpacked(slot=slot):
            yield slot
        case Grown(slot=slot, since=since):
            yield from (slot, since)
        case Arith(left=left, right=right):
            yield from value_reads(left)
            yield from value_reads(right)
        case FloorDiv(dividend=dividend):
            yield from value_reads(dividend)
        case Choose(condition=condition, then=then, otherwise=otherwise):
            yield from condition_reads(condition)
            yield from value_reads(then)
            yield from value_reads(otherwise)
        case _:
            assert_never(value)


def condition_reads(condition: Condition) -> Iterator[Slot]:
    """The slots of a condition, one for each time it is read."""
    match condition:
        case Truth():
            return
        case Inside(slot=slot) | MaskTest(slot=slot) | Flag(slot=slot) | Bit(slot=slot):
            yield slot
        case Compare(left=left, right=right):
            yield from value_reads(left)
            yield from value_reads(right)
        case Both(parts=parts) | Either(parts=parts):
            for part in parts:
                yield from condition_reads(part)
        case Negation(part=part):
            yield from condition_reads(part)
        case _:
            assert_never(condition)


def computes(part: Value | Condition) -> bool:
    """Whether there is arithmetic in a value or a condition."""
    match part:
        case Arith() | FloorDiv() | Grown():
            return True
        case Choose(condition=condition, then=then, otherwise=otherwise):
            return any(map(computes, (condition, then, otherwise)))
        case Compare(left=left, right=right):
            return computes(left) or computes(right)
        case Both(parts=parts) | Either(parts=parts):
            return any(map(computes, parts))
        case Negation(part=inner):
            return computes(inner)
        case Number() | Read() | Unpacked() | Truth() | Inside() | MaskTest() | Flag() | Bit():
            return False
        case _:
            assert_never(part)


def reads(statement: Statement) -> Iterator[Slot]:
    """The slots of a statement and those inside it; what a slot gathers onto does not count."""
    match statement:
        case Load(asked=asked):
            yield from () if asked is None else (asked,)
        case Refuse(condition=condition) | Decide(condition=condition) | Mark(condition=condition):
            yield from condition_reads(condition)
        case End(condition=condition):
            yield from condition_reads(condition)
        case Start(value=value) | Store(value=value) | Let(value=value):
            yield from value_reads(value)
        case Keep(condition=condition, stores=stores):
            yield from condition_reads(condition)
            for _, value in stores:
                yield from value_reads(value)
        case Gather(condition=condition, value=value):
            yield from condition_reads(condition)
            yield from value_reads(value)
        case When(condition=condition, then=then, otherwise=otherwise):
            yield from condition_reads(condition)
            yield from all_reads((*then, *otherwise))
        case Switch(slot=slot, parts=parts):
            yield slot
            for _, part in parts:
                yield from all_reads(part)
        case _:
            assert_never(statement)


def all_reads(statements: Iterable[Statement]) -> Iterator[Slot]:
    """The slots of statements."""
    for one in statements:
        yield from reads(one)


def writes(statement: Statement) -> Iterator[Slot]:
    """The slots that a statement, or one inside it, sets."""
    match statement:
        case Load(slot=slot) | Start(slot=slot) | Decide(slot=slot) | Let(slot=slot):
            yield slot
        case Gather(slot=slot) | Mark(slot=slot):
            yield slot
        case When(then=then, otherwise=otherwise):
            yield from all_writes((*then, *otherwise))
        case Switch(parts=parts):
            for _, part in parts:
                yield from all_writes(part)
        case Refuse() | Store() | Keep() | End():
            return
        case _:
            assert_never(statement)


def all_writes(statements: Iterable[Statement]) -> Iterator[Slot]:
    """The slots that statements set."""
    for one in statements:
        yield from writes(one)


def fixed_slots(body: Sequence[Statement]) -> frozenset[Slot]:
    """The slots that are set once, in a line: variables, and flags that stay what they are."""
    written = Counter(all_writes(body))
    loaded = (one.slot for one in body if isinstance(one, Load | Decide | Let))
    return frozenset((KIND, *(slot for slot in loaded if written[slot] == 1)))


def needed_flags(body: Sequence[Statement]) -> frozenset[Slot]:
    """The flags of which loads ask, so that no condition can stand for them."""
    loads = (one for one in body if isinstance(one, Load))
    return frozenset(one.asked for one in loads if one.asked is not None)


# --- the same with other conditions --------------------------------------------------------------

Flags = Mapping[Slot, Condition]


def with_flags(statement: Statement, flags: Flags) -> Statement:
    """The statement, with what stands for a flag instead of it."""
    match statement:
        case Load():
            return statement
        case Refuse() | Decide() | Mark() | End():
            return replace(statement, condition=in_condition(statement.condition, flags))
        case Start() | Store() | Let():
            return replace(statement, value=in_value(statement.value, flags))
        case Keep(condition=condition, stores=stores):
            kept = tuple((one, in_value(value, flags)) for one, value in stores)
            return Keep(in_condition(condition, flags), kept)
        case Gather():
            condition = in_condition(statement.condition, flags)
            return replace(statement, condition=condition, value=in_value(statement.value, flags))
        case When(condition=condition, then=then, otherwise=otherwise):
            ways = (tuple(with_flags(s, flags) for s in part) for part in (then, otherwise))
            return When(in_condition(condition, flags), *ways)
        case Switch(slot=slot, parts=parts):
            inner = ((values, tuple(with_flags(s, flags) for s in part)) for values, part in parts)
            return Switch(slot, tuple(inner))
        case _:
            assert_never(statement)


def in_value(value: Value, flags: Flags) -> Value:
    """The value, with what stands for a flag instead of it."""
    match value:
        case Number() | Read() | Unpacked() | Grown():
            return value
        case Arith(op=op, left=left, right=right):
            return Arith(op, in_value(left, flags), in_value(right, flags))
        case FloorDiv(dividend=dividend, divisor=divisor):
            return FloorDiv(in_value(dividend, flags), divisor)
        case Choose(condition=condition, then=then, otherwise=otherwise):
            return Choose(
                in_condition(condition, flags), in_value(then, flags), in_value(otherwise, flags)
            )
        case _:
            assert_never(value)


def in_condition(condition: Condition, flags: Flags) -> Condition:
    """The condition, with what stands for a flag instead of it."""
    match condition:
        case Truth() | Inside() | MaskTest() | Bit():
            return condition
        case Flag(slot=slot):
            return flags.get(slot, condition)
        case Compare(op=op, left=left, right=right):
            return Compare(op, in_value(left, flags), in_value(right, flags))
        case Both(parts=parts):
            return Both(tuple(in_condition(part, flags) for part in parts))
        case Either(parts=parts):
            return Either(tuple(in_condition(part, flags) for part in parts))
        case Negation(part=part):
            return Negation(in_condition(part, flags))
        case _:
            assert_never(condition)
