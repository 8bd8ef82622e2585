"""What the policy remembers lives with the jobs, survives restarts, and is made again from the ledger to the byte."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from control_life import BUDGET, live
from control_plane import Clock, Plane, approver, bundle_of, folder, worker

from govlang.native.errors import CodedError
from govlang.runtime.control.rebuild import rebuild


def plane(place: Path, **more: Any) -> Plane:
    return Plane(place, bundle_of(BUDGET), **more)


def remembered(one: Plane) -> bytes:
    judge = one.service.judge
    return judge.policy.save(now_ms=one.clock())


@pytest.mark.parametrize("seed", range(4))
def test_the_state_is_made_again_from_the_first_record_to_the_same_bytes(seed: int) -> None:
    async def scenario() -> None:
        with folder() as place:
            async with plane(place, settings={"state_records": 25}) as one:
                await live(one, random.Random(seed), 120)
                service = one.service
                before = remembered(one)
                assert len(before) > 300, "something is remembered"
                for from_saved in (False, True):
                    again = rebuild(service.rows, service.office.loading, from_saved=from_saved)
                    assert again is not None
                    assert again.policy.save(now_ms=one.clock()) == before

    asyncio.run(scenario())


def test_it_survives_a_restart_and_a_lost_state(tmp_path: Path) -> None:
    async def scenario(*, lose: bool) -> tuple[bytes, bytes]:
        place = tmp_path / str(lose)
        async with plane(place) as one:
            await live(one, random.Random(7), 80)
            await one.reconcile()  # a stop and a start let happen what is due
            before, at_ms = remembered(one), one.clock.at_ms
        if lose:
            with sqlite3.connect(place / "gov.db") as database:
                database.execute("DELETE FROM states")
        async with plane(place, clock=Clock(at_ms)) as again:
            return before, remembered(again)

    for lose in (False, True):
        before, after = asyncio.run(scenario(lose=lose))
        assert before == after


def test_a_clock_that_went_back_while_nobody_looked_is_a_fault_for_every_key(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with plane(tmp_path) as one:
            await live(one, random.Random(3), 60)
            at_ms = one.clock.at_ms
        async with plane(tmp_path) as again:
            assert again.clock.at_ms < at_ms
            body = {
                "request": {"agent": "a1", "topic": "t", "amount": 1, "note": "x"},
                "payload": None,
                "pool": "p",
            }
            from control_plane import agent

            answer = await again.service.submit(agent("a1"), body, "late")
            assert isinstance(answer.body, dict)
            assert (answer.status, answer.body["rule_id"]) == (403, "clock_fault")
            before = remembered(again)
            made = rebuild(again.service.rows, again.service.office.loading, from_saved=False)
            assert made is not None
            assert made.policy.save(now_ms=again.clock()) == before

    asyncio.run(scenario())


def test_private_values_are_not_in_the_ledger_and_without_them_nothing_is_guessed(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with plane(tmp_path) as one:
            await live(one, random.Random(5), 80)
            text = b"\n".join(one.service.rows.lines(1))
            assert b"secret" not in text
            assert b"hmac-sha256:" in text
        with sqlite3.connect(tmp_path / "gov.db") as database:
            database.execute("DELETE FROM secrets")
            database.execute("DELETE FROM states")
        with pytest.raises(CodedError, match="GOV625"):
            await plane(tmp_path).__aenter__()

    asyncio.run(scenario())


def test_a_budget_holds_though_a_hundred_submits_come_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(tmp_path) as one:
            from control_plane import agent

            def body(number: int) -> dict[str, Any]:
                request = {"agent": "a1", "topic": f"t{number}", "amount": 10, "note": "x"}
                return {"request": request, "payload": None, "pool": "p"}

            answers = await asyncio.gather(
                *(one.service.submit(agent("a1"), body(n), f"k{n}") for n in range(100))
            )
            assert sorted(a.status for a in answers) == [202] * 10 + [429] * 90
            jobs = await one.lease(20)
            assert len(jobs) == 10, "what a job has reserved is not held against itself"
            for job in jobs:
                await one.begin(job)
                await one.end(job, used={"amount": "4"})
            more = await one.service.submit(agent("a1"), body(200), "more")
            assert more.status == 202
            answers = [
                await one.service.submit(agent("a1"), body(300 + n), f"m{n}") for n in range(9)
            ]
            assert [a.status for a in answers] == [202] * 5 + [429] * 4

    asyncio.run(scenario())


def test_three_failures_are_told_to_the_policy_and_a_success_between_them_too(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with plane(tmp_path) as one:
            from control_plane import agent

            async def work(outcome: str) -> int:
                one.keys += 1
                request = {"agent": "a2", "topic": "t", "amount": 0, "note": "x"}
                answer = await one.service.submit(
                    agent("a2"), {"request": request, "payload": None, "pool": "p"}, f"w{one.keys}"
                )
                for job in await one.lease():
                    await one.begin(job)
                    await one.end(job, outcome)
                return answer.status

            told = [
                await work(w)
                for w in (
                    "failed",
                    "failed",
                    "succeeded",
                    "failed",
                    "failed",
                    "failed",
                    "succeeded",
                )
            ]
            assert told == [202] * 6 + [403]

    asyncio.run(scenario())


CORRUPT = {
    "the state": "UPDATE states SET blob = zeroblob(length(blob))",
    "its deadlines": "UPDATE states SET deadlines = '[]'",
    "its record": "UPDATE states SET seq = seq - 1",
    "a record beyond the ledger": "UPDATE states SET seq = seq + 1000",
    "its policy": "UPDATE states SET snapshot = 'sha256:x'",
}


def rebuilt(one: Plane) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in one.service.rows.lines(1)]
    return [r["details"] for r in records if r["run_timeline_event"] == "state_rebuilt"]


@pytest.mark.parametrize("change", CORRUPT.values(), ids=CORRUPT.keys())
def test_a_corrupt_state_stops_the_start_until_it_is_dropped_by_hand(
    tmp_path: Path, change: str
) -> None:
    async def scenario() -> None:
        async with plane(tmp_path) as one:
            await live(one, random.Random(7), 80)
            await one.reconcile()
            before, at_ms = remembered(one), one.clock.at_ms
        with sqlite3.connect(tmp_path / "gov.db") as database:
            assert database.execute(change).rowcount == 1
        for _ in range(2):
            with pytest.raises(CodedError, match="GOV632") as refused:
                await plane(tmp_path).__aenter__()
            assert "--rebuild-state" in str(refused.value.help)
        async with plane(tmp_path, clock=Clock(at_ms), drops_state=True) as again:
            assert remembered(again) == before
            assert rebuilt(again) == [{"saved_state": "dropped"}]
        async with plane(tmp_path, clock=Clock(at_ms)) as later:
            assert remembered(later) == before
            assert rebuilt(later) == [{"saved_state": "dropped"}]

    asyncio.run(scenario())


def test_a_lost_state_is_told_and_saved_again_and_one_that_never_was_is_not_missed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with plane(tmp_path) as one:
            assert one.service.rows.state() is None
        async with plane(tmp_path) as one:
            assert rebuilt(one) == []
        with sqlite3.connect(tmp_path / "gov.db") as database:
            database.execute("DELETE FROM states")
        async with plane(tmp_path) as again:
            assert rebuilt(again) == [{"saved_state": "lost"}]
            assert again.service.rows.state() is not None
        assert "the saved state was lost" in caplog.text

    asyncio.run(scenario())


__all__ = ["approver", "worker"]
