"""Operators over readings: `fresh(v, 5 s)`, `previous(v)`, `changed(v)`, `ewma(v, 0.3)`, `deviates(v, …)`.

In: a signal, a field of the request or of an event, and constants as written.  Out: values over the cells of
its samples, guarded by there having been one.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from govlang.compiler import flow, ir
from govlang.compiler.fields import constant, in_unit
from govlang.compiler.happenings import Signal as Declared
from govlang.compiler.ir import Stage
from govlang.compiler.monitors import Trigger
from govlang.compiler.monitors_signals import (
    ONE,
    Signal,
    changed,
    deviates,
    keep,
    mean,
    previous,
)
from govlang.compiler.occurrences import IS_REQUEST
from govlang.compiler.refusal import FaultyError, RefusalError, shortened
from govlang.compiler.resolve import unknown
from govlang.compiler.temporal_setting import Setting
from govlang.compiler.types import Condition, Quantity, Value, quantity_of, reading
from govlang.compiler.values import placed, template
from govlang.dsl import ast, units
from govlang.dsl.source import NO_SPAN, Span

# --- what has samples ---


def signal_of(setting: Setting, named: ast.Reading) -> tuple[Signal, ir.Field]:
    """What has samples: a signal, a field of the request or of an event; and the cell of the last one.

    Raises:
        RefusalError: nothing of that name has samples (GOV201), or they are texts (GOV248).
        FaultyError: its declaration was refused.
    """
    name = named.name if isinstance(named, ast.EventRef) else named
    if isinstance(named, ast.EventRef) and named.member is not None:
        return _signal_of_event(setting, name, named.member, named.span)
    declared = setting.scope.time.signals.get(name.text)
    if declared is not None:
        return declared_signal(setting, declared)
    asked = setting.scope.fields.get(name.text)
    if name.text in setting.scope.faulty:
        raise FaultyError
    if asked is None:
        known = (*setting.scope.time.signals, *setting.scope.fields)
        raise unknown("signal or field", name, known)
    text = setting.occurrences.named(f"{asked.name}, as last asked", setting.context)
    return _kept(setting, Signal(text, setting.context, asked, IS_REQUEST, is_asked=True))


def _signal_of_event(
    setting: Setting, name: ast.Name, member: ast.Name, span: Span
) -> tuple[Signal, ir.Field]:
    event = setting.occurrences.event(name, name.text)
    column = event.fields.get(member.text)
    if column is None:
        raise unknown(f"field of `{name.text}`", member, event.fields)
    trigger, home = setting.trigger(ast.EventRef(name, None, None, span))
    sampled = setting.occurrences.sampled(event.name)
    return _kept(setting, Signal(f"{trigger.name}.{member.text}", home, column, sampled))


def _kept(setting: Setting, signal: Signal) -> tuple[Signal, ir.Field]:
    """The samples of a column, which is taken in where it is there."""
    column = signal.field
    if column.is_text:
        raise RefusalError(
            "GOV248",
            f"`{signal.name}` is a text, which no state keeps",
            column.span or NO_SPAN,
            "read a number, a bool or an enumeration",
        )
    if column.optional:
        there = ir.conjunction((signal.sampled, ir.Has(column.name)))
        signal = replace(signal, sampled=there)
    cell = replace(column, name=signal.name, origin=ir.Origin.STATE, optional=False)
    keep(setting.memory, signal, cell)
    return signal, cell


def declared_signal(setting: Setting, declared: Declared) -> tuple[Signal, ir.Field]:
    """The cells of a declared signal."""
    home = ir.SHARED if declared.shared else setting.scope.key or ir.SHARED
    sampled = setting.occurrences.sampled(declared.name)
    signal = Signal(declared.name, home, declared.column, sampled)
    keep(setting.memory, signal, declared.cell, declared.start)
    return signal, declared.cell


# --- the last sample ---


def last_value(setting: Setting, declared: Declared, name: ast.Name) -> Value:
    """The last value of a signal; before its first sample there is none."""
    _, cell = declared_signal(setting, declared)
    found = template(cell, ir.FieldValue(cell.name), setting.scope.units)
    return placed(found, name, optional=declared.start is None)


def has_value(setting: Setting, declared: Declared, span: Span) -> Condition:
    """`has x` of a signal: there was a sample."""
    signal, _ = declared_signal(setting, declared)
    return Condition(ir.InRanges(signal.seen, ((1, 1),), span), flow.presence(declared.name))


def is_fresh(setting: Setting, named: ast.Reading, duration: ast.Number) -> Condition:
    """`fresh(x, d)`: the last sample is no older than `d`."""
    signal, _ = signal_of(setting, named)
    trigger = Trigger(f"{signal.name}.sample", Stage.TAKE, signal.sampled)
    recent = setting.memory.within(trigger, signal.scope, setting.window(duration))
    present = named.text if isinstance(named, ast.Name) else signal.name
    return Condition(recent, flow.presence(present))


def is_stale(setting: Setting, expr: ast.Stale) -> Condition:
    """`stale(x, d)`: the last sample is older than `d`, or there was none."""
    fresh = is_fresh(setting, expr.reading, expr.duration)
    return Condition(ir.negation(fresh.expr, expr.span), flow.negated(fresh.flow))


# --- the samples before it ---


def has_changed(setting: Setting, named: ast.Reading) -> Condition:
    """`changed(x)`: this sample differs from the one before."""
    return Condition(changed(setting.memory, *signal_of(setting, named)))


def previous_value(setting: Setting, named: ast.Reading) -> Value:
    """`previous(x)`: the sample before the last one."""
    signal, cell = signal_of(setting, named)
    name = previous(setting.memory, signal, cell)
    found = template(replace(cell, name=name), ir.FieldValue(name), setting.scope.units)
    return reading(found, _begun(setting, named, signal))


def ewma(setting: Setting, expr: ast.Ewma) -> Quantity:
    """The mean as a number on a grid of 2^-16 steps.

    Raises:
        RefusalError: it is no number, or `alpha` is no weight (GOV248).
    """
    signal, cell = signal_of(setting, expr.reading)
    number = _number_of(setting, cell, expr.reading.span)
    alpha = _share(setting, expr.alpha)
    name = mean(setting.memory, signal, alpha, f"ewma({signal.name}, {alpha})")
    lo, hi = number.interval
    return replace(
        number,
        expr=ir.FieldValue(name),
        interval=(lo * ONE, hi * ONE),
        step=number.step / ONE,
        flow=_begun(setting, expr.reading, signal),
    )


def has_deviated(setting: Setting, expr: ast.Deviates) -> Condition:
    """`deviates(x, …)`: the last sample lay apart from those before it.

    Raises:
        RefusalError: it is no number, or a constant makes no sense (GOV248).
    """
    signal, cell = signal_of(setting, expr.reading)
    number = _number_of(setting, cell, expr.reading.span)
    floor = Fraction(0)
    if expr.floor is not None:
        found = in_unit(expr.floor, number.unit, setting.scope.units)
        floor = found * number.unit.factor / number.step
    by = constant(expr.by, setting.scope.units)
    after = Fraction(0) if expr.after is None else Fraction(expr.after.value)
    whole = after.denominator == 1 and after <= 10_000
    if by.unit != units.ONE or by.value <= 0 or floor < 0 or not whole:
        raise RefusalError(
            "GOV248",
            f"`{shortened(expr.span)}` makes no sense",
            expr.span,
            "write `by` as a plain number above 0, and `after` up to 10 000 samples",
        )
    alpha = _share(setting, expr.alpha)
    return Condition(deviates(setting.memory, signal, alpha, by.value, floor, after.numerator))


def _begun(setting: Setting, named: ast.Reading, signal: Signal) -> flow.Flow:
    """What must be there for a sample of the past to be: one at all; a required field always is."""
    if isinstance(named, ast.EventRef):
        return flow.read(signal.name, named.span)
    asked = setting.scope.fields.get(named.text)
    required = asked is not None and not asked.optional
    return flow.EMPTY if required else flow.read(named.text, named.span)


def _number_of(setting: Setting, cell: ir.Field, span: Span) -> Quantity:
    if cell.kind not in (ir.Kind.NUMBER, ir.Kind.DURATION):
        raise RefusalError("GOV248", f"`{shortened(span)}` is no number", span, "smooth a number")
    unit = setting.scope.units.of_range(cell.unit)
    return quantity_of(cell, ir.FieldValue(cell.name), unit)


def _share(setting: Setting, alpha: ast.Number) -> Fraction:
    """The weight of the newest sample, from just above 0 to 1."""
    value = constant(alpha, setting.scope.units).value
    if not 0 < value <= 1 or value.denominator > 10**6:
        raise RefusalError(
            "GOV248",
            f"`alpha {shortened(alpha.span)}` is no weight",
            alpha.span,
            "write a number above 0 up to 1 with at most 6 digits",
        )
    return value
