"""An incident is rebuilt from the ledger alone: what it says of each job is what the service's own tables say."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from control_life import BUDGET, live
from control_plane import (
    EFFECTS,
    OPERATOR,
    Plane,
    agent,
    approver,
    bundle_of,
    folder,
)
from ledgers import chained, put

from govlang.runtime.control.drills.incident import RUN, Staged
from govlang.runtime.control.job import Job
from govlang.runtime.control.store.sqlite import SqliteStore
from govlang.runtime.evidence.incident import Incident, incidents
from govlang.runtime.evidence.ledger import EvidenceError
from govlang.runtime.evidence.record import salted
from govlang.runtime.evidence.source import open_source
from govlang.runtime.evidence.story import JobStory
from govlang.runtime.evidence.timeline import timeline

SALTS = "SELECT job_id, salt FROM ledger JOIN secrets USING (seq) ORDER BY seq DESC"
"""The salt of each job's first record; of a job of a policy without private fields there is none."""


def known(job: Job, salt: bytes | None) -> dict[str, Any]:
    """What the service knows of a job, of what the ledger tells."""
    told = {
        "job_id": job.job_id,
        "state": job.state.value,
        "agent": job.agent,
        "topic": job.topic,
        "delegation": job.delegation,
        "parent_job_id": job.parent_job_id,
        "approval_id": job.approval_id,
        "tries": job.tries,
        "worker": job.worker,
        "began_ms": job.created_ms,
        "undo_of": job.undo_of,
    }
    if job.undo_of is None:
        hashed = job.job_hash if salt is None else salted(salt, "job_hash", job.job_hash)
        told |= {"job_hash": hashed, "pool": job.intent.pool}
    if job.has_ended:
        told |= {"reason": job.reason}
    return told


def of_table(place: Path) -> dict[str, dict[str, Any]]:
    store = SqliteStore(place)
    try:
        with closing(sqlite3.connect(place / "gov.db")) as database:
            ids = [row[0] for row in database.execute("SELECT job_id FROM jobs")]
            salts = dict(database.execute(SALTS).fetchall())
        jobs = [store.reader().job(one) for one in ids]
    finally:
        store.close()
    return {one.job_id: known(one, salts.get(one.job_id)) for one in jobs if one is not None}


def forget_all_but_the_ledger(place: Path) -> None:
    with closing(sqlite3.connect(place / "gov.db")) as database:
        names = [
            name
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if name not in ("ledger", "sqlite_sequence")
        ]
        assert "jobs" in names
        for name in names:
            database.execute(f"DROP TABLE {name}")
        database.commit()


