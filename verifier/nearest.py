"""The nearest request that is allowed: a refused request in, the smallest change of it that permits out.

In: a policy, its parameters, the values of a request.  Only what the caller sets may change: fields from the
runtime and parameters stay.  Smallest means: the fewest fields, then each changed number as near as can be,
in the order of declaration.

What always holds: a request that comes back was decided by the interpreter; `none` is proved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import z3

from govlang.compiler import ir
from govlang.compiler.interpret import Outcome, Value, decide
from govlang.verifier.columns import ColumnKind, Columns, Point
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.outcome import Decision
from govlang.verifier.solve import Absent, Found, Session

PERMITTED: Final = (ir.Effect.ALLOW, ir.Effect.LIMIT)


@dataclass(frozen=True, slots=True)
class Nearest:
    """`found` with the values and their outcome; `none`: nothing is allowed; or `undecided`."""

    status: str
    values: Mapping[str, Value] | None = None
    decision: str = ""
    rule_id: str = ""


def nearest_allowed(
    policy: ir.Policy, params: Mapping[str, int], values: Mapping[str, Value], timeout_s: float
) -> Nearest:
    """The nearest request whose outcome is allow or limit."""
    return _Search(policy, Point(values, params), timeout_s).run()


class _Search:
    """Asks for one more changed field at a time, then draws the numbers nearer."""

    def __init__(self, policy: ir.Policy, origin: Point, timeout_s: float) -> None:
        self.policy = policy
        self.origin = origin
        self.encoder = Encoder(Columns(policy))
        self.session = Session(self.encoder, timeout_s)
        self.row = self.encoder.columns.row(origin)
        self.free = [f.name for f in policy.fields if f.origin is ir.Origin.REQUEST]

    def run(self) -> Nearest:
        """The search."""
        fixed = [self._permits(), *self._kept()]
        same = {name: self._same(name) for name in self.free}
        for count in range(1, len(self.free) + 1):
            few = z3.AtMost(*(z3.Not(term) for term in same.values()), count)
            answer = self.session.find([*fixed, few], self._shows)
            if isinstance(answer, Found):
                return self._drawn(fixed, same, self._with_origin(answer.point))
            if not isinstance(answer, Absent):
                return Nearest("undecided")
        return Nearest("none")

    def _permits(self) -> Term:
        fires = {rule.id: self.encoder.condition(rule.condition) for rule in self.policy.rules}
        decision = Decision(self.encoder, self.policy.rules, lambda rule: fires[rule.id])
        return z3.Or([decision.effect[effect] for effect in PERMITTED])

    def _kept(self) -> list[Term]:
        """What may not change: everything that is no field of the request."""
        return [
            self._equal(number)
            for number, column in enumerate(self.encoder.columns.columns)
            if column.name not in self.free and column.kind is not ColumnKind.EQUAL
        ]

    def _same(self, name: str) -> Term:
        """All columns of a field are as they were, its equalities with texts that stay too."""
        columns = self.encoder.columns.columns
        return z3.And([self._equal(n) for n, column in enumerate(columns) if column.name == name])

    def _equal(self, number: int) -> Term:
        variable, value = self.encoder.variables[number], self.row[number]
        if z3.is_bool(variable):
            return variable if value else z3.Not(variable)
        return variable == value

    # --- what a model shows -----------------------------------------------------------------------

    def _with_origin(self, point: Point) -> Point:
        """The request with every text that need not change as it was."""
        values = dict(point.values)
        for field in self.policy.fields:
            own = self.origin.values.get(field.name)
            if not field.is_text or own is None or values.get(field.name) in (None, own):
                continue
            trial = values | {field.name: own}
            if self._permitted(Point(trial, point.params)):
                values = trial
        return Point(values, point.params)

    def _outcome(self, point: Point) -> Outcome:
        return decide(self.policy, self.origin.params, point.values)

    def _permitted(self, point: Point) -> bool:
        outcome = self._outcome(point)
        return outcome.decision in PERMITTED and outcome.rule_id != "invalid_request"

    def _shows(self, point: Point) -> bool:
        return self._permitted(point)

    # --- nearer -----------------------------------------------------------------------------------

    def _drawn(self, fixed: Sequence[Term], same: Mapping[str, Term], point: Point) -> Nearest:
        """The numbers that changed, one after the other, as near to the origin as can be."""
        held = [*fixed, *(same[name] for name in self.free if not self._changed(name, point))]
        for field in self.policy.fields:
            if field.name in self.free and self._is_drawn(field, point):
                point, bound = self._nearer(held, field, point)
                held.append(bound)
        outcome = self._outcome(point)
        return Nearest("found", point.values, outcome.decision.word, outcome.rule_id)

    def _changed(self, name: str, point: Point) -> bool:
        return point.values.get(name) != self.origin.values.get(name)

    def _is_drawn(self, field: ir.Field, point: Point) -> bool:
        numeric = field.kind in (ir.Kind.NUMBER, ir.Kind.TIME, ir.Kind.DURATION)
        both = (point.values.get(field.name), self.origin.values.get(field.name))
        return numeric and self._changed(field.name, point) and None not in both

    def _nearer(self, held: list[Term], field: ir.Field, point: Point) -> tuple[Point, Term]:
        """The point with the least distance in one field, and the bound that keeps it there."""
        variable = self.encoder.variables[self.encoder.columns.value[field.name]]
        own = _number(self.origin.values[field.name])
        low, high = 1, abs(_number(point.values[field.name]) - own)
        while low < high:
            middle = (low + high) // 2
            answer = self.session.find([*held, _within(variable, own, middle)], self._shows)
            if not isinstance(answer, Found):
                low = middle + 1
                continue
            point = self._with_origin(answer.point)
            high = abs(_number(point.values[field.name]) - own)
        return point, _within(variable, own, high)


def _within(variable: Any, own: int, distance: int) -> Term:
    return z3.And(variable >= own - distance, variable <= own + distance)


def _number(value: Value) -> int:
    assert isinstance(value, int)
    return value
