"""`test` blocks, checked against the fields and written as requests.

In: tests as written and the scope.  Out: `TestCase`s, whose requests are in JSON form, in the units
of the fields.

A request must be one that a policy accepts: every required field is there, in range, on its grid.
Only where a step expects deny by `invalid_request` are values just converted, and names that are no
fields passed on, so that the refusal itself can be tested.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from govlang.compiler import ir
from govlang.compiler.checked import Expected, Json, TestCase, TestStep
from govlang.compiler.effects import limit_target
from govlang.compiler.fields import constant, milliseconds
from govlang.compiler.literals import literal_value, misfit, steps_of, unit_and_step
from govlang.compiler.measure import decimal_text, is_decimal
from govlang.compiler.membership import member_text
from govlang.compiler.obligations import argument, decimal
from govlang.compiler.refusal import RefusalError, shortened
from govlang.compiler.resolve import RESERVED_RULES, Scope, unique, unknown
from govlang.compiler.testhistory import History, states_expected
from govlang.compiler.values import effect_of
from govlang.dsl import ast
from govlang.dsl.diagnostics import Diagnostics
from govlang.dsl.source import Span

INVALID = "invalid_request"


class Tests:
    """Checks the tests of one policy."""

    __test__ = False  # not a test class to pytest

    def __init__(self, scope: Scope, rules: Container[str], found: Diagnostics) -> None:
        self._scope = scope
        self._rules = rules
        self._found = found
        self._names: dict[str, Span] = {}

    def case(self, test: ast.Test) -> TestCase:
        """One test block; what is wrong with it is reported."""
        name = ast.Name(test.name.value, test.name.span)
        unique(name, self._names, "test", self._found)
        params = self._values(test.params, self._scope.params, "parameter")
        history = History(self._scope, self._values)
        for step in test.steps:
            try:
                self._take(history, step, params)
            except RefusalError as refusal:
                self._found.add(refusal.diagnostic)
        return TestCase(name.text, tuple(history.steps), test.span)

    def _take(self, history: History, step: ast.Step, params: Mapping[str, Json]) -> None:
        if isinstance(step, ast.RequestStep):
            taken = self._step(step, params)
            if taken is not None:
                history.add(replace(taken, at_ms=history.time(step.at)))
        else:
            history.take(step)

    def _step(self, step: ast.RequestStep, params: Mapping[str, Json]) -> TestStep | None:
        try:
            at_ms = 0 if step.at is None else milliseconds(step.at, self._scope.units)
            by = self._rule(step.expect.rule)
        except RefusalError as refusal:
            self._found.add(refusal.diagnostic)
            return None
        decision = step.expect.decision
        request, runtime = self._requests(step, lenient=by == INVALID)
        return TestStep(
            at_ms,
            request,
            runtime,
            params,
            effect_of(decision.effect),
            by,
            tuple(self._expected(decision)),
            step.span,
            states_expected(self._scope, step.states),
        )

    def _rule(self, name: ast.Name | None) -> str | None:
        if name is None or name.text in RESERVED_RULES or name.text in self._rules:
            return name.text if name else None
        known = [
            *(self._rules if isinstance(self._rules, Mapping) else ()),
            *sorted(RESERVED_RULES),
        ]
        raise unknown("rule", name, known)

    # --- requests ---

    def _requests(
        self, step: ast.RequestStep, *, lenient: bool
    ) -> tuple[dict[str, Json], dict[str, Json]]:
        fields = self._scope.fields
        asked = {n: f for n, f in fields.items() if f.origin is ir.Origin.REQUEST}
        hosted = {n: f for n, f in fields.items() if f.origin is not ir.Origin.REQUEST}
        request = self._values(step.request, asked, "field of a request", lenient=lenient)
        runtime = self._values(step.runtime, hosted, "runtime field", lenient=lenient)
        if not lenient:
            self._check_complete(step, {**asked, **hosted}, {*request, *runtime})
        return request, runtime

    def _check_complete(
        self, step: ast.RequestStep, fields: Mapping[str, ir.Field], given: set[str]
    ) -> None:
        written = {a.name.text for a in (*step.request, *step.runtime)} | given
        required = [
            field
            for field in fields.values()
            if not field.optional and field.origin is not ir.Origin.CLOCK
        ]
        lacking = [f.name for f in required if f.name not in written and f.implied is None]
        if lacking:
            listed = ", ".join(f"`{name}`" for name in lacking)
            self._found.error(
                "GOV237",
                f"the request lacks {listed}",
                step.span,
                help="give them a value, or expect `deny by invalid_request`",
            )

    def _values(
        self,
        arguments: tuple[ast.Argument, ...],
        fields: Mapping[str, ir.Field],
        what: str,
        *,
        lenient: bool = False,
    ) -> dict[str, Json]:
        seen: dict[str, Span] = {}
        values: dict[str, Json] = {}
        for one in arguments:
            try:
                if unique(one.name, seen, what, self._found):
                    values[one.name.text] = self._value(one, fields, what, lenient=lenient)
            except RefusalError as refusal:
                self._found.add(refusal.diagnostic)
        return values

    def _value(
        self, one: ast.Argument, fields: Mapping[str, ir.Field], what: str, *, lenient: bool
    ) -> Json:
        if one.name.text == ir.APPROVED and what == "runtime field":
            return _roles(one.value)
        field = fields.get(one.name.text)
        if lenient:
            return self._raw(one.value, field)
        if field is None:
            known = self._scope.faulty
            if one.name.text in known:
                return 0
            raise unknown(what, one.name, fields)
        value = literal_value(one.value, field, self._scope.units)
        json: Json = argument(value, field)
        return json

    def _raw(self, written: ast.Literal, field: ir.Field | None) -> Json:
        """A literal as it stands, in the unit of the field where both have one."""
        match written:
            case ast.Bool(value=holds):
                return holds
            case ast.Name() | ast.String():
                return member_text(written)
            case ast.SetLiteral(members=members):
                return [
                    m.text if isinstance(m, ast.Name | ast.Number) else m.value for m in members
                ]
            case ast.Number():
                return self._raw_number(written, field)

    def _raw_number(self, written: ast.Number, field: ir.Field | None) -> Json:
        value = constant(written, self._scope.units)
        if field is None or not (field.unit and value.unit.text):
            return _plain(Fraction(written.value), written.span)
        unit, _ = unit_and_step(field, self._scope.units)
        if unit.dimension != value.unit.dimension:
            raise misfit(written, field)
        return _plain(value.value / unit.factor, written.span)

    # --- what is expected ---

    def _expected(self, decision: ast.Decision) -> Iterator[Expected]:
        for one in decision.obligations:
            try:
                expected = self._obligation(one)
            except RefusalError as refusal:
                self._found.add(refusal.diagnostic)
                continue
            if expected:
                yield expected

    def _obligation(self, one: ast.Obligation) -> Expected:
        units = self._scope.units
        match one:
            case ast.Limit(field=name, low=low, high=high):
                target = limit_target(name, self._scope)
                start = {} if low is None else {"from": self._end(low, target)}
                return {"limit": name.text, **start, "to": self._end(high, target)}
            case ast.Do():
                return self._do(one)
            case ast.Require(roles=roles, expires=expires):
                named = {"require": list(dict.fromkeys(r.text for r in roles))} if roles else {}
                return named | ({"expires_ms": milliseconds(expires, units)} if expires else {})
            case ast.Retry(after=after):
                return {"retry_ms": milliseconds(after, units)}

    def _do(self, do: ast.Do) -> Expected:
        action = self._scope.actions.get(do.action.text)
        if action is None:
            raise unknown("action", do.action, self._scope.actions)
        parameters = {p.name: p for p in action.parameters}
        args = self._values(do.arguments, parameters, f"argument of `{action.name}`")
        lasting = {"for_ms": milliseconds(do.duration, self._scope.units)} if do.duration else {}
        return {"do": action.name} | ({"args": args} if args else {}) | lasting

    def _end(self, end: ast.Expr, target: ir.Field) -> int | Decimal:
        match end:
            case ast.Number():
                return decimal(steps_of(end, target, self._scope.units), target)
            case ast.Unary(op="-", operand=ast.Number() as number):
                return decimal(-steps_of(number, target, self._scope.units), target)
            case _:
                raise RefusalError(
                    "GOV237",
                    f"a test expects a number, not `{shortened(end.span)}`",
                    end.span,
                    "write the value that the limit comes to",
                )


def _roles(written: ast.Literal) -> list[str]:
    """The roles of `approved {"a"}`; the policy need not name them."""
    if not isinstance(written, ast.SetLiteral):
        raise RefusalError(
            "GOV204", "`approved` is a set of roles", written.span, 'write `approved {"role"}`'
        )
    return [m.text if isinstance(m, ast.Name | ast.Number) else m.value for m in written.members]


def _plain(value: Fraction, span: Span) -> int | Decimal:
    if value.denominator == 1:
        return value.numerator
    if is_decimal(value):
        return Decimal(decimal_text(value))
    raise RefusalError(
        "GOV237", f"`{shortened(span)}` has no decimal in the field's unit", span, "round it"
    )
