"""A crew of agents under a contract, and a control plane that it works in; for tests of delegation and revocation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from control_plane import OPERATOR, Plane, agent, bundle_of, folder

from govlang.runtime.control.answer import Answer
from govlang.runtime.control.job import Job
from govlang.runtime.control.meter import Meter

POLICY = """language 1
policy crew version "1.0.0"
longest window 1 d
tiers safety, work
default deny

input {
  agent     : key
  topic     : text
  action    : one of read, edit, delete, restore
  delegator : text optional from runtime
  origin    : text from runtime
  depth     : number in 0..100 from runtime
}

event success after dispatched
event failure after dispatched
event scope_violation

contract task for agent on action {
  may    read, edit, delete, restore
  stop   after 2 h, or on task.done
  revoke on scope_violation
}

tier work {
  rule works when action in {read, edit, restore} allow
}
tier safety {
  rule juniors_only_read when agent == "junior" and action is edit deny because "a junior reads"
  rule a_person when action is delete require human from "lead" expires 10 min
  rule too_far when depth > 2 deny because "handed on too often"
}
"""
CREW = ("planner", "ops", "lead", "junior", "hand")


class Heard(Meter):
    """What the service tells of revocations."""

    def __init__(self) -> None:
        self.detected: list[tuple[str, float]] = []
        self.done: list[float] = []

    def revocation_detected(self, cause: str, seconds: float) -> None:
        self.detected.append((cause, seconds))

    def revocation_done(self, seconds: float) -> None:
        self.done.append(seconds)


class Crew(Plane):
    """The plane, with what the crew says to it."""

    async def ask(self, who: str, action: str = "edit", **more: Any) -> Answer:
        """Submit a job; `undo` is the action of its undo."""
        self.keys += 1
        request = {"agent": who, "topic": f"work.{action}", "action": action}
        if "undo" in more:
            undone = {"agent": who, "topic": "work.undo", "action": more["undo"]}
            more["undo"] = {"request": undone, "payload": {"undoes": action}, "pool": "p"}
        caller = more.pop("caller", agent(who))
        body = {"request": request, "payload": None, "pool": "p", **more}
        return await self.service.submit(caller, body, f"k{self.keys}")

    async def takes(self, who: str, action: str = "edit", by: str = "w1", **more: Any) -> Any:
        """A job that was submitted, and that a worker has begun."""
        made = await self.ask(who, action, **more)
        assert made.status == 202, made
        given = {job["job_id"]: job for job in await self.lease(9, who=by)}
        job = given[made.body["job_id"]]  # type: ignore[index,call-overload]
        assert (await self.begin(job, by)).status == 200
        return job

    async def happens(self, event: str, who: str, **more: Any) -> Answer:
        """Somebody reports an event about an agent."""
        step = {"event": event, "key": {"agent": who}, **more}
        return await self.service.observe(OPERATOR, step)

    def job(self, job_id: str) -> Job:
        found = self.service.rows.job(job_id)
        assert found is not None
        return found

    def undos(self, job_id: str) -> list[Job]:
        """The jobs that undo a job."""
        run_id = job_id.partition(":")[0]
        steps = {record["job_id"] for record in self.records() if record["job_id"]}
        jobs = [self.job(one) for one in sorted(steps) if one.startswith(run_id) and ".undo" in one]
        return [one for one in jobs if one.undo_of == job_id]

    def records(self, event: str | None = None) -> list[dict[str, Any]]:
        """The ledger, or what it has of an event."""
        found = [json.loads(line) for line in self.service.rows.lines(1)]
        return [r for r in found if event in (None, r["run_timeline_event"])]


def play(
    scenario: Callable[[Crew], Awaitable[None]], policy: str = POLICY, **settings: Any
) -> None:
    """Let a scenario happen in a plane in which each of the crew has its contract."""

    async def whole() -> None:
        with folder() as place:
            async with Crew(place, bundle_of(policy), settings, parts={"meter": Heard()}) as crew:
                for who in CREW:
                    assert (await crew.happens("task.issued", who)).status == 202
                await scenario(crew)

    asyncio.run(whole())


def code(answer: Answer) -> tuple[int, str]:
    """Why something was refused."""
    assert isinstance(answer.body, dict)
    return answer.status, str(answer.body.get("code", ""))
