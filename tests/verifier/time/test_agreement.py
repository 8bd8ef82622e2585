"""What the solver is told of samples is what the reference step does with them.

Random policies over time (every operator, machines, contracts, autonomy, three scopes) take random samples
on the reference step, clocks that go back among them.  Then the variables of the terms are given the values
of the real samples: what must hold of every sample has to hold, and the cells have to come out the same.
So no history is missing from a question, and a proof that there is none covers all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from random import Random
from typing import Any

import pytest
import z3
from time_histories import Told, history
from time_operators import OPERATORS
from time_policies import Remembering, write_remembering

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.interpret import INVALID_REQUEST
from govlang.compiler.requests import read_report, read_sample
from govlang.compiler.step import Request, State, Tick, Watched, addresses, watch
from govlang.dsl.source import Source
from govlang.native.request import InvalidFieldError
from govlang.verifier.columns import Columns, Point
from govlang.verifier.encode import Encoder
from govlang.verifier.solve import forget
from govlang.verifier.time.bits import without_sets
from govlang.verifier.time.flat import flat, with_update_texts
from govlang.verifier.time.moment import Moment
from govlang.verifier.time.relation import Relation
from govlang.verifier.time.traces import Sample
from govlang.verifier.time.unroll import History

SAMPLES = 40
SHAPES: tuple[tuple[int, ...], ...] = ((1,), (1, 1), (2, 1), (1, 1, 1), (1, 3, 1))


@dataclass
class Met:
    """How many terms were compared, and what kinds of samples and policies were met."""

    cells: int = 0
    samples: Counter[str] = field(default_factory=Counter)
    operators: Counter[str] = field(default_factory=Counter)


Values = Sequence[tuple[Any, Any]]
"""Variables of terms, each with its value."""


class Trial:
    """A policy, its terms, and what was done on the reference step."""

    def __init__(self, seed: str, met: Met) -> None:
        forget()
        self.rng = Random(seed)
        self.written: Remembering = write_remembering(self.rng)
        given = compile_source(Source("p.gov", self.written.text)).policy
        self.policy = without_sets(given)
        assert self.policy.time is not None
        self.time = self.policy.time
        self.params = {"most": self.rng.randint(0, 4)}
        self.columns = Columns(with_update_texts(flat(self.policy), self.time))
        self.met = met
        met.operators.update(set(self.written.probes.values()))

    def samples(self, count: int) -> list[Sample]:
        """Random samples that can be read."""
        found = (self._sample(told) for told in history(self.rng, self.written, count))
        return [one for one in found if one is not None]

    def _sample(self, told: Told) -> Sample | None:
        if told.request is not None:
            approves = any(one.name == ir.APPROVED for one in self.policy.fields)
            runtime = {k: v for k, v in told.runtime.items() if k != "approved" or approves}
            read = read_sample(self.policy, told.request, runtime, told.at_ms)
            return read if isinstance(read, Request) else None
        if told.name is None:
            return Tick(told.at_ms, told.key)
        try:
            return read_report(self.policy, told.name, told.key, told.values, told.at_ms)
        except InvalidFieldError:
            return None

    # --- values for variables --------------------------------------------------------------------

    def row(self, encoder: Encoder, watched: Watched) -> list[tuple[Any, Any]]:
        """The columns of a sample, the cells as the rules see them."""
        row = self.columns.row(Point(watched.seen, self.params))
        return [
            (v, z3.BoolVal(bool(n)) if z3.is_bool(v) else z3.IntVal(n))
            for v, n in zip(encoder.variables, row, strict=True)
        ]

    def keyed(self, moment: Moment, sample: Sample) -> tuple[Any, Any]:
        return moment.keyed, z3.BoolVal(isinstance(sample, Tick) and sample.key is not None)

    def compare(
        self, laws: Sequence[Any], told: Sequence[tuple[Any, int]], values: Values, said: Any
    ) -> None:
        """All laws are true with these values, and all terms are what they were told to be."""
        terms = [*laws, *(term for term, _ in told)]
        sorts = [term.sort() for term in terms]
        row = z3.Function(f"row{len(terms)}", *sorts, z3.BoolSort())
        found = z3.simplify(z3.substitute(row(*terms), *values)).children()
        for term, value in zip(laws, found, strict=False):
            assert z3.is_true(value), (term, value, said)
        for (term, wanted), value in zip(told, found[len(laws) :], strict=True):
            assert int(str(value)) == wanted, (term, value, wanted, said)
        self.met.cells += len(told)


def told(terms: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[tuple[Any, int]]:
    """The terms of the cells of which the reference step speaks, with what it says."""
    return [(term, wanted[name]) for name, term in terms.items() if name in wanted]


def kind_of(time: ir.Time, sample: Sample) -> str:
    if isinstance(sample, Request | Tick):
        return type(sample).__name__
    return time.sample(sample.name).kind.value


# --- one sample from any state -------------------------------------------------------------------


def hold_one_step(seed: str, met: Met) -> None:
    trial = Trial(seed, met)
    encoder = Encoder(trial.columns, "!")
    relation = Relation(flat(trial.policy), trial.time, (encoder,), lambda _: ())
    state = State()
    for sample in trial.samples(SAMPLES):
        watched = watch(trial.policy, trial.params, state, sample)
        _one_step(trial, relation, state, sample, watched)
        state = watched.after


def _one_step(
    trial: Trial, relation: Relation, state: State, sample: Sample, watched: Watched
) -> None:
    (moment,), (taken,), (passed,) = relation.moments, relation.taken, relation.passed
    whose = addresses(trial.time, sample)
    before = {
        scope: state.instances.get((scope, whose[scope])) for scope in passed if scope in whose
    }
    values = [*trial.row(moment.encoder, watched), trial.keyed(moment, sample)]
    for scope, ms in passed.items():
        own = before.get(scope)
        gone = 0 if own is None else max(0, sample.at_ms - own.at_ms)
        values.append((ms, z3.IntVal(gone)))
    for cell in trial.time.cells:
        if not cell.brief:
            own = before.get(cell.scope)
            value = cell.initial if own is None else own.cells[cell.name]
            values.append((relation.cells[cell.name], z3.IntVal(value)))
    if not watched.seen:
        assert watched.outcome is None or watched.outcome.rule_id == INVALID_REQUEST
        trial.met.samples["refused"] += 1
        return
    kept = {n: v for one in whose.items() for n, v in watched.after.instances[one].cells.items()}
    addressed = {z3.If(moment.addresses(scope), 1, 0): int(scope in whose) for scope in passed}
    cells = [*told(taken.seen, watched.seen), *told(taken.after, kept), *addressed.items()]
    trial.compare(relation.laws, cells, values, sample)
    trial.met.samples[kind_of(trial.time, sample)] += 1
    trial.met.samples["fault"] += int(watched.seen[ir.CLOCK_FAULT] == 1)


# --- some samples from the beginning ---------------------------------------------------------------


def hold_unrolled(seed: str, met: Met) -> None:
    trial = Trial(seed, met)
    wide = flat(trial.policy)
    for counts, back in product(SHAPES, (False, True)):
        if max(counts) > 1 and trial.time.reads:
            continue  # what the clock says of the second of them is not what it says of the first
        unrolled = History(wide, trial.time, Encoder(trial.columns), counts, back=back)
        for _ in range(6):
            samples = _from_zero(trial.samples(len(counts)), trial.rng if back else None)
            if len(samples) == len(counts):
                _unrolled(trial, unrolled, samples)


def _from_zero(samples: Sequence[Sample], back: Random | None) -> list[Sample]:
    """The samples with times from 0 on; they go back only if `back` says how far."""
    found: list[Sample] = []
    for one in samples:
        at_ms = max(0, one.at_ms - samples[0].at_ms)
        last = found[-1].at_ms if found else 0
        if back is not None and back.random() < 0.4:
            at_ms = back.randint(0, last)
        found.append(replace(one, at_ms=at_ms if back is not None else max(at_ms, last)))
    return found


def _unrolled(trial: Trial, unrolled: History, samples: Sequence[Sample]) -> None:
    state = State()
    values: list[tuple[Any, Any]] = []
    numbers: dict[tuple[str, str], int] = {}
    watched = Watched(state, None, {}, {})
    for moment, count, sample in zip(unrolled.moments, unrolled.counts, samples, strict=True):
        for number in range(count):
            watched = watch(trial.policy, trial.params, watched.after, sample)
            if not watched.seen:
                trial.met.samples["refused"] += 1
                return
            if number == 0:
                values += [*trial.row(moment.encoder, watched), trial.keyed(moment, sample)]
        values.append((moment.at, z3.IntVal(sample.at_ms)))
        whose = addresses(trial.time, sample)
        for scope, key in moment.keys.items():
            used = [n for (other, _), n in numbers.items() if other == scope]
            number = 0
            if scope in whose:
                number = numbers.setdefault((scope, whose[scope]), len(used))
            values.append((key, z3.IntVal(number)))
        trial.met.samples[kind_of(trial.time, sample)] += 1
    trial.compare(unrolled.laws, told(unrolled.taken[-1].seen, watched.seen), values, samples)
    trial.met.samples["fault"] += int(watched.seen[ir.CLOCK_FAULT] == 1)


def assert_wide(met: Met, cells: int) -> None:
    """Everything was met often enough."""
    assert met.cells >= cells
    for kind in ("Request", "Tick", "event", "signal", "refused", "fault"):
        assert met.samples[kind] >= 3, met.samples
    assert set(met.operators) == set(OPERATORS)


def test_one_sample_does_what_the_reference_step_does() -> None:
    met = Met()
    for seed in range(16):
        hold_one_step(f"one step {seed}", met)
    assert_wide(met, 20_000)


def test_some_samples_do_what_the_reference_step_does() -> None:
    met = Met()
    for seed in range(8):
        hold_unrolled(f"unrolled {seed}", met)
    assert_wide(met, 5_000)


@pytest.mark.long
@pytest.mark.parametrize("batch", range(10))
def test_samples_do_what_the_reference_step_does_at_length(batch: int) -> None:
    met = Met()
    for seed in range(20):
        hold_one_step(f"one step at length {batch} {seed}", met)
        hold_unrolled(f"unrolled at length {batch} {seed}", met)
    assert_wide(met, 40_000)
