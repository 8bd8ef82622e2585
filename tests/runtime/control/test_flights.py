"""What is asked often of jobs in flight neither reads nor writes what they carry."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from control_life import BUDGET
from control_plane import OPERATOR, Plane, agent, bundle_of, worker

PAYLOAD = {"large": "x" * 200_000}


async def running(one: Plane) -> dict[str, Any]:
    request = {"agent": "a1", "topic": "t", "amount": 1, "note": "x"}
    body = {"request": request, "payload": PAYLOAD, "pool": "p", "run_id": "r", "step": "s"}
    assert (await one.service.submit(agent("a1"), body, "k")).status == 202
    (job,) = await one.lease()
    assert (await one.begin(job)).status == 200
    return job


def traced(one: Plane) -> list[str]:
    """The statements of the writer from now on."""
    asked: list[str] = []
    one.service.office.store._writer.set_trace_callback(asked.append)
    return asked


def of_jobs(asked: list[str]) -> list[str]:
    return [text for text in asked if "jobs" in text]


def test_a_heartbeat_reads_and_writes_its_own_columns_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(BUDGET)) as one:
            job = await running(one)
            before = one.service.rows.job("r:s@1")
            one.clock.forward(20)
            asked = traced(one)
            told = await one.service.heartbeat(worker(), job["lease_id"], {})
            one.service.office.store._writer.set_trace_callback(None)
            assert told.body == {"state": "running", "cancel": False, "lease_s": 30.0}
            mine = [text for text in of_jobs(asked) if job["lease_id"] in text]
            assert [text.split()[0] for text in mine] == ["SELECT", "UPDATE"]
            assert not any("payload" in text or "REPLACE" in text for text in mine)
            after = one.service.rows.job("r:s@1")
            assert before is not None
            now_ms = one.clock()
            assert after == before.with_(lease_until_ms=now_ms + 30_000, updated_ms=now_ms)
            one.clock.forward(29)
            await one.reconcile()
            assert one.state("r:s@1") == "running", "the lease goes on"
            one.clock.forward(2)
            late = await one.service.heartbeat(worker(), job["lease_id"], {})
            assert late.status == 409
            await one.reconcile()
            assert one.state("r:s@1") == "timed_out"

    asyncio.run(scenario())


def test_a_watch_reads_no_row_of_a_job_that_it_does_not_cancel(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(BUDGET)) as one:
            job = await running(one)
            asked = traced(one)
            step = {"event": "alarm", "key": {"agent": "a2"}, "fields": {"level": 3}}
            assert (await one.service.observe(OPERATOR, step)).status == 202
            told: Any = await one.service.observe(OPERATOR, {"event": "success", "key": "a2"})
            assert told.status == 422, "the service tells of results itself"
            one.service.office.store._writer.set_trace_callback(None)
            assert not any("flights" in text or "payload" in text for text in of_jobs(asked))
            told = await one.service.observe(OPERATOR, {**step, "key": {"agent": "a1"}})
            assert told.body["cancelled"] == [job["job_id"]], "and revokes all the same"

    asyncio.run(scenario())
