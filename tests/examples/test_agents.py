"""The example of two agents: its policy is proved, and its story comes out as it is told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from faulty.command import gov, verify, weighty

ROOT = Path(__file__).resolve().parents[2]
AGENTS = ROOT / "examples" / "agents"
POLICY = AGENTS / "policy.gov"

LINES = {
    "proved before it runs": r"proved +examples/agents/policy\.gov: two_agents",
    "nothing without a contract": r"planner plans: 403 denied by `maintenance\.not_active`",
    "no delete by the planner": r"planner deletes by itself: 403 denied by `a_delete_is_planned`",
    "the origin counts": r"rotates keys: denied: denied by `default` \(as `planner`, on whose beh",
    "a person decides": r"deletes: approval_required",
    "no approval of one's own": r"planner approves what it asked for: 403 own_approval",
    "no label approves": r"ops says that it is approved: 422 invalid_request",
    "no other job": r"oncall approves another job: 409 conflict",
    "it ran for both": r"it ran, for planner → ops: db\.delete db-7: done",
    "who agreed": r"names who agreed: oncall",
    "three failures": r"(?:ops reads: failed: ConnectionError.*\n.*){3}429 throttled by `breaker_open`",
    "revoked": r"cancelled: run_\w+:migrate@1\n.*is cancelled: revoked by `maintenance\.not_active`",
    "undone": r"its undo ran: db\.restore db-9: done",
    "how long it took": r"detected after 4\d\d ms, let go after \d+ ms",
    "the incident": r"revoked +migrate@1[\s\S]+released +migrate@1[\s\S]+succeeded +migrate\.undo@1",
    "the ledger": r"intact +the ledger: \d+ records[\s\S]+signed +\d+ records",
    "the same again": r"decisions anew under the same policy: unchanged",
    "a stricter policy": r"escalated +2 +[\d.]+ %\n.*allow by `ops_works` -> require human by",
}
"""What the story must say, by what it is about, in this order."""


def test_the_policy_of_the_agents_is_proved_tested_and_laid_out() -> None:
    code, report = verify(POLICY)
    assert (code, report["status"], weighty(report)) == (0, "proved", [])
    for words in (("test", "--fail-on-empty"), ("fmt", "--check")):
        code, printed = gov(*words, POLICY)
        assert code == 0, printed


@pytest.fixture(scope="module")
def story() -> subprocess.CompletedProcess[str]:
    """The story, told once."""
    return subprocess.run(
        [sys.executable, str(AGENTS / "run.py")],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "120"},
    )


def test_the_story_of_the_agents_comes_out_as_it_must(
    story: subprocess.CompletedProcess[str],
) -> None:
    assert (story.returncode, "✗" in story.stdout) == (0, False), story.stdout + story.stderr
    at = 0
    for about, line in LINES.items():
        found = re.compile(line).search(story.stdout, at)
        assert found is not None, f"{about}:\n{story.stdout[at:]}"
        at = found.start()


def test_the_story_shows_no_secret(story: subprocess.CompletedProcess[str]) -> None:
    assert "gov_tok_" not in story.stdout + story.stderr
