"""What a host asks of a state beside the step: whether it is one, and when silence can change something.

In: a policy over time and its variables.  Out: two programs (docs/edge.md, Over time).

What always holds: neither writes anything but the deadline; no deadline is too late, because every value from
which on a condition changes is a point.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from govlang.compiler import ir
from govlang.compiler.edge_state import NEVER, NOW, BoardScope, board_scopes
from govlang.compiler.ir import ArithOp, CompareOp
from govlang.compiler.program import (
    DAMAGED,
    STATE_HOMES,
    Arith,
    Cell,
    Choose,
    Compare,
    Condition,
    FloorDiv,
    Gather,
    Let,
    Load,
    Number,
    Program,
    Slot,
    Start,
    Statement,
    Store,
    Value,
    Variable,
    Way,
)
from govlang.compiler.program_walk import all_writes
from govlang.compiler.steps_gather import Slots, read
from govlang.compiler.steps_logic import NO, both, negation
from govlang.compiler.steps_terms import compared, widened
from govlang.compiler.steps_time import clock, growth, needed
from govlang.compiler.table_time import WHOLE, change_points

DEADLINE: Final = Cell("out.deadline", 64, 0)
"""The next time at which something can change without a sample."""

ONE_BY_ONE: Final = 8
"""Points that are looked for one by one, whatever their distances."""


def check_program(policy: ir.Policy, variables: Sequence[Variable]) -> Program:
    """Whether a state is one."""
    body = tuple(_loads(variables, Slots()))
    return Program(policy, tuple(variables), (), tuple(all_writes(body)), body, silent=True)


def deadline_program(policy: ir.Policy, time: ir.Time, variables: Sequence[Variable]) -> Program:
    """The next deadline."""
    body = needed(_Builder(policy, time, variables, board_scopes(time)).statements())
    slots = tuple(dict.fromkeys(all_writes(body)))
    return Program(policy, tuple(variables), (DEADLINE,), slots, body, silent=True)


def _loads(variables: Sequence[Variable], slots: Slots) -> Iterator[Statement]:
    for number, one in enumerate(variables):
        if one.home in STATE_HOMES:
            yield Load(slots.variable(one), one, number, None, DAMAGED)


@dataclass(slots=True)
class _Builder:
    policy: ir.Policy
    time: ir.Time
    variables: Sequence[Variable]
    scopes: tuple[BoardScope, ...]
    slots: Slots = field(default_factory=Slots)

    def statements(self) -> Iterator[Statement]:
        number = next(n for n, one in enumerate(self.variables) if one.name == NOW)
        now = self.slots.variable(self.variables[number])
        yield Load(now, self.variables[number], number)
        yield from _loads(self.variables, self.slots)
        least = self.slots.of("least", 64)
        yield Start(least, Number(ir.INT64_MAX, 64))
        points = change_points(self.policy, self.time)
        for scope in self.scopes:
            at = self.slots.found[scope.at]
            yield from clock(scope, now, at, self.slots)
            known = negation(Compare(CompareOp.EQ, read(at), Number(NEVER, 64)))
            for cell in scope.cells:
                if cell.cap is not None:
                    yield from self._cell(
                        scope, cell, cell.cap, points.get(cell.name, set()), known
                    )
            if scope is self.scopes[-1]:
                since = self.slots.of(f"since.{scope.name}", 64)
                own = points.get(ir.GAP, set())
                yield from self._ahead(ir.GAP, since, ir.GAP_MAX, own, known)
        none = Compare(CompareOp.EQ, read(least), Number(ir.INT64_MAX, 64))
        later = Arith(ArithOp.ADD, read(now), read(least))
        yield Store(DEADLINE, Choose(none, Number(ir.INT64_MAX, 64), later))

    def _cell(
        self, scope: BoardScope, cell: ir.Cell, cap: int, points: set[int], known: Condition
    ) -> Iterator[Statement]:
        old = self.slots.found[scope.variable(cell)]
        value = growth(scope, cap, old, self.slots, still=cell.field.lo < 0)
        grown = self.slots.of(f"grown.{cell.name}", old.width)
        yield Let(grown, value, (cell.field.lo, cell.field.hi))
        if cell.field.lo < 0:
            known = both((known, Compare(CompareOp.LE, Number(0, grown.width), read(grown))))
        yield from self._ahead(cell.name, grown, cap, points, known)

    def _ahead(
        self, name: str, slot: Slot, cap: int, points: set[int], known: Condition
    ) -> Iterator[Statement]:
        """The time until a value reaches its next point."""
        least, value = self.slots.of("least", 64), widened(read(slot))
        own = sorted(point for point in points if 1 <= point <= cap)
        last = cap if WHOLE in points else own[-1] if own else 0
        before = compared(CompareOp.LT, read(slot), Number(last, slot.width))
        due = both((known, before))
        if due == NO or not last:
            return
        if WHOLE in points:
            yield Gather(least, due, Number(1, 64), Way.LEAST)
            return
        point = self.slots.of(f"point.{name}", 64)
        yield Let(point, _next(slot, own))
        yield Gather(least, due, Arith(ArithOp.SUB, read(point), value), Way.LEAST)


def _next(slot: Slot, points: Sequence[int]) -> Value:
    """The least of the points above a value that is below the last of them."""
    length = points[0]
    if len(points) > ONE_BY_ONE and list(points) == [length * n for n in range(1, len(points) + 1)]:
        return _multiple(slot, length)
    if len(points) == 1:
        return Number(points[0], 64)
    middle = len(points) // 2
    below = compared(CompareOp.LT, read(slot), Number(points[middle - 1], slot.width))
    return Choose(below, _next(slot, points[:middle]), _next(slot, points[middle:]))


def _multiple(slot: Slot, length: int) -> Value:
    """The least multiple of a length above a value."""
    value: Value = widened(read(slot))
    if length == 1:
        return Arith(ArithOp.ADD, value, Number(1, 64))
    over = Arith(ArithOp.ADD, FloorDiv(value, length), Number(1, 64))
    return Arith(ArithOp.MUL, over, Number(length, 64))
