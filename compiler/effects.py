"""What a rule decides and what the host must do then, as IR.

In: decisions and remedies as written.  Out: limits in steps of their target, actions with typed
arguments, roles, times in milliseconds.

What always holds: a limit lies inside the range of its target for every valid request; a cap is
floored to the grid of the target, a lower end is raised to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from govlang.compiler import ir, measure, numbers
from govlang.compiler.arguments import Arguments
from govlang.compiler.check import Checker
from govlang.compiler.fields import lasting
from govlang.compiler.flow import Fields
from govlang.compiler.literals import range_text, unit_and_step
from govlang.compiler.refusal import RefusalError, shortened
from govlang.compiler.resolve import LIMITABLE, Scope, unknown
from govlang.compiler.types import Constant, Number, Quantity
from govlang.compiler.values import kind_words
from govlang.dsl import ast
from govlang.dsl.source import Span

ANYONE: Final = "human"
"""The role that `require human` without `from` names."""


@dataclass(slots=True)
class Obligations:
    """What the obligations of one decision come to."""

    limits: list[ir.Limit]
    dos: list[ir.Do]
    roles: tuple[str, ...] = ()
    expires_ms: int | None = None
    retry_ms: int | None = None


class Effects:
    """Turns decisions and remedies into IR; errors go to the checker's collector."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._scope = checker.scope
        self._arguments = Arguments(checker)

    def obligations(self, decision: ast.Decision, known: Fields) -> Obligations:
        """The obligations of a decision, where the fields in `known` are present."""
        found = Obligations([], [])
        for one in decision.obligations:
            try:
                self._take(one, known, found)
            except RefusalError as refusal:
                self._checker.found.add(refusal.diagnostic)
        if decision.effect is ast.Effect.REQUIRE_HUMAN and not found.roles:
            found.roles = self._roles((ast.Name(ANYONE, decision.span),))
        return found

    def _take(self, one: ast.Obligation, known: Fields, found: Obligations) -> None:
        match one:
            case ast.Limit():
                limit = self._limit(one, known)
                if limit is not None:
                    found.limits.append(limit)
            case ast.Do():
                do = self._do(one, known)
                if do is not None:
                    found.dos.append(do)
            case ast.Require(roles=roles, expires=expires):
                found.roles = self._roles(roles) if roles else ()
                found.expires_ms = self._lasting(expires, "leave `expires` out")
            case ast.Retry(after=after):
                found.retry_ms = self._lasting(after, "leave `retry` out")

    def _lasting(self, number: ast.Number | None, otherwise: str) -> int | None:
        return None if number is None else lasting(number, self._scope.units, otherwise)

    def _roles(self, names: tuple[ast.Name, ...]) -> tuple[str, ...]:
        self._scope.roles.mask(names)
        return tuple(dict.fromkeys(name.text for name in names))

    def remedy(self, remedy: ast.Remedy | None, known: Fields) -> ir.Remedy | None:
        """The remedy of a rule."""
        if remedy is None:
            return None
        fields = {n: f for n, f in self._scope.fields.items() if f.origin is ir.Origin.REQUEST}
        values = self._arguments.named(remedy.arguments, fields, "field of a request", known)
        return ir.Remedy(remedy.text.value, tuple(values.items()))

    def _do(self, do: ast.Do, known: Fields) -> ir.Do | None:
        action = self._scope.actions.get(do.action.text)
        if action is None:
            way_out = f"declare it: `action {do.action.text}`"
            raise unknown("action", do.action, self._scope.actions, way_out)
        parameters = {p.name: p for p in action.parameters}
        what = f"argument of `{action.name}`"
        values = self._arguments.named(do.arguments, parameters, what, known)
        _check_complete(do, parameters, values)
        args = tuple(values[name] for name in parameters if name in values)
        complete = len(args) == len(parameters)
        lasts_ms = self._lasting(do.duration, "leave `for` out")
        return ir.Do(action.name, args, lasts_ms) if complete else None

    # --- limits ---

    def _limit(self, limit: ast.Limit, known: Fields) -> ir.Limit | None:
        if limit.field.text in self._scope.faulty:
            return None
        target = limit_target(limit.field, self._scope)
        ends = [self._checker.number(e, known) for e in (limit.low, limit.high) if e is not None]
        if any(end is None for end in ends):
            return None
        low = ends[0] if limit.low is not None else None
        lo = self._end(low, target, limit.low.span, up=True) if low and limit.low else None
        hi = self._end(ends[-1], target, limit.high.span, up=False)
        start = ir.IntConst(target.lo) if lo is None else lo
        if (
            isinstance(start, ir.IntConst)
            and isinstance(hi, ir.IntConst)
            and start.value > hi.value
        ):
            raise RefusalError(
                "GOV207",
                f"the limit of `{target.name}` is empty",
                limit.span,
                "write the smaller end first",
            )
        return ir.Limit(target.name, start, hi)

    def _end(self, end: Number | None, target: ir.Field, span: Span, *, up: bool) -> ir.IntExpr:
        assert end is not None
        unit, step = unit_and_step(target, self._scope.units)
        grid = Quantity(ir.FieldValue(target.name), (target.lo, target.hi), step, unit)
        numbers.agree(end, grid, span)
        numbers.same_time(end, grid, span)
        steps = _steps(end, grid, span, up=up)
        lo, hi = steps.interval
        if target.lo <= lo and hi <= target.hi:
            return steps.expr
        reach = "..".join(
            measure.decimal_text(x * step / unit.factor) for x in dict.fromkeys((lo, hi))
        )
        text = f"`{shortened(span)}`" + (f" can be {reach}, which is" if lo != hi else " is")
        raise RefusalError(
            "GOV209",
            f"{text} outside the range {range_text(target)} of `{target.name}`",
            span,
            "keep it inside with `least(…)` or `greatest(…)`"
            if lo != hi
            else "write a value in it",
        )


