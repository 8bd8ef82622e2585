"""The reference step: what one sample does to the state, and what a request is answered.

In: a checked policy, its parameters, a state and a sample.  Out: the next state and the outcome, if the
sample was a request.  With `interpret.py` this is the language; every back end must agree with it.

INVARIANT: total.  A sample that cannot be taken (an invalid request, an event without what must come
before it) leaves the state as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby
from typing import Final, cast

from govlang.compiler import ir
from govlang.compiler.interpret import (
    Environment,
    Outcome,
    Params,
    Value,
    broken_assumption,
    decide,
    invalid_outcome,
)
from govlang.compiler.ir import Effect, Stage
from govlang.dsl.record import record

CLOCK_FAULT_RULE: Final = "clock_fault"

PLANS_MAX: Final = 8
"""Policies of which what is the same for all samples is kept."""

Address = tuple[str, str]
"""A scope and the key of one of its instances; the shared one has no key."""


@record
class Instance:
    """The cells of one key, and the time of its last sample."""

    at_ms: int
    cells: Mapping[str, int]


@record
class State:
    """Every instance that a sample has addressed; policies without time have none."""

    instances: Mapping[Address, Instance] = field(default_factory=dict)


@record
class Request:
    """A valid request: the value of every field that is present, in steps (see `ir.Field`)."""

    values: Mapping[str, Value]
    at_ms: int = 0


@record
class InvalidRequest:
    """A request that cannot be read: the field (`None`: the whole, or an assumption) and why."""

    field: str | None
    why: str
    at_ms: int = 0


@record
class Tick:
    """Time passes for a key (None: only for what is shared); nothing is asked."""

    at_ms: int = 0
    key: str | None = None


@record
class Report:
    """An event or a signal: its key (None: it is shared) and its columns, in steps."""

    name: str
    values: Mapping[str, Value] = field(default_factory=dict)
    at_ms: int = 0
    key: str | None = None


Sample = Request | InvalidRequest | Tick | Report


def initial_state(_policy: ir.Policy) -> State:
    """The state before the first sample."""
    return State()


def step(
    policy: ir.Policy, params: Params, state: State, sample: Sample
) -> tuple[State, Outcome | None]:
    """Take one sample in: the state after it, and the outcome if it was a request."""
    if isinstance(sample, InvalidRequest):
        return state, invalid_outcome(sample.field, sample.why)
    if policy.time is None:
        return state, decide(policy, params, sample.values) if isinstance(sample, Request) else None
    return _Step(_planned(_Same(policy)), params, sample).run(state)


@dataclass(frozen=True, slots=True)
class Watched:
    """What one sample did: the columns as the machines found them and as the rules saw them.

    Both are empty if the sample was not taken.
    """

    after: State
    outcome: Outcome | None
    moving: Mapping[str, Value]
    seen: Mapping[str, Value]


def watch(
    policy: ir.Policy, params: Params, state: State, sample: Request | Tick | Report
) -> Watched:
    """As `step` of a policy over time, with what it went through."""
    if policy.time is None:
        raise ValueError("a policy without time has no history")
    one = _Step(_planned(_Same(policy)), params, sample)
    after, outcome = one.run(state)
    return Watched(after, outcome, one.moving, one.seen)


@dataclass(frozen=True, slots=True)
class _Scope:
    """The cells of one scope: where they start, which of them an instance keeps, and how far those grow."""

    initial: Mapping[str, int]
    kept: tuple[str, ...]
    caps: tuple[tuple[str, int], ...]


class _Plan:
    """What is the same for all samples of a policy; of each kind of sample worked out when it is first met."""

    def __init__(self, policy: ir.Policy) -> None:
        assert policy.time is not None
        time = policy.time
        self.policy, self.time = policy, time
        self.addressed = _scopes(time)
        self.scopes = {scope: _scope(time, scope) for scope in self.addressed | {ir.SHARED}}
        self.kinds = {one.name: number for number, one in enumerate(time.samples, ir.FIRST_KIND)}
        self._always: list[tuple[int, ir.Update]] = []
        self._by_kind: dict[int, list[tuple[int, ir.Update]]] = {}
        for place, one in enumerate(time.updates):
            kinds = _kinds(one.condition)
            for kind in kinds or ():
                self._by_kind.setdefault(kind, []).append((place, one))
            if kinds is None:
                self._always.append((place, one))
        self._updates: dict[int, tuple[tuple[ir.Update, ...], ...]] = {}

    def updates(self, kind: int) -> tuple[tuple[ir.Update, ...], ...]:
        """The updates in order, stage by stage, without those whose condition asks for another kind of sample."""
        if kind not in self._updates:
            due = [*self._always, *self._by_kind.get(kind, ())]
            due.sort(key=lambda one: (one[1].stage, one[0]))
            stages = groupby((update for _, update in due), lambda update: update.stage)
            self._updates[kind] = tuple(tuple(own) for _, own in stages)
        return self._updates[kind]


class _Same:
    """A policy that is equal to itself alone, so that it is found without being read."""

    def __init__(self, policy: ir.Policy) -> None:
        self.policy = policy

    def __hash__(self) -> int:
        return id(self.policy)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.policy is other.policy


@lru_cache(maxsize=PLANS_MAX)
def _planned(one: _Same) -> _Plan:
    return _Plan(one.policy)


def _scope(time: ir.Time, scope: str) -> _Scope:
    cells = [cell for cell in time.cells if cell.scope == scope]
    kept = [cell for cell in cells if not cell.brief]
    return _Scope(
        {cell.name: cell.initial for cell in cells},
        tuple(cell.name for cell in kept),
        tuple((cell.name, cell.cap) for cell in kept if cell.cap is not None),
    )


def _kinds(condition: ir.BoolExpr) -> set[int] | None:
    """The kinds of sample without which a condition cannot hold; None if it asks for none."""
    match condition:
        case ir.InRanges(name=ir.SAMPLE, ranges=ranges):
            return {kind for lo, hi in ranges for kind in range(lo, hi + 1)}
        case ir.And(operands=operands):
            asked = [kinds for one in operands if (kinds := _kinds(one)) is not None]
            return set.intersection(*asked) if asked else None
        case _:
            return None


def addresses(time: ir.Time, sample: Request | Tick | Report) -> dict[str, str]:
    """The scopes of which a sample carries the key, each with that key."""
    return _addresses(time, _scopes(time), sample)


def _scopes(time: ir.Time) -> frozenset[str]:
    return frozenset({cell.scope for cell in time.cells} | {time.key or ir.SHARED})


def _addresses(
    time: ir.Time, scopes: frozenset[str], sample: Request | Tick | Report
) -> dict[str, str]:
    found = {ir.SHARED: ""}
    match sample:
        case Request(values=values):
            keys: Mapping[str, Value | None] = values
        case Tick(key=key):
            keys = {time.key or "": key}
        case Report(name=name, values=values, key=key):
            prefix = f"${name}."
            own = {n.removeprefix(prefix): v for n, v in values.items() if n.startswith(prefix)}
            keys = {**own, time.key or "": key}
    for scope in scopes - {ir.SHARED}:
        value = keys.get(scope)
        if isinstance(value, str):
            found[scope] = value
    return found


@dataclass(slots=True)
class _Step:
    plan: _Plan
    params: Params
    sample: Request | Tick | Report
    addresses: Mapping[str, str] = field(init=False)
    kind: int = field(init=False)
    values: dict[str, Value] = field(default_factory=dict)
    moving: Mapping[str, Value] = field(default_factory=dict)
    seen: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.addresses = _addresses(self.plan.time, self.plan.addressed, self.sample)
        self.kind = self._kind()

    def run(self, state: State) -> tuple[State, Outcome | None]:
        self._grown(state)
        if self._is_refused():
            return state, None
        self.values |= self._columns(state)
        broken = broken_assumption(self.plan.policy, self.params, self.values)
        if broken is not None and isinstance(self.sample, Request):
            return state, broken
        self._updated(Stage.TURN, Stage.MOVE - 1)
        self.moving = dict(self.values)
        self._updated(Stage.MOVE, Stage.CLOSE - 1)
        self.seen = dict(self.values)
        outcome = self._decided() if isinstance(self.sample, Request) else None
        if outcome is not None:
            self._updated(Stage.CLOSE, Stage.CLOSE, outcome.decision)
        return self._kept(state), outcome

    # --- before and after ------------------------------------------------------------------------

    def _grown(self, state: State) -> None:
        """The cells of the addressed instances, with the time since their last sample."""
        for scope, key in self.addresses.items():
            own = self.plan.scopes[scope]
            self.values |= own.initial
            instance = state.instances.get((scope, key))
            if instance is None:
                continue
            self.values |= instance.cells
            passed = max(0, self.sample.at_ms - instance.at_ms)
            for name, cap in own.caps:
                value = instance.cells[name]
                if 0 <= value != cap:
                    self.values[name] = min(cap, value + passed)

    def _kept(self, state: State) -> State:
        instances = dict(state.instances)
        for scope, key in self.addresses.items():
            kept = self.plan.scopes[scope].kept
            values = dict(zip(kept, map(self.values.__getitem__, kept), strict=True))
            instances[scope, key] = Instance(self.sample.at_ms, cast("dict[str, int]", values))
        return replace(state, instances=instances)

    def _is_refused(self) -> bool:
        """An event that needs another before it, of which none is left."""
        if not isinstance(self.sample, Report):
            return False
        permit = self.plan.time.samples[self.kind - ir.FIRST_KIND].permit
        return permit is not None and self.values[permit] == 0

    # --- the sample ------------------------------------------------------------------------------

    def _columns(self, state: State) -> Iterator[tuple[str, Value]]:
        """The columns of the sample, and what the clock says of it."""
        yield ir.SAMPLE, self.kind
        if not isinstance(self.sample, Tick):
            yield from self.sample.values.items()
        own = self.plan.time.key or ir.SHARED
        before = self._instances(state, self.addresses)
        yield ir.CLOCK_FAULT, int(any(self.sample.at_ms < one.at_ms for one in before))
        key = [self.sample.at_ms - one.at_ms for one in self._instances(state, [own])]
        yield ir.GAP, min(ir.GAP_MAX, max(0, key[0])) if key else ir.GAP_MAX

    def _instances(self, state: State, scopes: Iterable[str]) -> Iterator[Instance]:
        """The instances of those scopes that the sample addresses, as far as there are any."""
        for scope in scopes:
            key = self.addresses.get(scope)  # which may be the empty text
            if key is not None and (scope, key) in state.instances:
                yield state.instances[scope, key]

    def _kind(self) -> int:
        match self.sample:
            case Request():
                return ir.REQUEST
            case Tick():
                return ir.TICK
            case Report(name=name):
                return self.plan.kinds[name]

    def _updated(self, first: int, last: int, decision: Effect | None = None) -> None:
        """The updates of some stages; those of one stage read what was before it."""
        for updates in self.plan.updates(self.kind):
            if not first <= updates[0].stage <= last:
                continue
            env = Environment(self.plan.policy, self.params, dict(self.values), decision)
            new: dict[str, int] = {}
            for update in updates:
                if (
                    update.cell not in new
                    and update.cell in self.values
                    and env.holds(update.condition)
                ):
                    new[update.cell] = env.evaluate(update.value)
            self.values |= new

    def _decided(self) -> Outcome:
        outcome = decide(self.plan.policy, self.params, self.values)
        if self.values[ir.CLOCK_FAULT] and not self.plan.time.rules_read_clock:
            return Outcome(Effect.DENY, CLOCK_FAULT_RULE, "the clock went back")
        return outcome
