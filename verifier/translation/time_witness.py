"""A sample that shows what is wrong with a table that remembers: tried, never just claimed.

In: what could not be proved.  Out: a state and a sample (with parameters) of which the reference step and the
table, by its step rule, make different things; or none, if no try shows one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from govlang.compiler import ir
from govlang.compiler.interpret import Value
from govlang.compiler.obligations import argument
from govlang.compiler.requests import columns_of, read_sample, write_request
from govlang.compiler.step import (
    Instance,
    InvalidRequest,
    Report,
    Request,
    State,
    Tick,
    initial_state,
    step,
)
from govlang.verifier.translation.outcome import NoOutcomeError
from govlang.verifier.translation.proof import Refutation
from govlang.verifier.translation.records import Mismatch
from govlang.verifier.translation.search import TableSearch
from govlang.verifier.translation.solve import Candidate
from govlang.verifier.translation.time_step import Sample, Stepped, TimeReader

_NOW: Final = 1_000_000_000_000
_KEY: Final = "a"
_SINGLE: Final = 200
_HISTORIES: Final = 10
_SAMPLES: Final = 20
_SEED: Final = 20240229


@dataclass(frozen=True, slots=True)
class TimeDifference:
    """What policy and table make of a sample; `found` None: the table gives something that has no name."""

    before: State
    sample: Sample
    params: Mapping[str, int]
    expected: Stepped
    found: Stepped | None


class TimeWitnesses(TableSearch[TimeDifference]):
    """Looks for a state and a sample that show a difference."""

    def __init__(self, policy: ir.Policy, reader: TimeReader) -> None:
        super().__init__(policy)
        assert policy.time is not None
        self.time = policy.time
        self.reader = reader

    def try_values(self, candidate: Candidate) -> TimeDifference | None:
        """Whether the sample with these words shows a difference."""
        sample = self._sample(candidate.values, _NOW)
        if isinstance(sample, InvalidRequest):
            return None
        return self._difference(candidate.params, self._before(candidate.values), sample)

    def refuted(self, what: str, found: TimeDifference) -> Refutation:
        """The sample as a step of a trace, and the instances before it."""
        before = {
            f"{scope}={key}" if scope else "shared": {"at_ms": one.at_ms, **one.cells}
            for (scope, key), one in found.before.instances.items()
        }
        step_of = _step(self.policy, self.time, found.sample)
        (_, expected), theirs = found.expected, found.found
        return Refutation(
            _told(what, found),
            params=dict(found.params),
            expected=expected,
            found=None if theirs is None else theirs[1],
            step=step_of,
            before=before,
        )

    def _difference(
        self, params: Mapping[str, int], before: State, sample: Sample
    ) -> TimeDifference | None:
        if not self._can_be_sent(sample):
            return None
        expected = step(self.policy, params, before, sample)
        given = [params[param.field.name] for param in self.policy.params]
        found: Stepped | None
        try:
            found = self.reader.take(given, before, sample)
        except NoOutcomeError:
            found = None
        return (
            None if found == expected else TimeDifference(before, sample, params, expected, found)
        )

    def _can_be_sent(self, sample: Sample) -> bool:
        """Whether a host can send a sample: a text that is tried need not be a valid one of its field."""
        if not isinstance(sample, Request):
            return True
        request, runtime = write_request(self.policy, sample.values)
        return isinstance(read_sample(self.policy, request, runtime, sample.at_ms), Request)

    def random(self, rng: Random) -> Candidate:
        """Words of any sample."""
        found = super().random(rng)
        kind = rng.randrange(ir.FIRST_KIND + len(self.time.samples))
        return replace(found, values=found.values | {ir.SAMPLE: kind if rng.random() < 0.7 else 0})

    # --- from words ------------------------------------------------------------------------------

    def _sample(self, values: Mapping[str, Value], now: int) -> Sample | InvalidRequest:
        kind = values[ir.SAMPLE]
        if kind == ir.REQUEST:
            return read_sample(self.policy, *write_request(self.policy, values), now)
        key = _KEY if self.time.key else None
        if kind == ir.TICK:
            return Tick(now, key)
        assert isinstance(kind, int)
        one = self.time.samples[kind - ir.FIRST_KIND]
        carried = {f.name: _KEY if f.is_text else values[f.name] for f in one.fields}
        return Report(one.name, carried, now, None if one.shared else key)

    def _before(self, values: Mapping[str, Value]) -> State:
        """A state in which the cells of the sample have grown to these words."""
        scopes = {cell.scope for cell in self.time.cells} | {self.time.key or ir.SHARED, ir.SHARED}
        is_asked = values[ir.SAMPLE] == ir.REQUEST
        found = {}
        for scope in scopes:
            at = self._at(scope, values)
            if at is None:
                continue
            text = values.get(scope, _KEY) if is_asked else _KEY
            cells = {
                cell.name: self._shrunk(cell, values[cell.name], max(0, _NOW - at))
                for cell in self.time.cells
                if cell.scope == scope and not cell.brief
            }
            found[scope, str(text) if scope else ""] = Instance(at, cells)
        return State(found)

    def _at(self, scope: str, values: Mapping[str, Value]) -> int | None:
        """When an instance had its last sample; the key's so long ago as the gap says, None: never."""
        gap, fault = values[ir.GAP], values[ir.CLOCK_FAULT]
        assert isinstance(gap, int)
        if scope == (self.time.key or ir.SHARED) and gap:
            return None if gap > _NOW else _NOW - gap
        return _NOW + 1 if fault and scope == ir.SHARED else _NOW

    @staticmethod
    def _shrunk(cell: ir.Cell, word: Value, dt: int) -> int:
        """What grows to a word in so long a time, if anything does."""
        assert isinstance(word, int)
        if cell.cap is None or word < 0 or not dt:
            return word
        return cell.cap if word >= cell.cap else max(0, cell.field.lo, word - dt)

    # --- by probing ------------------------------------------------------------------------------

    def by_probing(self, _mismatches: Sequence[Mismatch]) -> TimeDifference | None:
        """Single samples on any state, then histories from the first sample on."""
        rng = Random(_SEED)  # noqa: S311 - a search, not a secret
        found = self.first(self.random(rng) for _ in range(_SINGLE))
        histories = (self._by_history(rng) for _ in range(_HISTORIES))
        return found or next((one for one in histories if one is not None), None)

    def _by_history(self, rng: Random) -> TimeDifference | None:
        state, now, params = initial_state(self.policy), _NOW, self.random(rng).params
        waits = sorted(
            {p + d for c in self.time.cells for p in self.points[c.name] for d in (0, 1)}
        )
        for _ in range(_SAMPLES):
            now += rng.choice([0, 1, *(wait for wait in waits if 0 < wait < _NOW)])
            sample = self._sample(self.random(rng).values, now)
            if isinstance(sample, InvalidRequest):
                continue
            found = self._difference(params, state, sample)
            if found is not None:
                return found
            state, _ = step(self.policy, params, state, sample)
        return None


