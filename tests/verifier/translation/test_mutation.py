"""Every word of a table matters: a mutant is refused, refuted for good reason, or changes nothing.

A refutation with a request is replayed on the engine; a mutant that is said to be equal, or that
stays undecided, is asked random requests.
"""

from __future__ import annotations

import random

import pytest
from ir_strategies import Shape, random_policy
from table_mutation import Fates, judge_mutants

UNDECIDED_MAX = 0.05
"""A mutant may stay undecided where nothing shows it, such as a limit where every outcome is deny."""


def judged(seed: int, share: float, ways: int) -> Fates:
    rng = random.Random(seed)
    policy = random_policy(rng, Shape(rng.randint(1, 6), rng.randint(1, 6), 2))
    return judge_mutants(policy, rng, share=share, ways=ways)


@pytest.mark.parametrize("seed", range(10))
def test_a_mutant_is_refused_or_refuted_or_changes_nothing(seed: int) -> None:
    fates = judged(seed, 0.08, 2)
    assert fates.wrong == []
    assert fates.count["refused"] > 0
    assert fates.count["undecided"] <= UNDECIDED_MAX * fates.count.total()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 1008))
def test_every_word_of_a_table_matters(seed: int) -> None:
    fates = judged(seed, 1.0, 1)
    assert fates.wrong == []
    assert fates.count["undecided"] <= UNDECIDED_MAX * fates.count.total()
