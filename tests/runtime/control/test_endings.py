"""What the policy is told of the end of a job that was dispatched: one event, and never the one of another end.

Whoever has the job when it ends: its worker, or nobody, as a worker gave it back before.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any, Final

import pytest
from control_plane import OPERATOR, Host, Plane, agent, approver, bundle_of, worker

from govlang.runtime.control.rebuild import rebuild

ENDED: Final = frozenset({"success", "failure", "cancelled"})

POLICY: Final = """language 1
policy ends version "1.0.0"
default allow

input {
  agent  : key
  topic  : text
  amount : number in 0..1000 step 0.5
  host   : text optional from runtime
}
event halt
event doubt

rule halted  when topic == "t" and halt within 1 h deny
rule doubted when topic == "t" and doubt within 1 h require human from "lead" expires 10 min
"""

RULES: Final = {
    "success": "rule well when count(success) in 1 min >= 100 deny\n",
    "failure": "rule bad when count(failure) in 1 min >= 100 deny\n",
    "cancelled": "rule gone when count(cancelled) in 1 min >= 100 deny\n",
}


def policy(*events: str, after: str = " after dispatched", most: int = 100) -> bytes:
    """A policy that declares these events, and denies where there were so many of one."""
    declared = "".join(f"event {one}{after}\n" for one in events)
    rules = "".join(RULES[one] for one in events).replace(">= 100", f">= {most}")
    return bundle_of(POLICY + declared + rules)


def told(plane: Plane) -> list[str]:
    """The ends that the policy was told of, in order."""
    records = [json.loads(one) for one in plane.service.rows.lines(1)]
    steps = [step for record in records for step in record.get("steps") or ()]
    return [one["event"] for one in steps if one.get("event") in ENDED]


async def ended(plane: Plane, end: str) -> None:
    """A job that comes to this end."""
    await plane.submit("a1", "t")
    (job,) = await plane.lease()
    if end == "before it began":
        await plane.service.cancel(agent("a1"), job["job_id"], "another way")
        return
    await plane.begin(job)
    await brought_to(plane, job, end)


async def undo_in_flight(plane: Plane) -> dict[str, Any]:
    """The undo of a job that was cancelled while a worker had it, in the hands of a worker."""
    undo = {"request": {"agent": "a1", "topic": "u", "amount": 1}}
    await plane.submit("a1", "t", undo=undo)
    (job,) = await plane.lease()
    await plane.service.cancel(OPERATOR, job["job_id"], "enough")
    await plane.service.heartbeat(worker(), job["lease_id"], {})
    (undone,) = await plane.lease()
    assert undone["job_id"].endswith(".undo@1")
    return undone


async def brought_to(plane: Plane, job: dict[str, Any], end: str) -> None:
    """A running job comes to this end."""
    match end:
        case "cancel":
            await plane.service.cancel(agent("a1"), job["job_id"], "another way")
        case "by an operator":
            await plane.service.cancel(OPERATOR, job["job_id"], "enough")
        case "suspend":
            await plane.service.suspend(OPERATOR, "a1", "it runs wild")
        case "lapse":
            plane.clock.forward(31)
            await plane.reconcile()
        case _:
            await plane.end(job, end)


CANCELS: Final = ("before it began", "cancel", "by an operator", "suspend")

CASES: Final = [
    *(("failure", end, ["failure"]) for end in CANCELS),
    *(("success", end, []) for end in CANCELS),
    *(("success failure cancelled", end, ["cancelled"]) for end in CANCELS),
    *(("failure cancelled", end, ["failure"]) for end in ("failed", "lapse")),
    ("success cancelled", "failed", []),
    ("success failure", "succeeded", ["success"]),
    ("failure", "succeeded", []),
    ("failure cancelled", "succeeded", []),
]


@pytest.mark.parametrize("after", [" after dispatched", ""], ids=["after dispatched", "alone"])
@pytest.mark.parametrize(("events", "end", "expected"), CASES)
def test_an_end_is_told_as_what_it_is(
    tmp_path: Path, events: str, end: str, expected: list[str], after: str
) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, policy(*events.split(), after=after)) as plane:
            await ended(plane, end)
            assert told(plane) == expected

    asyncio.run(scenario())


def test_a_job_that_nobody_began_to_hand_out_ends_without_an_event(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, policy("success", "failure", "cancelled")) as plane:
            answer = await plane.submit("a1", "t")
            assert isinstance(answer.body, dict)
            await plane.service.cancel(agent("a1"), answer.body["job_id"], "another way")
            assert plane.state(answer.body["job_id"]) == "cancelled"
            assert told(plane) == []

    asyncio.run(scenario())


@pytest.mark.parametrize("end", ["succeeded", "failed", "lapse", "by an operator"])
def test_of_an_undo_the_policy_hears_nothing(tmp_path: Path, end: str) -> None:
    async def scenario() -> None:
        source = policy("success", "failure", "cancelled", after="")
        async with Plane(tmp_path, source) as plane:
            undone = await undo_in_flight(plane)
            assert told(plane) == ["cancelled"]
            await plane.begin(undone)
            await brought_to(plane, undone, end)
            assert told(plane) == ["cancelled"]
            assert plane.state(undone["job_id"]) in {
                "succeeded",
                "failed",
                "timed_out",
                "cancelled",
            }

    asyncio.run(scenario())


# --- while no worker has it ----------------------------------------------------------------------


class Shop(Plane):
    """A plane whose host can fail, which gives up after three attempts, and lets jobs wait for a minute."""

    def __init__(self, folder: Path, bundle: bytes) -> None:
        self.host = Host()
        given = {"retry_budget": 3, "queue_wait_s": 60, "lease_s": 3600}
        super().__init__(folder, bundle, given, parts={"context": self.host})

    async def offered(self, *, was_out: bool, **more: Any) -> str:
        """A job that waits for a worker; one has given it back before, or none has had it."""
        answer = await self.submit("a1", "t", **more)
        assert isinstance(answer.body, dict)
        if was_out:
            (job,) = await self.lease()
            await self.end(job, "again")
            self.clock.forward(3)
        return str(answer.body["job_id"])

    async def happens(self, event: str) -> None:
        step = {"event": event, "key": {"agent": "a1"}, "fields": {}}
        assert (await self.service.observe(OPERATOR, step)).status == 202

    async def held(self) -> Any:
        """The approval for which the job that waits is held at the gate."""
        await self.happens("doubt")
        assert await self.lease() == []
        (paper,) = self.service.rows.approvals("open", 9)
        return paper

    def forge(self, job_id: str) -> None:
        with sqlite3.connect(self.folder / "gov.db") as file:
            file.execute("UPDATE jobs SET payload = ? WHERE job_id = ?", ('"other"', job_id))
        file.close()

    def rebuilt(self) -> None:
        """What the policy remembers is made again from the ledger, to the byte."""
        made = rebuild(self.service.rows, self.service.office.loading, from_saved=False)
        now_ms = self.clock()
        assert made is not None
        assert made.policy.save(now_ms=now_ms) == self.service.judge.policy.save(now_ms=now_ms)


async def ends_unhad(plane: Shop, job_id: str, end: str) -> str:
    """A job that no worker has comes to this end; the state to be expected."""
    match end:
        case "cancelled":
            await plane.service.cancel(agent("a1"), job_id, "another way")
            return "cancelled"
        case "cancelled, held for people":
            await plane.held()
            await plane.service.cancel(OPERATOR, job_id, "enough")
            return "cancelled"
        case "denied":
            await plane.happens("halt")
            assert await plane.lease() == []
            return "denied"
        case "suspended":
            await plane.service.suspend(OPERATOR, "a1", "it runs wild")
            assert await plane.lease() == []
            return "denied"
        case "rejected":
            paper = await plane.held()
            word = {"job_hash": paper.job_hash}
            await plane.service.reject(approver("bob", "lead"), paper.approval_id, word)
            return "denied"
        case "quarantined":
            plane.forge(job_id)
            assert await plane.lease() == []
            return "quarantined"
        case "nobody approves":
            await plane.held()
            plane.clock.forward(601)
            await plane.reconcile()
            return "timed_out"
        case "nobody takes it":
            plane.clock.forward(61)
            await plane.service.measure()
            return "timed_out"
        case "no answer":
            plane.host.fails = True
            for _ in range(3):
                assert await plane.lease() == []
                plane.clock.forward(5)
            plane.host.fails = False
            return "timed_out"
        case _:
            raise AssertionError(end)


TAKEN_AWAY: Final = (
    "cancelled",
    "cancelled, held for people",
    "denied",
    "suspended",
    "rejected",
    "quarantined",
)
NOT_DONE_IN_TIME: Final = ("nobody approves", "nobody takes it", "no answer")

UNHAD: Final = [
    *(("failure", end, ["failure"]) for end in (*TAKEN_AWAY, *NOT_DONE_IN_TIME)),
    *(("success", end, []) for end in (*TAKEN_AWAY, *NOT_DONE_IN_TIME)),
    *(("cancelled", end, ["cancelled"]) for end in TAKEN_AWAY),
    *(("cancelled", end, []) for end in NOT_DONE_IN_TIME),
    *(("success failure cancelled", end, ["cancelled"]) for end in TAKEN_AWAY),
    *(("success failure cancelled", end, ["failure"]) for end in NOT_DONE_IN_TIME),
]


@pytest.mark.parametrize("after", [" after dispatched", ""], ids=["after dispatched", "alone"])
@pytest.mark.parametrize(("events", "end", "expected"), UNHAD)
def test_what_a_worker_gave_back_ends_for_the_policy_once(
    tmp_path: Path, events: str, end: str, expected: list[str], after: str
) -> None:
    async def scenario() -> None:
        async with Shop(tmp_path, policy(*events.split(), after=after)) as plane:
            job_id = await plane.offered(was_out=True)
            assert told(plane) == [], "nothing has ended yet"
            state = await ends_unhad(plane, job_id, end)
            assert plane.state(job_id) == state
            assert told(plane) == expected
            assert "untold" not in plane.events()
            plane.rebuilt()

    asyncio.run(scenario())


@pytest.mark.parametrize("after", [" after dispatched", ""], ids=["after dispatched", "alone"])
@pytest.mark.parametrize("end", [*TAKEN_AWAY, *NOT_DONE_IN_TIME])
def test_what_no_worker_ever_had_ends_without_an_event(
    tmp_path: Path, end: str, after: str
) -> None:
    async def scenario() -> None:
        source = policy("success", "failure", "cancelled", after=after)
        async with Shop(tmp_path, source) as plane:
            job_id = await plane.offered(was_out=False)
            state = await ends_unhad(plane, job_id, end)
            assert plane.state(job_id) == state
            assert told(plane) == []

    asyncio.run(scenario())


@pytest.mark.parametrize("end", ["cancelled", "nobody takes it"])
def test_an_undo_that_was_given_back_ends_without_an_event(tmp_path: Path, end: str) -> None:
    async def scenario() -> None:
        source = policy("success", "failure", "cancelled", after="")
        async with Shop(tmp_path, source) as plane:
            undone = await undo_in_flight(plane)
            await plane.end(undone, "again")
            plane.clock.forward(3)
            await ends_unhad(plane, undone["job_id"], end)
            assert plane.state(undone["job_id"]) in {"cancelled", "timed_out"}
            assert told(plane) == ["cancelled"], "of the job itself"

    asyncio.run(scenario())


def test_a_restart_between_does_not_make_the_end_unheard(tmp_path: Path) -> None:
    source = policy("success", "failure", "cancelled")

    async def scenario() -> None:
        async with Shop(tmp_path, source) as plane:
            job_id = await plane.offered(was_out=True)
            clock = plane.clock
        behind = Shop(tmp_path, source)
        behind.clock = clock
        async with behind as plane:
            await ends_unhad(plane, job_id, "cancelled")
            assert told(plane) == ["cancelled"]
            plane.rebuilt()

    asyncio.run(scenario())


def test_an_end_is_not_told_to_a_policy_that_heard_of_no_beginning(tmp_path: Path) -> None:
    """It would be taken for the end of another job."""

    async def scenario() -> None:
        async with Shop(tmp_path, policy("failure", after="")) as plane:
            job_id = await plane.offered(was_out=True)
            answer = await plane.service.publish(
                OPERATOR, policy("failure"), allow_looser=True, reason="it counts otherwise"
            )
            assert answer.status == 200, answer
            await plane.submit("a1", "other", pool="q")
            (other,) = await plane.lease(pool="q")
            await ends_unhad(plane, job_id, "cancelled")
            assert told(plane) == []
            await plane.begin(other)
            await plane.end(other, "failed")
            assert told(plane) == ["failure"]
            assert "untold" not in plane.events()

    asyncio.run(scenario())


@pytest.mark.parametrize("end", [e for e in (*TAKEN_AWAY, *NOT_DONE_IN_TIME) if e != "suspended"])
def test_what_such_an_end_makes_the_policy_deny_is_revoked(tmp_path: Path, end: str) -> None:
    async def scenario() -> None:
        async with Shop(tmp_path, policy("failure", most=1)) as plane:
            job_id = await plane.offered(was_out=True)
            await plane.submit("a1", "other", pool="q")
            (other,) = await plane.lease(pool="q")
            await ends_unhad(plane, job_id, end)
            await plane.reconcile()  # of what the host knew nothing about is asked again
            assert plane.state(other["job_id"]) == "cancelled"
            kept = plane.service.rows.job(other["job_id"])
            assert kept is not None
            assert kept.reason.startswith("revoked by `bad`")
            plane.rebuilt()

    asyncio.run(scenario())


def test_fields_of_an_end_come_from_the_request_unless_it_was_forged(tmp_path: Path) -> None:
    source = (
        POLICY
        + "event failure { amount : number in 0..1000 step 0.5 }\n"
        + "rule much when sum(failure.amount) in 1 h by 1 min > 500 deny\n"
    )

    async def scenario(folder: Path, end: str) -> list[str]:
        async with Shop(folder, bundle_of(source)) as plane:
            job_id = await plane.offered(was_out=True, amount=7.5)
            await ends_unhad(plane, job_id, end)
            records = [json.loads(one) for one in plane.service.rows.lines(1)]
            steps = [step for record in records for step in record.get("steps") or ()]
            found = [one["fields"]["amount"] for one in steps if one.get("event") == "failure"]
            return found + [one for one in plane.events() if one == "untold"]

    assert asyncio.run(scenario(tmp_path / "a", "cancelled")) == ["7.5"]
    assert asyncio.run(scenario(tmp_path / "b", "quarantined")) == ["untold"]
