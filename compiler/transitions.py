"""The transitions of machines, read back from the updates that they became.

In: what a policy remembers.  Out: the machines, each with its transitions by precedence.

What always holds: a sample takes a transition exactly when its condition holds on the columns as the machines
find them (`step.Watched.moving`) and no condition in `before` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from govlang.compiler import ir
from govlang.compiler.interpret import Environment
from govlang.compiler.ir import BoolExpr, Stage
from govlang.dsl.record import record


@record
class Transition:
    """A transition of a machine, with the conditions of those that go before it."""

    machine: ir.Cell
    condition: BoolExpr
    source: int
    target: int
    before: tuple[BoolExpr, ...]

    @property
    def text(self) -> str:
        """The transition as people write it, without what it waits for."""
        names = self.machine.field.members
        return f"{names[self.source]} -> {names[self.target]}"

    @property
    def written(self) -> str:
        """The transition as its author wrote it; one of a contract or of `autonomy` only from where to where."""
        span = self.condition.span
        text = "" if span is None else " ".join(span.text.split())
        return text if re.match(r"\w+ ?->", text) else self.text

    @property
    def is_due(self) -> bool:
        """It happens after a time."""
        return f"{self.machine.name}.age" in ir.fields_read(self.condition)

    def is_taken(self, env: Environment) -> bool:
        """Whether a sample takes it, with the columns as the machines found them."""
        if self.machine.name not in env.values:
            return False
        return env.holds(self.condition) and not any(map(env.holds, self.before))


def machines(time: ir.Time) -> Iterator[ir.Cell]:
    """The cells that hold the states of machines, those of contracts and autonomy too."""
    for cell in time.cells:
        if cell.field.members and cell.cap is None and any(transitions(time, cell)):
            yield cell


def transitions(time: ir.Time, machine: ir.Cell) -> Iterator[Transition]:
    """The transitions of a machine, in the order in which they go before each other."""
    before: list[BoolExpr] = []
    for update in time.updates:
        if update.cell == machine.name and update.stage == Stage.MOVE:
            assert isinstance(update.value, ir.IntConst)
            source = _source(update.condition, machine.name)
            target = update.value.value
            yield Transition(machine, update.condition, source, target, tuple(before))
            before.append(update.condition)


def _source(condition: BoolExpr, name: str) -> int:
    """The state that a transition leaves."""
    parts = condition.operands if isinstance(condition, ir.And) else (condition,)
    return next(
        part.ranges[0][0]
        for part in parts
        if isinstance(part, ir.InRanges) and part.name == name and len(part.ranges) == 1
    )