def limit_target(name: ast.Name, scope: Scope) -> ir.Field:
    """The input or output that a limit speaks of.

    Raises:
        RefusalError: there is none (GOV201), or it is no number of the request (GOV234).
    """
    target = scope.outputs.get(name.text) or scope.fields.get(name.text)
    if target is None:
        limitable = [f.name for f in scope.fields.values() if f.kind in LIMITABLE]
        raise unknown("input or output", name, (*scope.outputs, *limitable))
    if target.kind in LIMITABLE and target.origin is ir.Origin.REQUEST:
        return target
    what = kind_words(target.kind) if target.kind not in LIMITABLE else "set by the host"
    raise RefusalError(
        "GOV234",
        f"`{target.name}` is {what}, so no rule can limit it",
        name.span,
        "limit an input number or an `output`",
    )


def _steps(end: Number, grid: Quantity, span: Span, *, up: bool) -> Quantity:
    if isinstance(end, Constant):
        return _constant_steps(end, grid, span)
    return numbers.rounded(end, grid.step, span, up=up)


def _constant_steps(end: Constant, grid: Quantity, span: Span) -> Quantity:
    steps = end.value / grid.step
    if steps.denominator != 1:
        raise RefusalError(
            "GOV208",
            f"`{shortened(span)}` lies between two steps of `{grid.field}`",
            span,
            f"`{grid.field}` counts in steps of {measure.shown(grid.step, grid.unit)}",
        )
    return Quantity(ir.IntConst(steps.numerator), (steps.numerator,) * 2, grid.step, grid.unit)


def _check_complete(
    do: ast.Do, parameters: Mapping[str, ir.Field], values: Mapping[str, ir.ArgValue]
) -> None:
    given = {argument.name.text for argument in do.arguments}
    missing = [name for name in parameters if name not in given and name not in values]
    if missing:
        listed = ", ".join(f"`{name}`" for name in missing)
        raise RefusalError(
            "GOV234",
            f"`{do.action.text}` is not given {listed}",
            do.span,
            f"write `do {do.action.text}({missing[0]} = …)`",
        )
