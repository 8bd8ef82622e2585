"""How often something happened: `count(E) in d >= n`, `count(E) since F`.

In: counts as written and what they are compared with.  Out: conditions over the ages of the last times, and
the number of a counter.  Counts in panes are those of `temporal_panes`.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Final

from govlang.compiler import comparisons, ir
from govlang.compiler.ir import BoolExpr, CompareOp
from govlang.compiler.monitors import COUNT_MAX
from govlang.compiler.refusal import RefusalError, shortened
from govlang.compiler.temporal_setting import Setting
from govlang.compiler.types import Condition, Constant, Number, Quantity
from govlang.dsl import ast
from govlang.dsl.expression_text import expression
from govlang.dsl.source import Span

COUNTED_MAX: Final = 2**31 - 1
"""Where a count since something stops."""


# --- in a window ---


def counted_within(
    setting: Setting,
    op: str,
    event: ast.Occurrence,
    duration: ast.Number,
    bound: Number,
    span: Span,
) -> Condition:
    """`count(E) in d op n` against a number or a parameter.

    Raises:
        RefusalError: it is compared with no whole number, one too large, or what varies (GOV247).
    """
    trigger, home = setting.trigger(event)
    window = setting.window(duration)

    def at_least(times: int) -> BoolExpr:
        return setting.memory.counted(trigger, home, window, times)

    if isinstance(bound, Constant):
        return Condition(_compared(op, at_least, _times(bound.value, span), span))
    return Condition(_compared_with_param(op, at_least, bound, span))


def _times(value: Fraction, span: Span) -> int:
    if value.denominator != 1 or not 0 <= value <= COUNT_MAX:
        message = f"a count is compared with a whole number from 0 to {COUNT_MAX}"
        raise RefusalError("GOV247", message, span, _way_out(value))
    return value.numerator


def refuse_below_zero(bound: Number, span: Span) -> None:
    """Refuse to ask of a count what it always is.

    Raises:
        RefusalError: the number is below 0 (GOV247).
    """
    if isinstance(bound, Constant) and bound.value < 0:
        message = "a count is compared with a number from 0 up"
        raise RefusalError("GOV247", message, span, _way_out(bound.value))


def _way_out(value: Fraction) -> str:
    if value < 0:
        return "a count is never below 0: write a number from 0 up"
    if value.denominator != 1:
        return f"write {value.numerator // value.denominator} or the next whole number"
    return "count by panes beyond that: `count(E) in 1 h by 5 min`"


def _compared(op: str, at_least: Callable[[int], BoolExpr], n: int, span: Span) -> BoolExpr:
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


def _compared_with_param(
    op: str, at_least: Callable[[int], BoolExpr], bound: Quantity, span: Span
) -> BoolExpr:
    """The comparison for each of the values of a parameter."""
    param = bound.expr
    if not isinstance(param, ir.ParamValue):
        raise RefusalError(
            "GOV247",
            f"`{shortened(span)}` compares a count with what varies",
            span,
            "compare it with a number or a parameter, or count by panes: `in 1 h by 5 min`",
        )
    lo, hi = (_times(end * bound.step, span) for end in bound.interval)
    cases = (
        ir.conjunction(
            (
                ir.Compare(CompareOp.EQ, param, ir.IntConst(n)),
                _compared(op, at_least, n, span),
            )
        )
        for n in range(lo, hi + 1)
    )
    return ir.disjunction(cases, span)


# --- since something happened ---


def count_since(
    setting: Setting, event: ast.Occurrence, since: ast.Occurrence, top: int = COUNTED_MAX
) -> Quantity:
    """`count(E) since F` as a number, which stops at `top`."""
    trigger, home = setting.trigger(event)
    anchor, other = setting.trigger(since)
    setting.check_common(home, other, since)
    name = setting.memory.counter(trigger, anchor, home, top)
    found = Quantity(ir.FieldValue(name), (0, top), Fraction(1))
    setting.tell(f"count({expression(event)}) since {expression(since)}", found, top)
    return found


def counted_since(
    setting: Setting,
    op: str,
    event: ast.Occurrence,
    since: ast.Occurrence,
    bound: Number,
    span: Span,
) -> Condition | None:
    """Against a constant: the counter stops just above it; None if it is no whole number."""
    refuse_below_zero(bound, span)
    if not isinstance(bound, Constant) or bound.value.denominator != 1:
        return None
    top = min(max(bound.value.numerator + 1, 1), COUNTED_MAX)
    number = count_since(setting, event, since, top)
    return Condition(comparisons.compared(op, number, bound, span))
