"""Requests that show a rule at work, or how near to it a request can come.

In: a context and a rule.  Out: a request that fires the rule; for a rule that never fires one on
which all parts of its condition but one hold.

What always holds: a request that comes out was judged by the interpreter.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from govlang.compiler import ir
from govlang.compiler.interpret import Environment
from govlang.verifier.columns import Point
from govlang.verifier.findings import Finding
from govlang.verifier.options import Context
from govlang.verifier.solve import Absent, Found, Open

OPERANDS_MAX: Final = 24
"""Parts of a condition that are left out, one at a time, to look for a near miss."""


def firing(context: Context, i: int) -> Found | Absent | Open:
    """A valid request that fires a rule."""
    if not context.judge.shapes[i]:
        return Absent()
    term = context.encoder.condition(context.judge.rules[i].condition)
    return context.session.find([term], partial(fires, context, i))


def fires(context: Context, i: int, point: Point) -> bool:
    """Whether a request is valid and fires a rule."""
    judged = context.judge.judge(point)
    return judged is not None and i in judged.fired


def report_at_work(context: Context, finding: Finding, i: int) -> None:
    """Add a finding on a rule, with a request that fires it where there is one."""
    found = firing(context, i)
    if isinstance(found, Found):
        context.report(finding, found.point, partial(fires, context, i))
    else:
        context.findings.append(finding)


def report_near_miss(context: Context, finding: Finding, i: int) -> None:
    """Add the finding that a rule never fires, with a request that comes as near as any."""
    for needed in _nearly(context.judge.rules[i].condition):
        shows = partial(_misses, context, i, needed)
        found = context.session.find([context.encoder.condition(one) for one in needed], shows)
        if isinstance(found, Found):
            context.report(finding, found.point, shows)
            return
    context.findings.append(finding)


def _nearly(condition: ir.BoolExpr) -> Iterator[tuple[ir.BoolExpr, ...]]:
    """The parts of a conjunction without one of them, the last ones first; at last none at all."""
    if isinstance(condition, ir.And):
        operands = condition.operands
        for k in reversed(range(max(0, len(operands) - OPERANDS_MAX), len(operands))):
            yield (*operands[:k], *operands[k + 1 :])
    yield ()


def _misses(context: Context, i: int, needed: tuple[ir.BoolExpr, ...], point: Point) -> bool:
    """Whether a request is valid, satisfies these parts, and does not fire the rule."""
    env = Environment(context.policy, point.params, point.values)
    judged = context.judge.judge(point)
    return judged is not None and i not in judged.fired and all(map(env.holds, needed))
