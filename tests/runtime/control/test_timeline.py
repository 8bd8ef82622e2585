"""A run of more records than an answer holds: every one of them is had, in order, once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from control_plane import AUDITOR, EFFECTS, Plane, agent, bundle_of

from govlang.runtime.control import jobs
from govlang.runtime.control.answer import Answer


def body(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer
    assert isinstance(answer.body, str)
    found: dict[str, Any] = json.loads(answer.body)
    return found


@pytest.mark.parametrize("submits", [2, 3, 4, 6, 7])
def test_a_long_timeline_comes_in_stretches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, submits: int
) -> None:
    monkeypatch.setattr(jobs, "LISTED_MAX", 3)

    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as one:
            for number in range(submits):
                await one.submit("a1", "allow.x", run_id="long", step=f"s{number}")
                await one.submit("a1", "allow.x", run_id="other", step=f"s{number}")
            found: list[int] = []
            first: int | None = 1
            while first is not None:
                told = body(one.service.timeline(AUDITOR, "long", first))
                found += [record["seq"] for record in told["records"]]
                assert len(told["records"]) == 3 or told["next"] is None
                first = told["next"]
            lines = [json.loads(line) for line in one.service.rows.lines(1)]
            assert found == [r["seq"] for r in lines if r["job_id"].startswith("long:")]
            assert len(found) == submits

    asyncio.run(scenario())


def test_behind_the_end_there_is_nothing_and_no_run_is_none(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as one:
            await one.submit("a1", "allow.x", run_id="r")
            assert body(one.service.timeline(agent("a1"), "r", 10**6)) == {
                "run_id": "r",
                "next": None,
                "records": [],
            }
            for caller, run_id in ((agent("a2"), "r"), (AUDITOR, "none")):
                assert one.service.timeline(caller, run_id, 1).status == 404

    asyncio.run(scenario())
