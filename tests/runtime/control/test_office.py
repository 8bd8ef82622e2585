"""The office: memory and head that are those of the last commit, whatever fails."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from control_plane import EFFECTS, OPERATOR, Plane, approver, bundle_of, worker

from govlang.native.errors import CodedError
from govlang.runtime.control import office
from govlang.runtime.control.headfile import HeadFile
from govlang.runtime.control.meter import Meter
from govlang.runtime.evidence.ledger import read_head


def test_a_head_that_cannot_be_written_does_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as one:

            def full(file: HeadFile, head: Any) -> None:
                raise OSError(28, "no space left on device")

            write = HeadFile.write
            monkeypatch.setattr(HeadFile, "write", full)
            token = {"roles": ["worker"], "agent": "w", "ttl_s": 60}
            made = await asyncio.gather(
                *(one.service.create_token(OPERATOR, token) for _ in range(3))
            )
            assert [answer.status for answer in made] == [201] * 3, "they are on the disk"
            assert len(one.service.rows.tokens()) == 3
            assert one.service.ready().status == 503
            monkeypatch.setattr(HeadFile, "write", write)
            assert (await one.submit("a1", "allow.x")).status == 202
            assert one.service.ready().status == 200
            head = read_head(tmp_path / "LEDGER.head")
            assert head is not None
            assert head.count == len(one.events())

    asyncio.run(scenario())


def test_a_memory_that_could_not_be_made_anew_is_not_worked_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as one:
            answer = await one.submit("a1", "allow.x")
            assert isinstance(answer.body, dict)

            def breaks(turn: Any) -> None:
                turn.suspended["a1"] = "never committed"
                turn.has_written = True
                raise KeyError("torn")

            def lost(*_: Any, **__: Any) -> None:
                raise CodedError("GOV625", "its private values are gone", "")

            rebuild = office.rebuild
            monkeypatch.setattr(office, "rebuild", lost)
            with pytest.raises(CodedError):
                await one.service.carry_out(breaks)
            assert (await one.submit("a1", "allow.x")).status == 503
            assert one.service.ready().status == 503
            monkeypatch.setattr(office, "rebuild", rebuild)
            assert (await one.submit("a1", "allow.x")).status == 202
            assert one.service.ready().status == 200

    asyncio.run(scenario())


@pytest.mark.parametrize("kept", [("gov.db", "LEDGER.head"), ()])
def test_a_ledger_that_does_not_reach_its_checkpoint_stops_the_start(
    tmp_path: Path, kept: tuple[str, ...]
) -> None:
    async def scenario() -> None:
        place, copy = tmp_path / "data", tmp_path / "copy"
        async with Plane(place, bundle_of(EFFECTS)):
            pass
        shutil.copytree(place, copy)
        async with Plane(place, bundle_of(EFFECTS)) as one:
            for _ in range(5):
                await one.submit("a1", "allow.x")
        for name in ("gov.db", "LEDGER.head"):
            (place / name).unlink()
        for name in kept:
            shutil.copy(copy / name, place / name)
        with pytest.raises(CodedError, match=r"GOV661|GOV622"):
            await Plane(place, bundle_of(EFFECTS)).__aenter__()

    asyncio.run(scenario())


def test_what_was_forced_open_is_so_after_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as one:
            await one.service.force_open(OPERATOR, "policy_check", "maintenance")
        async with Plane(tmp_path, bundle_of(EFFECTS)) as again:
            assert again.service.breaker.state("policy_check") == "forced"
            await again.service.release(OPERATOR, "policy_check", "done")
        async with Plane(tmp_path, bundle_of(EFFECTS)) as last:
            assert last.service.breaker.state("policy_check") != "forced"

    asyncio.run(scenario())


def test_a_dependency_that_nothing_calls_cannot_be_held_open(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as one:
            never = await one.service.release(OPERATOR, "policy_check", "it was not forced")
            assert never.body == {"dependency": "policy_check", "state": "closed"}
            count = one.service.office.chronicle.head.count
            for move in (one.service.force_open, one.service.release):
                answer = await move(OPERATOR, "policy_chek", "maintenance")
                assert isinstance(answer.body, dict)
                assert (answer.status, answer.body["field"]) == (404, "dependency")
                assert answer.body["expected"] == "`policy_check`"
            assert one.service.office.chronicle.head.count == count, "nothing is on the record"

    asyncio.run(scenario())


def test_a_lease_that_waits_is_released_when_the_service_stops(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as one:
            body = {"worker": "w1", "max": 1, "wait_s": 20, "actions": []}
            waiting = asyncio.ensure_future(one.service.lease(worker(), "p", body))
            await asyncio.sleep(0.2)
            one.service.stop_waiting()
            answer = await asyncio.wait_for(waiting, 5)
            assert answer.body == {"jobs": []}

    asyncio.run(scenario())


def test_an_approval_ends_with_its_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as one:
            answer = await one.submit("a1", "both.x")
            assert isinstance(answer.body, dict)
            (asked,) = one.service.rows.approvals("open", 9)
            await one.service.cancel(OPERATOR, answer.body["job_id"], "enough")
            assert one.service.rows.approvals("open", 9) == []
            monkeypatch.setattr(office.Office, "abandon", _never)
            body = {"job_hash": asked.job_hash}
            late = await one.service.approve(approver("bob", "lead"), asked.approval_id, body)
            assert isinstance(late.body, dict)
            assert (late.status, late.body["code"]) == (409, "approval_closed")

    asyncio.run(scenario())


def _never(shop: office.Office) -> None:
    del shop
    raise AssertionError("the memory is made anew")


def test_an_agent_of_many_jobs_in_one_run_slows_nobody_down(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as one:
            await one.submit("a1", "allow.x", run_id="r")
            plans = [row[3] for query in ("agents_of_run",) for row in _plan(tmp_path, one, query)]
            assert all("parties" in line for line in plans), plans

    asyncio.run(scenario())


def _plan(place: Path, one: Plane, query: str) -> list[Any]:
    asked: list[str] = []
    with sqlite3.connect(place / "gov.db") as database:
        session = type(one.service.rows)(database)
        database.set_trace_callback(asked.append)
        getattr(session, query)("r")
        database.set_trace_callback(None)
        return [row for text in asked for row in database.execute("EXPLAIN QUERY PLAN " + text)]


def test_one_agent_cannot_take_the_room_of_all(tmp_path: Path) -> None:
    async def scenario() -> None:
        settings = {"live_jobs_agent_max": 3}
        async with Plane(tmp_path, bundle_of(EFFECTS), settings) as one:
            told = [await one.submit("a1", "allow.x") for _ in range(5)]
            assert [answer.status for answer in told] == [202, 202, 202, 429, 429]
            assert (await one.submit("a2", "allow.x")).status == 202
            await one.lease(4)
            assert isinstance(told[0].body, dict)
            await one.service.cancel(OPERATOR, told[0].body["job_id"], "enough")
            assert (await one.submit("a1", "allow.x")).status == 202
        async with Plane(tmp_path, bundle_of(EFFECTS), settings) as again:
            assert (await again.submit("a1", "allow.x", key="new")).status == 429

    asyncio.run(scenario())


def test_what_waits_in_the_outbox_is_published_at_the_start(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as one:
            await one.submit("a1", "allow.x")
        with sqlite3.connect(tmp_path / "gov.db") as database:
            database.execute("INSERT INTO outbox (pool, job_id) VALUES ('p', 'left')")
        async with Plane(tmp_path, bundle_of(EFFECTS)) as again:
            for _ in range(50):
                await asyncio.sleep(0.02)
                if not again.service.rows.unpublished(9):
                    return
            raise AssertionError("it still stands there")

    asyncio.run(scenario())


def test_dead_letters_outbox_and_breakers_are_measured(tmp_path: Path) -> None:
    async def scenario() -> None:
        told: dict[str, Any] = {}

        class Told(Meter):
            def dead_letters(self, count: int) -> None:
                told["letters"] = count

            def outbox(self, depth: int) -> None:
                told["outbox"] = depth

            def breaker(self, dependency: str, state: str) -> None:
                told[dependency] = state

        async with Plane(tmp_path, bundle_of(EFFECTS), parts={"meter": Told()}) as one:
            answer = await one.submit("a1", "allow.x")
            assert isinstance(answer.body, dict)
            await one.service.suspend(OPERATOR, "a1", "enough")
            await one.lease()
            for _ in range(100):
                await one.service.measure()
                if not told["outbox"]:  # the relay has taken it out
                    break
                await asyncio.sleep(0.05)
            assert told == {"letters": 1, "outbox": 0, "policy_check": "closed"}

    asyncio.run(scenario())