def told(stories: dict[str, JobStory], like: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the ledger says, of what the service knows."""
    return {
        job_id: {name: asdict(stories[job_id])[name] for name in of_it}
        for job_id, of_it in like.items()
    }


def rebuilt(place: Path, runs: set[str]) -> dict[str, JobStory]:
    source = open_source(place)
    found: dict[str, JobStory] = {}
    for run_id in runs:
        found |= incidents(source, run_id).found[0].jobs
    return found


def test_the_staged_incident_is_rebuilt_from_the_ledger_alone(tmp_path: Path) -> None:
    assert asyncio.run(Staged(tmp_path).play()) == RUN
    jobs = of_table(tmp_path)
    assert len(jobs) == 3
    forget_all_but_the_ledger(tmp_path)
    (incident,) = incidents(open_source(tmp_path)).found
    assert told(incident.jobs, jobs) == jobs
    assert incident.kinds == ("revoked", "dead_lettered", "step_failed")
    assert (incident.detect_ms, incident.revoke_ms) == (1500, 250)
    delete = incident.jobs[f"{RUN}:web-7@1"]
    assert delete.approved_by == {"sre-oncall": "alice"}
    assert delete.undone_by == f"{RUN}:web-7.undo@1"
    assert incident.jobs[delete.undone_by].state == "succeeded"
    stages = [row.stage for row in timeline(incident) if row.job_id == delete.job_id]
    assert stages == [
        *("intent", "decision", "approval", "decision", "dispatch", "dispatch"),
        *("revocation", "result", "revocation"),
    ]
    (report,) = [row for row in timeline(incident) if row.stage == "event"]
    assert (report.who, report.what) == (
        "sentry",
        "reports leaked of ops-agent, 1.500 s after it happened",
    )


def test_of_whole_lives_the_ledger_says_what_the_tables_say() -> None:
    async def scenario(place: Path, seed: int) -> None:
        async with Plane(place, bundle_of(BUDGET)) as one:
            await live(one, random.Random(seed), 120)

    states: set[str] = set()
    for seed in range(4):
        with folder() as place:
            asyncio.run(scenario(place, seed))
            jobs = of_table(place)
            forget_all_but_the_ledger(place)
            stories = rebuilt(place, {one.partition(":")[0] for one in jobs})
        assert told(stories, jobs) == jobs
        states |= {one["state"] for one in jobs.values()}
    assert {"cancelled", "failed", "timed_out"} <= states, states


async def submitted(one: Plane, who: str, topic: str, run_id: str) -> dict[str, Any]:
    body = (await one.submit(who, topic, run_id=run_id)).body
    assert isinstance(body, dict)
    return body


def word(one: Plane, reason: str) -> dict[str, Any]:
    """What a person says of the one job that waits for it."""
    listed = one.service.approvals(OPERATOR, "open").body
    assert isinstance(listed, dict)
    (waiting,) = listed["approvals"]
    return {"job_hash": waiting["job_hash"], "role": None, "reason": reason}


async def approved_by_two(one: Plane) -> str:
    body = await submitted(one, "a1", "both.x", "run_two")
    said = word(one, "fine")
    for who in (approver("ann", "lead"), approver("bob", "owner")):
        await one.service.approve(who, body["approval_id"], said)
    return str(body["job_id"])


async def rejected(one: Plane) -> str:
    body = await submitted(one, "a1", "human.x", "run_no")
    said = word(one, "not now")
    await one.service.reject(approver("ann", "lead"), body["approval_id"], said)
    return str(body["job_id"])


async def expired(one: Plane) -> str:
    body = await submitted(one, "a1", "human.y", "run_late")
    one.clock.forward(601)
    await one.reconcile()
    return str(body["job_id"])


async def suspended(one: Plane) -> str:
    body = await submitted(one, "a2", "allow.x", "run_stop")
    (job,) = await one.lease()
    await one.begin(job)
    await one.service.suspend(OPERATOR, "a2", "it runs wild")
    return str(body["job_id"])


async def cancelled(one: Plane) -> str:
    body = await submitted(one, "a3", "allow.x", "run_cancel")
    await one.service.cancel(agent("a3"), body["job_id"], "changed my mind")
    return str(body["job_id"])


async def lost(one: Plane) -> str:
    body = await submitted(one, "a3", "allow.y", "run_lost")
    (job,) = await one.lease()
    await one.begin(job)
    one.clock.forward(60)
    await one.reconcile()
    return str(body["job_id"])


async def retried(one: Plane) -> str:
    job_id = await lost(one)
    assert (await one.service.retry(OPERATOR, job_id)).status == 202
    return job_id


async def half_approved(one: Plane) -> str:
    body = await submitted(one, "a1", "both.z", "run_half")
    await one.service.approve(approver("ann", "lead"), body["approval_id"], word(one, "fine"))
    return str(body["job_id"])


SCENES = {
    approved_by_two: "scheduled",
    half_approved: "approval_required",
    rejected: "denied",
    expired: "timed_out",
    suspended: "cancelled",
    cancelled: "cancelled",
    lost: "timed_out",
    retried: "timed_out",
}


@pytest.mark.parametrize(
    ("scene", "state"), SCENES.items(), ids=lambda one: getattr(one, "__name__", one)
)
def test_each_end_is_rebuilt(scene: Any, state: str) -> None:
    async def scenario(place: Path) -> str:
        async with Plane(place, bundle_of(EFFECTS)) as one:
            return str(await scene(one))

    with folder() as place:
        job_id = asyncio.run(scenario(place))
        jobs = of_table(place)
        forget_all_but_the_ledger(place)
        stories = rebuilt(place, {one.partition(":")[0] for one in jobs})
    assert stories[job_id].state == state
    assert told(stories, jobs) == jobs
    assert (stories[job_id].retried_as is not None) == (scene is retried)


def record(seq: int, event: str, job_id: str = "run_1:a@1", **more: Any) -> dict[str, Any]:
    made = {
        "at_ms": seq,
        "job_id": job_id,
        "run_timeline_event": event,
        "agent": "a",
        "approver": "",
        "topic": "t",
        "delegation": [],
        "decision": None,
        "rule_id": None,
        "labels": {},
    }
    return made | more


def found_in(place: Path, *bodies: dict[str, Any], **asked: Any) -> tuple[Incident, ...]:
    put(place, *chained(list(bodies)))
    return incidents(open_source(place), **asked).found


def test_runs_in_which_nothing_went_wrong_are_told_only_when_asked_for(tmp_path: Path) -> None:
    bodies = [record(1, "step_succeeded"), record(2, "step_failed", "run_2:a@1")]
    assert [one.run_id for one in found_in(tmp_path, *bodies)] == ["run_2"]
    (asked,) = found_in(tmp_path, *bodies, run_id="run_1")
    assert (asked.kinds, len(asked.records)) == ((), 1)
    with pytest.raises(EvidenceError, match="`run_3`"):
        found_in(tmp_path, *bodies, run_id="run_3")


def test_of_many_incidents_the_newest_are_told(tmp_path: Path) -> None:
    bodies = [record(n, "step_failed", f"run_{n}:a@1") for n in range(1, 6)]
    put(tmp_path, *chained([*bodies, record(6, "dead_lettered", "run_1:a@1")]))
    told_of = incidents(open_source(tmp_path), limit=2)
    assert ([one.run_id for one in told_of.found], told_of.earlier) == (["run_5", "run_1"], 3)


@pytest.mark.parametrize("line", [b"[]", b"{}", b'{"seq":2}', b"x", b"[" * 100_000])
def test_a_line_that_is_no_record_is_refused(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "LEDGER.jsonl").write_bytes(line + b"\n")
    with pytest.raises(EvidenceError, match=r"line 1 of .* is no record"):
        incidents(open_source(tmp_path))
