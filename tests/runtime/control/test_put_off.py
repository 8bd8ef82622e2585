"""A gate that fails at one job: that job is put off, and nobody else is held up."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
from control_life import BUDGET
from control_plane import EFFECTS, Plane, agent, bundle_of, worker

from govlang.runtime.control import dispatch
from govlang.runtime.control.job import Job


def records(one: Plane) -> list[dict[str, Any]]:
    return [json.loads(line) for line in one.service.rows.lines(1)]


def test_a_job_at_which_the_gate_fails_is_put_off_and_the_others_go(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(BUDGET), {"retry_budget": 2}) as one:
            jobs = []
            for n, amount in enumerate((1, 2, 3)):
                request = {"agent": "a1", "topic": "t", "amount": amount, "note": "x"}
                body = {"request": request, "payload": None, "pool": "p"}
                answer = await one.service.submit(agent("a1"), body, f"k{n}")
                assert isinstance(answer.body, dict)
                jobs.append(answer.body["job_id"])
                one.clock.forward(0.001)  # jobs of one millisecond go in any order
            real = dispatch.limited

            def fails(request: dict[str, Any], obligations: Any) -> Any:
                if int(request["amount"]) == 2:
                    raise OverflowError("nobody foresaw it")
                return real(request, obligations)

            with mock.patch.object(dispatch, "limited", fails):
                assert [j["job_id"] for j in await one.lease(5)] == [jobs[0], jobs[2]]
                assert one.state(jobs[1]) == "retrying"
                one.clock.forward(60)
                assert await one.lease(5) == []
            assert one.state(jobs[1]) == "timed_out"
            (letter,) = one.service.rows.letters(9)
            assert "OverflowError" in letter.reason
            dispatched = [r for r in records(one) if r["run_timeline_event"] == "step_dispatched"]
            assert [r["job_id"] for r in dispatched] == [jobs[0], jobs[2]]

    asyncio.run(scenario())


def test_a_job_that_cannot_even_be_put_off_holds_nobody_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as one:
            first, second = await one.submit("a1", "allow.a"), await one.submit("a1", "allow.b")
            assert isinstance(first.body, dict)
            assert isinstance(second.body, dict)
            whole = Job.is_whole.fget  # type: ignore[attr-defined]

            def fails(job: Job) -> bool:
                if job.job_id == first.body["job_id"]:
                    raise ValueError("nobody foresaw it")
                return bool(whole(job))

            with (
                mock.patch.object(Job, "is_whole", property(fails)),
                mock.patch.object(dispatch, "put_off", side_effect=ValueError("neither this")),
            ):
                assert [j["job_id"] for j in await one.lease(5)] == [second.body["job_id"]]
            assert one.state(first.body["job_id"]) == "scheduled"

    asyncio.run(scenario())


def test_a_lease_that_would_ask_the_check_while_the_service_stops_is_told_so(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        settings = {"policy_check_url": "http://check.test/"}
        source = EFFECTS.replace("agent  : key", "agent  : text")
        parts = {"transport": httpx.MockTransport(lambda _: httpx.Response(500))}
        one = Plane(tmp_path, bundle_of(source), settings, parts=parts)
        async with one:
            pass
        answer = await one.service.lease(worker(), "p", {"worker": "w1", "max": 1, "wait_s": 0})
        assert isinstance(answer.body, dict)
        assert (answer.status, answer.body["code"]) == (503, "shutting_down")

    asyncio.run(scenario())
