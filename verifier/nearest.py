"""The smallest change of a request that would be allowed.

In: a policy, parameters and the values of a request.  Out: a request that is permitted and differs in
as few fields as can be, in fields of the caller rather than of the host, and then by as little.

What always holds: what comes out was decided by the interpreter; the clock is never changed; a number
counts by the share of its range that it moves, a set by the share of its members, all else as 1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from time import monotonic
from typing import Any, Final

import z3

from govlang.compiler import interpret, ir
from govlang.compiler.interpret import Value
from govlang.compiler.ir import Effect
from govlang.compiler.obligations import argument
from govlang.compiler.state_uses import numbers_read
from govlang.verifier.columns import Columns, Point
from govlang.verifier.concretize import Unrealisable, Unsearched, realise
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.findings import Witness, plain
from govlang.verifier.judge import Judge
from govlang.verifier.options import Replay, ReplayError, replayed
from govlang.verifier.outcome import Decision, any_of
from govlang.verifier.shapes import Box
from govlang.verifier.solve import Absent, Open, forget
from govlang.verifier.time.flat import flat

PERMITTED: Final = frozenset({Effect.ALLOW, Effect.LIMIT})
ROUNDS_MAX: Final = 20  # models whose texts do not exist, before a question stays open


@dataclass(frozen=True, slots=True)
class FieldChange:
    """What one field would have to be; None stands for no value."""

    field: str
    before: Any
    after: Any

    def to_json(self) -> dict[str, Any]:
        """In JSON form."""
        return {"field": self.field, "from": plain(self.before), "to": plain(self.after)}


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest permitted request, and how it differs."""

    request: Mapping[str, Any]
    runtime: Mapping[str, Any]
    decision: str
    rule_id: str
    changes: tuple[FieldChange, ...]
    distance: Fraction

    def to_json(self) -> dict[str, Any]:
        """In JSON form."""
        return {
            "request": plain(self.request),
            "runtime": plain(self.runtime),
            "decision": self.decision,
            "rule_id": self.rule_id,
            "changes": [change.to_json() for change in self.changes],
        }


def nearest_allowed(
    policy: ir.Policy,
    params: Mapping[str, int],
    values: Mapping[str, Value],
    *,
    timeout_s: float = 10,
    replay: Replay | None = None,
) -> Nearest | Absent | Open:
    """The nearest request that is allowed or limited; `Absent` if there is none at all.

    A request that is permitted already comes back as it is.
    """
    forget()
    search = _Search(policy, Point(dict(values), dict(params)), timeout_s)
    return _nearest(search, policy, lambda found: replayed(policy, found, replay))


def nearest_in_state(
    policy: ir.Policy,
    params: Mapping[str, int],
    seen: Mapping[str, Value],
    judged: Callable[[Point], Witness],
    *,
    timeout_s: float = 10,
) -> Nearest | Absent | Open:
    """The nearest request of the same key that is allowed where the state is as a request `seen` found it.

    Cells are constants to the search; `judged` decides what was found in that state, and raises `ReplayError` where it
    is not permitted: then what the rules read over time depends on the request itself.
    """
    time = policy.time
    assert time is not None, "a policy without time has no state"
    fixed = {
        *(one.name for one in policy.columns),
        *(one.scope for one in time.cells),
        time.key or "",
    }
    forget()
    search = _Search(flat(policy), Point(dict(seen), dict(params)), timeout_s, fixed)
    found = _nearest(search, policy, judged)
    if isinstance(found, Absent) and _reads_what_requests_move(policy, time):
        return Open("what the rules read over time depends on the request itself")
    return found


def _reads_what_requests_move(policy: ir.Policy, time: ir.Time) -> bool:
    """Whether a rule reads a cell that the fields of the request have moved before the rules look at it."""
    read = frozenset().union(*(ir.fields_read(rule.condition) for rule in policy.rules))
    moved = {one.name for one in policy.fields if one.name != time.key}
    updates = [one for one in time.updates if one.stage < ir.Stage.CLOSE]
    while True:
        more = {
            one.cell
            for one in updates
            if not moved.isdisjoint(ir.fields_read(one.condition) | numbers_read(one.value))
        }
        if more <= moved:
            return not read.isdisjoint(moved.intersection(one.name for one in time.cells))
        moved |= more


