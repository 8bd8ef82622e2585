"""A state and a sample that show what is wrong with an artefact over time: tried, never just claimed.

In: what could not be proved.  Out: variables as a host sets them and the function that it calls, of which the
reference step and the artefact come to different answers, outcomes or states; or nothing, if no try shows any.

What always holds: the decoded step was run on them, and the real engine where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from govlang.compiler import ir
from govlang.compiler.interpret import Environment, Value
from govlang.compiler.step import Instance, Report, Request, State, Tick, watch
from govlang.verifier.translation import machine_run
from govlang.verifier.translation.deadline import OutOfTimeError
from govlang.verifier.translation.edge_expected import Answer, expected_answer, neutral, refused
from govlang.verifier.translation.edge_interface import (
    Home,
    Interface,
    Variable,
    variables_before_time,
)
from govlang.verifier.translation.edge_time import NEVER, NOW, TIME_MAX, UNCALLED, UNKNOWN, carried
from govlang.verifier.translation.machine import Artefact, Function
from govlang.verifier.translation.machine_pairs import Doubt
from govlang.verifier.translation.machine_run import UndefinedError, signed, unsigned
from govlang.verifier.translation.machine_witness import MachineWitnesses
from govlang.verifier.translation.proof import EdgeRefutation
from govlang.verifier.translation.search import Search
from govlang.verifier.translation.solve import Candidate

TimedRun = Callable[[Mapping[str, int], str], Answer | None]
"""The real engine on variables and a function: the answer, the cells and the state; None where there is none."""

_KEY: Final = "a"
_NOW: Final = 1_000_000_000_000
_RANDOM: Final = 300
_SEED: Final = 20240229


@dataclass(frozen=True, slots=True)
class Way:
    """A way into the step, or what a host asks of a state."""

    name: str
    kind: int
    writes: bool


class TimedWitnesses(Search[EdgeRefutation]):
    """Looks for variables on which one way into the step shows a difference."""

    def __init__(
        self, policy: ir.Policy, interface: Interface, artefact: Artefact, run: TimedRun | None
    ) -> None:
        super().__init__(policy)
        assert policy.time is not None
        assert artefact.time is not None
        self.time, self.own = policy.time, artefact.time
        self.interface, self.artefact, self.engine = interface, artefact, run
        before = replace(interface, variables=variables_before_time(interface))
        self.requests = MachineWitnesses(policy, before, artefact, None)
        self.way = Way("decide", ir.REQUEST, writes=False)
        self.what = ""

    def of_doubts(self, doubts: Sequence[tuple[Way, Doubt]]) -> EdgeRefutation | None:
        """What shows the first of some doubts, if a try does."""
        for way, doubt in doubts:
            found = None
            if doubt.solver is not None:
                with suppress(OutOfTimeError):
                    found = self.shown(doubt.what, way, doubt.solver.candidates(doubt.claims))
            found = found or self.probed(doubt.what, way)
            if found is not None:
                return found
        return None

    def shown(self, what: str, way: Way, candidates: Iterator[Candidate]) -> EdgeRefutation | None:
        """The first of some candidates that shows a difference on a way."""
        self.what, self.way = what, way
        return self.first(candidates)

    def probed(self, what: str, way: Way) -> EdgeRefutation | None:
        """States and samples at random, and some of them with a variable outside its domain."""
        rng = Random(_SEED)  # noqa: S311 - a search, not a secret
        found = self.shown(what, way, (self.random(rng) for _ in range(_RANDOM)))
        return found or next(self._strays(rng), None)

    def try_values(self, candidate: Candidate) -> EdgeRefutation | None:
        """Whether one state and sample show a difference."""
        variables = self._variables(candidate)
        if variables is None or self._stray(variables) is not None:
            return None
        return self._differing(variables, self._expected(candidate, variables))

    # --- variables -------------------------------------------------------------------------------

    def random(self, rng: Random) -> Candidate:
        """Any state and sample; the clock goes back now and then."""
        found = super().random(rng)
        now = rng.choice([_NOW, _NOW, _NOW, -TIME_MAX, TIME_MAX, 0])
        waits = [
            0,
            1,
            -1,
            *(p for c in self.time.cells for p in sorted(self.points.get(c.name, ()))),
        ]
        times = {}
        for scope in self.interface.scopes:
            at = now - rng.choice(waits)
            times[scope.at] = rng.choice([at, at, at, NEVER, UNKNOWN])
            if not -TIME_MAX <= at <= TIME_MAX:
                times[scope.at] = NEVER
        return replace(found, values=found.values | {NOW: now, **times})

    def _variables(self, candidate: Candidate) -> dict[str, int] | None:
        found = {one.name: one.unset for one in self.interface.variables}
        if self.way.kind == ir.REQUEST:
            own = self.requests.variables(candidate.values, candidate.params)
            if own is None:
                return None
            found |= own
        found |= {f"param.{name}": value for name, value in candidate.params.items()}
        values = candidate.values
        named = {name: one.name for _, name, one in carried(self.time)}
        for scope in self.interface.scopes:
            is_new = values.get(scope.at) == NEVER
            for cell in scope.cells:
                named[scope.variable(cell)] = cell.name
                if is_new:
                    named.pop(scope.variable(cell))
        for one in self.interface.variables:
            value = values.get(one.name, values.get(named.get(one.name, "")))
            if (one.name in named or one.name.startswith("clock.")) and isinstance(value, int):
                found[one.name] = signed(value, one.width)
        return found

    def _stray(self, variables: Mapping[str, int]) -> int | None:
        for number, one in enumerate(self.interface.variables):
            listed = self.interface.variables
            counts = one.counts(self.way.kind) and all(
                variables[listed[place].name] == 1 for place in one.present
            )
            if counts and not is_inside(one, variables[one.name]):
                return number
        return None

    def _strays(self, rng: Random) -> Iterator[EdgeRefutation]:
        for number, one in enumerate(self.interface.variables):
            if not one.counts(self.way.kind):
                continue
            base = self._variables(self.random(rng))
            for value in _ends(one, rng) if base is not None else ():
                present = {self.interface.variables[place].name: 1 for place in one.present}
                strange = {**(base or {}), **present, one.name: signed(value, one.width)}
                if self._stray(strange) == number:
                    cells = refused(self.policy, self.interface, number)[1]
                    found = self._differing(strange, self._left(strange, one.refusal, cells))
                    if found is not None:
                        yield found

    # --- what must come --------------------------------------------------------------------------

    def _left(self, variables: Mapping[str, int], answer: int, cells: dict[str, int]) -> Answer:
        """An answer that leaves the state alone."""
        listed = self.interface.variables
        held = {one.name: variables[one.name] for one in listed if one.home is Home.STATE}
        return answer, cells | held

    def _expected(self, candidate: Candidate, variables: Mapping[str, int]) -> Answer:
        policy, params = self.policy, candidate.params
        names = [one.name for one in policy.fields]
        values = {name: candidate.values[name] for name in names if name in candidate.values}
        if self.time.key is not None and self.way.kind == ir.REQUEST:
            values.setdefault(self.time.key, _KEY)
        key = str(values.get(self.time.key or "", _KEY))
        sample = self._sample(values, variables)
        before = self._state(key, variables)
        if isinstance(sample, Request):
            env = Environment(policy, params, values)
            for number, one in enumerate(policy.assumptions, len(self.interface.variables)):
                if not env.holds(one.condition):
                    return self._left(variables, *refused(policy, self.interface, number))
        seen = watch(policy, params, before, sample)
        cells = refused(policy, self.interface, -1)[1]
        if seen.after is before:
            return self._left(variables, UNCALLED, cells)
        if isinstance(sample, Request):
            cells = self._outcome(seen.seen, params)
        if not self.way.writes:
            return self._left(variables, 0, cells)
        return 0, cells | self._held(key, seen.after, variables)

    def _outcome(self, seen: Mapping[str, Value], params: Mapping[str, int]) -> dict[str, int]:
        if seen[ir.CLOCK_FAULT] and not self.time.rules_read_clock:
            return neutral(self.interface) | {"out.rule": len(self.policy.rules) + 2}
        return expected_answer(self.policy, self.interface, seen, params)[1]

    def _sample(
        self, values: Mapping[str, Value], variables: Mapping[str, int]
    ) -> Request | Tick | Report:
        now, key = variables[NOW], _KEY if self.time.key else None
        if self.way.kind == ir.REQUEST:
            return Request(values, now)
        if self.way.kind == ir.TICK:
            return Tick(now, key)
        one = self.time.samples[self.way.kind - ir.FIRST_KIND]
        brought: dict[str, Value] = {f.name: _KEY for f in one.fields if f.is_text}
        listed = {v.name: v for v in self.interface.variables}
        for kind, name, own in carried(self.time):
            if kind == self.way.kind:
                value = variables[name]
                is_set = listed[name].is_set
                brought[own.name] = unsigned(value, listed[name].width) if is_set else value
        return Report(one.name, brought, now, None if one.shared else key)

    def _address(self, scope: str, key: str) -> tuple[str, str]:
        """The instance that a scope of the board is."""
        is_own = scope == "state" and self.time.key is not None
        return (self.time.key or "", key) if is_own else (ir.SHARED, "")

    def _state(self, key: str, variables: Mapping[str, int]) -> State:
        found = {}
        for scope in self.interface.scopes:
            at = variables[scope.at]
            if at != NEVER:
                cells = {cell.name: variables[scope.variable(cell)] for cell in scope.cells}
                found[self._address(scope.name, key)] = Instance(at, cells)
                if self.time.key and len(self.interface.scopes) == 1:
                    found[ir.SHARED, ""] = Instance(at, {})  # every sample addresses both
        return State(found)

    def _held(self, key: str, after: State, variables: Mapping[str, int]) -> dict[str, int]:
        found = {}
        for scope in self.interface.scopes:
            one = after.instances.get(self._address(scope.name, key))
            found[scope.at] = variables[scope.at] if one is None else one.at_ms
            for cell in scope.cells:
                name = scope.variable(cell)
                found[name] = variables[name] if one is None else one.cells[cell.name]
        return found

    # --- what comes ------------------------------------------------------------------------------

    def _differing(self, variables: Mapping[str, int], expected: Answer) -> EdgeRefutation | None:
        if self.own.answers_only and self.way.kind != ir.REQUEST:
            cells = self.artefact.cells
            left = {name: value for name, value in expected[1].items() if name not in cells}
            expected = expected[0], left
        found = self._decoded(variables)
        if found is not None and found == expected:
            return None
        if self.engine is not None:
            found = self.engine(variables, self.way.name)
            if found is not None and found == expected:
                return None
        told = _told(self.what, self.way.name, expected, found)
        return EdgeRefutation(told, dict(variables), expected=expected, found=found)

    def _decoded(self, variables: Mapping[str, int]) -> Answer | None:
        given = {self.own.kind: self.way.kind, self.own.keep: int(self.way.writes)}
        step: Function = replace(self.own.step, initial={**self.own.step.initial, **given})
        try:
            returned, stored = machine_run.run(step, variables)
        except UndefinedError:
            return None
        before = {name: variables[name] for name in self.own.state}
        return returned, before | stored


def _ends(one: Variable, rng: Random) -> Iterator[int]:
    """Values at and beyond the ends of a domain that a variable can hold, and one more."""
    lo, hi = one.whole[0][0], one.whole[-1][1]
    ends = (one.column.lo - 1, one.column.hi + 1, lo, hi, rng.randint(lo, hi))
    return (value for value in ends if one.is_set or lo <= value <= hi)


def is_inside(one: Variable, value: int) -> bool:
    """Whether a value lies in the domain of a variable."""
    if one.is_set:
        return one.column.lo <= unsigned(value, one.width) <= one.column.hi
    return any(lo <= value <= hi for lo, hi in one.domain)


def _told(what: str, way: str, expected: Answer, found: Answer | None) -> str:
    if found is None:
        return f"{what}: `{way}` comes to nothing"
    if found[0] != expected[0]:
        return f"{what}: `{way}` answers {found[0]}, must answer {expected[0]}"
    for name, value in expected[1].items():
        if found[1].get(name) != value:
            return f"{what}: `{way}` leaves {found[1].get(name)} in `{name}`, must leave {value}"
    return f"{what}: `{way}` stores what it must not"
