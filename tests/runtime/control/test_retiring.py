"""Retention: rows of jobs that ended long ago go, nothing that is needed does, and the ledger tells the rest."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from control_life import BUDGET, live
from control_plane import (
    AUDITOR,
    EFFECTS,
    OPERATOR,
    START_MS,
    Clock,
    Plane,
    agent,
    approver,
    bundle_of,
    worker,
)

from govlang.runtime.control import retiring
from govlang.runtime.control.rebuild import rebuild
from govlang.runtime.control.retiring import Retiring, forget_answers
from govlang.runtime.control.service import Service
from govlang.runtime.evidence.audit import audit

DAY_S = 86_400
TABLES = ("jobs", "moves", "approvals", "letters", "outbox", "flights")


RETIRE_SOME = Service._retire_some


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service leaves old jobs to the test."""

    async def nothing(service: Service) -> bool:
        del service
        return False

    monkeypatch.setattr(Service, "_retire_some", nothing)


def plane(place: Path, days: float = 0, source: str = EFFECTS, **settings: Any) -> Plane:
    clock = Clock(START_MS + int(days * DAY_S * 1000))
    return Plane(place, bundle_of(source), {"checkpoint_s": 86_400, **settings}, clock)


async def retire(one: Plane) -> int:
    """Go over all jobs once; how many are gone."""
    service, count = one.service, 0
    over = Retiring(service.office.settings)
    while found := over.find(service.rows, one.clock()):
        covered = service.archive.size
        assert len(found) <= retiring.ROUND
        count += await service.carry_out(
            lambda turn, found=found, covered=covered: over.delete(turn, found, covered)
        )
    return count


def rows(place: Path) -> dict[str, int]:
    with closing(sqlite3.connect(place / "gov.db")) as database:
        return {
            name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608  # names of this file
            for name in TABLES
        }


async def work(one: Plane, run_id: str, outcome: str = "succeeded", **more: Any) -> str:
    """A job from its submit to its end."""
    answer = await one.submit("a1", "allow.x", run_id=run_id, step="s", **more)
    assert isinstance(answer.body, dict)
    (job,) = await one.lease()
    await one.begin(job)
    await one.end(job, outcome)
    return str(answer.body["job_id"])


