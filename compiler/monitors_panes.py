"""Sums over windows that are cut into panes: `sum(E.x) in d by p`, and counts by panes.

In: what is added and when, a window and the length of a pane.  Out: cells, and the sum as a number.

The panes of an instance follow each other without a gap from its first sample on, and begin anew after
a silence in which all of them have become empty.  Cells are used in turn; `turn` says which one is the
current pane's.  A pane stops at `PANE_MAX / panes`, far above what a policy compares it with.

What always holds: 0 <= every pane; `phase` < p behind the stage TURN; a pane that is older than the
window is 0 or, in the window that must not reach beyond d (`under`), is left out.
"""

from __future__ import annotations

from typing import Final

from govlang.compiler import ir
from govlang.compiler.ir import ArithOp, BoolExpr, IntExpr, Stage
from govlang.compiler.monitors import Memory, Trigger
from govlang.dsl.record import record

PANES_MAX: Final = 1_000
"""Cells of one sum."""

SUM_MAX: Final = 2**50
"""What all panes together can hold, in steps of what is summed."""

TIMES_MAX: Final = 2**40
"""The same of a count, so that an average can be held against it."""


@record
class Panes:
    """The cells of one sum: `count` panes of `length_ms`, which together hold at most `most`."""

    stem: str
    count: int
    length_ms: int
    rest_ms: int | None
    """`under`: how far the current pane may be for the oldest one to lie in the window."""

    most: int

    @property
    def top(self) -> int:
        """The most that a pane holds."""
        return self.most // self.count

    @property
    def phase(self) -> str:
        """The cell of the time in the current pane."""
        return f"{self.stem}.phase"

    @property
    def turn(self) -> str:
        """The cell of the number of the current pane."""
        return f"{self.stem}.turn"

    def pane(self, number: int) -> str:
        """The cell of a pane."""
        return f"{self.stem}.{number + 1}"


def panes_of(
    stem: str, window_ms: int, length_ms: int, *, under: bool, most: int = SUM_MAX
) -> Panes:
    """The panes that a window needs: it reaches over at least the window, or (`under`) at most."""
    if under:
        whole, rest = divmod(window_ms, length_ms)
        return Panes(f"{stem}.under", whole + 1, length_ms, rest, most)
    return Panes(stem, -(-window_ms // length_ms) + 1, length_ms, None, most)


def summed(memory: Memory, panes: Panes, trigger: Trigger, amount: IntExpr, scope: str) -> IntExpr:
    """The sum of `amount` over the panes in the window."""
    if panes.phase not in memory.cells:
        _add_clock(memory, panes, scope)
        for number in range(panes.count):
            _add_pane(memory, panes, number, trigger, amount, scope)
    total: IntExpr = ir.FieldValue(panes.pane(0))
    for number in range(1, panes.count):
        total = ir.Arith(ArithOp.ADD, total, ir.FieldValue(panes.pane(number)))
    if panes.rest_ms is None:
        return total
    return ir.Arith(ArithOp.SUB, total, _beyond(panes, panes.rest_ms))


def _add_clock(memory: Memory, panes: Panes, scope: str) -> None:
    """Time in the current pane, and which one that is; both go on before anything else happens."""
    cap = (panes.count + 1) * panes.length_ms
    phase = ir.FieldValue(panes.phase)
    passed = ir.FloorDiv(phase, panes.length_ms)
    whole = ir.Arith(ArithOp.MUL, passed, ir.IntConst(panes.length_ms))
    memory.add(
        ir.Cell(ir.cell_field(panes.phase, 0, cap), scope, 0, cap),
        ir.Update(Stage.TURN, panes.phase, ir.TRUE, ir.Arith(ArithOp.SUB, phase, whole)),
    )
    ahead = ir.Arith(ArithOp.ADD, ir.FieldValue(panes.turn), passed)
    rounds = ir.Arith(ArithOp.MUL, ir.FloorDiv(ahead, panes.count), ir.IntConst(panes.count))
    idle = ir.Compare(ir.CompareOp.LE, ir.IntConst(panes.count), passed)
    memory.add(  # where all panes are empty any can be the first, and the initial one may be forgotten
        ir.Cell(ir.cell_field(panes.turn, 0, panes.count - 1), scope, 0),
        ir.Update(Stage.TURN, panes.turn, idle, ir.IntConst(0)),
        ir.Update(Stage.TURN, panes.turn, ir.TRUE, ir.Arith(ArithOp.SUB, ahead, rounds)),
    )


def _add_pane(
    memory: Memory, panes: Panes, number: int, trigger: Trigger, amount: IntExpr, scope: str
) -> None:
    name = panes.pane(number)
    passed = ir.FloorDiv(ir.FieldValue(panes.phase), panes.length_ms)
    begun = ir.Compare(ir.CompareOp.LT, _distance(panes, number), passed)
    more = ir.Arith(ArithOp.ADD, ir.FieldValue(name), amount)
    own = ir.InRanges(panes.turn, ((number, number),))
    memory.add(
        ir.Cell(ir.cell_field(name, 0, panes.top), scope, 0),
        ir.Update(Stage.TURN, name, begun, ir.IntConst(0)),
        ir.Update(
            trigger.stage,
            name,
            ir.conjunction((own, trigger.condition)),
            ir.Arith(ArithOp.LEAST, more, ir.IntConst(panes.top)),
        ),
    )


def _distance(panes: Panes, number: int) -> IntExpr:
    """How many panes lie between the current one and the next turn of this one."""
    turn = ir.FieldValue(panes.turn)
    ahead = ir.Arith(ArithOp.SUB, ir.IntConst(number - 1), turn)
    behind = ir.Arith(ArithOp.SUB, ir.IntConst(number - 1 + panes.count), turn)
    if number == 0:
        return behind
    return ir.Choose(ir.InRanges(panes.turn, ((0, number - 1),)), ahead, behind)


def _beyond(panes: Panes, rest_ms: int) -> IntExpr:
    """What the oldest pane holds, while part of it lies before the window."""
    oldest: IntExpr = ir.IntConst(0)
    for number in range(panes.count):
        before = (number - 1) % panes.count
        here: BoolExpr = ir.InRanges(panes.turn, ((before, before),))
        oldest = ir.Choose(here, ir.FieldValue(panes.pane(number)), oldest)
    late = ir.InRanges(panes.phase, ((rest_ms + 1, panes.length_ms - 1),))
    if rest_ms + 1 > panes.length_ms - 1:
        return ir.IntConst(0)
    return ir.Choose(late, oldest, ir.IntConst(0))
