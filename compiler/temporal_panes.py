"""Sums, averages and counts in panes: `sum(E.x) in d by p`, `average(E.x) in d by p > c`, `count(E) in d by p`.

In: operators as written.  Out: numbers over the cells of the panes, and the comparison of an average.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from govlang.compiler import ir
from govlang.compiler.happenings import ALLOWED, SETTLED, Event
from govlang.compiler.ir import ArithOp, CompareOp
from govlang.compiler.literals import unit_and_step
from govlang.compiler.monitors import Trigger
from govlang.compiler.monitors_panes import PANES_MAX, SUM_MAX, TIMES_MAX, Panes, panes_of, summed
from govlang.compiler.numbers import agree
from govlang.compiler.refusal import RefusalError, shortened
from govlang.compiler.resolve import unknown
from govlang.compiler.temporal_setting import Setting
from govlang.compiler.types import Condition, Constant, Number, Quantity
from govlang.dsl import ast
from govlang.dsl.expression_text import expression
from govlang.dsl.source import Span


def count_by_panes(setting: Setting, event: ast.Occurrence, window: ast.Window) -> Quantity:
    """How often something happened, by panes.

    Raises:
        RefusalError: the window is cut into too many panes (GOV247).
    """
    trigger, home = setting.trigger(event)
    panes = _panes(setting, window, f"count({trigger.name})", TIMES_MAX)
    total_ = summed(setting.memory, panes, trigger, ir.IntConst(1), home)
    found = Quantity(total_, (0, panes.most), Fraction(1))
    setting.tell(expression(ast.Count(event, window)), found)
    return found


def total(setting: Setting, expr: ast.Total) -> Quantity:
    """`sum(E.x) in d by p`.

    Raises:
        RefusalError: it has no panes or too many (GOV247), or nothing that could be summed (GOV248).
    """
    trigger, home, column = _summand(setting, expr)
    if expr.window.pane is None:
        raise RefusalError(
            "GOV247",
            f"`{shortened(expr.span)}` would keep every one of them",
            expr.span,
            f"say in what grain: `in {shortened(expr.window.duration.span)} by 5 min`",
        )
    panes = _panes(setting, expr.window, f"sum({trigger.name}, {column.name})", SUM_MAX)
    added = summed(setting.memory, panes, trigger, ir.FieldValue(column.name), home)
    unit, step = unit_and_step(column, setting.scope.units)
    found = Quantity(added, (0, panes.most), step, unit)
    setting.tell(expression(expr), found)
    return found


def average(setting: Setting, op: str, expr: ast.Total, bound: Number, span: Span) -> Condition:
    """`average(E.x) in d by p op c`: the sum against c times the count; of nothing, false.

    Raises:
        RefusalError: as `total`; it is compared with what varies (GOV248), or could leave 64 bits (GOV210).
    """
    _summand(setting, expr)  # so that what is refused is called an average
    summed_up = total(setting, replace(expr, function="sum"))
    assert isinstance(expr.of, ast.EventRef), "something else is no sum"
    count = count_by_panes(setting, _bare(_as_used(setting, expr.of)), expr.window)
    if not isinstance(bound, Constant):
        raise RefusalError(
            "GOV248",
            f"`{shortened(span)}` compares an average with what varies",
            span,
            "write a number",
        )
    agree(summed_up, bound, span)
    steps = bound.value / summed_up.step
    left = ir.Arith(ArithOp.MUL, summed_up.expr, ir.IntConst(steps.denominator))
    right = ir.Arith(ArithOp.MUL, count.expr, ir.IntConst(steps.numerator))
    some = ir.Compare(CompareOp.LT, ir.IntConst(0), count.expr)
    pair = (right, left) if op in (">", ">=") else (left, right)
    sign = {">": "<", ">=": "<="}.get(op, op)
    whole = ir.conjunction((some, ir.Compare(CompareOp(sign), *pair)), span)
    setting.check_range(whole, span)
    return Condition(whole)


def _panes(setting: Setting, window: ast.Window, stem: str, most: int) -> Panes:
    """The panes of a window, which together hold at most `most`."""
    assert window.pane is not None, "without panes nothing is summed"
    length, whole = setting.window(window.pane), setting.window(window.duration)
    text = f"{stem} in {whole} by {length}"
    panes = panes_of(text, whole, max(length, 1), under=window.under, most=most)
    if length > whole or length == 0 or panes.count > PANES_MAX:
        raise RefusalError(
            "GOV247",
            f"`{shortened(window.span)}` is cut into {panes.count} panes",
            window.span,
            f"write a pane no longer than the window, of which at most {PANES_MAX} cover it",
        )
    return panes


def _summand(setting: Setting, expr: ast.Total) -> tuple[Trigger, str, ir.Field]:
    """What is summed, and when it is added."""
    of = expr.of
    if isinstance(of, ast.EventRef) and of.name.text in setting.scope.time.signals:
        name = of.name.text
        raise RefusalError(
            "GOV248",
            f"`{name}` is a signal, and `{expr.function}` takes the field of an event",
            of.span,
            f"smooth a signal: `ewma({name}, alpha 0.3)`, or ask `max({name}) in 5 min`",
        )
    if not isinstance(of, ast.EventRef) or of.member is None:
        raise RefusalError(
            "GOV248",
            f"`{expr.function}` needs a field of an event",
            of.span,
            f"write `{expr.function}(allowed.tokens)` or `{expr.function}(E.x)`",
        )
    member, used = of.member, _as_used(setting, of)
    trigger, home = setting.trigger(_bare(used))
    event = setting.occurrences.event(used.name, used.name.text)
    columns = _columns(setting, event)
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
    if column.kind not in (ir.Kind.NUMBER, ir.Kind.DURATION) or column.lo < 0 or column.optional:
        raise RefusalError(
            "GOV248",
            f"`{shortened(of.span)}` is no number from 0 up that is always there",
            member.span,
            "sum a number whose range begins at 0 or above",
        )
    return trigger, home, column


def _bare(of: ast.EventRef) -> ast.EventRef:
    """The event of a field."""
    return ast.EventRef(of.name, None, of.per, of.span)


def _as_used(setting: Setting, of: ast.EventRef) -> ast.EventRef:
    """`allowed.x` of an x that is reserved counts once it is known what was used: at `settled`."""
    if of.name.text != ALLOWED or of.member is None:
        return of
    if of.member.text not in setting.scope.time.reserved:
        return of
    home = setting.context if of.per is None else of.per.text
    if home not in (ir.SHARED, setting.scope.key):
        raise RefusalError(
            "GOV244",
            f"`{of.member.text}` is reserved by the key, so what was used is not known per `{home}`",
            of.span,
            f"sum it by the key, or leave out `reserved({of.member.text})`",
        )
    return replace(of, name=ast.Name(SETTLED, of.name.span))


def _columns(setting: Setting, event: Event) -> dict[str, ir.Field]:
    """The fields of an event; `allowed` has those of the request."""
    if event.name != ALLOWED:
        return event.fields
    return {n: f for n, f in setting.scope.fields.items() if not f.is_text}