def test_what_ended_90_days_ago_is_gone_and_the_ledger_says_what_became_of_it(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with plane(tmp_path) as one:
            await work(one, "r1")
            await work(one, "r2", "failed")
            asked = (await one.submit("a1", "human.x", run_id="r3", step="s")).body
            assert isinstance(asked, dict)
            (paper,) = one.service.rows.approvals("open", 9)
            body = {"job_hash": paper.job_hash}
            await one.service.reject(approver("lea", "lead"), paper.approval_id, body)
        async with plane(tmp_path, 89.9) as one:
            assert await retire(one) == 0, "none is old enough"
            assert rows(tmp_path)["jobs"] == 3
        async with plane(tmp_path, 90.1) as one:
            assert await retire(one) == 3
            assert set(rows(tmp_path).values()) == {0}
            lines = one.service.rows.lines_of_run("r2", 99)
            assert b"step_failed" in lines[3]
            for caller in (agent("a1"), OPERATOR, AUDITOR):
                told = one.service.job(caller, "r2:s@1")
                assert isinstance(told.body, dict)
                assert (told.status, told.body["code"]) == (410, "gone")
                assert "gov evidence show DATA --job r2:s@1" in told.body["detail"]
            assert one.service.timeline(agent("a1"), "r2").status == 200
            assert (await one.service.cancel(agent("a1"), "r2:s@1", "x")).status == 410
            assert (await one.service.retry(OPERATOR, "r2:s@1")).status == 410
            assert one.service.job(agent("a2"), "r2:s@1").status == 404, "it is not told of it"
            for never in ("r2:s@2", "r2:t@1", "none:s@1"):
                assert one.service.job(OPERATOR, never).status == 404
        assert audit(tmp_path, exact=True).intact

    asyncio.run(scenario())


def test_the_id_of_a_job_that_is_gone_never_comes_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(tmp_path) as one:
            assert await work(one, "r1") == "r1:s@1"
            assert await work(one, "r1") == "r1:s@2"
        async with plane(tmp_path, 91) as one:
            assert await retire(one) == 2
            assert await work(one, "r1", key="later") == "r1:s@3"
            other = await one.service.submit(
                agent("a2"),
                {"request": {"agent": "a2", "topic": "allow.x", "amount": 1}, "pool": "p"}
                | {"payload": None, "run_id": "r1"},
                "k",
            )
            assert other.status == 403, "the run belongs to who began it"

    asyncio.run(scenario())


def test_nothing_goes_before_its_last_record_is_under_a_checkpoint(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(tmp_path, checkpoint_records=1_000_000) as one:
            await work(one, "r1")
            covered = one.service.archive.size
            one.clock.forward(100 * DAY_S)
            assert await retire(one) == 0
            one.service.archive._sign()
            assert one.service.archive.size > covered
            assert await retire(one) == 1

    asyncio.run(scenario())


def test_what_a_living_job_names_stays(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(tmp_path, lease_s=3600) as one:
            await one.submit("a1", "allow.x", run_id="parent", step="s")
            (parent,) = await one.lease()
            await one.begin(parent)
            await one.submit("a1", "allow.y", run_id="child", parent_job_id="parent:s@1")
            await one.end(parent)
            undo = {"request": {"agent": "a1", "topic": "allow.z", "amount": 1}}
            await one.submit("a1", "allow.x", run_id="undone", step="s", pool="q", undo=undo)
            (revoked,) = await one.lease(pool="q")
            await one.begin(revoked)
            await one.service.cancel(OPERATOR, "undone:s@1", "enough")
            assert one.service.rows.job("undone:s@1").undo_owed  # type: ignore[union-attr]
        async with plane(tmp_path, 100, queue_wait_s=31_536_000) as one:
            await one.reconcile()  # the lease of what was cancelled has run out: its undo waits
            assert await retire(one) == 0
            for job_id in ("parent:s@1", "undone:s@1"):
                assert one.service.job(OPERATOR, job_id).status == 200
            for pool in ("p", "q"):
                for job in await one.lease(9, pool=pool):
                    await one.begin(job)
                    await one.end(job)
            one.service.archive._sign()
            one.clock.forward(91 * DAY_S)
            gone = [await retire(one), await retire(one)]
            assert sum(gone) == 4, "those that were handed on go first"
            assert rows(tmp_path)["jobs"] == 0

    asyncio.run(scenario())


def test_a_worker_that_has_not_let_go_keeps_its_job(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(tmp_path) as one:
            await one.submit("a1", "allow.x", run_id="r", step="s")
            (job,) = await one.lease()
            await one.begin(job)
            await one.service.suspend(OPERATOR, "a1", "enough")
            one.service.archive._sign()
            one.clock.forward(100 * DAY_S)
            assert await retire(one) == 0
            told = await one.service.heartbeat(worker(), job["lease_id"], {})
            assert told.body == {"state": "cancelled", "cancel": True, "lease_s": 0}
            one.service.archive._sign()
            one.clock.forward(91 * DAY_S)
            assert await retire(one) == 1

    asyncio.run(scenario())


def test_what_is_remembered_is_made_again_to_the_same_bytes_without_the_rows(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with plane(tmp_path, source=BUDGET, state_records=25) as one:
            await live(one, random.Random(11), 150)
            at_ms = one.clock.at_ms
        days = (at_ms - START_MS) / 1000 / DAY_S + 91
        async with plane(tmp_path, days, BUDGET, state_records=25, queue_wait_s=31_536_000) as one:
            await one.reconcile()
            before = one.service.judge.policy.save(now_ms=one.clock())
            assert await retire(one) >= 5
            for from_saved in (False, True):
                made = rebuild(one.service.rows, one.service.office.loading, from_saved=from_saved)
                assert made is not None
                assert made.policy.save(now_ms=one.clock()) == before
        async with plane(tmp_path, days, BUDGET, queue_wait_s=31_536_000) as one:
            assert one.service.judge.policy.save(now_ms=one.clock()) == before
        assert audit(tmp_path, exact=True).intact

    asyncio.run(scenario())


def test_a_turn_deletes_few_and_the_service_goes_on_until_all_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Service, "_retire_some", RETIRE_SOME)
    monkeypatch.setattr(retiring, "ROUND", 3)
    monkeypatch.setattr(retiring, "ANSWERS", 4)

    async def scenario() -> None:
        async with plane(tmp_path) as one:
            for number in range(10):
                await work(one, f"r{number}")
        async with plane(tmp_path, 91) as one:  # its own round does it
            for _ in range(200):
                if not rows(tmp_path)["jobs"]:
                    break
                await asyncio.sleep(0.02)
            assert rows(tmp_path)["jobs"] == 0
            assert one.service.rows.answer("a1", "k1") is None

    asyncio.run(scenario())


def test_answers_are_dropped_a_few_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with plane(tmp_path) as one:
            for _ in range(5):
                await one.submit("a1", "deny.x")
            monkeypatch.setattr(retiring, "ANSWERS", 3)
            one.clock.forward(91 * DAY_S)
            assert [await one.service.carry_out(forget_answers) for _ in range(2)] == [True, False]
            assert [one.service.rows.answer("a1", f"k{n}") for n in range(1, 6)] == [None] * 5

    asyncio.run(scenario())


def test_what_is_old_is_found_by_an_index(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(tmp_path) as one:
            await work(one, "r1")
            one.service.archive._sign()
            with closing(sqlite3.connect(tmp_path / "gov.db")) as database:
                asked: list[str] = []
                session = type(one.service.rows)(database)
                database.set_trace_callback(asked.append)
                session.aged(one.clock() + 1, (-1, 0), 9)
                session.retire(["r1:s@1"], one.clock() + 1, 1000)
                session.drop_answers(one.clock() + 1, 9)
                database.set_trace_callback(None)
                plans = [
                    row[3] for t in asked for row in database.execute("EXPLAIN QUERY PLAN " + t)
                ]
                database.rollback()
            assert any("jobs_ended" in line for line in plans), plans
            scans = [line for line in plans if line.startswith("SCAN")]
            assert scans in ([], ["SCAN outbox"]), plans

    asyncio.run(scenario())


def test_a_directory_that_was_begun_without_it_is_made_ready(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(tmp_path) as one:
            await work(one, "r1")
        with closing(sqlite3.connect(tmp_path / "gov.db")) as database:
            for what in ("TABLE retired", "INDEX jobs_ended", "INDEX jobs_parent"):
                database.execute(f"DROP {what}")
        async with plane(tmp_path, 91) as one:
            assert await retire(one) == 1

    asyncio.run(scenario())
