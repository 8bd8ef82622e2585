"""Expressions over time as values over cells.

In: a temporal expression, and the checker for what stands inside it.  Out: a condition or a number whose
IR reads cells; the cells are collected in `Memory`.

What always holds: an operator's value follows from the cells alone, so that nothing behind the front end
knows of it; what reads an optional field or a signal inside an operator is guarded inside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final, Protocol

from govlang.compiler import comparisons, flow, intervals, ir, measure
from govlang.compiler.fields import constant, in_unit, milliseconds
from govlang.compiler.happenings import ALLOWED, Event, state_cell
from govlang.compiler.happenings import Signal as Declared
from govlang.compiler.ir import ArithOp, BoolExpr, CompareOp, Stage
from govlang.compiler.lets import names_of
from govlang.compiler.monitors import COUNT_MAX, Memory, Trigger
from govlang.compiler.monitors_panes import PANES_MAX, SUM_MAX, TIMES_MAX, panes_of, summed
from govlang.compiler.monitors_signals import (
    ONE,
    Signal,
    changed,
    changes,
    deviates,
    keep,
    mean,
    previous,
)
from govlang.compiler.numbers import agree
from govlang.compiler.occurrences import IS_REQUEST, Occurrences
from govlang.compiler.refusal import FaultyError, RefusalError, shortened
from govlang.compiler.resolve import Scope, unknown
from govlang.compiler.types import Condition, Constant, Faulty, Quantity, Value, quantity_of
from govlang.compiler.types import reading as reading_of
from govlang.compiler.values import number_in, placed, template
from govlang.dsl import ast
from govlang.dsl.expression_text import expression
from govlang.dsl.source import NO_SPAN, Span
from govlang.dsl.units import BUILT_IN, MILLISECOND, Unit
from govlang.dsl.units import ONE as UNIT

COUNTED_MAX: Final = 2**31 - 1
"""Where a count since something stops."""


class Inner(Protocol):
    """What is asked about the expressions inside an operator: the checker of the rest of the language."""

    def value(self, expr: ast.Expr) -> Value:
        """What an expression comes to."""

    def inside(self, expr: ast.Expr) -> Condition:
        """A condition that nothing outside the operator guards."""


@dataclass(slots=True)
class Temporal:
    """Checks temporal expressions in one scope of names; `context` is the scope of cells that is meant."""

    scope: Scope
    checker: Inner
    memory: Memory = field(default_factory=Memory)
    occurrences: Occurrences = field(init=False)
    context: str = ir.SHARED
    reads: dict[str, None] = field(default_factory=dict)
    """The names of the clock's columns that are read."""

    def __post_init__(self) -> None:
        self.occurrences = Occurrences(self.scope, self.memory)
        self.context = self.scope.key or ir.SHARED

    # --- expressions -----------------------------------------------------------------------------

    def value(self, expr: ast.Temporal) -> Value:
        """What an expression comes to.

        Raises:
            RefusalError: it makes no sense, would need a state without bound, or could leave 64 bits.
        """
        with self._in_range(expr.span):
            return self._value(expr)

    @contextmanager
    def _in_range(self, span: Span) -> Iterator[None]:
        """Hold what is added to the state against 64 bits."""
        before = len(self.memory.updates)
        yield
        ranges = self._ranges()
        try:
            for update in self.memory.updates[before:]:
                intervals.check_condition(update.condition, ranges)
                intervals.interval(update.value, ranges)
        except intervals.RangeOverflowError as error:
            raise _overflow(span, error.interval) from None

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

    def _value(self, expr: ast.Temporal) -> Value:
        match expr:
            case ast.EventRef() | ast.Enters():
                return self.happens(expr)
            case ast.HappenedWithin(operand=operand, duration=duration):
                trigger, home = self._trigger(operand)
                return Condition(self.memory.within(trigger, home, self.window(duration)))
            case ast.Ago(operand=operand, newest=newest, oldest=oldest):
                return self._ago(operand, newest, oldest)
            case ast.HeldFor(operand=operand, duration=duration):
                trigger, home = self._lasting(operand)
                return Condition(self.memory.held_for(trigger, home, self.window(duration)))
            case ast.Since(operand=operand, event=event, within=within):
                return self._since(operand, event, within)
            case ast.Count(since=ast.Window(pane=None)) | ast.Elapsed() | ast.Extreme():
                raise self._uncompared(expr)
            case ast.Count():
                return self._count(expr)
            case ast.Total(function="average"):
                raise self._uncompared(expr)
            case ast.Total():
                return self._sum(expr)
            case ast.Ewma():
                return self._ewma(expr)
            case ast.Deviates():
                return self._deviates(expr)
            case ast.Fresh(reading=reading, duration=duration):
                return self._fresh(reading, duration)
            case ast.Stale(reading=reading, duration=duration):
                fresh = self._fresh(reading, duration)
                return replace(
                    fresh, expr=ir.negation(fresh.expr, expr.span), flow=flow.negated(fresh.flow)
                )
            case ast.Previous(reading=reading):
                return self._previous(reading)
            case ast.Changed(reading=reading):
                return Condition(changed(self.memory, *self._signal(reading)))
            case ast.Possible():
                raise RefusalError(
                    "GOV217",
                    "`always possible` is a whole property and no part of one",
                    expr.span,
                    "write `prove NAME: always possible (…)`",
                )
            case ast.Reserved():
                raise RefusalError(
                    "GOV120",
                    f"`{shortened(expr.span)}` is not part of this version of the language",
                    expr.span,
                    "leave it out",
                )

    def compared(
        self, op: str, bounded: ast.Bounded, other: ast.Expr, span: Span
    ) -> Condition | None:
        """`bounded op other` where `other` is a constant or a parameter; None if it is neither."""
        with self._in_range(span):
            return self._compared(op, bounded, other, span)

    def _compared(
        self, op: str, bounded: ast.Bounded, other: ast.Expr, span: Span
    ) -> Condition | None:
        found = self.checker.value(other)
        if isinstance(found, Faulty):
            raise FaultyError
        bound = number_in(found, other)
        match bounded:
            case ast.Count(since=ast.Window(pane=None, duration=duration)):
                return self._counted(op, bounded, duration, bound, span)
            case ast.Elapsed(event=event):
                return self._elapsed(op, event, bound, span)
            case ast.Extreme():
                return self._extreme(op, bounded, other, span)
            case ast.Total(function="average"):
                return self._average(op, bounded, bound, span)
            case ast.Count() if not isinstance(bounded.since, ast.Window):
                return self._counted_since(op, bounded, bound, span)
            case _:
                return None

    # --- what is not written by an operator --------------------------------------------------------

    def machine(self, name: str) -> None:
        """A machine's state is read."""
        declared = self.scope.time.machines[name]
        self.memory.expect(name, Stage.MOVE, self.occurrences.machine_scope(declared))

    def clock(self, name: str, span: Span) -> Value:
        """`gap` and `clock_fault`: what the clock says of this sample."""
        self.reads[name] = None
        if name == "clock_fault":
            return Condition(ir.InRanges(ir.CLOCK_FAULT, ((1, 1),), span))
        return Quantity(ir.FieldValue(ir.GAP), (0, ir.GAP_MAX), MILLISECOND.factor, MILLISECOND)

    # --- triggers --------------------------------------------------------------------------------

    def happens(self, what: ast.Occurrence | ast.Name) -> Condition:
        """It happens at this very sample."""
        trigger, home = self.occurrences.trigger(what, self.context)
        if trigger.stage == Stage.CLOSE:
            raise RefusalError(
                "GOV246",
                f"`{shortened(what.span)}` happens once the rules have decided, so none of them can read it",
                what.span,
                f"write how long ago, or how often: `count({shortened(what.span)}) in 1 min >= 3`",
            )
        if home not in (self.context, ir.SHARED):
            raise RefusalError(
                "GOV246",
                f"`{shortened(what.span)}` says which ones to count, not that one happens",
                what.span,
                f"write `count({shortened(what.span)}) in …`",
            )
        return Condition(trigger.condition)

    def is_event(self, expr: ast.Expr) -> bool:
        """Whether an expression names what happens."""
        if isinstance(expr, ast.EventRef | ast.Enters):
            return True
        return isinstance(expr, ast.Name) and self.scope.is_event(expr.text)

    def _trigger(self, operand: ast.Expr) -> tuple[Trigger, str]:
        if isinstance(operand, ast.EventRef | ast.Enters | ast.Name) and self.is_event(operand):
            return self.occurrences.trigger(operand, self.context)
        if isinstance(operand, ast.Changed):
            signal, cell = self._signal(operand.reading)
            text = self.occurrences.named(expression(operand), signal.scope)
            return Trigger(text, Stage.TAKE, changes(signal, cell)), signal.scope
        condition = self.checker.inside(operand)
        return self.occurrences.condition(
            condition.expr, expression(operand), self.context, operand.span
        )

    # --- windows ---------------------------------------------------------------------------------

    def window(self, duration: ast.Number) -> int:
        """A window in ms, no longer than the longest."""
        found = milliseconds(duration, self.scope.units)
        if found > self.scope.time.longest_ms:
            longest = measure.shown(self.scope.time.longest_ms * MILLISECOND.factor, BUILT_IN["h"])
            raise RefusalError(
                "GOV247",
                f"the window `{shortened(duration.span)}` is longer than the longest one, {longest}",
                duration.span,
                f"write `longest window {shortened(duration.span)}` at the top of the policy",
            )
        return found

    def _ago(self, operand: ast.Expr, newest: ast.Number, oldest: ast.Number) -> Condition:
        near, far = milliseconds(newest, self.scope.units), self.window(oldest)
        if near > far:
            raise RefusalError(
                "GOV247",
                f"`{shortened(newest.span)}` is longer ago than `{shortened(oldest.span)}`",
                newest.span,
                "write the shorter time first",
            )
        if 1 + far // (far - near + 2) > COUNT_MAX:
            raise RefusalError(
                "GOV247",
                f"a window of {far - near} ms, {far} ms ago, needs more than {COUNT_MAX} times",
                oldest.span,
                "widen the window",
            )
        trigger, home = self._trigger(operand)
        return Condition(self.memory.between(trigger, home, near, far))

    def _since(
        self, operand: ast.Expr, event: ast.Occurrence | ast.Name, within: ast.Number | None
    ) -> Condition:
        holds, home = self._lasting(operand)
        anchor, other = self.occurrences.trigger(event, self.context)
        window = None if within is None else self.window(within)
        if home == ir.SHARED and not (self.is_event(operand) or isinstance(operand, ast.Changed)):
            home = other  # what is held for all can be looked at anywhere
        self._check_common(home, other, event)
        return Condition(self.memory.since(holds, anchor, home, window))

    def _lasting(self, operand: ast.Expr) -> tuple[Trigger, str]:
        """What can hold at every sample; the outcome of requests cannot."""
        trigger, home = self._trigger(operand)
        if trigger.stage == Stage.CLOSE:
            raise RefusalError(
                "GOV246",
                f"`{shortened(operand.span)}` happens to requests only, so it holds at no other sample",
                operand.span,
                "write how long ago, or how often: `count(allowed) in 1 min >= 3`",
            )
        return trigger, home

    def _check_common(self, home: str, other: str, event: ast.Occurrence | ast.Name) -> None:
        """Refuse two that happen to different ones: at the samples of one the other is not seen."""
        if home == other:
            return
        first, second = (f"by `{one}`" if one else "for all" for one in (home, other))
        raise RefusalError(
            "GOV244",
            f"`{shortened(event.span)}` is kept {second}, what stands before it {first}",
            event.span,
            "write an event of the same ones, or ask how long ago: `alarm within 1 min`",
        )

    # --- how often -------------------------------------------------------------------------------

    def _counted(
        self,
        op: str,
        count: ast.Count,
        duration: ast.Number,
        bound: Constant | Quantity,
        span: Span,
    ) -> Condition:
        """`count(E) in d op n`."""
        trigger, home = self.occurrences.trigger(count.event, self.context)
        window = self.window(duration)
        if isinstance(bound, Quantity):
            return self._counted_by_param(op, trigger, home, window, bound, span)
        return Condition(self._at(op, trigger, home, window, self._times(bound.value, span), span))

    def _times(self, value: Fraction, span: Span) -> int:
        if value.denominator != 1 or not 0 <= value <= COUNT_MAX:
            raise RefusalError(
                "GOV247",
                f"a count is compared with a whole number up to {COUNT_MAX}",
                span,
                "count by panes beyond that: `count(E) in 1 h by 5 min`",
            )
        return value.numerator

    def _at(
        self, op: str, trigger: Trigger, home: str, window: int, n: int, span: Span
    ) -> BoolExpr:
        def at_least(times: int) -> BoolExpr:
            return self.memory.counted(trigger, home, window, times)

        match op:
            case ">=":
                return at_least(n)
            case ">":
                return at_least(n + 1)
            case "<":
                return ir.negation(at_least(n), span)
            case "<=":
                return ir.negation(at_least(n + 1), span)
            case "==":
                return ir.conjunction((at_least(n), ir.negation(at_least(n + 1))), span)
            case _:
                return ir.disjunction((ir.negation(at_least(n)), at_least(n + 1)), span)

    def _counted_by_param(
        self, op: str, trigger: Trigger, home: str, window: int, bound: Quantity, span: Span
    ) -> Condition:
        """Against a parameter: the comparison for each of its values."""
        if not isinstance(bound.expr, ir.ParamValue):
            raise RefusalError(
                "GOV247",
                f"`{shortened(span)}` compares a count with what varies",
                span,
                "compare it with a number or a parameter, or count by panes: `in 1 h by 5 min`",
            )
        values = [self._times(v * bound.step, span) for v in map(Fraction, bound.interval)]
        cases = (
            ir.conjunction(
                (
                    ir.Compare(CompareOp.EQ, bound.expr, ir.IntConst(n)),
                    self._at(op, trigger, home, window, n, span),
                )
            )
            for n in range(values[0], values[1] + 1)
        )
        return Condition(ir.disjunction(cases, span))

    def _count(self, expr: ast.Count) -> Quantity:
        """A count as a number: since something happened, or by panes."""
        trigger, home = self.occurrences.trigger(expr.event, self.context)
        if isinstance(expr.since, ast.Window):
            return self._counts(expr.since, trigger, home)
        return self._counter(expr, COUNTED_MAX)

    def _counted_since(
        self, op: str, expr: ast.Count, bound: Constant | Quantity, span: Span
    ) -> Condition | None:
        """Against a constant: the counter stops just above it."""
        if not isinstance(bound, Constant) or bound.value.denominator != 1:
            return None
        top = min(max(bound.value.numerator + 1, 1), COUNTED_MAX)
        return Condition(comparisons.compared(op, self._counter(expr, top), bound, span))

    def _counter(self, expr: ast.Count, top: int) -> Quantity:
        assert not isinstance(expr.since, ast.Window)
        trigger, home = self.occurrences.trigger(expr.event, self.context)
        anchor, other = self.occurrences.trigger(expr.since, self.context)
        self._check_common(home, other, expr.since)
        name = self.memory.counter(trigger, anchor, home, top)
        return Quantity(ir.FieldValue(name), (0, top), Fraction(1))

    def _elapsed(
        self,
        op: str,
        event: ast.Occurrence | ast.Name,
        bound: Constant | Quantity,
        span: Span,
    ) -> Condition:
        """`elapsed(E) op d`; what never happened is longer ago than anything."""
        trigger, home = self.occurrences.trigger(event, self.context)
        if not isinstance(bound, Constant) or bound.unit.dimension != MILLISECOND.dimension:
            raise RefusalError(
                "GOV247", f"`{shortened(span)}` compares a time with none", span, "write `> 5 min`"
            )
        ms = bound.value / MILLISECOND.factor
        if op not in ("<", "<=", ">", ">=") or ms.denominator != 1 or ms < 0:
            raise RefusalError(
                "GOV247", f"`{shortened(span)}` asks for a very moment", span, "write `> 5 min`"
            )
        window = ms.numerator - (op in ("<", ">="))
        number = ast.Number(f"{max(window, 0)}", "ms", bound.span)
        recent = self.memory.within(trigger, home, self.window(number)) if window >= 0 else ir.FALSE
        return Condition(recent if op in ("<", "<=") else ir.negation(recent, span))

    # --- sums ------------------------------------------------------------------------------------

    def _counts(self, window: ast.Window, trigger: Trigger, home: str) -> Quantity:
        """How often something happened, by panes."""
        stem, one = f"count({trigger.name})", ir.IntConst(1)
        return self._panes(window, stem, trigger, one, home, most=TIMES_MAX)

    def _panes(
        self,
        window: ast.Window,
        stem: str,
        trigger: Trigger,
        amount: ir.IntExpr,
        home: str,
        step: Fraction = Fraction(1),
        unit: Unit = UNIT,
        most: int = SUM_MAX,
    ) -> Quantity:
        assert window.pane is not None
        length, whole = self.window(window.pane), self.window(window.duration)
        text = f"{stem} in {whole} by {length}"
        panes = panes_of(text, whole, max(length, 1), under=window.under, most=most)
        if length > whole or length == 0 or panes.count > PANES_MAX:
            raise RefusalError(
                "GOV247",
                f"`{shortened(window.span)}` is cut into {panes.count} panes",
                window.span,
                f"write a pane no longer than the window, of which at most {PANES_MAX} cover it",
            )
        found = summed(self.memory, panes, trigger, amount, home)
        return Quantity(found, (0, panes.most), step, unit)

    def _sum(self, expr: ast.Total) -> Quantity:
        """`sum(E.x) in d by p`."""
        trigger, home, column = self._summand(expr)
        if expr.window.pane is None:
            raise RefusalError(
                "GOV247",
                f"`{shortened(expr.span)}` would keep every one of them",
                expr.span,
                f"say in what grain: `in {shortened(expr.window.duration.span)} by 5 min`",
            )
        unit = self.scope.units.find(column.unit or None)
        assert unit is not None, "units of declared ranges are known"
        step = Fraction(column.step_num, column.step_den) * unit.factor
        stem = f"sum({trigger.name}, {column.name})"
        amount = ir.FieldValue(column.name)
        return self._panes(expr.window, stem, trigger, amount, home, step, unit)

    def _summand(self, expr: ast.Total) -> tuple[Trigger, str, ir.Field]:
        """What is summed, and when it is added."""
        if not isinstance(expr.of, ast.EventRef) or expr.of.member is None:
            raise RefusalError(
                "GOV248",
                f"`{expr.function}` needs a field of an event",
                expr.of.span,
                f"write `{expr.function}(allowed.tokens)` or `{expr.function}(E.x)`",
            )
        of, member = expr.of, expr.of.member
        bare = ast.EventRef(of.name, None, of.per, of.span)
        trigger, home = self.occurrences.trigger(bare, self.context)
        event = self.occurrences.event(of.name, of.name.text)
        columns = self._columns(event)
        if not columns:
            raise RefusalError(
                "GOV248",
                f"the event `{event.name}` carries nothing that could be summed",
                of.span,
                "sum a field of `allowed`, or declare the event with one: `event E { x : … }`",
            )
        column = columns.get(member.text)
        if column is None:
            raise unknown(f"field of `{event.name}`", member, columns)
        if (
            column.kind not in (ir.Kind.NUMBER, ir.Kind.DURATION)
            or column.lo < 0
            or column.optional
        ):
            raise RefusalError(
                "GOV248",
                f"`{shortened(of.span)}` is no number from 0 up that is always there",
                member.span,
                "sum a number whose range begins at 0 or above",
            )
        return trigger, home, column

    def _columns(self, event: Event) -> dict[str, ir.Field]:
        """The fields of an event; `allowed` has those of the request."""
        if event.name != ALLOWED:
            return event.fields
        return {n: f for n, f in self.scope.fields.items() if not f.is_text}

    def _average(
        self, op: str, expr: ast.Total, bound: Constant | Quantity, span: Span
    ) -> Condition:
        """`average(E.x) in d by p op c`: the sum against c times the count; of nothing, false."""
        total = self._sum(replace(expr, function="sum"))
        assert isinstance(expr.of, ast.EventRef)
        bare = ast.EventRef(expr.of.name, None, expr.of.per, expr.of.span)
        trigger, home = self.occurrences.trigger(bare, self.context)
        count = self._counts(expr.window, trigger, home)
        if not isinstance(bound, Constant):
            raise RefusalError(
                "GOV248",
                f"`{shortened(span)}` compares an average with what varies",
                span,
                "write a number",
            )
        agree(total, bound, span)
        steps = bound.value / total.step
        left = ir.Arith(ArithOp.MUL, total.expr, ir.IntConst(steps.denominator))
        right = ir.Arith(ArithOp.MUL, count.expr, ir.IntConst(steps.numerator))
        some = ir.Compare(CompareOp.LT, ir.IntConst(0), count.expr)
        pair = (right, left) if op in (">", ">=") else (left, right)
        sign = {">": "<", ">=": "<="}.get(op, op)
        whole = ir.conjunction((some, ir.Compare(CompareOp(sign), *pair)), span)
        try:
            intervals.check_condition(whole, self._ranges())
        except intervals.RangeOverflowError as error:
            raise _overflow(span, error.interval) from None
        return Condition(whole)

    # --- readings --------------------------------------------------------------------------------

    def _extreme(self, op: str, expr: ast.Extreme, other: ast.Expr, span: Span) -> Condition:
        """`max(x) in d >= c` says that x >= c held in d; `max(x) in d < c` that it did not."""
        rising = expr.function == "max"
        lasting = op in ((">", ">=") if rising else ("<", "<="))
        if op in ("==", "!="):
            raise RefusalError(
                "GOV247", f"`{op}` asks for a very value", span, "compare with `<` or `>=`"
            )
        test = op if lasting else {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}[op]
        held: ast.Expr = ast.Compare(test, expr.operand, other, span)
        for name in _optional_names(expr.operand, self.scope):
            held = ast.Logical("and", (ast.Has(name, name.span), held), span)
        within = self.value(ast.HappenedWithin(held, expr.duration, span))
        assert isinstance(within, Condition)
        return within if lasting else replace(within, expr=ir.negation(within.expr, span))

    def _signal(self, reading: ast.Reading) -> tuple[Signal, ir.Field]:
        """What has samples: a signal, a field of the request or of an event; and the cell of the last one."""
        name = reading.name if isinstance(reading, ast.EventRef) else reading
        if isinstance(reading, ast.EventRef) and reading.member is not None:
            event = self.occurrences.event(name, name.text)
            column = event.fields.get(reading.member.text)
            if column is None:
                raise unknown(f"field of `{name.text}`", reading.member, event.fields)
            bare = ast.EventRef(name, None, None, reading.span)
            trigger, home = self.occurrences.trigger(bare, self.context)
            text = f"{trigger.name}.{reading.member.text}"
            return self._kept(text, column, home, event.name)
        declared = self.scope.time.signals.get(name.text)
        if declared is not None:
            return self.signal(declared)
        asked = self.scope.fields.get(name.text)
        if name.text in self.scope.faulty:
            raise FaultyError
        if asked is None:
            raise unknown("signal or field", name, (*self.scope.time.signals, *self.scope.fields))
        text = self.occurrences.named(f"{asked.name}, as last asked", self.context)
        return self._kept(text, asked, self.context, None)

    def _kept(
        self, text: str, column: ir.Field, home: str, event: str | None
    ) -> tuple[Signal, ir.Field]:
        if column.is_text:
            raise RefusalError(
                "GOV248",
                f"`{text}` is a text, which no state keeps",
                column.span or NO_SPAN,
                "read a number, a bool or an enumeration",
            )
        sampled = IS_REQUEST if event is None else self.occurrences.sampled(event)
        if column.optional:
            sampled = ir.conjunction((sampled, ir.Has(column.name)))
        cell = replace(column, name=text, origin=ir.Origin.STATE, optional=False)
        signal = Signal(text, home, column, sampled, event is None)
        keep(self.memory, signal, cell)
        return signal, cell

    def signal(self, declared: Declared) -> tuple[Signal, ir.Field]:
        """The cells of a signal."""
        home = ir.SHARED if declared.shared else self.scope.key or ir.SHARED
        signal = Signal(
            declared.name, home, declared.column, self.occurrences.sampled(declared.name)
        )
        keep(self.memory, signal, declared.cell, declared.start)
        return signal, declared.cell

    def read_signal(self, declared: Declared, name: ast.Name) -> Value:
        """The last value of a signal; before its first sample there is none."""
        _, cell = self.signal(declared)
        found = template(cell, ir.FieldValue(cell.name), self.scope.units)
        return placed(found, name, optional=declared.start is None)

    def has(self, declared: Declared, span: Span) -> Condition:
        """`has x` of a signal: there was a sample."""
        signal, _ = self.signal(declared)
        return Condition(ir.InRanges(signal.seen, ((1, 1),), span), flow.presence(declared.name))

    def _fresh(self, reading: ast.Reading, duration: ast.Number) -> Condition:
        signal, _ = self._signal(reading)
        trigger = Trigger(f"{signal.name}.sample", Stage.TAKE, signal.sampled)
        recent = self.memory.within(trigger, signal.scope, self.window(duration))
        present = reading.text if isinstance(reading, ast.Name) else signal.name
        return Condition(recent, flow.presence(present))

    def _previous(self, reading: ast.Reading) -> Value:
        signal, cell = self._signal(reading)
        name = previous(self.memory, signal, cell)
        column = replace(cell, name=name)
        found = template(column, ir.FieldValue(name), self.scope.units)
        return reading_of(found, self._begun(reading, signal))

    def _begun(self, reading: ast.Reading, signal: Signal) -> flow.Flow:
        """What must be there for a sample of the past to be: one at all; a required field always is."""
        if isinstance(reading, ast.EventRef):
            return flow.read(signal.name, reading.span)
        asked = self.scope.fields.get(reading.text)
        required = asked is not None and not asked.optional
        return flow.EMPTY if required else flow.read(reading.text, reading.span)

    def _ewma(self, expr: ast.Ewma) -> Quantity:
        """The mean as a number on a grid of 2^-16 steps."""
        signal, cell = self._signal(expr.reading)
        number = self._number_of(cell, expr.reading.span)
        alpha = self._share(expr.alpha)
        name = mean(self.memory, signal, alpha, f"ewma({signal.name}, {alpha})")
        lo, hi = number.interval
        fixed = replace(number, expr=ir.FieldValue(name), interval=(lo * ONE, hi * ONE))
        return replace(fixed, step=number.step / ONE, flow=self._begun(expr.reading, signal))

    def _deviates(self, expr: ast.Deviates) -> Condition:
        signal, cell = self._signal(expr.reading)
        number = self._number_of(cell, expr.reading.span)
        floor = Fraction(0)
        if expr.floor is not None:
            floor = (
                in_unit(expr.floor, number.unit, self.scope.units)
                * number.unit.factor
                / number.step
            )
        times = constant(expr.by, self.scope.units)
        by = times.value
        after = Fraction(0) if expr.after is None else Fraction(expr.after.value)
        whole = after.denominator == 1 and after <= 10_000
        if times.unit != UNIT or by <= 0 or floor < 0 or not whole:
            raise RefusalError(
                "GOV248", f"`{shortened(expr.span)}` makes no sense", expr.span,
                "write `by` as a plain number above 0, and `after` up to 10 000 samples",
            )  # fmt: skip
        alpha = self._share(expr.alpha)
        found = deviates(self.memory, signal, alpha, by, floor, after.numerator)
        return Condition(found)

    def _number_of(self, cell: ir.Field, span: Span) -> Quantity:
        if cell.kind not in (ir.Kind.NUMBER, ir.Kind.DURATION):
            raise RefusalError(
                "GOV248", f"`{shortened(span)}` is no number", span, "smooth a number"
            )
        unit = self.scope.units.find(cell.unit or None)
        assert unit is not None, "units of declared ranges are known"
        return quantity_of(cell, ir.FieldValue(cell.name), unit)

    def _share(self, alpha: ast.Number) -> Fraction:
        value = constant(alpha, self.scope.units).value
        if not 0 < value <= 1 or value.denominator > 10**6:
            raise RefusalError(
                "GOV248",
                f"`alpha {shortened(alpha.span)}` is no weight",
                alpha.span,
                "write a number above 0 up to 1 with at most 6 digits",
            )
        return value

    def _uncompared(self, expr: ast.Bounded) -> RefusalError:
        return RefusalError(
            "GOV247",
            f"`{shortened(expr.span)}` can only be compared with a number",
            expr.span,
            f"write `{shortened(expr.span)} >= …`",
        )


def _overflow(span: Span, reached: intervals.Interval) -> RefusalError:
    return RefusalError(
        "GOV210",
        f"`{shortened(span)}` could reach {reached[0]}..{reached[1]}, which 64 bits do not hold",
        span,
        "narrow the range of what it reads, or write fewer digits",
    )


def _optional_names(expr: ast.Expr, scope: Scope) -> list[ast.Name]:
    """The signals and optional fields that an expression names."""

    def counts(name: str) -> bool:
        asked = scope.fields.get(name)
        signal = scope.time.signals.get(name)
        return (asked is not None and asked.optional) or (
            signal is not None and signal.start is None
        )

    return [name for name in names_of(expr) if counts(name.text)]
