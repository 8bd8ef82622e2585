"""Every word of what a table remembers matters: a mutant is refused, refuted for good reason, or changes nothing.

A refutation with a sample is replayed on the engine; a mutant that is said to be equal takes a random history in,
and answers nothing otherwise before its deadlines.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from time_ir_policies import random_time_policy
from time_mutation import judge_mutants

from govlang.compiler.frontend import compile_file

UNDECIDED_MAX = 0.05
"""A mutant may stay undecided where it differs in states that nothing leads to."""


@pytest.mark.parametrize("part", range(4))
def test_a_mutant_is_refused_or_refuted_or_changes_nothing(part: int) -> None:
    count: Counter[str] = Counter()
    for seed in range(10 * part, 10 * part + 3):
        rng = random.Random(seed)
        fates = judge_mutants(random_time_policy(rng), rng, share=0.03, ways=1)
        assert fates.wrong == [], seed
        count += fates.count
    assert count["refused"] > 20
    assert count["refuted by a sample"] > 5
    assert count["undecided"] <= UNDECIDED_MAX * count.total()


def test_a_mutant_of_what_an_author_wrote_is_refused_or_refuted_or_changes_nothing(
    root: Path,
) -> None:
    paths = sorted((root / "examples/faulty_time").rglob("*.fixed.gov"))
    rng = random.Random(7)
    count: Counter[str] = Counter()
    for path in paths:
        fates = judge_mutants(compile_file(path).policy, rng, share=0.03, ways=1)
        assert fates.wrong == [], path
        count += fates.count
    assert count["refused"] > 10
    assert count["refuted by a sample"] > 5
    assert count["undecided"] <= UNDECIDED_MAX * count.total()


@pytest.mark.long
@pytest.mark.parametrize("part", range(4))
def test_every_word_of_what_authors_wrote_matters(root: Path, part: int) -> None:
    paths = sorted((root / "examples/faulty_time").rglob("*.gov"))[part::30]
    rng = random.Random(11)
    count: Counter[str] = Counter()
    for path in paths:
        fates = judge_mutants(compile_file(path).policy, rng, share=1.0, ways=1)
        assert fates.wrong == [], path
        count += fates.count
    assert count["undecided"] <= UNDECIDED_MAX * count.total()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 1003))
def test_every_word_of_what_a_table_remembers_matters(seed: int) -> None:
    rng = random.Random(seed)
    fates = judge_mutants(random_time_policy(rng), rng, share=1.0, ways=1)
    assert fates.wrong == []
    assert fates.count["undecided"] <= UNDECIDED_MAX * fates.count.total()
