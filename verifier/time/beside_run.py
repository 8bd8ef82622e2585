"""Samples of a pair of versions, taken by both on the reference step.

In: a sample over the columns of both versions.  Out: the row of the pair at that sample, its state behind it, and
what each version answered.

What always holds: each version reads the sample from its own JSON form, as a host would send it; what it does not
take is to it a tick of that time and key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from fractions import Fraction
from typing import Any

from govlang.compiler import interpret, ir
from govlang.compiler.interpret import Outcome, Value
from govlang.compiler.obligations import argument
from govlang.compiler.requests import columns_of, read_report, read_sample, write_request
from govlang.compiler.step import (
    CLOCK_FAULT_RULE,
    Address,
    Instance,
    Report,
    Request,
    State,
    Tick,
    Watched,
    step,
    watch,
)
from govlang.dsl.record import record
from govlang.native.request import InvalidFieldError
from govlang.verifier.time.beside import Pair, Party, time_of
from govlang.verifier.time.traces import Sample

Line = Mapping[str, Any]
"""A sample in JSON form."""

REFUSED = frozenset((CLOCK_FAULT_RULE, interpret.INVALID_REQUEST))
"""What decides without the rules."""


@record
class Both(State):
    """The state of the pair, and behind it those of the versions and their last answers."""

    instances: Mapping[Address, Instance] = field(default_factory=dict)
    states: tuple[State, State] = (State(), State())
    said: tuple[Outcome | None, Outcome | None] = (None, None)


def taken(pair: Pair, params: Mapping[str, int], state: State, sample: Sample) -> Watched:
    """As `step.watch` of a policy, of both versions; nothing is seen where one refuses what the other takes."""
    before = state if isinstance(state, Both) else _apart(pair, state)
    found = [
        _taken(pair, party, params, own, sample)
        for party, own in zip(pair.parties, before.states, strict=True)
    ]
    if any(one is None for one in found):
        return Watched(state, None, {}, {})
    old, new = (one for one in found if one is not None)
    instances = dict(_instances(pair, (old.after, new.after)))
    after = Both(instances, (old.after, new.after), (old.outcome, new.outcome))
    rows = [_row(pair, sample, old.moving, new.moving), _row(pair, sample, old.seen, new.seen)]
    return Watched(after, _plainest(old.outcome, new.outcome), rows[0], rows[1])


def _plainest(old: Outcome | None, new: Outcome | None) -> Outcome | None:
    """The answer that comes from rules, if one does."""
    return old if new is not None and new.rule_id in REFUSED else new


def _taken(
    pair: Pair, party: Party, params: Mapping[str, int], state: State, sample: Sample
) -> Watched | None:
    """What one version does with a sample; None if it is an event that nothing called for."""
    policy = party.policy
    own = own_params(pair.policy, policy, params)
    if own is None:
        wrong = interpret.invalid_outcome(None, "a parameter is out of range")
        return Watched(state, wrong if isinstance(sample, Request) else None, {}, {})
    read = read_line(policy, line_of(pair.policy, policy, sample))
    found = None if read is None else _asked(policy, own, state, read)
    if found is not None and (found.seen or isinstance(read, Report)):
        return found if found.seen else None
    invalid = interpret.invalid_outcome(None, "the request cannot be read")
    answer = found.outcome if found is not None else invalid
    ticked = _asked(policy, own, state, tick_of(policy, pair.policy, sample))
    asks = isinstance(sample, Request)
    return Watched(ticked.after, answer if asks else None, ticked.moving, ticked.seen)


def _asked(policy: ir.Policy, params: Mapping[str, int], state: State, sample: Sample) -> Watched:
    """A sample on the reference step; a policy over single requests sees nothing and remembers nothing."""
    if policy.time is None:
        _, outcome = step(policy, params, state, sample)
        values = sample.values if isinstance(sample, Request) else {ir.SAMPLE: ir.TICK}
        is_invalid = outcome is not None and outcome.rule_id == interpret.INVALID_REQUEST
        return Watched(state, outcome, {}, {} if is_invalid else values)
    return watch(policy, params, state, sample)


# --- what a version gets -----------------------------------------------------------------------------


def line_of(whole: ir.Policy, policy: ir.Policy, sample: Sample) -> Line | None:
    """A sample of the pair as a host writes it for one version; None if it has no such event or signal."""
    time, common = time_of(policy), time_of(whole)
    head: dict[str, Any] = {"at_ms": sample.at_ms}
    match sample:
        case Request(values=values):
            names = {one.name: one.origin is ir.Origin.REQUEST for one in policy.fields}
            parts = write_request(whole, values)
            said = {n: v for part in parts for n, v in part.items() if n in names}
            request = {n: v for n, v in said.items() if names[n]}
            return head | {
                "request": request,
                "runtime": {n: v for n, v in said.items() if not names[n]},
            }
        case Tick(key=key):
            return head | {"tick": True} | ({} if key is None else {"key": {common.key: key}})
        case Report(name=name, values=values, key=key):
            own = next((one for one in time.samples if one.name == name), None)
            if own is None:
                return None
            columns = columns_of(common.sample(name))
            said = {n: argument(values[columns[n].name], columns[n]) for n in columns_of(own)}
            head |= {} if key is None else {"key": {common.key: key}}
            if own.kind is ir.SampleKind.SIGNAL:
                return head | {"signal": name, "value": said[name]}
            return head | {"event": name, "fields": said}


def read_line(policy: ir.Policy, line: Line | None) -> Sample | None:
    """The sample that one version reads; None if it takes no such sample."""
    if line is None:
        return None
    at_ms, key = line["at_ms"], next(iter(line.get("key", {}).values()), None)
    if "request" in line:
        found = read_sample(policy, line["request"], line["runtime"], at_ms)
        return found if isinstance(found, Request) else None
    if "tick" in line:
        return Tick(at_ms, key if policy.time and policy.time.key else None)
    name = line.get("signal") or line["event"]
    fields = {name: line["value"]} if "signal" in line else line["fields"]
    try:
        return read_report(policy, name, key, fields, at_ms)
    except InvalidFieldError:
        return None


def tick_of(policy: ir.Policy, whole: ir.Policy, sample: Sample) -> Tick:
    """The tick that a sample is to a version that does not take it."""
    key = sample.values.get(time_of(whole).key or "") if isinstance(sample, Request) else sample.key
    return Tick(sample.at_ms, str(key) if key is not None and time_of(policy).key else None)


def own_params(
    whole: ir.Policy, policy: ir.Policy, params: Mapping[str, int]
) -> dict[str, int] | None:
    """Parameters in the steps of one version; None if it takes no such values."""
    common = {one.field.name: one.field for one in whole.params}
    found = {}
    for one in (param.field for param in policy.params):
        there = common[one.name]
        value = Fraction(params[one.name] * there.step_num, there.step_den)
        steps = value * one.step_den / one.step_num
        if steps.denominator != 1 or not one.lo <= steps <= one.hi:
            return None
        found[one.name] = int(steps)
    return found


# --- the row and the state of the pair ----------------------------------------------------------------


def _row(
    pair: Pair, sample: Sample, old: Mapping[str, Value], new: Mapping[str, Value]
) -> dict[str, Value]:
    """The columns of the pair, the cells from the version that holds them."""
    time = time_of(pair.policy)
    row: dict[str, Value] = {} if isinstance(sample, Tick) else dict(sample.values)
    for party, seen in zip(pair.parties, (old, new), strict=True):
        row |= {name: seen[raw] for raw, name in party.cells.items() if raw in seen}
        row |= {name: seen[name] for name in (ir.GAP, ir.CLOCK_FAULT) if name in seen}
    match sample:
        case Request():
            row[ir.SAMPLE] = ir.REQUEST
        case Tick():
            row[ir.SAMPLE] = ir.TICK
        case Report(name=name):
            row[ir.SAMPLE] = time.kind_of(name)
    return {ir.GAP: ir.GAP_MAX, ir.CLOCK_FAULT: 0} | row


def _instances(pair: Pair, states: tuple[State, State]) -> Iterator[tuple[Address, Instance]]:
    """Every instance of a version, with the cells of both as they are at the later of their times."""
    cells = {cell.name: cell for cell in time_of(pair.policy).cells}
    for address in dict.fromkeys((*states[0].instances, *states[1].instances)):
        own = [one.instances.get(address) for one in states]
        last = max(one.at_ms for one in own if one is not None)
        found = {
            name: cell.initial
            for name, cell in cells.items()
            if cell.scope == address[0] and not cell.brief
        }
        for party, instance in zip(pair.parties, own, strict=True):
            if instance is not None:
                for raw, value in instance.cells.items():
                    cell = cells[party.cells[raw]]
                    found[cell.name] = _grown(cell, value, last - instance.at_ms)
        yield address, Instance(last, found)


def _apart(pair: Pair, state: State) -> Both:
    """The states of the versions in a state of the pair that none of them was in."""
    states = [
        State(
            {
                address: Instance(
                    instance.at_ms,
                    {
                        raw: instance.cells[name]
                        for raw, name in party.cells.items()
                        if name in instance.cells
                    },
                )
                for address, instance in state.instances.items()
            }
        )
        for party in pair.parties
    ]
    return Both(state.instances, (states[0], states[1]))


def _grown(cell: ir.Cell, value: int, ms: int) -> int:
    return value if cell.cap is None or value < 0 else min(cell.cap, value + ms)
