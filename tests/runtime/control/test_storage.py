"""Disks that are full, files that are damaged, clocks that step: nothing acknowledged is lost, nothing begun anew."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from control_plane import EFFECTS, OPERATOR, START_MS, Clock, Plane, agent, approver, bundle_of

from govlang.native.errors import CodedError
from govlang.runtime.control import office, rebuild
from govlang.runtime.control.headfile import HeadFile
from govlang.runtime.control.store.sqlite import SqliteStore
from govlang.runtime.evidence.audit import audit
from govlang.runtime.evidence.ledger import Head, read_head

MANY = """language 1
policy many version "1.0.0"
default allow
input {
  agent : key
  topic : text
}
event success after dispatched
event failure after dispatched
event granted
rule gone when grant is over deny
machine grant {
  start none
  none  -> given on granted
  over  -> given on granted
  given -> over after 2 min
}
"""


@contextmanager
def full_disk() -> Iterator[None]:
    """No commit reaches the disk."""

    def refuse(store: SqliteStore) -> None:
        del store
        raise sqlite3.OperationalError("database or disk is full")

    with mock.patch.object(SqliteStore, "commit", refuse):
        yield


def opened(place: Path, at_ms: int = START_MS, source: str = EFFECTS, **settings: Any) -> Plane:
    return Plane(place, bundle_of(source), settings, Clock(at_ms))


def as_remembered(plane: Plane) -> bool:
    """Whether memory is what the ledger says, from the first record on."""
    service, now_ms = plane.service, plane.clock()
    made = rebuild.rebuild(service.rows, service.office.loading, from_saved=False)
    assert made is not None
    return made.policy.save(now_ms=now_ms) == service.judge.policy.save(now_ms=now_ms)


async def code(answer: Any) -> tuple[int, str]:
    found = await answer
    return found.status, found.body.get("code", "")


def test_on_a_full_disk_nothing_is_acknowledged_and_with_room_it_goes_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as plane:
            kept = await plane.submit("a1", "allow.x", key="before", run_id="r1")
            (job,) = await plane.lease()
            with full_disk():
                unstored = [
                    plane.submit("a1", "allow.x", key=f"k{n}", run_id=f"f{n}") for n in range(5)
                ]
                told = await asyncio.gather(*map(code, unstored))
                assert set(told) == {(503, "storage_unavailable")}
                assert await code(plane.begin(job)) == (503, "storage_unavailable")
                assert plane.service.ready().status == 503
                assert (await plane.submit("a1", "allow.x", key="k0", run_id="f0")).status == 503
            again = await plane.submit("a1", "allow.x", key="before", run_id="r1")
            assert (again.body, again.headers) == (kept.body, {"idempotent-replayed": "true"})
            assert (await plane.submit("a1", "allow.x", key="k0", run_id="f0")).status == 202
            assert plane.service.ready().status == 200
            assert (await plane.begin(job)).status == 200
            assert plane.service.rows.counts() == {"running": 1, "scheduled": 1}
            assert as_remembered(plane)
        assert audit(tmp_path, exact=True).intact

    asyncio.run(scenario())


def test_memory_that_could_not_be_made_anew_is_made_before_anything_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as plane:
            await plane.submit("a1", "allow.x", run_id="r1")
            lost = mock.patch.object(office, "rebuild", side_effect=sqlite3.OperationalError("I/O"))
            with full_disk(), lost:
                assert (await plane.submit("a1", "allow.x", run_id="r2")).status == 503
            assert (await plane.submit("a1", "allow.x", run_id="r3")).status == 202
            assert plane.service.rows.counts() == {"scheduled": 2}
            assert as_remembered(plane)
        assert audit(tmp_path, exact=True).intact

    asyncio.run(scenario())


def test_a_head_that_cannot_be_written_costs_no_answer_and_nothing_is_done_twice(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as plane:
            await plane.submit("a1", "allow.x", run_id="r", step="s")
            full = OSError(errno.ENOSPC, "No space left on device")
            before = (tmp_path / "LEDGER.head").read_bytes()
            with mock.patch.object(HeadFile, "write", side_effect=full):
                told = plane.service.phase(
                    agent("a1"), "r", {"phase": "p", "evidence": {}, "justification": "why"}
                )
                both = await asyncio.gather(told, plane.submit("a1", "allow.x", run_id="r2"))
                assert [one.status for one in both] == [201, 202]
            assert (tmp_path / "LEDGER.head").read_bytes() == before
            assert plane.events().count("phase") == 1
            await plane.submit("a1", "allow.x", run_id="r3")
            head = json.loads((tmp_path / "LEDGER.head").read_bytes())
            assert head["count"] == plane.service.office.chronicle.head.count
        assert audit(tmp_path, exact=True).intact

    asyncio.run(scenario())


@pytest.mark.parametrize("step_s", [-86_400, -1, 0, 1, 86_400 * 400])
def test_a_clock_that_steps_while_the_service_is_down_loses_nothing(
    tmp_path: Path, step_s: int
) -> None:
    async def scenario() -> None:
        async with opened(tmp_path, source=MANY) as plane:
            answer = await plane.submit("a1", "x", key="k", run_id="r", amount=1)
            assert answer.status == 422, "the policy has no such field"
            body = {"request": {"agent": "a1", "topic": "x"}, "payload": None, "pool": "p"}
            kept = await plane.service.submit(agent("a1"), body, "k")
            step = {"event": "granted", "key": {"agent": "a1"}, "fields": {}}
            await plane.service.observe(OPERATOR, step)
            (job,) = await plane.lease()
            await plane.begin(job)
        async with opened(tmp_path, START_MS + step_s * 1000, MANY) as plane:
            again = await plane.service.submit(agent("a1"), body, "k")
            assert again.body == kept.body
            await plane.reconcile()
            state = plane.state(job["job_id"])
            assert state == ("running" if step_s <= 1 else "cancelled"), "its grant is over by then"
            assert as_remembered(plane)
            plane.clock.forward(2 * 86_400)
            await plane.reconcile()
            assert plane.service.rows.live_counts() == {}, "every lease ends"
        report = audit(tmp_path, exact=True)
        assert report.intact, report.faults

    asyncio.run(scenario())


def test_what_a_clock_told_that_was_years_ahead_ends_when_it_would_have(tmp_path: Path) -> None:
    """Else an approval of ten minutes is good for years, and so is a token; and no job goes, and no lease ends."""

    async def scenario() -> None:
        async with opened(tmp_path, START_MS + 10 * 365 * 86_400_000) as plane:
            wanted = {"roles": ["agent"], "agent": "a1", "ttl_s": 60}
            token: Any = (await plane.service.create_token(OPERATOR, wanted)).body
            await plane.submit("a1", "allow.x", run_id="r", step="runs")
            (job,) = await plane.lease()
            await plane.begin(job)
            await plane.submit("a1", "allow.x", run_id="r", step="waits")
            asked = [await plane.submit("a1", "human.x") for _ in range(2)]
        async with opened(tmp_path) as plane:
            service = plane.service
            kept = service.book.find(token["id"])
            assert kept is not None
            assert kept.expires_ms == START_MS + 60_000
            assert [one["job_id"] for one in await plane.lease(9)] == ["r:waits@1"]
            plane.clock.forward(9 * 60)
            await plane.reconcile()
            assert plane.state("r:runs@1") == "timed_out"
            first, second = [service.rows.approval(one.body["approval_id"]) for one in asked]
            assert first is not None
            assert second is not None
            lead = approver("bob", "lead")
            said = await service.approve(lead, first.approval_id, {"job_hash": first.job_hash})
            assert said.status == 200, said
            plane.clock.forward(2 * 60)
            word = service.approve(lead, second.approval_id, {"job_hash": second.job_hash})
            assert await code(word) == (409, "approval_closed")
            await plane.lease(9)
            assert plane.state(first.job_id) == "approval_required", "it is asked for anew"
        report = audit(tmp_path, exact=True)
        assert report.intact, report.faults

    asyncio.run(scenario())


def test_thousands_of_keys_with_deadlines_are_kept(tmp_path: Path) -> None:
    async def scenario(count: int) -> list[Any]:
        async with opened(tmp_path, source=MANY, state_records=500) as plane:
            for first in range(0, count, 250):  # many at once are one commit
                steps = [
                    {"event": "granted", "key": {"agent": f"agent-{first + n}"}, "fields": {}}
                    for n in range(250)
                ]
                told = await asyncio.gather(*(plane.service.observe(OPERATOR, s) for s in steps))
                assert {one.status for one in told} == {202}
            assert len(plane.service.judge.deadlines.kept()) >= count
            return plane.service.judge.deadlines.kept()

    async def again() -> list[Any]:
        async with opened(tmp_path, source=MANY) as plane:
            return plane.service.judge.deadlines.kept()

    assert asyncio.run(scenario(3000)) == asyncio.run(again())


def _altered(statement: str) -> Callable[[Path], None]:
    def damage(place: Path) -> None:
        with closing(sqlite3.connect(place / "gov.db")) as database, database:
            database.execute(statement)

    return damage


def _head(change: Callable[[Head], Head]) -> Callable[[Path], None]:
    def damage(place: Path) -> None:
        kept = read_head(place / "LEDGER.head")
        assert kept is not None
        (place / "LEDGER.head").write_bytes(change(kept).to_bytes())

    return damage


def _overwrite(at: int) -> Callable[[Path], None]:
    def damage(place: Path) -> None:
        with (place / "gov.db").open("r+b") as file:
            file.seek(at)
            file.write(b"\xff" * 4096)

    return damage


def _cut_file(place: Path) -> None:
    with (place / "gov.db").open("r+b") as file:
        file.truncate(8192)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "the database overwritten at its head": (_overwrite(0), "GOV622"),
    "the database overwritten inside": (_overwrite(4096), "GOV622"),
    "the database cut": (_cut_file, "GOV622"),
    "the database gone": (lambda place: (place / "gov.db").unlink(), "GOV622"),
    "the database emptied": (lambda place: (place / "gov.db").write_bytes(b""), "GOV622"),
    "the head gone": (lambda place: (place / "LEDGER.head").unlink(), "GOV628"),
    "the head altered": (_head(lambda h: Head(h.count, "sha256:" + "0" * 64)), "GOV628"),
    "the head ahead": (_head(lambda h: Head(h.count + 1, h.hash)), "GOV628"),
    "the last records cut": (_altered("DELETE FROM ledger WHERE seq > 3"), "GOV661"),
    "the last record edited": (
        _altered(
            "UPDATE ledger SET line = CAST(line || ' ' AS BLOB) WHERE seq = (SELECT max(seq) FROM ledger)"
        ),
        "GOV661",
    ),
}


def _files(place: Path) -> dict[str, str]:
    kept = [
        one
        for one in place.rglob("*")
        if one.is_file() and one.suffix not in (".db-shm", ".db-wal")
    ]
    return {str(one): hashlib.sha256(one.read_bytes()).hexdigest() for one in kept}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_folder_stops_the_start_and_stays_as_it_is(tmp_path: Path, what: str) -> None:
    damage, expected = DAMAGES[what]

    async def scenario() -> None:
        async with opened(tmp_path) as plane:
            for number in range(20):
                await plane.submit("a1", "allow.x", run_id=f"r{number}")
        damage(tmp_path)
        before = _files(tmp_path)
        with pytest.raises(CodedError) as refused:
            await opened(tmp_path).__aenter__()
        assert refused.value.code == expected, refused.value
        assert refused.value.help
        assert _files(tmp_path) == before, "nothing is changed"

    asyncio.run(scenario())


def test_a_row_that_cannot_be_written_harms_nobody_else_of_its_group(tmp_path: Path) -> None:
    """The question of another operation is what writes it: neither may be told what is not so."""

    async def scenario() -> None:
        async with opened(tmp_path) as one:
            with closing(sqlite3.connect(tmp_path / "gov.db")) as beside, beside:
                beside.execute(
                    "CREATE TRIGGER refuse BEFORE INSERT ON jobs WHEN NEW.step = 'bad'"
                    " BEGIN SELECT RAISE(ABORT, 'no place for it'); END"
                )
            steps = ["a", "bad", "b", "bad", "c"]
            asked = [
                one.submit("a1", "allow.x", run_id=f"r{n}", step=s) for n, s in enumerate(steps)
            ]
            looked = [one.service.cancel(agent("a1"), f"none{n}", "") for n in range(3)]
            found = await asyncio.gather(asked[0], asked[1], looked[0], *asked[2:], *looked[1:])
            statuses = [answer.status for answer in found]
            assert statuses == [202, 503, 404, 202, 503, 202, 404, 404]
            kept = {job.step for job in one.service.rows.live()}
            assert kept == {"a", "b", "c"}
            assert one.service.ready().status == 200

    asyncio.run(scenario())
    assert audit(tmp_path, exact=True).intact


def test_a_breaker_moves_when_that_is_on_the_disk_and_never_before(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as plane:
            breaker = plane.service.breaker
            with full_disk():
                force = plane.service.force_open(OPERATOR, "policy_check", "maintenance")
                assert await code(force) == (503, "storage_unavailable")
            assert breaker.state("policy_check") == "closed"
            await plane.service.force_open(OPERATOR, "policy_check", "maintenance")
            with full_disk():
                release = plane.service.release(OPERATOR, "policy_check", "done")
                assert await code(release) == (503, "storage_unavailable")
            assert breaker.state("policy_check") == "forced"
        async with opened(tmp_path, plane.clock()) as again:
            assert again.service.breaker.state("policy_check") == "forced"
            answer = await again.service.release(OPERATOR, "policy_check", "done")
            assert answer.body == {"dependency": "policy_check", "state": "open"}
            assert again.service.breaker.state("policy_check") == "open"

    asyncio.run(scenario())
