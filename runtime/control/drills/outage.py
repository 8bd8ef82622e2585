"""The outage drill: a policy check that is slow, hangs, fails, is gone; what the service does meanwhile, held against
what is written.

In: nothing.  Out: steps, each with what must come and what came.  A service runs in a temporary folder, once with the
fail mode closed and once with open; its check is a stub on loopback; the breaker's clock is the drill's, so half a
minute takes no time.  What always holds: everything is asked of the service itself, its ledger and the stub's count of
calls, nothing of what the drill expects.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from govlang.runtime.control.answer import Answer
from govlang.runtime.control.breaker import Breaker
from govlang.runtime.control.builtin import builtin_bundle, load_builtin
from govlang.runtime.control.check import DEPENDENCY
from govlang.runtime.control.drills.incident import TurnedClock
from govlang.runtime.control.drills.stub import Mood, Stub
from govlang.runtime.control.service import Parts, Service
from govlang.runtime.control.settings import FailMode, read_settings
from govlang.runtime.control.tokens import Caller, Role

BUNDLE: Final = "outage-1.0.0.govb"
POOL: Final = "drill"
LEASED: Final = "leased"
"""The pool of the jobs that are leased; of the others nothing is, so that nothing of them lapses."""
REASON: Final = "the outage drill"
HANGS_S: Final = 1.0
"""How long the service waits for an answer in the drill; 2 s unless set."""
OPEN_S: Final = 30
FAILURES: Final = 3
PROBES: Final = 3
AGENT: Final = Caller("agent-1", frozenset({Role.AGENT}), frozenset(), None, "tok_agent")
WORKER: Final = Caller("worker-1", frozenset({Role.WORKER}), frozenset(), None, "tok_worker")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried."""

    fail_mode: str
    check: str
    tried: str
    expected: str
    found: str

    @property
    def is_as_written(self) -> bool:
        return self.expected == self.found

    def to_dict(self) -> dict[str, Any]:
        """The step as JSON says it."""
        names = ("fail_mode", "check", "tried", "expected", "found")
        return {name: getattr(self, name) for name in names} | {"ok": self.is_as_written}


