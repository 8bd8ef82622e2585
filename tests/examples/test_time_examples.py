"""The examples over time: laid out, tested, and proved for all histories."""

from __future__ import annotations

from pathlib import Path

import pytest
from faulty.command import gov, verify, weighty

TIME = Path(__file__).resolve().parents[2] / "examples"
POLICIES = sorted(TIME.glob("*.gov"))
IDS = [path.name for path in POLICIES]


def test_the_examples_are_all_here() -> None:
    assert IDS == [
        "breaker.gov", "coding_agent.gov", "control_plane.gov", "drone_fleet.gov", "microgrid.gov",
    ]  # fmt: skip


@pytest.mark.parametrize("policy", POLICIES, ids=IDS)
def test_an_example_over_time_verifies_without_errors_and_warnings(policy: Path) -> None:
    code, report = verify(policy)
    assert weighty(report) == []
    assert (code, report["status"]) == (0, "proved")


@pytest.mark.parametrize("policy", POLICIES, ids=IDS)
def test_the_histories_inside_an_example_come_out_as_they_say(policy: Path) -> None:
    code, printed = gov("test", "--fail-on-empty", policy)
    assert code == 0, printed


@pytest.mark.parametrize("policy", POLICIES, ids=IDS)
def test_an_example_over_time_is_in_the_one_layout(policy: Path) -> None:
    code, printed = gov("fmt", "--check", policy)
    assert code == 0, printed
