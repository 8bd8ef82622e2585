from __future__ import annotations

from pathlib import Path

import pytest
from faulty.expectation import template, tokens
from faulty.generate import MAKERS, Defect, defects, make
from faulty.judgement import assert_clean, assert_found

DEFECTS = list(defects())


def test_there_are_eighty_of_twelve_kinds() -> None:
    assert len({d.name for d in DEFECTS}) >= 80
    assert len({d.kind for d in DEFECTS}) >= 12


def test_the_same_seed_gives_the_same_texts() -> None:
    assert all(make(maker, 3) == make(maker, 3) for maker in MAKERS)


def test_most_defects_have_a_template_of_their_own() -> None:
    assert len({template(d.faulty) for d in DEFECTS}) >= 0.9 * len(DEFECTS)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.name)
def test_the_twin_differs_in_exactly_one_token(defect: Defect) -> None:
    ours, theirs = tokens(defect.faulty), tokens(defect.fixed)
    assert len(ours) == len(theirs)
    assert sum(a != b for a, b in zip(ours, theirs, strict=True)) == 1


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.name)
def test_the_planted_defect_is_found_and_shown(defect: Defect, tmp_path: Path) -> None:
    file = tmp_path / f"{defect.name}.gov"
    file.write_text(defect.faulty, encoding="utf-8")
    assert_found(file, defect.expected)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.name)
def test_the_twin_is_clean(defect: Defect, tmp_path: Path) -> None:
    file = tmp_path / f"{defect.name}.gov"
    file.write_text(defect.fixed, encoding="utf-8")
    assert_clean(file)
