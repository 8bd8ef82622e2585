"""Private fields of jobs: nothing in the ledger lets somebody confirm a guess."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from control_plane import EFFECTS, OPERATOR, Plane, approver, bundle_of, folder

from govlang.runtime.control.job import Job, hash_job
from govlang.runtime.evidence.forgetting import forget_private
from govlang.runtime.evidence.record import salted
from govlang.runtime.evidence.source import open_source

PRIVATE = EFFECTS.replace(
    "amount : number in 0..1000 step 0.5", "amount : number in 0..1000 private"
)


def play(source: str, scenario: Callable[[Plane], Awaitable[None]]) -> None:
    async def whole() -> None:
        with folder() as place:
            async with Plane(place, bundle_of(source)) as plane:
                await scenario(plane)

    asyncio.run(whole())


async def submitted(plane: Plane, topic: str = "human.x") -> tuple[Job, dict[str, Any]]:
    """A job, and its first record."""
    answer = await plane.submit("a1", topic, 417)
    assert isinstance(answer.body, dict)
    job = plane.service.rows.job(answer.body["job_id"])
    assert job is not None
    records = [json.loads(line) for line in plane.service.rows.lines(1)]
    return job, next(r for r in records if r["run_timeline_event"] == "submitted")


def salt_of(plane: Plane, seq: int) -> bytes | None:
    with sqlite3.connect(plane.folder / "gov.db") as database:
        row = database.execute("SELECT salt FROM secrets WHERE seq = ?", (seq,)).fetchone()
    return None if row is None else bytes(row[0])


def test_a_private_value_is_not_guessed_from_the_hash_of_its_job() -> None:
    async def scenario(plane: Plane) -> None:
        job, _ = await submitted(plane)
        told = b"".join(plane.service.rows.lines(1)).decode()
        for guess in range(410, 420):
            asked = replace(job.intent, request={**job.intent.request, "amount": str(guess)})
            found = hash_job(asked, job.agent, job.run_id, job.step, job.delegation)
            assert (found == job.job_hash) == (guess == 417), "the guess is made as it was"
            assert found not in told

    play(PRIVATE, scenario)


def test_whoever_has_the_salt_knows_the_job_until_it_is_forgotten() -> None:
    async def scenario(plane: Plane) -> None:
        job, record = await submitted(plane)
        salt = salt_of(plane, record["seq"])
        assert salt is not None
        told = record["details"]["job_hash"]
        assert told == salted(salt, "job_hash", job.job_hash)
        assert told != salted(salt, "job_hash", "sha256:" + "0" * 64)
        assert (await plane.service.cancel(OPERATOR, job.job_id, "x")).status == 200
        forget_private(open_source(plane.folder), plane.clock() + 1)
        assert salt_of(plane, record["seq"]) is None
        approval = plane.service.approval(OPERATOR, job.approval_id or "").body
        assert isinstance(approval, dict)
        assert (approval["whole"], approval["request"].get("amount")) == (False, None)
        plane.service.office.store.tidy()
        with sqlite3.connect(plane.folder / "gov.db") as database:
            assert job.job_hash not in "\n".join(database.iterdump())

    play(PRIVATE, scenario)


def test_an_approval_of_a_job_with_private_values_is_of_that_job_alone() -> None:
    async def scenario(plane: Plane) -> None:
        job, record = await submitted(plane)
        for given, status in ((record["details"]["job_hash"], 409), (job.job_hash, 200)):
            said = {"job_hash": given}
            answer = await plane.service.approve(
                approver("bob", "lead"), job.approval_id or "", said
            )
            assert answer.status == status
        assert [one["job_id"] for one in await plane.lease()] == [job.job_id]

    play(PRIVATE, scenario)


def test_a_changed_job_with_private_values_is_quarantined() -> None:
    async def scenario(plane: Plane) -> None:
        job, _ = await submitted(plane, "allow.x")
        with sqlite3.connect(plane.folder / "gov.db") as database:
            database.execute("UPDATE jobs SET request = replace(request, '417', '418')")
        assert await plane.lease() == []
        assert plane.state(job.job_id) == "quarantined"

    play(PRIVATE, scenario)


def test_without_private_fields_the_hash_stands_as_it_is() -> None:
    async def scenario(plane: Plane) -> None:
        job, record = await submitted(plane, "allow.x")
        assert record["details"]["job_hash"] == job.job_hash

    play(EFFECTS, scenario)