class Drill:
    """A service with one fail mode, and its stub."""

    def __init__(self, mode: FailMode, folder: Path) -> None:
        self.mode = mode
        self.steps: list[Step] = []
        self._folder = folder
        self._clock = TurnedClock(1_000_000)
        self._keys = 0
        self._let_through = 0
        """Submits that no check had answered."""
        self._stub = Stub(load_builtin(BUNDLE, 1000), self._clock.forward)
        self._service: Service

    async def run(self) -> list[Step]:
        """Everything in turn; the steps."""
        await self._stub.listen()
        try:
            async with self._serving():
                await self._healthy()
                for mood in (Mood.FAILING, Mood.SLOW, Mood.HANGING, Mood.GONE):
                    await self._outage(mood)
                await self._probes()
                await self._dispatch()
                await self._waiting_for_people()
        finally:
            await self._stub.close()
        self._records()
        return self.steps

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        said = {
            "POLICY_CHECK_URL": self._stub.url,
            "POLICY_CHECK_FAIL_MODE": self.mode.value,
            "POLICY_CHECK_TIMEOUT_S": str(HANGS_S),
            "GOV_BACKOFF_FIRST_S": "0.001",
            "GOV_BACKOFF_MAX_S": "0.001",
        }
        if self.mode is FailMode.OPEN:
            said["POLICY_CHECK_FAIL_OPEN_REASON"] = REASON
        parts = Parts(clock=self._clock, breaker=Breaker(clock_ms=self._clock))
        bundle = builtin_bundle(BUNDLE)
        self._service = Service(self._folder, read_settings(said), bundle, parts=parts)
        await self._service.start()
        try:
            yield
        finally:
            await self._service.stop()

    # --- what is tried ---------------------------------------------------------------------------

    async def _healthy(self) -> None:
        await self._stub.become(Mood.HEALTHY)
        await self._submits("submit what is allowed", "read.a", "202 allow by reads, asked", True)
        await self._submits("submit what is not", "other", "403 deny by default, asked", False)
        self._breaker_is("closed")

    async def _outage(self, mood: Mood) -> None:
        """From the first failure to the end of the outage."""
        await self._stub.become(mood)
        reached = "not reached" if mood is Mood.GONE else "asked"
        for number in range(1, FAILURES + 1):
            # a slow answer is an answer; only the breaker holds it against the check
            is_heard = mood is Mood.SLOW
            said = "202 allow by reads" if is_heard else self._unanswered
            await self._submits(
                f"failure {number}", "read.a", f"{said}, {reached}", is_heard or self._is_open
            )
        self._breaker_is("open")
        self._clock.forward(OPEN_S - 0.001)
        await self._submits(
            "29.999 s later", "read.a", f"{self._unanswered}, not reached", self._is_open
        )
        await self._stub.become(Mood.HEALTHY)
        self._clock.forward(0.001)
        self._breaker_is("half_open", "30 s later")
        await self._submits("probe 1", "read.a", "202 allow by reads, asked", True)
        self._breaker_is("half_open", "after one success")
        await self._submits("probe 2", "read.a", "202 allow by reads, asked", True)
        self._breaker_is("closed", "after two successes")

    async def _probes(self) -> None:
        """Of a half-open check at most three calls are out; one failure opens it anew."""
        await self._fail()
        self._clock.forward(OPEN_S)
        self._stub.held, before = asyncio.Event(), self._stub.calls
        await self._stub.become(Mood.HEALTHY)
        asked = [asyncio.ensure_future(self._submit("read.a")) for _ in range(PROBES + 2)]
        while self._stub.calls - before < PROBES or sum(one.done() for one in asked) < 2:
            if all(one.done() for one in asked):
                break
            await asyncio.sleep(0.001)
        found = f"{self._stub.calls - before} are asked"
        self._step(f"{PROBES + 2} submits at once, half-open", f"{PROBES} are asked", found)
        self._stub.held.set()
        await asyncio.gather(*asked)
        self._stub.held = None
        self._breaker_is("closed", "after two successes")
        await self._fail()
        self._clock.forward(OPEN_S)
        await self._stub.become(Mood.FAILING)
        await self._submits(
            "probe that fails", "read.a", f"{self._unanswered}, asked", self._is_open
        )
        self._breaker_is("open", "after one failed probe")

    async def _fail(self) -> None:
        await self._stub.become(Mood.FAILING)
        for _ in range(FAILURES):
            await self._submit("read.a")

    async def _dispatch(self) -> None:
        """A job that was stored before the outage waits for its worker meanwhile."""
        await self._recover()
        job_id = await self._stored("read.b")
        await self._stub.become(Mood.FAILING)
        await self._lease()
        job = self._service.rows.job(job_id)
        assert job is not None
        if self._is_open:
            self._step(
                "lease a job stored before", "dispatched by fail_open", self._dispatched(job_id)
            )
            return
        found = f"{job.state.value}, {job.tries} attempt counted"
        self._step("lease a job stored before", "retrying, 1 attempt counted", found)
        await self._recover()
        self._clock.forward(1)
        await self._lease()
        self._step("lease it after the outage", "dispatched by reads", self._dispatched(job_id))

    async def _waiting_for_people(self) -> None:
        """What waits for a person is not let through by an outage."""
        await self._recover()
        job_id = await self._stored("delete.a")
        await self._stub.become(Mood.GONE)
        await self._lease()
        job = self._service.rows.job(job_id)
        state = "" if job is None else job.state.value
        self._step("lease what waits for a person", "approval_required", state)

    async def _recover(self) -> None:
        """A healthy check whose breaker is closed."""
        await self._stub.become(Mood.HEALTHY)
        self._clock.forward(OPEN_S)
        for _ in range(2):
            await self._submit("read.a")
        self._breaker_is("closed", "after two successes")

    # --- asking ----------------------------------------------------------------------------------

    async def _submit(self, topic: str, pool: str = POOL) -> Answer:
        self._keys += 1
        request = {"agent": AGENT.subject, "topic": topic}
        body = {"request": request, "payload": None, "pool": pool}
        answer = await self._service.submit(AGENT, body, f"drill-{self._keys}")
        if _said(answer) == self._unanswered:
            self._let_through += 1
        return answer

    async def _submits(self, tried: str, topic: str, expected: str, is_stored: bool) -> None:  # noqa: FBT001  # a column of the table
        """Submit, and hold the answer, the stub's count, the jobs and the ledger against what is written."""
        calls, jobs, records = self._stub.calls, self._jobs(), self._record_count()
        answer = await self._submit(topic)
        reached = "asked" if self._stub.calls > calls else "not reached"
        stored, kept = self._jobs() - jobs, self._record_count() - records
        traces = {(1, 1): "stored", (0, 1): "evidence only"}
        expected += ", stored" if is_stored else ", evidence only"
        trace = traces.get((stored, kept), f"{stored} jobs and {kept} records")
        self._step(tried, expected, f"{_said(answer)}, {reached}, {trace}")

    async def _stored(self, topic: str) -> str:
        answer = await self._submit(topic, LEASED)
        assert isinstance(answer.body, dict)
        return str(answer.body["job_id"])

    async def _lease(self) -> None:
        body = {"worker": "worker-1", "max": 1, "wait_s": 0, "actions": []}
        await self._service.lease(WORKER, LEASED, body)

    @property
    def _is_open(self) -> bool:
        return self.mode is FailMode.OPEN

    @property
    def _unanswered(self) -> str:
        """What a submit gets while the check gives no answer."""
        return "202 allow by fail_open" if self._is_open else "503 policy_unavailable"

    def _jobs(self) -> int:
        return sum(self._service.rows.counts().values())

    def _record_count(self) -> int:
        tail = self._service.rows.tail()
        return tail[0] if tail else 0

    def _dispatched(self, job_id: str) -> str:
        for record in self._ledger():
            if record["job_id"] == job_id and record["run_timeline_event"] == "step_dispatched":
                return f"dispatched by {record['rule_id']}"
        return "not dispatched"

    def _ledger(self) -> Iterator[dict[str, Any]]:
        return (json.loads(line) for line in self._service.rows.lines(1))

    def _records(self) -> None:
        """Whether every record of what was let through says that no check had answered."""
        from govlang.runtime.evidence.source import open_source

        found = [json.loads(line) for line in open_source(self._folder).lines()]
        rule = "fail_open" if self._is_open else "policy_unavailable"
        event = "submitted" if self._is_open else "submit_refused"
        named = [one["rule_id"] == rule for one in found if one["run_timeline_event"] == event]
        self._step(
            f"records that say `{rule}`", f"{self._let_through} submits", f"{sum(named)} submits"
        )
        reasons = {
            one["details"].get("POLICY_CHECK_FAIL_OPEN_REASON")
            for one in found
            if one["run_timeline_event"] == "started"
        }
        shown = ", ".join(str(one) for one in reasons)
        self._step("the start records the reason", REASON if self._is_open else "None", shown)

    def _breaker_is(self, expected: str, when: str = "") -> None:
        found = self._service.breaker.state(DEPENDENCY)
        self._step(f"the breaker {when}".strip(), expected, found)

    def _step(self, tried: str, expected: str, found: str) -> None:
        self.steps.append(Step(self.mode.value, self._stub.mood.value, tried, expected, found))


def _said(answer: Answer) -> str:
    """An answer in a few words."""
    body = answer.body if isinstance(answer.body, dict) else {}
    if answer.status == 503:
        return f"503 {body.get('code')}"
    decision = body.get("decision", {})
    return f"{answer.status} {decision.get('decision')} by {decision.get('rule_id')}"


async def outage() -> list[Step]:
    """The whole drill, with both fail modes."""
    found: list[Step] = []
    for mode in (FailMode.CLOSED, FailMode.OPEN):
        with tempfile.TemporaryDirectory(prefix="gov-drill-") as folder:
            found += await Drill(mode, Path(folder)).run()
    return found
