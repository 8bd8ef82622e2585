"""What the solver is told of samples is what the reference step does with them.

Random policies over time (every operator, machines, contracts, autonomy, three scopes) take random samples
on the reference step, clocks that go back among them.  Then the variables of the terms are given the values
of the real samples: what must hold of every sample has to hold, and the cells have to come out the same.
So no history is missing from a question, and a proof that there is none covers all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from random import Random
from typing import Any

import pytest
import z3
from time_operators import OPERATORS
from time_trials import Met, Trial, kind_of, told

from govlang.compiler import ir
from govlang.compiler.interpret import INVALID_REQUEST
from govlang.compiler.step import State, Watched, addresses, watch
from govlang.verifier.encode import Encoder
from govlang.verifier.time.flat import flat
from govlang.verifier.time.relation import Relation
from govlang.verifier.time.traces import Sample
from govlang.verifier.time.unroll import History

SAMPLES = 40
SHAPES: tuple[tuple[int, ...], ...] = ((1,), (1, 1), (2, 1), (1, 1, 1), (1, 3, 1))


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
    for seed in (*range(15), 19):  # 19 reads `reserved`, which is rare
        hold_one_step(f"one step {seed}", met)
    assert_wide(met, 20_000)


def test_some_samples_do_what_the_reference_step_does() -> None:
    met = Met()
    for seed in range(8):
        hold_unrolled(f"unrolled {seed}", met)
    assert_wide(met, 5_000)


@pytest.mark.long
@pytest.mark.parametrize("batch", range(5))
def test_samples_do_what_the_reference_step_does_at_length(batch: int) -> None:
    met = Met()
    for seed in range(20):
        hold_one_step(f"one step at length {batch} {seed}", met)
        hold_unrolled(f"unrolled at length {batch} {seed}", met)
    assert_wide(met, 40_000)
