"""Leases that wait: woken by work, by time, and by the end of the service."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from control_plane import EFFECTS, Plane, bundle_of, worker


def asks(plane: Plane, wait_s: float) -> Any:
    body = {"worker": "w1", "max": 1, "wait_s": wait_s, "actions": []}
    return asyncio.ensure_future(plane.service.lease(worker(), "p", body))


def test_a_lease_that_waits_is_woken_by_work(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as plane:
            waiting = asks(plane, 30)
            await asyncio.sleep(0.05)
            assert not waiting.done()
            await plane.submit("a1", "allow.x")
            answer = await asyncio.wait_for(waiting, 10)
            assert len(answer.body["jobs"]) == 1

    asyncio.run(scenario())


def test_a_lease_that_waits_ends_with_the_service(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as plane:
            waiting = asks(plane, 30)
            await asyncio.sleep(0.05)
            began = time.process_time()
            plane.service.stop_waiting()
            answer = await asyncio.wait_for(waiting, 10)
            assert answer.body["jobs"] == []
            assert time.process_time() - began < 5, "it ends, and does not ask again and again"
            assert plane.service.ready().status == 503

    asyncio.run(scenario())


def test_a_lease_that_may_not_wait_answers_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as plane:
            assert await plane.lease() == []

    asyncio.run(scenario())