def _nearest(
    search: _Search, policy: ir.Policy, judged: Callable[[Point], Witness]
) -> Nearest | Absent | Open:
    """What a search found, as a request that was decided."""
    values, found = search.start.values, search.run()
    if not isinstance(found, Point):
        return found
    try:
        witness = judged(found)
    except ReplayError as error:
        return Open(str(error), broken=True)
    changes = tuple(
        FieldChange(f.name, _shown(f, values.get(f.name)), _shown(f, found.values.get(f.name)))
        for f in policy.fields
        if values.get(f.name) != found.values.get(f.name)
        and not (f.implied is not None and not values.get(f.name) and not found.values.get(f.name))
    )
    distance = search.distance(found)
    return Nearest(
        witness.request, witness.runtime, witness.decision, witness.rule_id, changes, distance
    )


def _shown(field: ir.Field, value: Value | None) -> Any:
    return None if value is None else argument(value, field)


class _Search:
    """Looks through the sets of fields that may change, smallest first."""

    def __init__(
        self, policy: ir.Policy, start: Point, timeout_s: float, fixed: Collection[str] = ()
    ) -> None:
        self.policy = policy
        self.fixed = fixed
        self.judge = Judge(policy)
        self.columns: Columns = self.judge.columns
        self.encoder = Encoder(self.columns)
        self.start = Point(
            {
                **{f.name: f.implied for f in policy.fields if f.implied is not None},
                **start.values,
            },
            start.params,
        )
        self.row = self.columns.row(self.start)
        self.deadline = monotonic() + timeout_s
        self.open: Open | None = None

    def run(self) -> Point | Absent | Open:
        """The best request of the smallest number of fields for which there is one."""
        if self._permitted(self.start):
            return self.start
        free = [
            f
            for f in self.policy.fields
            if f.origin is not ir.Origin.CLOCK and f.name not in self.fixed
        ]
        if not self._exists([f.name for f in free]):
            return self.open or Absent()
        for count in range(1, len(free) + 1):
            best = min(self._level(free, count), key=lambda one: one[:2], default=None)
            if self.open is not None:
                return self.open
            if best is not None:
                return best[2]
        return Open("the solver's models could not be made into requests", broken=True)

    def _level(self, free: Sequence[ir.Field], count: int) -> Iterator[tuple[int, Fraction, Point]]:
        for some in combinations(free, count):
            if monotonic() > self.deadline:
                self.open = Open("the time limit was reached")
            if self.open is not None:
                return
            point = self._within([f.name for f in some])
            if point is not None:
                hosts = sum(f.origin is not ir.Origin.REQUEST for f in some)
                yield hosts, self.distance(point), point

    # --- one set of fields -------------------------------------------------------------------------

    def _exists(self, names: Sequence[str]) -> bool:
        """Whether anything at all is permitted; a cheap answer before the sets are tried."""
        if len(self.judge.rules) > 2_000:
            return True
        solver = z3.SimpleSolver()
        solver.set("timeout", max(1, int((self.deadline - monotonic()) * 1000)))
        solver.add(*self._terms(names))
        verdict = solver.check()
        if verdict == z3.unknown:
            self.open = Open(f"the solver gave up: {solver.reason_unknown()}")
        return bool(verdict == z3.sat)

    def _within(self, names: Sequence[str]) -> Point | None:
        """The nearest permitted request that changes only these fields."""
        optimise = z3.Optimize()
        optimise.set("timeout", max(1, int((self.deadline - monotonic()) * 1000)))
        optimise.add(*self._terms(names))
        optimise.minimize(self._cost(names))
        self.columns.texts.fuel.refill(self.deadline)
        for _ in range(ROUNDS_MAX):
            verdict = optimise.check()
            if verdict == z3.unknown:
                self.open = Open(f"the solver gave up: {optimise.reason_unknown()}")
            if verdict != z3.sat:
                return None
            found = realise(self.encoder, optimise.model())
            if isinstance(found, Unsearched):
                self.open = Open("no texts were found for the solver's model")
                return None
            if isinstance(found, Unrealisable):
                optimise.add(found.lemma)
                continue
            point = self._kept(found, names, optimise.model())
            if self._permitted(point):
                return point
            self.open = Open("the solver's model fails the check on the interpreter", broken=True)
            return None
        self.open = Open("no texts were found for the solver's models")
        return None

    def _terms(self, names: Sequence[str]) -> list[Term]:
        """Valid, permitted, and as it was outside of these fields."""
        pinned: Box = {n: ((self.row[n], self.row[n]),) for n in self._columns_but(names)}
        encoder = self.encoder
        decision = Decision(
            encoder,
            self.judge.pick(self.judge.meeting([pinned])),
            lambda rule: encoder.condition(rule.condition),
        )
        permitted = any_of(decision.effect[e] for e in sorted(PERMITTED))
        return [*encoder.validity(), *encoder.box(pinned), permitted]

    def _columns_but(self, names: Sequence[str]) -> Iterator[int]:
        """The columns that do not follow from these fields."""
        free = set(names)
        for number, column in enumerate(self.columns.columns):
            if column.name not in free and not (column.other and column.other in free):
                yield number

    def _kept(self, found: Point, names: Sequence[str], model: Any) -> Point:
        """A request of the model in which texts that need not change stay as they were."""
        values = {n: v for n, v in self.start.values.items() if n not in names}
        values |= {n: v for n, v in found.values.items() if n in names}
        for (left, right), number in self.columns.equal.items():
            if z3.is_true(model.eval(self.encoder.variables[number])):
                for own, other in ((left, right), (right, left)):
                    if own in names and other not in names and other in values:
                        values[own] = values[other]
        return Point(values, self.start.params)

    def _permitted(self, point: Point) -> bool:
        judged = self.judge.judge(point)
        if judged is None:
            return False
        return interpret.decide(self.policy, point.params, point.values).decision in PERMITTED

    # --- distance ----------------------------------------------------------------------------------

    def _cost(self, names: Sequence[str]) -> Term:
        parts = [part for name in names for part in self._field_cost(self.columns.fields[name])]
        return z3.Sum(parts) if parts else z3.RealVal(0)

    def _field_cost(self, field: ir.Field) -> Iterator[Term]:
        columns, variables, row = self.columns, self.encoder.variables, self.row
        name = field.name
        if name in columns.has:
            number = columns.has[name]
            yield z3.If(variables[number] == z3.BoolVal(bool(row[number])), 0.0, 1.0)
        if name in columns.value:
            number = columns.value[name]
            moved = variables[number] - row[number]
            if field.kind in (ir.Kind.ENUM, ir.Kind.BOOL):
                yield z3.If(moved == 0, 0.0, 1.0)
            else:
                share = z3.RealVal(Fraction(1, max(1, field.hi - field.lo)))
                yield z3.ToReal(z3.If(moved < 0, -moved, moved)) * share
        members = columns.members.get(name, ())
        for number in members:
            share = z3.RealVal(Fraction(1, len(members)))
            yield z3.If(variables[number] == z3.BoolVal(bool(row[number])), z3.RealVal(0), share)
        for number in columns.classes.get(name, ()):
            yield z3.If(variables[number] == row[number], 0.0, 1.0)

    def distance(self, point: Point) -> Fraction:
        """How far a request is from the one at the start."""
        return sum(
            (
                distance(f, self.start.values.get(f.name), point.values.get(f.name))
                for f in self.policy.fields
            ),
            Fraction(0),
        )


def distance(field: ir.Field, before: Value | None, after: Value | None) -> Fraction:
    """How far two values of a field are apart: at most 1, but 1 more where one of them is absent."""
    if before == after:
        return Fraction(0)
    absent = Fraction(before is None or after is None)
    was, now = (field.absent if v is None else v for v in (before, after))
    if isinstance(was, str) or isinstance(now, str) or field.kind in (ir.Kind.ENUM, ir.Kind.BOOL):
        return absent + (was != now)
    if field.kind is ir.Kind.SET:
        return absent + Fraction((was ^ now).bit_count(), len(field.members))
    return absent + Fraction(abs(was - now), max(1, field.hi - field.lo))
