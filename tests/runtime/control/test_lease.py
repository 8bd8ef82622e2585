"""Leases that wait: woken by work, by time, and by the end of the service."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from control_plane import EFFECTS, OPERATOR, Plane, bundle_of, worker


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


def test_a_worker_that_is_suspended_gets_nothing_and_hears_why(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as plane:
            await plane.submit("a1", "allow.x")
            await plane.service.suspend(OPERATOR, "w1", "bad worker")
            refused = await asks(plane, 5)
            assert (refused.status, refused.body["code"]) == (403, "suspended")
            assert len(await plane.lease(who="w2")) == 1, "it is there for another"

    asyncio.run(scenario())


def test_a_worker_gets_no_job_whose_action_it_cannot_do_and_costs_it_nothing(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS), {"retry_budget": 2}) as plane:
            job_id = (await plane.submit("a1", "notify.x")).body["job_id"]
            told = len(plane.events())
            for _ in range(5):
                assert await plane.lease() == []
                assert await plane.lease(1, "other") == []
                plane.clock.forward(60)
            job = plane.service.rows.job(job_id)
            assert (job.state.value, job.tries, len(plane.events())) == ("scheduled", 0, told)
            assert [one["job_id"] for one in await plane.lease(1, "notify", "other")] == [job_id]

    asyncio.run(scenario())


def test_jobs_that_a_worker_cannot_do_hide_none_that_it_can(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as plane:
            for _ in range(20):
                await plane.submit("a1", "notify.x")
            plane.clock.forward(1)
            able = (await plane.submit("a2", "allow.x")).body["job_id"]
            assert [one["job_id"] for one in await plane.lease()] == [able]
            assert len(await plane.lease(30, "notify")) == 20

    asyncio.run(scenario())


LATER = EFFECTS.replace(
    'rule allowed  when topic like "allow.**"    allow\n',
    'rule allowed  when topic like "allow.**"    allow and do notify\n',
).replace("1.0.0", "1.1.0")


def test_a_job_that_another_policy_gave_an_action_waits_for_a_worker_that_can(
    tmp_path: Path,
) -> None:
    """And one that lost its action is handed to whoever asks."""

    async def scenario(first: str, then: str, *, is_handed: bool) -> None:
        async with Plane(tmp_path / str(is_handed), bundle_of(first)) as plane:
            for _ in range(9):
                await plane.submit("a1", "allow.x")
            answer = await plane.service.publish(
                OPERATOR, bundle_of(then), allow_looser=True, reason="x"
            )
            assert answer.status == 200
            told = len(plane.events())
            assert (await plane.lease() != []) == is_handed
            if not is_handed:
                assert len(plane.events()) == told
                plane.clock.forward(1)
                last = (await plane.submit("a1", "limit.x")).body["job_id"]
                found = [(await plane.lease()) for _ in range(4)]
                assert [job["job_id"] for jobs in found for job in jobs] == [last]

    asyncio.run(scenario(EFFECTS, LATER, is_handed=False))
    asyncio.run(scenario(LATER, EFFECTS.replace("1.0.0", "1.2.0"), is_handed=True))
