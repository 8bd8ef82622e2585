"""Whom an event reaches: work of others that it revokes, work that is not asked about, work of which nobody knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from control_plane import OPERATOR, Host, Plane, agent, bundle_of, run, worker
from crew import Heard

from govlang.runtime.control.flights import unasked_name
from govlang.runtime.control.judge import Judge, Question

TOGETHER = """language 1
policy together version "1.0.0"
longest window 1 h
combine most_restrictive
default deny

input {
  agent    : key
  topic    : text
  resource : text
}
event success after dispatched
event failure after dispatched
event deletion { resource : text }
shared event alarm
shared signal margin : number in 0..10
rule works   when topic like "x.**" allow
rule together when count(deletion per resource) in 10 min >= 2 deny
rule alarmed when alarm within 5 min deny
rule narrow  when fresh(margin, 1 min) and margin < 2 deny
rule often   when count(failure) in 10 min >= 2 deny
"""


async def takes(plane: Plane, who: str, resource: str = "r") -> dict[str, Any]:
    """A job of an agent that a worker has begun."""
    plane.keys += 1
    request = {"agent": who, "topic": "x.y", "resource": resource}
    body = {"request": request, "payload": None, "pool": "p"}
    made = await plane.service.submit(agent(who), body, f"k{plane.keys}")
    assert made.status == 202, made
    (job,) = await plane.lease()
    await plane.begin(job)
    return job


async def tell(plane: Plane, **step: Any) -> list[str]:
    """What was cancelled when somebody told of something."""
    answer: Any = await plane.service.observe(OPERATOR, step)
    assert answer.status == 202, answer
    found: list[str] = answer.body["cancelled"]
    return found


def test_what_is_counted_by_another_field_revokes_whoever_works_on_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(TOGETHER)) as plane:
            own, theirs = await takes(plane, "a1"), await takes(plane, "a2")
            other = await takes(plane, "a3", "elsewhere")
            deleted = {"event": "deletion", "key": "a1", "fields": {"resource": "r"}}
            assert await tell(plane, **deleted) == []
            cancelled = await tell(plane, **{**deleted, "key": "a4"})
            assert sorted(cancelled) == sorted([own["job_id"], theirs["job_id"]])
            assert plane.state(other["job_id"]) == "running"

    run(scenario)


@pytest.mark.parametrize(
    "step", [{"event": "alarm", "fields": {}}, {"signal": "margin", "value": 1}]
)
def test_what_all_share_revokes_everybody(tmp_path: Path, step: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(TOGETHER)) as plane:
            jobs = [await takes(plane, who) for who in ("a1", "a2")]
            assert sorted(await tell(plane, **step)) == sorted(job["job_id"] for job in jobs)

    run(scenario)


EXPIRING = TOGETHER.replace(
    'rule works   when topic like "x.**" allow',
    'rule works when topic like "x.**" and (opening per resource within 5 min) allow',
).replace("event deletion", "event opening { resource : text }\nevent deletion")


def test_what_is_kept_by_another_field_expires_for_whoever_works_on_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EXPIRING), {"lease_s": 3600}) as plane:
            await tell(plane, event="opening", key="a9", fields={"resource": "r"})
            plane.clock.forward(60)
            job = await takes(plane, "a2")
            plane.clock.forward(4 * 60 - 1)
            await plane.reconcile()
            assert plane.state(job["job_id"]) == "running"
            plane.clock.forward(2)
            await plane.reconcile()
            assert plane.state(job["job_id"]) == "cancelled"

    run(scenario)


# --- what is not asked ---------------------------------------------------------------------------


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    """Every question about work in flight."""
    asked: list[Question] = []
    ask = Judge.denial

    def denial(judge: Judge, question: Question, now_ms: int) -> Any:
        asked.append(question)
        return ask(judge, question, now_ms)

    monkeypatch.setattr(Judge, "denial", denial)
    return asked


def test_a_result_that_no_denial_reads_asks_about_nothing_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = counted(monkeypatch)

    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(TOGETHER)) as plane:
            jobs = [await takes(plane, "a1", f"r{n}") for n in range(6)]
            await plane.end(jobs[0])
            assert asked == []
            await plane.end(jobs[1], "failed")
            assert len(asked) == 2 * 4, "each of the other four, before and behind it"
            assert {plane.state(job["job_id"]) for job in jobs[2:]} == {"running"}
            await plane.end(jobs[2], "failed")
            assert {plane.state(job["job_id"]) for job in jobs[3:]} == {"cancelled"}

    run(scenario)


def test_of_what_is_alike_one_is_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = counted(monkeypatch)

    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(TOGETHER)) as plane:
            jobs = [await takes(plane, "a1") for _ in range(6)]
            await plane.end(jobs[0], "failed")
            assert len(asked) == 2
            await plane.end(jobs[1], "failed")
            assert {plane.state(job["job_id"]) for job in jobs[2:]} == {"cancelled"}

    run(scenario)


# --- what nobody can be asked about --------------------------------------------------------------

KNOWN = """language 1
policy known version "1.0.0"
longest window 1 h
combine most_restrictive
default deny

