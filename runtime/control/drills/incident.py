"""An incident, staged: a folder in, a data directory in which an agent's credentials leaked out.

A planner has an operator's agent delete a machine; somebody on call approves it; while it runs the agent's credentials
are found to have leaked.  The service revokes what is in flight, and the undo that the job declared brings the machine
back.  Times are those of a clock that the drill turns, so that it takes a moment and always tells the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from govlang.runtime.control.answer import Answer
from govlang.runtime.control.builtin import builtin_bundle
from govlang.runtime.control.service import Parts, Service
from govlang.runtime.control.settings import read_settings
from govlang.runtime.control.tokens import Caller, Role

BUNDLE: Final = "incident-1.0.0.govb"
RUN: Final = "run_cleanup"
POOL: Final = "machines"
START_MS: Final = 1_800_000_000_000

PLANNER: Final = Caller("planner", frozenset({Role.AGENT}), frozenset(), None, "tok_planner")
AGENT: Final = Caller("ops-agent", frozenset({Role.AGENT}), frozenset(), None, "tok_ops")
ALICE: Final = Caller(
    "alice", frozenset({Role.APPROVER}), frozenset({"sre-oncall"}), None, "tok_alice"
)
SENTRY: Final = Caller("sentry", frozenset({Role.OPERATOR}), frozenset(), None, "tok_sentry")
WORKER: Final = Caller("ops-agent", frozenset({Role.WORKER}), frozenset(), None, "tok_worker")


@dataclass(slots=True)
class TurnedClock:
    """A time that stands still until it is moved, in ms since 1970."""

    at_ms: int = START_MS

    def __call__(self) -> int:
        return self.at_ms

    def forward(self, seconds: float) -> None:
        self.at_ms += round(1000 * seconds)


class Staged:
    """A service on which the incident is played."""

    def __init__(self, folder: Path) -> None:
        self.clock = TurnedClock()
        parts = Parts(clock=self.clock)
        self.service = Service(folder, read_settings({}), builtin_bundle(BUNDLE), parts=parts)
        self._keys = 0

    async def play(self) -> str:
        """Play it from the first request to the undo; the run's id."""
        await self.service.start()
        try:
            await self._play()
        finally:
            await self.service.stop()
        return RUN

    async def _play(self) -> None:
        plan = await self._submit(PLANNER, "plan.cleanup")
        planned = await self._begin(plan)
        self.clock.forward(2)
        delete = await self._submit(
            AGENT,
            "vm.delete.web-7",
            parent_job_id=planned["job_id"],
            undo={"request": _request(AGENT, "vm.restore.web-7"), "payload": None, "pool": POOL},
        )
        self.clock.forward(20)
        await self._approve(delete)
        await self._told(self.service.heartbeat(WORKER, planned["lease_id"], {"started": False}))
        self.clock.forward(1)
        running = await self._begin(delete["job_id"])
        self.clock.forward(3)
        await self._report_leak()
        self.clock.forward(0.25)
        await self._told(self.service.heartbeat(WORKER, running["lease_id"], {"started": False}))
        await self._undo()
        self.clock.forward(1)
        ended = {"outcome": "failed", "error": "the deletion was revoked"}
        await self._told(self.service.result(WORKER, planned["lease_id"], ended))

    async def _submit(self, who: Caller, topic: str, **more: Any) -> Any:
        """Submit a job; its id, or its whole answer where it waits for an approval."""
        self._keys += 1
        body = {
            "request": _request(who, topic),
            "payload": None,
            "pool": POOL,
            "run_id": None if "parent_job_id" in more else RUN,
            **more,
        }
        answer = await self._told(self.service.submit(who, body, f"drill-{self._keys}"))
        return answer if answer["approval_id"] else answer["job_id"]

    async def _approve(self, delete: Mapping[str, Any]) -> None:
        listed = self.service.approvals(ALICE, "open").body
        assert isinstance(listed, dict)
        (waiting,) = listed["approvals"]
        body = {"job_hash": waiting["job_hash"], "role": None, "reason": "web-7 is drained"}
        await self._told(self.service.approve(ALICE, delete["approval_id"], body))

    async def _begin(self, job_id: str) -> dict[str, Any]:
        """Have the worker take a job and begin."""
        body = {"worker": "worker-1", "max": 1, "wait_s": 0, "actions": []}
        found = await self._told(self.service.lease(WORKER, POOL, body))
        leased: dict[str, Any] = found["jobs"][0]
        assert job_id in ("", leased["job_id"])
        await self._told(self.service.heartbeat(WORKER, leased["lease_id"], {"started": True}))
        return leased

    async def _report_leak(self) -> None:
        """Somebody finds the credentials; they had leaked a second and a half before."""
        step = {
            "event": "leaked",
            "key": {"agent": AGENT.subject},
            "at_ms": self.clock.at_ms - 1500,
        }
        await self._told(self.service.observe(SENTRY, step))

    async def _undo(self) -> None:
        undo = await self._begin("")
        self.clock.forward(2)
        restored = {"outcome": "succeeded", "output": {"machine": "web-7"}}
        await self._told(self.service.result(WORKER, undo["lease_id"], restored))

    async def _told(self, asked: Any) -> dict[str, Any]:
        """What the service answers; an incident that cannot be staged is a fault of ours."""
        answer: Answer = await asked
        if answer.status >= 300 or not isinstance(answer.body, dict):
            raise RuntimeError(f"the drill cannot go on: {answer}")
        return answer.body


def _request(who: Caller, topic: str) -> dict[str, str]:
    return {"agent": who.subject, "topic": topic}
