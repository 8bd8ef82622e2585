from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from faulty.command import gov, verify, weighty
from faulty.expectation import expectation, pairs, template, tokens
from faulty.judgement import acceptance, assert_clean, assert_found

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "faulty"
PAIRS = pairs(FOLDER)
IDS = [f"{faulty.parent.name}/{faulty.stem}" for faulty, _ in PAIRS]


def test_the_corpus_is_large_and_of_many_kinds() -> None:
    assert len(PAIRS) >= 66
    assert len({faulty.parent.name for faulty, _ in PAIRS}) >= 12


def test_every_finding_that_fails_a_strict_run_occurs() -> None:
    codes = Counter(expectation(f.read_text(encoding="utf-8")).code for f, _ in PAIRS)
    assert set(codes) == {"GOV301", "GOV302", "GOV304", "GOV305", "GOV306"}
    assert min(codes.values()) >= 8


def test_some_rules_are_covered_only_by_three_and_more_together() -> None:
    covers = [len(expectation(f.read_text(encoding="utf-8")).by) for f, _ in PAIRS]
    assert sum(n == 3 for n in covers) >= 2
    assert max(covers) >= 4


def test_no_two_policies_are_of_one_template() -> None:
    counted = Counter(template(faulty.read_text(encoding="utf-8")) for faulty, _ in PAIRS)
    assert set(counted.values()) == {1}


def test_there_is_no_twin_without_its_faulty_policy() -> None:
    fixed = set(FOLDER.rglob("*.fixed.gov"))
    assert fixed == {twin for _, twin in PAIRS}


@pytest.mark.parametrize(("faulty", "fixed"), PAIRS, ids=IDS)
def test_the_twin_differs_in_exactly_one_token(faulty: Path, fixed: Path) -> None:
    ours, theirs = (tokens(p.read_text(encoding="utf-8")) for p in (faulty, fixed))
    assert len(ours) == len(theirs)
    assert sum(a != b for a, b in zip(ours, theirs, strict=True)) == 1


@pytest.mark.parametrize("faulty", [f for f, _ in PAIRS], ids=IDS)
def test_the_planted_fault_is_found_and_shown(faulty: Path) -> None:
    assert_found(faulty, expectation(faulty.read_text(encoding="utf-8")))


@pytest.mark.parametrize("faulty", [f for f, _ in PAIRS], ids=IDS)
def test_an_accepted_fault_is_recorded_and_fails_no_strict_run(
    faulty: Path, tmp_path: Path
) -> None:
    text = faulty.read_text(encoding="utf-8")
    expected = expectation(text)
    policy = tmp_path / "accepted.gov"
    policy.write_text(text + acceptance(expected), encoding="utf-8")
    code, report = verify(policy)
    assert (code, weighty(report)) == (0, [])
    recorded = [f for f in report["findings"] if "accepted" in f]
    assert [f["code"] for f in recorded] == [expected.code]


@pytest.mark.parametrize("fixed", [t for _, t in PAIRS], ids=IDS)
def test_the_repaired_twin_is_clean(fixed: Path) -> None:
    assert_clean(fixed)


def test_the_corpus_is_in_the_one_layout() -> None:
    code, printed = gov("fmt", "--check", *sorted(FOLDER.rglob("*.gov")))
    assert code == 0, printed
