from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from govlang.runtime.evidence.source import open_source

REQUEST: dict[str, Any] = {"agent": "a", "load": 1, "zone": "rural", "urgent": False}


@pytest.fixture
def ledger(gov, policy: Path, tmp_path: Path) -> Path:
    """Five decisions: two light loads, a heavy one in town, one that is over the cap, one that is no request."""
    changes: list[dict[str, Any]] = [
        {},
        {"load": 2},
        {"load": 3, "zone": "urban"},
        {"load": 9},
        {"load": "much"},
    ]
    for number, change in enumerate(changes):
        asked = json.dumps(REQUEST | change)
        where = ("--evidence", tmp_path / "data", "--job", f"run_1:j{number}@1")
        assert gov("decide", policy, "--input", asked, "--now", number, *where).code == 0
    return tmp_path / "data"


def version(policy: Path, *changes: tuple[str, str]) -> Path:
    """Another version of the policy."""
    text = policy.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = policy.with_name("new.gov")
    path.write_text(text, encoding="utf-8")
    return path


def test_a_ledger_is_unchanged_under_its_own_policy(gov, fits, ledger: Path, policy: Path) -> None:
    ran = gov("replay", ledger, "--policy", policy, "--format", "json")
    fits("replay", ran.json)
    assert (ran.code, ran.json["status"], ran.json["unchanged"]["count"]) == (0, "unchanged", 5)
    assert gov("replay", ledger, "--policy", policy, "--batch", 2).code == 0


def test_every_change_is_counted_with_an_example(gov, fits, ledger: Path, policy: Path) -> None:
    new = version(
        policy,
        ("load <= cap", "load <= cap and load < 2 kg"),
        ("load > 2 kg\n    require", "load > 4 kg\n    require"),
        (
            "prove town_is_gated:\n  zone is urban and load > 2 kg",
            "prove town_is_gated:\n  zone is urban and load > 4 kg",
        ),
    )
    ran = gov("replay", ledger, "--policy", new, "--format", "json", "--limit", 1)
    fits("replay", ran.json)
    found = ran.json
    assert ran.code == 1
    assert {kind: found[kind]["count"] for kind in ("escalated", "relaxed", "unchanged")} == {
        "escalated": 2,
        "relaxed": 0,
        "unchanged": 3,
    }
    (example,) = found["escalated"]["examples"]
    assert (example["seq"], example["old"]["rule_id"]) == (2, "light")
    assert example["new"] == {"decision": "deny", "rule_id": "default", "reason": ""}
    ran = gov("replay", ledger, "--policy", new)
    assert "escalated" in ran.out
    assert "allow by `light` -> deny by `default`" in ran.out
    assert "record 2, job run_1:j1@1" in ran.out
    assert "changed  " in ran.out


def test_a_parameter_of_the_other_policy_can_be_given(gov, ledger: Path, policy: Path) -> None:
    ran = gov("replay", ledger, "--policy", policy, "--param", "cap=9 kg", "--format", "json")
    assert (ran.code, ran.json["relaxed"]["count"]) == (1, 1)
    assert gov("replay", ledger, "--policy", policy, "--param", "cup=9").code == 2


def test_a_bundle_will_do(gov, ledger: Path, policy: Path, tmp_path: Path) -> None:
    assert gov("build", policy, "-o", tmp_path / "dist").code == 0
    assert gov("replay", ledger, "--policy", tmp_path / "dist/tiny-1.0.0.govb").code == 0


def test_requests_that_the_other_policy_cannot_read_are_a_class_of_their_own(
    gov, fits, ledger: Path, policy: Path
) -> None:
    new = version(
        policy,
        ("  urgent : bool\n", "  hurry  : bool\n"),
        ("urgent false", "hurry false"),
    )
    ran = gov("replay", ledger, "--policy", new, "--format", "json")
    fits("replay", ran.json)
    assert (ran.code, ran.json["unreadable"]["count"], ran.json["unchanged"]["count"]) == (1, 4, 1)
    assert "hurry" in ran.json["unreadable"]["reasons"][0]["why"]


def test_what_is_only_hashed_leaves_the_question_open(
    gov, fits, ledger: Path, policy: Path
) -> None:
    asked = json.dumps(REQUEST | {"note": "for Ada"})
    assert gov("decide", policy, "--input", asked, "--now", 9, "--evidence", ledger).code == 0
    ran = gov("replay", ledger, "--policy", policy, "--format", "json")
    fits("replay", ran.json)
    assert (ran.code, ran.json["status"]) == (3, "undecided")
    assert ran.json["not_replayable"]["examples"] == [
        {
            "seq": 6,
            "job_id": "",
            "agent": "a",
            "why": "the private field `note` is there as a hash only",
        }
    ]


@pytest.mark.parametrize(
    "arguments",
    [("nowhere", "--policy", "tiny.gov"), ("data",), ("data", "--policy", "nothing.gov")],
)
def test_what_cannot_be_read_is_exit_2(
    gov, ledger: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(ledger.parent)
    ran = gov("replay", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "GOV700" not in ran.err


def test_a_ledger_of_other_lines_is_exit_2(gov, ledger: Path, policy: Path) -> None:
    lines = list(open_source(ledger).lines())
    (ledger / "LEDGER.jsonl").write_bytes(lines[0] + b"\n[1]\n")
    ran = gov("replay", ledger, "--policy", policy)
    assert (ran.code, "line 2" in ran.err) == (2, True)
