"""`gov evidence forget-private` reaches what jobs and stored answers hold, and leaves jobs that go on whole."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from control_life import BUDGET
from control_plane import EFFECTS, OPERATOR, START_MS, Plane, agent, bundle_of

from govlang.runtime.control import service
from govlang.runtime.control.turn import Turn
from govlang.runtime.evidence import forgetting_rows
from govlang.runtime.evidence.audit import audit
from govlang.runtime.evidence.forgetting import forget_private
from govlang.runtime.evidence.forgetting_rows import Forgotten
from govlang.runtime.evidence.source import open_source

NAME = "Ada-Lovelace-of-1815"
STATELESS = """language 1
policy plain version "1.0.0"
default allow
input {
  agent  : key
  topic  : text
  amount : number in 0..1000
  note   : text private
}
"""
NEXT_DAY = START_MS + 86_400_000


def plane(place: Path, source: str = BUDGET) -> Plane:
    return Plane(place, bundle_of(source))


def body(number: int, **more: Any) -> dict[str, Any]:
    request = {"agent": "a1", "topic": "t", "amount": 1, "note": f"{NAME}-{number}"}
    undo = {"request": {**request, "topic": "u"}, "payload": f"undo {NAME}-{number}"}
    payload = {"to": f"{NAME}-{number}", "text": "x" * 9000}
    return {"request": request, "payload": payload, "pool": "p", "undo": undo} | {
        "run_id": f"r{number}",
        "step": "s",
        **more,
    }


async def submit(one: Plane, number: int) -> Any:
    return await one.service.submit(agent("a1"), body(number), f"k{number}")


async def ended(one: Plane, number: int, outcome: str = "succeeded") -> None:
    assert (await submit(one, number)).status == 202
    (job,) = await one.lease()
    await one.begin(job)
    await one.end(job, outcome, output={"sent": f"{NAME}-{number}"})


def stored(place: Path) -> bytes:
    return b"".join(path.read_bytes() for path in place.rglob("*") if path.is_file())


def forget(place: Path, before_ms: int = NEXT_DAY) -> Forgotten:
    return forget_private(open_source(place), before_ms)


def test_what_a_job_that_ended_was_asked_and_answered_is_gone_from_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting_rows, "ROWS", 2)

    async def scenario() -> None:
        async with plane(tmp_path) as one:
            for number in range(4):
                await ended(one, number)
            await ended(one, 4, "failed")
        assert NAME.encode() in stored(tmp_path)
        assert forget(tmp_path, START_MS) == Forgotten(), "none is older"
        found = forget(tmp_path)
        assert (found.jobs, found.answers, found.deferred) == (5, 5, 0)
        assert found.records >= 10
        assert NAME.encode() not in stored(tmp_path)
        assert forget(tmp_path) == Forgotten(), "nothing is left"
        assert audit(tmp_path, exact=True).intact
        async with plane(tmp_path) as one:
            told = one.service.job(agent("a1"), "r4:s@1")
            assert isinstance(told.body, dict)
            assert (told.body["state"], told.body["output"]) == ("failed", None)
            job = one.service.rows.job("r4:s@1")
            assert job is not None
            assert job.intent.request == {"agent": "a1", "topic": "t", "amount": "1"}
            for answer in (
                await submit(one, 4),
                await one.service.submit(agent("a1"), body(9), "k4"),
            ):
                assert isinstance(answer.body, dict)
                assert (answer.status, answer.body["code"]) == (409, "idempotency_conflict")
                assert "forgotten" in answer.body["detail"]
            again = await one.service.retry(OPERATOR, "r4:s@1")
            assert isinstance(again.body, dict)
            assert (again.status, again.body["code"]) == (410, "gone")
            assert "submit it anew" in again.body["detail"]
            assert one.service.rows.attempts("r4", "s") == 1

    asyncio.run(scenario())


def test_a_job_that_goes_on_stays_whole_and_is_forgotten_when_it_has_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(tmp_path) as one:
            await ended(one, 1)
            await submit(one, 2)
            found = forget(tmp_path)  # while the service runs
            assert (found.jobs, found.answers, found.deferred) == (1, 1, 1)
            assert found.needed == 1, "what was dispatched is remembered, and not saved yet"
            (job,) = await one.lease()
            assert job["payload"]["to"] == f"{NAME}-2", "it is done as it was asked for"
            again = await submit(one, 2)
            assert (again.status, again.headers) == (202, {"idempotent-replayed": "true"})
            await one.begin(job)
            await one.service.cancel(OPERATOR, "r2:s@1", "enough")
            assert forget(tmp_path).deferred == 1, "its undo is owed"
            await one.end(job)
            (undo,) = await one.lease()
            assert undo["payload"] == f"undo {NAME}-2"
            await one.begin(undo)
            await one.end(undo)
        found = forget(tmp_path)
        assert (found.jobs, found.answers, found.deferred, found.needed) == (2, 1, 0, 0)
        assert NAME.encode() not in stored(tmp_path)
        async with plane(tmp_path) as one:
            assert one.service.job(OPERATOR, "r2:s@1").status == 200

    asyncio.run(scenario())


def crashed(place: Path, to: Path, source: str) -> Path:
    """The files of a service that one job ended in, as they are where it is killed behind that."""

    async def scenario() -> None:
        async with plane(place, source) as one:
            await ended(one, 1)
            one.service.office.store.tidy()
            shutil.copytree(place, to)

    asyncio.run(scenario())
    return to


def test_what_the_next_start_needs_is_kept_until_the_state_is_saved(tmp_path: Path) -> None:
    place = crashed(tmp_path / "before", tmp_path / "after", BUDGET)
    found = forget(place)
    assert (found.records, found.jobs, found.needed) == (1, 1, 1)
    assert NAME.encode() in stored(place)

    async def again() -> None:
        async with plane(place) as one:
            assert one.service.job(OPERATOR, "r1:s@1").status == 200

    asyncio.run(again())
    assert forget(place) == Forgotten(records=1)
    assert NAME.encode() not in stored(place)


def test_a_policy_that_remembers_nothing_needs_no_values_to_start(tmp_path: Path) -> None:
    place = crashed(tmp_path / "before", tmp_path / "after", STATELESS)
    found = forget(place)
    assert (found.records, found.jobs, found.needed) == (2, 1, 0)
    assert NAME.encode() not in stored(place)

    async def again() -> None:
        async with plane(place, STATELESS) as one:
            assert one.service.job(OPERATOR, "r1:s@1").status == 200

    asyncio.run(again())


def test_without_private_fields_jobs_stay_as_they_are(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(tmp_path, BUDGET.replace(" private", "")) as one:
            await ended(one, 1)
        assert forget(tmp_path) == Forgotten()
        async with plane(tmp_path, BUDGET.replace(" private", "")) as one:
            assert (await submit(one, 1)).status == 202
            job = one.service.rows.job("r1:s@1")
            assert job is not None
            assert job.is_whole

    asyncio.run(scenario())


def test_a_retry_of_what_was_forgotten_is_answered_with_what_it_became(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(tmp_path) as one:
            await ended(one, 1, "failed")
            assert (await one.service.retry(OPERATOR, "r1:s@1")).status == 202
            (job,) = await one.lease()
            await one.begin(job)
            await one.end(job)
        assert forget(tmp_path).answers == 2
        async with plane(tmp_path) as one:
            again = await one.service.retry(OPERATOR, "r1:s@1")
            assert isinstance(again.body, dict)
            assert (again.status, again.body["code"]) == (409, "conflict")
            assert "retried as `r1:s@2`" in again.body["detail"]

    asyncio.run(scenario())


def broken(turn: Turn) -> None:
    turn.has_written = True
    raise ValueError("on the way")


def test_what_a_service_needs_to_remember_after_a_failure_is_not_forgotten(tmp_path: Path) -> None:
    """One operation that failed made it of no use for good, and so did a kill."""

    async def scenario() -> None:
        async with plane(tmp_path) as one:
            await ended(one, 1)
            assert forget(tmp_path).needed == 1
            with pytest.raises(ValueError, match="on the way"):
                await one.service.carry_out(broken)
            assert (await submit(one, 2)).status == 202
            await one.service.carry_out(one.service.office.save_private)
            assert forget(tmp_path).needed == 0
            with pytest.raises(ValueError, match="on the way"):
                await one.service.carry_out(broken)
            assert one.service.ready().status == 200

    asyncio.run(scenario())


def test_the_state_is_saved_by_itself_where_something_private_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with plane(tmp_path / "once") as one:
            await ended(one, 1)
            for _ in range(2):
                await one.service.carry_out(one.service.office.save_private)
            assert one.events().count("state_saved") == 1, "nothing is new"
        async with plane(tmp_path / "shown", BUDGET.replace(" private", "")) as one:
            await ended(one, 1)
            await one.service.carry_out(one.service.office.save_private)
            assert "state_saved" not in one.events()
        monkeypatch.setattr(service, "HOUR_S", 0.01)
        async with plane(tmp_path / "hourly") as one:
            while "state_saved" not in one.events():  # noqa: ASYNC110  # the ledger has no event of a loop
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_policy_that_remembers_nothing_needs_no_private_values(tmp_path: Path) -> None:
    source = EFFECTS.replace("topic  : text", "topic  : text private")

    async def scenario() -> None:
        async with plane(tmp_path, source) as one:
            await one.submit("a1", "allow.x")
            (job,) = await one.lease()
            await one.begin(job)
            await one.end(job)
            assert forget(tmp_path).needed == 0
            with pytest.raises(ValueError, match="on the way"):
                await one.service.carry_out(broken)
            assert one.service.ready().status == 200

    asyncio.run(scenario())
