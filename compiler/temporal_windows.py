"""Conditions over time: `E within d`, `E between d and d ago`, `x for d`, `x since E`, `elapsed(E) > d`.

In: operators as written.  Out: conditions over the ages of what happened and the time for which something held.
"""

from __future__ import annotations

from dataclasses import replace

from govlang.compiler import ir
from govlang.compiler.fields import lasting, milliseconds
from govlang.compiler.happenings import READ_OFF_THE_CLOCK
from govlang.compiler.ir import Stage
from govlang.compiler.lets import names_of
from govlang.compiler.monitors import COUNT_MAX, Trigger
from govlang.compiler.monitors_signals import changes
from govlang.compiler.refusal import RefusalError, shortened
from govlang.compiler.resolve import unknown
from govlang.compiler.temporal_setting import Setting
from govlang.compiler.temporal_signals import signal_of
from govlang.compiler.types import Condition, Constant, Number
from govlang.dsl import ast
from govlang.dsl.expression_text import expression
from govlang.dsl.source import Span
from govlang.dsl.units import MILLISECOND, duration_text

# --- what happens or holds ---


def happens(setting: Setting, what: ast.Occurrence | ast.Name) -> Condition:
    """It happens at this very sample.

    Raises:
        RefusalError: it happens once the rules have decided, or to others (GOV246).
    """
    trigger, home = setting.trigger(what)
    text = shortened(what.span)
    if trigger.stage == Stage.CLOSE:
        raise RefusalError(
            "GOV246",
            f"`{text}` happens once the rules have decided, so none of them can read it",
            what.span,
            f"write how long ago, or how often: `count({text}) in 1 min >= 3`",
        )
    if home not in (setting.context, ir.SHARED):
        raise RefusalError(
            "GOV246",
            f"`{text}` says which ones to count, not that one happens",
            what.span,
            f"write `count({text}) in …`",
        )
    return Condition(trigger.condition)


def _is_event(setting: Setting, expr: ast.Expr) -> bool:
    """Whether an expression names what happens."""
    if isinstance(expr, ast.EventRef | ast.Enters):
        return True
    return isinstance(expr, ast.Name) and setting.scope.is_event(expr.text)


def _trigger(setting: Setting, operand: ast.Expr) -> tuple[Trigger, str]:
    """When an operand happens or holds, and the scope in which that is kept."""
    if isinstance(operand, ast.EventRef | ast.Enters | ast.Name) and _is_event(setting, operand):
        return setting.trigger(operand)
    if isinstance(operand, ast.Name):
        _check_known(setting, operand)
    if isinstance(operand, ast.Changed):
        signal, cell = signal_of(setting, operand.reading)
        text = setting.occurrences.named(expression(operand), signal.scope)
        return Trigger(text, Stage.TAKE, changes(signal, cell)), signal.scope
    condition = setting.checker.inside(operand)
    text = expression(operand)
    return setting.occurrences.condition(condition.expr, text, setting.context, operand.span)


def _check_known(setting: Setting, name: ast.Name) -> None:
    """Refuse a word that is nothing, before it is looked for among the fields (GOV201)."""
    known = (*setting.scope.names(), *setting.scope.outputs, *READ_OFF_THE_CLOCK)
    if name.text not in known:
        raise unknown("event or condition", name, known, f"declare it: `event {name.text}`")


def _lasting(setting: Setting, operand: ast.Expr) -> tuple[Trigger, str]:
    """What can hold at every sample; the outcome of requests cannot."""
    trigger, home = _trigger(setting, operand)
    if trigger.stage == Stage.CLOSE:
        raise RefusalError(
            "GOV246",
            f"`{shortened(operand.span)}` happens to requests only, so it holds at no other sample",
            operand.span,
            "write how long ago, or how often: `count(allowed) in 1 min >= 3`",
        )
    return trigger, home


# --- operators ---


def happened_within(setting: Setting, operand: ast.Expr, duration: ast.Number) -> Condition:
    """`E within d`."""
    trigger, home = _trigger(setting, operand)
    return Condition(setting.memory.within(trigger, home, setting.window(duration)))


