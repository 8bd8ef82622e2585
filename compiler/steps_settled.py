"""A step without the slots that nothing ever gathers into.

In: the statements of a step.  Out: the same step, in which such a slot is the constant that it starts
with.

What always holds: only what is read at the top of the step is settled, which is where outcomes are
made; compilers warn of tests that a constant has decided already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import assert_never

from govlang.compiler.interpret import compare
from govlang.compiler.program import (
    Arith,
    Bit,
    Both,
    Choose,
    Compare,
    Condition,
    Decide,
    Either,
    Flag,
    FloorDiv,
    Gather,
    Grown,
    Inside,
    Let,
    Mark,
    MaskTest,
    Negation,
    Number,
    Read,
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
from govlang.compiler.program_walk import all_reads, all_writes
from govlang.compiler.steps_logic import both, either, negation
from govlang.compiler.steps_terms import chosen

Constants = Mapping[Slot, int]


def settled(body: tuple[Statement, ...], kept: Collection[Slot]) -> tuple[Statement, ...]:
    """The statements without slots that only start; those that are `kept` stay as they are."""
    times = Counter(all_writes(body))
    deep = set(all_reads(one for one in body if isinstance(one, When | Switch)))
    constants = {
        one.slot: one.value.value
        for one in body
        if isinstance(one, Start)
        and isinstance(one.value, Number)
        and times[one.slot] == 1
        and one.slot not in deep
        and one.slot not in kept
    }
    starts = {one for one in body if isinstance(one, Start) and one.slot in constants}
    return _needed(tuple(_statement(one, constants) for one in body if one not in starts))


def _needed(body: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """The statements without flags and marks that nothing reads any more."""
    read = set(all_reads(body))
    kept = tuple(one for one in body if not isinstance(one, Decide | Mark) or one.slot in read)
    return kept if len(kept) == len(body) else _needed(kept)


def _statement(one: Statement, constants: Constants) -> Statement:
    match one:
        case Start(value=value) | Store(value=value) | Let(value=value):
            return replace(one, value=_value(value, constants))
        case Decide(condition=condition):
            return replace(one, condition=_condition(condition, constants))
        case Gather(condition=condition, value=value):
            found = _condition(condition, constants)
            return replace(one, condition=found, value=_value(value, constants))
        case _:
            return one


def _value(value: Value, constants: Constants) -> Value:
    match value:
        case Read(slot=slot, width=width) if slot in constants:
            return Number(constants[slot], width)
        case Choose(condition=condition, then=then, otherwise=otherwise):
            found = _condition(condition, constants)
            return chosen(found, _value(then, constants), _value(otherwise, constants))
        case Number() | Read() | Arith() | FloorDiv() | Unpacked() | Grown():
            return value
        case _:
            assert_never(value)


def _condition(condition: Condition, constants: Constants) -> Condition:
    match condition:
        case Bit(slot=slot, bit=bit) if slot in constants:
            return Truth(bool(constants[slot] >> bit & 1))
        case Compare(op=op, left=left, right=right):
            first, second = _value(left, constants), _value(right, constants)
            if isinstance(first, Number) and isinstance(second, Number):
                return Truth(compare(op, first.value, second.value))
            return Compare(op, first, second)
        case Both(parts=parts):
            return both(_condition(part, constants) for part in parts)
        case Either(parts=parts):
            return either(_condition(part, constants) for part in parts)
        case Negation(part=part):
            return negation(_condition(part, constants))
        case Truth() | Inside() | MaskTest() | Flag() | Bit():
            return condition
        case _:
            assert_never(condition)