# --- in words ------------------------------------------------------------------------------------


def _told(what: str, found: TimeDifference) -> str:
    (after, expected), theirs = found.expected, found.found
    if theirs is None or theirs[1] != expected:
        return what
    for address, one in after.instances.items():
        other = theirs[0].instances.get(address)
        for cell, value in one.cells.items():
            if other is not None and other.cells.get(cell) != value:
                return f"{what}: `{cell}` becomes {value} by the policy, {other.cells.get(cell)} by the table"
    return what


def _step(policy: ir.Policy, time: ir.Time, sample: Sample) -> dict[str, Any]:
    head: dict[str, Any] = {"at_ms": sample.at_ms}
    key = (
        {} if isinstance(sample, Request) or sample.key is None else {"key": {time.key: sample.key}}
    )
    match sample:
        case Request(values=values):
            request, runtime = write_request(policy, values)
            return head | {"request": request, "runtime": runtime}
        case Tick():
            return head | {"tick": True} | key
        case Report(name=name, values=values):
            columns = columns_of(time.sample(name))
            given = {short: argument(values[one.name], one) for short, one in columns.items()}
            if time.sample(name).kind is ir.SampleKind.SIGNAL:
                return head | {"signal": name, "value": given[name]} | key
            return head | {"event": name, "fields": given} | key
