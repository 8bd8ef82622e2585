"""Faults of time: each is found with a history that does what it says, and its twin is clean."""

from __future__ import annotations

import json
from collections import Counter
from itertools import takewhile
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
    expected = expectation(faulty.read_text(encoding="utf-8"))
    code, report = verify(faulty)
    assert code == 1, report
    (finding,) = weighty(report)
    assert (finding["code"], finding["kind"]) == (expected.code, expected.kind)
    assert finding["property"] == expected.property
    assert set(finding["rules"]) >= set(expected.rules)
    assert {*(finding.get("detail") or {}).get("covered_by", ())} == set(expected.by)
    named = (*expected.rules, *expected.by, *([expected.property] if expected.property else []))
    assert all(f"`{name}`" in finding["message"] for name in named)
    if finding["witness"] is not None:
        _assert_replays(faulty, finding["witness"], expected, tmp_path)
    else:
        assert finding["code"] == "GOV314"


def _assert_replays(
    faulty: Path, witness: dict[str, Any], expected: Expectation, folder: Path
) -> None:
    """`gov decide --trace` answers every request of the history as the witness says."""
    file, trace = folder / "trace.jsonl", witness["trace"]
    file.write_text("".join(json.dumps(step) + "\n" for step in trace), encoding="utf-8")
    params = [f"--param={name}={json.dumps(value)}" for name, value in witness["params"].items()]
    code, printed = gov("decide", "--format", "json", *params, "--trace", file, faulty)
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
