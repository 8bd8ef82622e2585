"""Faults of time: each is found with a history that does what it says, and its twin is clean."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from faulty.command import gov, verify, weighty
from faulty.expectation import Expectation, expectation, pairs, template, tokens
from faulty.judgement import assert_clean

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "faulty_time"
PAIRS = pairs(FOLDER)
IDS = [f"{faulty.parent.name}/{faulty.stem}" for faulty, _ in PAIRS]


def test_the_corpus_is_of_many_kinds() -> None:
    assert len(PAIRS) >= 26
    assert len({faulty.parent.name for faulty, _ in PAIRS}) >= 12
    codes = Counter(expectation(f.read_text(encoding="utf-8")).code for f, _ in PAIRS)
    assert set(codes) == {"GOV301", "GOV302", "GOV304", "GOV306", "GOV314", "GOV315"}


def test_no_two_policies_are_of_one_template() -> None:
    counted = Counter(template(faulty.read_text(encoding="utf-8")) for faulty, _ in PAIRS)
    assert set(counted.values()) == {1}


@pytest.mark.parametrize(("faulty", "fixed"), PAIRS, ids=IDS)
def test_the_twin_differs_in_exactly_one_token(faulty: Path, fixed: Path) -> None:
    ours, theirs = (tokens(p.read_text(encoding="utf-8")) for p in (faulty, fixed))
    assert len(ours) == len(theirs)
    assert sum(a != b for a, b in zip(ours, theirs, strict=True)) == 1


@pytest.mark.parametrize("faulty", [f for f, _ in PAIRS], ids=IDS)
def test_the_planted_fault_is_found_and_its_history_replays(faulty: Path, tmp_path: Path) -> None:
    expected = expectation(faulty.read_text(encoding="utf-8"))
    code, report = verify(faulty)
    assert code == 1, report
    (finding,) = weighty(report)
    assert (finding["code"], finding["kind"]) == (expected.code, expected.kind)
    assert finding["property"] == expected.property
    assert set(finding["rules"]) >= set(expected.rules)
    assert {*(finding.get("detail") or {}).get("covered_by", ())} == set(expected.by)
    if finding["witness"] is not None:
        _assert_replays(faulty, finding["witness"]["trace"], expected, tmp_path)
    else:
        assert finding["code"] == "GOV314"


def _assert_replays(
    faulty: Path, trace: list[dict[str, Any]], expected: Expectation, folder: Path
) -> None:
    """`gov decide --trace` answers every request of the history as the witness says."""
    file = folder / "trace.jsonl"
    file.write_text("".join(json.dumps(step) + "\n" for step in trace), encoding="utf-8")
    code, printed = gov("decide", "--format", "json", "--trace", file, faulty)
    assert code == 0, printed
    outcomes = [json.loads(line) for line in printed.splitlines()]
    said = [step for step in trace if "request" in step]
    assert [(o["decision"], o["rule_id"]) for o in outcomes] == [
        (s["decision"], s["rule_id"]) for s in said
    ]
    if expected.code == "GOV301":
        assert set(outcomes[-1]["matched"]) >= set(expected.rules)


@pytest.mark.parametrize("fixed", [t for _, t in PAIRS], ids=IDS)
def test_the_repaired_twin_is_clean(fixed: Path) -> None:
    assert_clean(fixed)


def test_the_corpus_is_in_the_one_layout() -> None:
    code, printed = gov("fmt", "--check", *sorted(FOLDER.rglob("*.gov")))
    assert code == 0, printed
