"""The C engine takes samples in as the reference step does."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from ir_requests import random_params
from time_engine import Engine
from time_ir_policies import Histories, random_time_policy
from time_widths import wide_policy

from govlang.compiler import ir
from govlang.compiler.step import Request, State, initial_state, step
from govlang.native.layout import NEVER, STATE_HEAD

LENGTH = 60
Make = Callable[[random.Random], ir.Policy]


def compare(seed: int, length: int = LENGTH, make: Make = random_time_policy) -> int:
    """Run one policy on both, sample by sample; the number of requests."""
    rng = random.Random(seed)
    policy = make(rng)
    params = random_params(rng, policy)
    engine, state = Engine(policy, params), initial_state(policy)
    asked = 0
    for number, sample in enumerate(Histories(policy, rng).history(length)):
        before = state
        state, outcome = step(policy, params, state, sample)
        expected = None if outcome is None else (outcome.decision.word, outcome.rule_id)
        asked += isinstance(sample, Request)
        assert engine.take(sample, keep=False) == expected, (number, sample)
        assert engine.cells() == cells(before), "a question writes"
        assert engine.take(sample) == expected, (number, sample)
        assert engine.cells() == cells(state), (number, sample)
    return asked


def cells(state: State) -> dict[tuple[str, str], tuple[int, dict[str, int]]]:
    return {address: (one.at_ms, dict(one.cells)) for address, one in state.instances.items()}


@pytest.mark.parametrize("seed", range(150))
def test_samples_are_taken_in_as_the_reference_step_says(seed: int) -> None:
    assert compare(seed) > 5


@pytest.mark.parametrize("seed", range(60))
def test_instances_of_every_shape_are_grown_and_kept(seed: int) -> None:
    assert compare(seed, 40, wide_policy) > 5


@pytest.mark.parametrize("seed", range(60))
def test_an_instance_without_a_sample_starts_anew_whatever_its_cells_hold(seed: int) -> None:
    rng = random.Random(seed)
    policy = wide_policy(rng)
    params = random_params(rng, policy)
    engine, other = Engine(policy, params), Engine(policy, params)
    (sample,) = Histories(policy, rng).history(1)
    engine.take(sample)
    never = NEVER.to_bytes(STATE_HEAD, "little", signed=True)
    for address, one in engine.states.items():
        other.states[address] = bytearray(never + rng.randbytes(len(one) - STATE_HEAD))
    other.take(sample)
    assert other.states == engine.states


@pytest.mark.parametrize("seed", range(80))
def test_until_the_deadline_no_request_is_answered_otherwise(seed: int) -> None:
    rng = random.Random(seed)
    policy = random_time_policy(rng)
    engine = Engine(policy, random_params(rng, policy))
    for sample in Histories(policy, rng).history(40):
        engine.take(sample)
        if not isinstance(sample, Request):
            continue
        first, until = engine.take(sample, keep=False), engine.deadline(sample)
        end = sample.at_ms + 2**35 if until is None else until - 1
        for at in (end, rng.randint(sample.at_ms, end)):
            assert engine.take(replace(sample, at_ms=at), keep=False) == first, (sample, until, at)


@pytest.mark.long
@pytest.mark.parametrize("part", range(20))
def test_many_samples_are_taken_in_as_the_reference_step_says(part: int) -> None:
    for seed in range(10_000 + 40 * part, 10_040 + 40 * part):
        compare(seed, 500)
