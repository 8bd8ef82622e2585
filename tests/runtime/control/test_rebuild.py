"""What the policy remembers lives with the jobs, survives restarts, and is made again from the ledger to the byte."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from control_plane import BUDGET, OPERATOR, Clock, Plane, approver, bundle_of, folder, worker

from govlang.native.errors import CodedError
from govlang.runtime.control.rebuild import rebuild


def plane(place: Path, **more: Any) -> Plane:
    return Plane(place, bundle_of(BUDGET), **more)


async def live(one: Plane, dice: random.Random, steps: int) -> None:
    """Let agents submit, workers work, alarms ring and time pass."""
    held: list[dict[str, Any]] = []
    for _ in range(steps):
        one.clock.forward(dice.choice((0, 0.2, 1, 20, 90)))
        match dice.randrange(7):
            case 0 | 1 | 2:
                who = dice.choice(("a1", "a2"))
                body = {
                    "request": {
                        "agent": who,
                        "topic": "t",
                        "amount": dice.choice((1, 30.5)),
                        "note": dice.choice(("x", "secret")),
                    },
                    "payload": None,
                    "pool": "p",
                }
                one.keys += 1
                from control_plane import agent

                await one.service.submit(agent(who), body, f"k{one.keys}")
            case 3:
                for job in await one.lease(2):
                    await one.begin(job)
                    held.append(job)
            case 4 | 5 if held:
                job = held.pop(dice.randrange(len(held)))
                await one.end(
                    job,
                    dice.choice(("succeeded", "failed", "again")),
                    used={"amount": dice.choice(("0.5", "40"))},
                )
            case 6 if dice.random() < 0.3:
                step = {
                    "event": "alarm",
                    "key": {"agent": "a1"},
                    "fields": {"level": 3},
                }
                await one.service.observe(OPERATOR, step)
            case _:
                await one.reconcile()


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


__all__ = ["approver", "worker"]