def held_for(setting: Setting, operand: ast.Expr, duration: ast.Number) -> Condition:
    """`x for d`."""
    trigger, home = _lasting(setting, operand)
    lasting(duration, setting.scope.units, "leave `for` out")
    return Condition(setting.memory.held_for(trigger, home, setting.window(duration)))


def happened_between(
    setting: Setting, operand: ast.Expr, newest: ast.Number, oldest: ast.Number
) -> Condition:
    """`E between d and d ago`.

    Raises:
        RefusalError: the window is empty, too long, or needs too many ages (GOV247).
    """
    near, far = milliseconds(newest, setting.scope.units), setting.window(oldest)
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
            f"a window of {duration_text(far - near)}, {duration_text(far)} ago, needs more than "
            f"{COUNT_MAX} times",
            oldest.span,
            "widen the window",
        )
    trigger, home = _trigger(setting, operand)
    return Condition(setting.memory.between(trigger, home, near, far))


def held_since(setting: Setting, expr: ast.Since) -> Condition:
    """`x since E`, `x since (E within d)`."""
    holds, home = _lasting(setting, expr.operand)
    anchor, other = setting.trigger(expr.event)
    window = None if expr.within is None else setting.window(expr.within)
    is_moment = _is_event(setting, expr.operand) or isinstance(expr.operand, ast.Changed)
    if home == ir.SHARED and not is_moment:
        home = other  # what is held for all can be looked at anywhere
    setting.check_common(home, other, expr.event)
    return Condition(setting.memory.since(holds, anchor, home, window))


def elapsed(
    setting: Setting, op: str, event: ast.Occurrence, bound: Number, span: Span
) -> Condition:
    """`elapsed(E) op d`; what never happened is longer ago than anything.

    Raises:
        RefusalError: it is compared with no time, or for equality (GOV247).
    """
    trigger, home = setting.trigger(event)
    if not isinstance(bound, Constant) or bound.unit.dimension != MILLISECOND.dimension:
        raise RefusalError(
            "GOV247", f"`{shortened(span)}` compares a time with none", span, "write `> 5 min`"
        )
    ms = bound.value / MILLISECOND.factor
    if ms < 0:
        raise RefusalError(
            "GOV247",
            f"`{shortened(span)}` compares with less than no time",
            span,
            "write `> 5 min`",
        )
    if op not in ("<", "<=", ">", ">=") or ms.denominator != 1:
        raise RefusalError(
            "GOV247", f"`{shortened(span)}` asks for a very moment", span, "write `> 5 min`"
        )
    window = ms.numerator - (op in ("<", ">="))
    number = ast.Number(f"{max(window, 0)}", "ms", bound.span)
    recent = (
        setting.memory.within(trigger, home, setting.window(number)) if window >= 0 else ir.FALSE
    )
    return Condition(recent if op in ("<", "<=") else ir.negation(recent, span))


def extreme(setting: Setting, op: str, expr: ast.Extreme, other: ast.Expr, span: Span) -> Condition:
    """`max(x) in d >= c` says that x >= c held in d; `max(x) in d < c` that it did not.

    Raises:
        RefusalError: it is compared for equality (GOV247).
    """
    rising = expr.function == "max"
    lasting = op in ((">", ">=") if rising else ("<", "<="))
    if op in ("==", "!="):
        raise RefusalError(
            "GOV247", f"`{op}` asks for a very value", span, "compare with `<` or `>=`"
        )
    test = op if lasting else {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}[op]
    held: ast.Expr = ast.Compare(test, expr.operand, other, span)
    for name in _optional_names(setting, expr.operand):
        held = ast.Logical("and", (ast.Has(name, name.span), held), span)
    within = happened_within(setting, held, expr.duration)
    return within if lasting else replace(within, expr=ir.negation(within.expr, span))


def _optional_names(setting: Setting, expr: ast.Expr) -> list[ast.Name]:
    """The signals and optional fields that an expression names."""

    def may_lack(name: str) -> bool:
        asked = setting.scope.fields.get(name)
        signal = setting.scope.time.signals.get(name)
        return (asked is not None and asked.optional) or (
            signal is not None and signal.start is None
        )

    return [name for name in names_of(expr) if may_lack(name.text)]
