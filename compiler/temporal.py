"""Expressions over time as values over cells.

In: a temporal expression, and the checker for what stands inside it.  Out: a condition or a number whose
IR reads cells; the cells are collected in `Memory`.  Here it is only said which operator is meant: see
`temporal_windows`, `temporal_counts`, `temporal_panes` and `temporal_signals`.

What always holds: an operator's value follows from the cells alone, so that nothing behind the front end
knows of it; what reads an optional field or a signal inside an operator is guarded inside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from govlang.compiler import ir
from govlang.compiler import temporal_counts as counts
from govlang.compiler import temporal_panes as panes
from govlang.compiler import temporal_signals as signals
from govlang.compiler import temporal_windows as windows
from govlang.compiler.happenings import Signal
from govlang.compiler.ir import Stage
from govlang.compiler.refusal import FaultyError, RefusalError, shortened
from govlang.compiler.reservations import reserved
from govlang.compiler.state_uses import cells_read
from govlang.compiler.temporal_setting import Setting
from govlang.compiler.types import Condition, Faulty, Quantity, Value
from govlang.compiler.values import number_in
from govlang.dsl import ast
from govlang.dsl.expression_text import expression
from govlang.dsl.source import Span
from govlang.dsl.units import MILLISECOND

Noted = TypeVar("Noted", bound=Value)


@dataclass(slots=True)
class Temporal(Setting):
    """Checks temporal expressions in one setting."""

    reads: dict[str, None] = field(default_factory=dict)
    """The names of the clock's columns that are read."""
    operators: dict[str, set[str]] = field(default_factory=dict)
    """The operators as they are written, each with the columns that it reads."""

    # --- expressions -----------------------------------------------------------------------------

    def value(self, expr: ast.Temporal) -> Value:
        """What an expression comes to.

        Raises:
            RefusalError: it makes no sense, would need a state without bound, or could leave 64 bits.
        """
        with self.in_range(expr.span):
            found = self._value(expr)
        return self._noted(expr, found)

    def _noted(self, expr: ast.Expr, found: Noted) -> Noted:
        """Remember which columns an operator reads."""
        text = expression(expr)
        self.operators.setdefault(text, set()).update(cells_read(found))
        if isinstance(found, Quantity) and (text, found.expr) not in self.memory.amounts:
            self.tell(text, found)
        return found

    def _value(self, expr: ast.Temporal) -> Value:
        match expr:
            case ast.EventRef() | ast.Enters():
                return windows.happens(self, expr)
            case ast.HappenedWithin(operand=operand, duration=duration):
                return windows.happened_within(self, operand, duration)
            case ast.Ago(operand=operand, newest=newest, oldest=oldest):
                return windows.happened_between(self, operand, newest, oldest)
            case ast.HeldFor(operand=operand, duration=duration):
                return windows.held_for(self, operand, duration)
            case ast.Since():
                return windows.held_since(self, expr)
            case ast.Count(since=ast.Window(pane=None)) | ast.Elapsed() | ast.Extreme():
                raise _uncompared(expr)
            case ast.Count(event=event, since=since):
                if isinstance(since, ast.Window):
                    return panes.count_by_panes(self, event, since)
                return counts.count_since(self, event, since)
            case ast.Total(function="average"):
                raise _uncompared(expr)
            case ast.Total():
                return panes.total(self, expr)
            case ast.Ewma():
                return signals.ewma(self, expr)
            case ast.Deviates():
                return signals.has_deviated(self, expr)
            case ast.Fresh(reading=reading, duration=duration):
                return signals.is_fresh(self, reading, duration)
            case ast.Stale():
                return signals.is_stale(self, expr)
            case ast.Previous(reading=reading):
                return signals.previous_value(self, reading)
            case ast.Changed(reading=reading):
                return signals.has_changed(self, reading)
            case ast.Possible():
                raise RefusalError(
                    "GOV217",
                    "`always possible` is a whole property and no part of one",
                    expr.span,
                    "write `prove NAME: always possible (…)`",
                )
            case ast.Reserved(field=name):
                return reserved(self, name)

    def compared(
        self, op: str, bounded: ast.Bounded, other: ast.Expr, span: Span
    ) -> Condition | None:
        """`bounded op other` where `other` is a constant or a parameter; None if it is neither.

        Raises:
            RefusalError: as `value`.
            FaultyError: anything in `other` is wrong, and has been reported.
        """
        with self.in_range(span):
            found = self._compared(op, bounded, other, span)
        return found and self._noted(ast.Compare(op, bounded, other, span), found)

    def _compared(
        self, op: str, bounded: ast.Bounded, other: ast.Expr, span: Span
    ) -> Condition | None:
        found = self.checker.value(other)
        if isinstance(found, Faulty):
            raise FaultyError
        bound = number_in(found, other)
        match bounded:
            case ast.Count(event=event, since=ast.Window(pane=None, duration=duration)):
                return counts.counted_within(self, op, event, duration, bound, span)
            case ast.Count(event=event, since=ast.EventRef() | ast.Enters() as since):
                return counts.counted_since(self, op, event, since, bound, span)
            case ast.Count():
                counts.refuse_below_zero(bound, span)
                return None
            case ast.Elapsed(event=event):
                return windows.elapsed(self, op, event, bound, span)
            case ast.Extreme():
                return windows.extreme(self, op, bounded, other, span)
            case ast.Total(function="average"):
                return panes.average(self, op, bounded, bound, span)
            case _:
                return None

    # --- what is not written by an operator --------------------------------------------------------

    def happens(self, name: ast.Name) -> Condition:
        """An event is named: it happens at this very sample."""
        return windows.happens(self, name)

    def machine(self, name: str) -> None:
        """A machine's state is read."""
        declared = self.scope.time.machines[name]
        self.memory.expect(name, Stage.MOVE, self.occurrences.machine_scope(declared))

    def signal(self, declared: Signal) -> None:
        """A signal is kept, whether it is read or not."""
        signals.declared_signal(self, declared)

    def read_signal(self, declared: Signal, name: ast.Name) -> Value:
        """A signal's last value; before its first sample there is none."""
        return signals.last_value(self, declared, name)

    def has(self, declared: Signal, span: Span) -> Condition:
        """`has x` of a signal: there was a sample."""
        return signals.has_value(self, declared, span)

    def clock(self, name: str, span: Span) -> Value:
        """`gap` and `clock_fault`: what the clock says of this sample."""
        self.reads[name] = None
        if name == "clock_fault":
            return Condition(ir.InRanges(ir.CLOCK_FAULT, ((1, 1),), span))
        return Quantity(ir.FieldValue(ir.GAP), (0, ir.GAP_MAX), MILLISECOND.factor, MILLISECOND)


def _uncompared(expr: ast.Bounded) -> RefusalError:
    return RefusalError(
        "GOV247",
        f"`{shortened(expr.span)}` can only be compared with a number",
        expr.span,
        f"write `{shortened(expr.span)} >= …`",
    )