input {
  agent : key
  topic : text
  prod  : bool from runtime
}
event breach
event success after dispatched
event failure after dispatched
rule works when topic like "x.**" allow
rule breached when breach within 10 min deny
rule prods when prod deny
"""


def plane_of(folder: Path, host: Host, **settings: Any) -> Plane:
    parts = {"context": host, "meter": Heard()}
    return Plane(folder, bundle_of(KNOWN), {"lease_s": 3600, **settings}, parts=parts)


async def begun(plane: Plane) -> str:
    body = {"request": {"agent": "a1", "topic": "x.y"}, "payload": None, "pool": "p"}
    assert (await plane.service.submit(agent("a1"), body, "k")).status == 202
    (job,) = await plane.lease()
    await plane.begin(job)
    return str(job["job_id"])


async def owed(plane: Plane, host: Host) -> str:
    """A job in flight, of which nobody can say whether a breach revokes it."""
    job_id = await begun(plane)
    host.fails = True
    assert await tell(plane, event="breach", key="a1") == []
    return job_id


def details(plane: Plane, event: str) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in plane.service.rows.lines(1)]
    return [one["details"] for one in records if one["run_timeline_event"] == event]


def test_what_was_revoked_while_the_host_did_not_answer_is_cancelled_when_it_does(
    tmp_path: Path,
) -> None:
    host = Host({"prod": False})

    async def scenario() -> None:
        async with plane_of(tmp_path, host) as plane:
            job_id = await owed(plane, host)
            assert await tell(plane, event="breach", key="a1") == []
            (said,) = details(plane, "unasked")
            assert "its context failed" in said["why"]
            plane.clock.forward(5)
            await plane.reconcile()
            assert plane.state(job_id) == "running"
            host.fails = False
            plane.clock.forward(1)
            await plane.reconcile()
            assert plane.state(job_id) == "cancelled"
            assert plane.service.rows.job(job_id).reason.startswith("revoked by `breached`")  # type: ignore[union-attr]
            assert plane.service.rows.get(unasked_name(job_id)) is None
            assert plane.service.office.metrics.detected == [("event", 6.0)]  # type: ignore[attr-defined]

    run(scenario)


def test_the_next_report_cancels_it_as_well(tmp_path: Path) -> None:
    host = Host({"prod": False})

    async def scenario() -> None:
        async with plane_of(tmp_path, host) as plane:
            job_id = await owed(plane, host)
            host.fails = False
            assert await tell(plane, event="breach", key="a1") == [job_id]

    run(scenario)


def test_a_question_that_is_owed_survives_a_restart(tmp_path: Path) -> None:
    host = Host({"prod": False})

    async def before() -> str:
        async with plane_of(tmp_path, host) as plane:
            return await owed(plane, host)

    async def behind() -> None:
        host.fails = False
        async with plane_of(tmp_path, host) as plane:
            await plane.reconcile()
            assert plane.state(job_id) == "cancelled"

    job_id = run(before)
    run(behind)


def test_what_was_not_revoked_goes_on_and_that_is_on_record(tmp_path: Path) -> None:
    host = Host({"prod": False})

    async def scenario() -> None:
        async with plane_of(tmp_path, host) as plane:
            job_id = await owed(plane, host)
            host.fails = False
            plane.clock.forward(11 * 60)
            await plane.reconcile()
            assert plane.state(job_id) == "running"
            assert details(plane, "asked_again") == [{"asked_after_ms": 660_000}]
            await plane.reconcile()
            assert plane.service.rows.get(unasked_name(job_id)) is None
            assert len(details(plane, "asked_again")) == 1

    run(scenario)


@pytest.mark.parametrize(
    ("settings", "state"),
    [
        ({}, "cancelled"),
        ({"unasked_s": 3600}, "running"),
        (
            {"policy_check_fail_mode": "open", "policy_check_fail_open_reason": "it must go on"},
            "running",
        ),
    ],
)
def test_what_nobody_can_be_asked_about_for_too_long_is_cancelled(
    tmp_path: Path, settings: dict[str, Any], state: str
) -> None:
    host = Host({"prod": False})

    async def scenario() -> None:
        async with plane_of(tmp_path, host, **settings) as plane:
            job_id = await owed(plane, host)
            plane.clock.forward(29.5)
            await plane.reconcile()
            assert plane.state(job_id) == "running"
            plane.clock.forward(1.5)
            await plane.reconcile()
            assert plane.state(job_id) == state
            if state == "cancelled":
                kept = plane.service.rows.job(job_id)
                assert kept is not None
                assert kept.reason.startswith("revoked: for 31 s the policy check lacks")

    run(scenario)


def test_work_that_ends_meanwhile_is_owed_no_question(tmp_path: Path) -> None:
    host = Host({"prod": False})

    async def scenario() -> None:
        async with plane_of(tmp_path, host) as plane:
            job_id = await owed(plane, host)
            kept = plane.service.rows.job(job_id)
            assert kept is not None
            await plane.service.result(worker(), str(kept.lease_id), {"outcome": "succeeded"})
            assert plane.service.rows.get(unasked_name(job_id)) is None
            plane.clock.forward(60)
            await plane.reconcile()
            assert plane.state(job_id) == "succeeded"

    run(scenario)
