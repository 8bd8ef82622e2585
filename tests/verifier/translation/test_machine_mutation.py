"""Whatever is changed in the step of an artefact: refuted for good reason, or it changes nothing."""

from __future__ import annotations

import random

import pytest
from ir_strategies import Shape, random_policy, small_policy
from machine_mutation import Fates, judge
from wasm_policies import Module

from govlang.verifier.translation.wasm_read import read_wasm

UNDECIDED_MAX = 0.05
"""A mutant may stay undecided where it changes nothing that the proof can see."""


def judged(seed: int, count: int) -> Fates:
    """Mutants of a small policy, all of whose requests are asked, or of any other."""
    rng = random.Random(seed)
    shape = Shape(rng.randint(1, 5), rng.randint(1, 6), 2)
    policy = small_policy(rng) if seed % 2 else random_policy(rng, shape)
    return judge(policy, read_wasm(Module(policy).data), rng, count)


@pytest.mark.parametrize("seed", range(8))
def test_a_mutant_is_refuted_or_changes_nothing(seed: int) -> None:
    fates = judged(seed, 10)
    assert fates.wrong == []
    assert fates.count["undecided"] + fates.count["undecided, but seen"] <= 1


@pytest.mark.long
@pytest.mark.parametrize("tens", range(100, 110))
def test_many_mutants_are_refuted_or_change_nothing(tens: int) -> None:
    fates = Fates()
    for seed in range(10 * tens, 10 * tens + 10):
        own = judged(seed, 25)
        fates.wrong += own.wrong
        fates.count += own.count
    assert fates.wrong == []
    undecided = fates.count["undecided"] + fates.count["undecided, but seen"]
    assert undecided <= UNDECIDED_MAX * fates.count.total()
