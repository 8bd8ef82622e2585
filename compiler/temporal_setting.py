"""What every operator over time is checked in: the names, the cells so far, and whose cells are meant.

In: a scope of names and the checker for what stands inside an operator.  Out: triggers, windows in ms, and
refusals of state that 64 bits do not hold.  The operators themselves stand in `temporal_*.py`, by their nouns.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from govlang.compiler import intervals, ir
from govlang.compiler.fields import milliseconds
from govlang.compiler.happenings import state_cell
from govlang.compiler.meanings import Amount
from govlang.compiler.monitors import Memory, Trigger
from govlang.compiler.occurrences import Occurrences
from govlang.compiler.refusal import RefusalError, shortened
from govlang.compiler.resolve import Scope
from govlang.compiler.types import Condition, Quantity, Value
from govlang.dsl import ast
from govlang.dsl.source import Span
from govlang.dsl.units import duration_text


class Inner(Protocol):
    """What is asked about the expressions inside an operator: the checker of the rest of the language."""

    def value(self, expr: ast.Expr) -> Value:
        """What an expression comes to."""

    def inside(self, expr: ast.Expr) -> Condition:
        """A condition that nothing outside the operator guards."""


@dataclass(slots=True)
class Setting:
    """One scope of names; `context` is the scope of cells that is meant."""

    scope: Scope
    checker: Inner
    memory: Memory = field(default_factory=Memory)
    occurrences: Occurrences = field(init=False)
    context: str = field(init=False)

    def __post_init__(self) -> None:
        self.occurrences = Occurrences(self.scope, self.memory)
        self.context = self.scope.key or ir.SHARED

    @contextmanager
    def seen_from(self, home: str) -> Iterator[None]:
        """Check what follows in another scope of cells."""
        before, self.context = self.context, home
        try:
            yield
        finally:
            self.context = before

    def trigger(self, what: ast.Occurrence | ast.Name) -> tuple[Trigger, str]:
        """When it happens, and the scope in which that is kept.

        Raises:
            RefusalError: nothing of that name happens (GOV201), or not by that field (GOV244).
        """
        return self.occurrences.trigger(what, self.context)

    def window(self, duration: ast.Number) -> int:
        """A window in ms, no longer than the longest.

        Raises:
            RefusalError: it is longer (GOV247), or no duration.
        """
        found = milliseconds(duration, self.scope.units)
        if found > self.scope.time.longest_ms:
            longest = duration_text(self.scope.time.longest_ms)
            raise RefusalError(
                "GOV247",
                f"the window `{shortened(duration.span)}` is longer than the longest one, {longest}",
                duration.span,
                f"write `longest window {shortened(duration.span)}` at the top of the policy",
            )
        return found

    def tell(self, text: str, found: Quantity, top: int | None = None) -> None:
        """Remember a number under the text of its operator; `top`: where it stops counting."""
        step = found.step / found.unit.factor
        self.memory.amounts[text, found.expr] = Amount(text, found.expr, step, top)

    def check_common(self, home: str, other: str, event: ast.Occurrence) -> None:
        """Refuse two that happen to different ones: at the samples of one the other is not seen.

        Raises:
            RefusalError: the scopes differ (GOV244).
        """
        if home == other:
            return
        first, second = (f"by `{one}`" if one else "for all" for one in (home, other))
        raise RefusalError(
            "GOV244",
            f"`{shortened(event.span)}` is kept {second}, what stands before it {first}",
            event.span,
            "write an event of the same ones, or ask how long ago: `alarm within 1 min`",
        )

    @contextmanager
    def in_range(self, span: Span) -> Iterator[None]:
        """Hold what is added to the state against 64 bits.

        Raises:
            RefusalError: it could leave them (GOV210).
        """
        before = len(self.memory.updates)
        yield
        ranges = self._ranges()
        with _overflow_refused(span):
            for update in self.memory.updates[before:]:
                intervals.check_condition(update.condition, ranges)
                intervals.interval(update.value, ranges)

    def check_range(self, condition: ir.BoolExpr, span: Span) -> None:
        """Hold a condition against 64 bits.

        Raises:
            RefusalError: a part of it could leave them (GOV210).
        """
        with _overflow_refused(span):
            intervals.check_condition(condition, self._ranges())

    def _ranges(self) -> dict[str, intervals.Interval]:
        time = self.scope.time
        columns = [
            *self.scope.fields.values(),
            *(column for event in time.events.values() for column in event.fields.values()),
            *(signal.column for signal in time.signals.values()),
            *(cell.field for cell in self.memory.cells.values()),
            ir.GAP_FIELD,
        ]
        kept = [state_cell(machine) for machine in time.machines.values()]
        return {one.name: (one.lo, one.hi) for one in (*columns, *kept) if not one.is_text} | {
            name: (param.lo, param.hi) for name, param in self.scope.params.items()
        }


@contextmanager
def _overflow_refused(span: Span) -> Iterator[None]:
    try:
        yield
    except intervals.RangeOverflowError as error:
        lo, hi = error.interval
        raise RefusalError(
            "GOV210",
            f"`{shortened(span)}` could reach {lo}..{hi}, which 64 bits do not hold",
            span,
            "narrow the range of what it reads, or write fewer digits",
        ) from None
