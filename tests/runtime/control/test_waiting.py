"""Pools that no worker serves: somebody is told, and nothing waits there for ever."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from control_life import BUDGET
from control_plane import EFFECTS, OPERATOR, Plane, agent, approver, bundle_of

from govlang.runtime.control import waiting
from govlang.runtime.control.meter import Meter
from govlang.runtime.control.waiting import POOLS_MAX, Queues

DAY_S = 86_400


class Told(Meter):
    """Keeps what it was told of pools."""

    def __init__(self) -> None:
        self.waits: dict[str, float] = {}

    def waiting(self, waits_s: dict[str, float]) -> None:
        self.waits = waits_s


def plane(place: Path, source: str = EFFECTS, **settings: Any) -> Plane:
    return Plane(place, bundle_of(source), settings, parts={"meter": Told()})


def waits(one: Plane) -> dict[str, float]:
    meter = one.service.office.metrics
    assert isinstance(meter, Told)
    return meter.waits


def test_the_oldest_job_of_each_pool_is_told_and_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with plane(tmp_path) as one:
            await one.submit("a1", "allow.x", pool="served")
            await one.submit("a1", "allow.x", pool="nobody")
            one.clock.forward(200)
            await one.submit("a1", "allow.x", pool="nobody")
            assert len(await one.lease(9, pool="served")) == 1
            one.clock.forward(101)
            with caplog.at_level(logging.WARNING, "govlang.control"):
                for _ in range(2):
                    await one.service.measure()
            assert waits(one) == {"nobody": 301.0}
            said = [line for line in caplog.messages if "nobody" in line]
            (warning,) = said
            assert "the oldest job of pool `nobody` for 301 s: start one" in warning
            assert len(await one.lease(9, pool="nobody")) == 2
            await one.service.measure()
            assert waits(one) == {}

    asyncio.run(scenario())


def test_a_job_that_no_worker_takes_has_timed_out_after_the_longest_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "ROUND", 2)

    async def scenario() -> None:
        async with plane(tmp_path) as one:
            for number in range(5):
                await one.submit("a1", "allow.x", pool="nobody", run_id=f"r{number}", step="s")
            await one.submit("a1", "both.x", pool="nobody", run_id="held", step="s")
            one.clock.forward(7 * DAY_S)
            await one.submit("a1", "allow.x", pool="nobody", run_id="young", step="s")
            await one.service.measure()
            assert one.state("r0:s@1") == "scheduled", "the last of seven days"
            one.clock.forward(1)
            await one.service.measure()
            assert {one.state(f"r{n}:s@1") for n in range(5)} == {"timed_out"}
            assert one.state("young:s@1") == "scheduled"
            letters = one.service.letters(OPERATOR).body
            assert isinstance(letters, dict)
            why = "no worker of pool `nobody` took it within 604800 s"
            assert [x["reason"] for x in letters["letters"] if x["job_id"][0] == "r"] == [why] * 5
            assert one.events("r0")[-2:] == ["step_timed_out", "dead_lettered"]
            again = await one.service.retry(OPERATOR, "r0:s@1")
            assert again.status == 202
            assert one.state("r0:s@2") == "scheduled"

    asyncio.run(scenario())


def test_what_a_job_reserved_and_was_granted_ends_with_its_wait(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(tmp_path / "a", BUDGET, queue_wait_s=60) as one:
            request = {"agent": "a1", "topic": "t", "amount": 90, "note": "x"}
            body = {"request": request, "payload": None, "pool": "nobody"}
            assert (await one.service.submit(agent("a1"), body, "1")).status == 202
            assert (await one.service.submit(agent("a1"), body, "2")).status == 429
            one.clock.forward(61)
            await one.service.measure()
            assert (await one.service.submit(agent("a1"), body, "3")).status == 202
        async with plane(tmp_path / "b", queue_wait_s=60) as one:
            await one.submit("a1", "human.x", run_id="r", step="s")
            (paper,) = one.service.rows.approvals("open", 9)
            body = {"job_hash": paper.job_hash}
            await one.service.approve(approver("lea", "lead"), paper.approval_id, body)
            one.clock.forward(61)
            await one.service.measure()
            assert one.state("r:s@1") == "timed_out"
            assert one.service.rows.approvals("expired", 9)

    asyncio.run(scenario())


def test_a_job_that_the_policy_puts_off_is_not_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(tmp_path, queue_wait_s=60) as one:
            await one.submit("a1", "allow.x", run_id="r", step="s")
            slowed = EFFECTS.replace('"throttle.**" throttle', '"allow.**" throttle')
            answer = await one.service.publish(
                OPERATOR, bundle_of(slowed), allow_looser=True, reason="x"
            )
            assert answer.status == 200
            for _ in range(6):
                one.clock.forward(40)
                assert await one.lease() == []
                await one.service.measure()
            assert one.state("r:s@1") == "retrying"

    asyncio.run(scenario())


def test_a_job_that_no_worker_can_do_is_ended_as_one_that_none_takes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(tmp_path, queue_wait_s=60) as one:
            await one.submit("a1", "notify.x", run_id="r", step="s")
            for _ in range(6):
                one.clock.forward(40)
                assert await one.lease() == []
                await one.service.measure()
            job = one.service.rows.job("r:s@1")
            assert job is not None
            assert (job.state.value, job.tries) == ("timed_out", 0)

    asyncio.run(scenario())


def test_few_pools_are_told_of_by_name() -> None:
    class Short:
        queue_wait_s = 10

    queues = Queues(Short())  # type: ignore[arg-type]
    oldest = {f"p{n}": 1000 * n for n in range(1000)}
    found = queues.look(oldest, 1_000_000)
    assert len(found) == POOLS_MAX
    assert found["p0"] == 1000.0
    assert queues.overdue({"p": 1, "q": 10_000}, 10_002) == ["p"]
    assert queues.look({"p": 5}, 4) == {}, "it is not due yet"
