"""Faults of time: each is found with a history that does what it says, and its twin is clean."""

from __future__ import annotations

from collections import Counter
from itertools import takewhile
from pathlib import Path

import pytest
from faulty.command import gov
from faulty.expectation import expectation, pairs, template, tokens
from faulty.judgement import assert_clean
from faulty.judgement_time import assert_found_in_time

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "faulty_time"
PAIRS = pairs(FOLDER)
IDS = [f"{faulty.parent.name}/{faulty.stem}" for faulty, _ in PAIRS]


def test_the_corpus_is_of_many_kinds() -> None:
    assert len(PAIRS) >= 60
    assert len({faulty.parent.name for faulty, _ in PAIRS}) >= 24
    codes = Counter(expectation(f.read_text(encoding="utf-8")).code for f, _ in PAIRS)
    assert set(codes) == {"GOV301", "GOV302", "GOV304", "GOV305", "GOV306", "GOV314", "GOV315"}


def test_no_two_policies_are_of_one_template() -> None:
    counted = Counter(template(faulty.read_text(encoding="utf-8")) for faulty, _ in PAIRS)
    assert set(counted.values()) == {1}


def test_there_is_no_twin_without_its_faulty_policy() -> None:
    assert set(FOLDER.rglob("*.fixed.gov")) == {twin for _, twin in PAIRS}


@pytest.mark.parametrize(("faulty", "fixed"), PAIRS, ids=IDS)
def test_the_twin_differs_in_one_token_or_two_that_it_has_more(faulty: Path, fixed: Path) -> None:
    ours, theirs = (tokens(p.read_text(encoding="utf-8")) for p in (faulty, fixed))
    start = _alike(ours, theirs)
    left = ours[start:], theirs[start:]
    end = _alike(*(part[::-1] for part in left))
    changed = sorted(len(part) - end for part in left)
    assert changed in ([1, 1], [0, 1], [0, 2])


def _alike(ours: list[str], theirs: list[str]) -> int:
    """With how many equal tokens two texts begin."""
    both = zip(ours, theirs, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))


def test_nearly_all_twins_differ_in_exactly_one_token() -> None:
    lengths = [[len(tokens(p.read_text(encoding="utf-8"))) for p in pair] for pair in PAIRS]
    assert sum(ours == theirs for ours, theirs in lengths) >= 0.9 * len(PAIRS)


@pytest.mark.parametrize("faulty", [f for f, _ in PAIRS], ids=IDS)
def test_the_planted_fault_is_found_and_its_history_replays(faulty: Path, tmp_path: Path) -> None:
    assert_found_in_time(faulty, expectation(faulty.read_text(encoding="utf-8")), tmp_path)


@pytest.mark.parametrize("fixed", [t for _, t in PAIRS], ids=IDS)
def test_the_repaired_twin_is_clean(fixed: Path) -> None:
    assert_clean(fixed)


def test_the_corpus_is_in_the_one_layout() -> None:
    code, printed = gov("fmt", "--check", *sorted(FOLDER.rglob("*.gov")))
    assert code == 0, printed
