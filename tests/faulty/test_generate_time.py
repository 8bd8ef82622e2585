"""Faults of time that a generator plants in sound policies: each is found, and the sound one is clean."""

from __future__ import annotations

from pathlib import Path

import pytest
from faulty.expectation import template, tokens
from faulty.generate import Defect
from faulty.generate_time import MAKERS, defects, make
from faulty.judgement import assert_clean
from faulty.judgement_time import assert_found_in_time

DEFECTS = list(defects())
MORE = list(defects(range(2, 8)))


def test_there_are_thirty_of_sixteen_kinds() -> None:
    assert len({d.name for d in DEFECTS}) >= 30
    assert len({d.kind for d in DEFECTS}) >= 16


def test_the_same_seed_gives_the_same_texts() -> None:
    assert all(make(maker, 3) == make(maker, 3) for maker in MAKERS)


def test_most_defects_have_a_template_of_their_own() -> None:
    assert len({template(d.faulty) for d in DEFECTS}) >= 0.9 * len(DEFECTS)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.name)
def test_the_sound_policy_differs_in_exactly_one_token(defect: Defect) -> None:
    ours, theirs = tokens(defect.faulty), tokens(defect.fixed)
    assert len(ours) == len(theirs)
    assert sum(a != b for a, b in zip(ours, theirs, strict=True)) == 1


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.name)
def test_the_planted_fault_is_found_and_the_sound_policy_is_clean(
    defect: Defect, tmp_path: Path
) -> None:
    _judge(defect, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("defect", MORE, ids=lambda d: d.name)
def test_more_of_them(defect: Defect, tmp_path: Path) -> None:
    _judge(defect, tmp_path)


def _judge(defect: Defect, folder: Path) -> None:
    faulty, fixed = folder / f"{defect.name}.gov", folder / f"{defect.name}.fixed.gov"
    faulty.write_text(defect.faulty, encoding="utf-8")
    fixed.write_text(defect.fixed, encoding="utf-8")
    assert_found_in_time(faulty, defect.expected, folder)
    assert_clean(fixed)
