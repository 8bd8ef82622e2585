from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from govlang.runtime.control.breaker import Breaker
from govlang.runtime.control.drills import outage


def test_the_outage_drill_finds_breaker_and_fail_mode_as_written(gov, fits) -> None:
    ran = gov("drill", "outage", "--format", "json")
    fits("drill-outage", ran.json)
    assert [step for step in ran.json["steps"] if not step["ok"]] == []
    assert (ran.code, ran.json["status"]) == (0, "as written")
    tried = {(step["fail_mode"], step["check"]) for step in ran.json["steps"]}
    moods = ("healthy", "slow", "hanging", "failing", "gone")
    assert tried == {(mode, mood) for mode in ("closed", "open") for mood in moods}


def test_a_breaker_that_does_not_open_is_found(gov, fits, monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful(Breaker):
        """Takes every failure for a success."""

        def _report(self, event: str, dependency: str, now: int) -> None:
            super()._report("success" if event in ("failure", "slow") else event, dependency, now)

    monkeypatch.setattr(outage, "Breaker", Forgetful)
    ran = gov("drill", "outage", "--format", "json")
    fits("drill-outage", ran.json)
    wrong = [step for step in ran.json["steps"] if not step["ok"]]
    assert (ran.code, ran.json["status"]) == (1, "otherwise")
    assert {step["tried"] for step in wrong} >= {"the breaker", "29.999 s later"}


def test_a_staged_incident_is_rebuilt(gov, fits) -> None:
    ran = gov("drill", "replay", "--demo", "--format", "json")
    fits("drill-replay", ran.json)
    (incident,) = ran.json["incidents"]
    assert (ran.code, ran.json["status"], incident["detect_ms"]) == (0, "intact", 1500)
    told = gov("drill", "replay", "--demo")
    assert told.code == 0
    for part in ("detected  1.500 s", "alice", "undoes run_cleanup:web-7@1", "revoked by"):
        assert part in told.out


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    import asyncio

    from govlang.runtime.control.drills.incident import Staged

    asyncio.run(Staged(tmp_path / "data").play())
    return tmp_path / "data"


def test_from_a_ledger_that_is_not_whole_nothing_is_rebuilt(gov, fits, staged: Path) -> None:
    with closing(sqlite3.connect(staged / "gov.db")) as database:
        (line,) = database.execute("SELECT line FROM ledger WHERE seq = 7").fetchone()
        forged = line.replace(b'"approver":"alice"', b'"approver":"mallo"')
        assert forged != line
        database.execute("UPDATE ledger SET line = ? WHERE seq = 7", (forged,))
        database.commit()
    ran = gov("drill", "replay", staged, "--format", "json")
    fits("drill-replay", ran.json)
    assert (ran.code, ran.json["status"], ran.json["incidents"]) == (1, "faulty", [])
    assert ran.json["faults"]
    assert "nothing is rebuilt" in gov("drill", "replay", staged).out


def test_a_run_can_be_asked_for(gov, staged: Path) -> None:
    assert gov("drill", "replay", staged, "--run", "run_cleanup").code == 0
    ran = gov("drill", "replay", staged, "--run", "run_none")
    assert (ran.code, "GOV669" in ran.err) == (2, True)


@pytest.mark.parametrize("arguments", [(), ("nowhere",), ("x", "--demo")])
def test_what_cannot_be_drilled_is_exit_2(gov, arguments: tuple[str, ...]) -> None:
    ran = gov("drill", "replay", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "GOV700" not in ran.err
