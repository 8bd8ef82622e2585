"""Runs a step's program on values, in plain Python: what every printer of programs must keep to.

Every rule of `program.py` is checked on the way: slots have a value before they are read, arithmetic
stays in 64 bits, values fit the slots and cells that take them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from govlang.compiler.interpret import arithmetic, compare, set_test
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
    Program,
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
    Variable,
    Way,
    When,
)


class RefusedError(Exception):
    """The step is refused by a variable or an assumption."""


class EndedError(Exception):
    """The step has ended without an outcome."""


@dataclass(frozen=True)
class Done:
    """What a step over time came to: its answer, the cells of the outcome, the state behind it."""

    answer: int
    cells: dict[str, int]
    state: dict[str, int]


def run(program: Program, variables: Mapping[str, int]) -> dict[str, int]:
    """The cells of the outcome; masks as they are, whatever their sign was."""
    return run_sample(program, variables).cells


def run_sample(
    program: Program, variables: Mapping[str, int], kind: int = 0, *, keep: bool = True
) -> Done:
    """What a step does; of a policy over time with a sample of a kind."""
    step = _Step(program, variables, keep=keep)
    if program.policy.time is not None:
        step.slots[KIND] = kind
    neutral = {cell.name: cell.neutral for cell in program.cells}
    try:
        step.take(program.body)
    except RefusedError as refused:
        number, answer = refused.args
        assert not step.state
        cells = {} if program.silent else neutral | {"out.invalid": int(number)}
        return Done(int(answer), cells, {})
    except EndedError:
        return Done(0, neutral | {"out.invalid": -1}, step.state)
    assert step.cells.keys() == {cell.name for cell in program.cells}
    return Done(0, step.cells, step.state)


def fits(value: int, width: int, *, mask: bool) -> bool:
    return 0 <= value < 2**width if mask else -(2 ** (width - 1)) <= value < 2 ** (width - 1)


class _Step:
    def __init__(
        self, program: Program, variables: Mapping[str, int], *, keep: bool = True
    ) -> None:
        self.program = program
        self.keep = keep
        self.state: dict[str, int] = {}
        self.variables = variables
        self.slots: dict[Slot, int] = {}
        self.cells: dict[str, int] = {}

    def take(self, statements: tuple[Statement, ...]) -> None:
        for statement in statements:
            self.statement(statement)

    def set(self, slot: Slot, value: int) -> None:
        assert slot in self.program.slots
        assert fits(value, slot.width, mask=slot.mask), (slot, value)
        self.slots[slot] = value

    def statement(self, one: Statement) -> None:
        match one:
            case Load(slot=slot):
                self.load(one)
                assert slot.name == one.variable.name
            case Refuse(condition=condition, number=number, answer=answer):
                if self.holds(condition):
                    raise RefusedError(number, answer)
            case End(condition=condition):
                if self.holds(condition):
                    raise EndedError
            case Let(slot=slot, value=value, domain=domain):
                assert slot not in self.slots
                assert self.width(value) >= slot.width
                self.set(slot, self.any_width(value))
                assert domain is None or domain[0] <= self.slots[slot] <= domain[1], one
            case Keep(condition=condition, stores=stores):
                found = {one.name: self.kept(one, value) for one, value in stores}
                if self.keep and self.holds(condition):
                    self.state |= found
            case Start(slot=slot, value=value):
                assert slot not in self.slots
                self.set(slot, self.value(value, slot.width))
            case Decide(slot=slot, condition=condition):
                self.set(slot, int(self.holds(condition)))
            case Gather(slot=slot, condition=condition, value=value, way=way):
                taken = self.value(value, slot.width)
                best = self.slots[slot]
                if way is not Way.LAST:
                    taken = min(best, taken) if way is Way.LEAST else max(best, taken)
                self.set(slot, taken if self.holds(condition) else best)
            case Mark(slot=slot, condition=condition, mask=mask):
                assert slot.mask
                assert 0 < mask < 2**slot.width
                self.set(slot, self.slots[slot] | (mask if self.holds(condition) else 0))
            case When(condition=condition, then=then, otherwise=otherwise):
                self.take(then if self.holds(condition) else otherwise)
            case Switch(slot=slot, parts=parts):
                values = [value for part, _ in parts for value in part]
                assert len(set(values)) == len(values)
                for part, body in parts:
                    if self.slots[slot] in part:
                        self.take(body)
            case Store(cell=cell, value=value):
                assert cell in self.program.cells
                assert cell.name not in self.cells
                found = self.any_width(value)
                mask = cell.mask or (cell.width == 64 and found >= 2**63)  # a set that is passed on
                assert fits(found, cell.width, mask=mask), (cell, found)
                self.cells[cell.name] = found
            case _:
                assert_never(one)

    def load(self, load: Load) -> None:
        one = load.variable
        assert self.program.variables[load.number] == one
        present = all(self.slots[self.variable(index)] for index in one.has)
        present = present and (load.asked is None or self.slots[load.asked] == 1)
        value = self.variables[one.name] if present else one.absent
        if one.mask and value < 0:
            value += 2**one.width
        inside = one.lo <= value <= one.hi or value in one.beside
        if not inside or (one.mask and value & ~one.hi):
            raise RefusedError(load.number, load.answer)
        self.set(load.slot, value)

    def variable(self, index: int) -> Slot:
        one = self.program.variables[index]
        return Slot(one.name, one.width, one.mask)

    def kept(self, one: Variable, value: Value) -> int:
        found = self.any_width(value)
        assert one.lo <= found <= one.hi, (one, found)
        return found

    # --- values ----------------------------------------------------------------------------------

    def value(self, value: Value, width: int) -> int:
        assert self.width(value) == width, (value, width)
        return self.any_width(value)

    def width(self, value: Value) -> int:
        match value:
            case Number() | Read():
                return value.width
            case Arith() | FloorDiv():
                return 64
            case Grown(slot=slot, since=since):
                assert slot.width == since.width
                return slot.width
            case Choose(then=then, otherwise=otherwise):
                assert self.width(then) == self.width(otherwise)
                return self.width(then)
            case Unpacked():
                return 32
            case _:
                assert_never(value)

    def any_width(self, value: Value) -> int:
        match value:
            case Number(value=number, width=width):
                assert fits(number, width, mask=number >= 2 ** (width - 1))  # roles, as a mask
                return number
            case Read(slot=slot, width=width):
                assert slot.width <= width
                return self.slots[slot]
            case Arith(op=op, left=left, right=right):
                found = arithmetic(op, self.value(left, 64), self.value(right, 64))
                assert fits(found, 64, mask=False)
                return found
            case FloorDiv(dividend=dividend, divisor=divisor):
                assert divisor > 1
                return self.value(dividend, 64) // divisor
            case Choose(condition=condition, then=then, otherwise=otherwise):
                return self.any_width(then if self.holds(condition) else otherwise)
            case Grown(slot=slot, since=since, cap=cap, still=still):
                value_, passed = self.slots[slot], self.slots[since]
                assert passed >= 0
                assert value_ >= 0 or still
                return value_ if value_ < 0 else min(cap, value_ + passed)
            case Unpacked(slot=slot, shift=shift, mask=mask, top=top):
                assert slot.width == 32
                assert self.slots[slot] >= 0
                found = self.slots[slot] >> shift
                found = found if mask is None else found & mask
                return found if top is None else top - found
            case _:
                assert_never(value)

    # --- conditions ------------------------------------------------------------------------------

    def holds(self, condition: Condition) -> bool:
        match condition:
            case Truth(value=value):
                return value
            case Inside(slot=slot, ranges=ranges, lo=lo, hi=hi):
                assert ranges
                assert ranges != ((lo, hi),)
                assert lo <= ranges[0][0] <= ranges[-1][1] <= hi
                assert lo <= self.slots[slot] <= hi
                return any(a <= self.slots[slot] <= b for a, b in ranges)
            case MaskTest(slot=slot, op=op, mask=mask):
                assert slot.mask
                return set_test(op, self.slots[slot], mask)
            case Compare(op=op, left=left, right=right):
                assert self.width(left) == self.width(right)
                return compare(op, self.any_width(left), self.any_width(right))
            case Flag(slot=slot):
                assert self.slots[slot] in (0, 1)
                return bool(self.slots[slot])
            case Bit(slot=slot, bit=bit):
                assert slot.mask
                return bool(self.slots[slot] >> bit & 1)
            case Both(parts=parts):
                assert len(parts) > 1
                return all(tuple(map(self.holds, parts)))
            case Either(parts=parts):
                assert len(parts) > 1
                return any(tuple(map(self.holds, parts)))
            case Negation(part=part):
                return not self.holds(part)
            case _:
                assert_never(condition)
