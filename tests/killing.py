"""Processes that are killed at a durable step, and what must hold of the folder that they leave.

A durable step is a commit of SQLite, a sync of a file or a rename, each before and after.  A child tells over a pipe
what it was answered; whatever stands there must be found again.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from control_plane import EFFECTS, OPERATOR, Clock, Plane, approver, bundle_of

from govlang.runtime.control import rebuild
from govlang.runtime.control.answer import Answer
from govlang.runtime.control.store import sqlite
from govlang.runtime.evidence.audit import audit

SETTINGS = {"state_records": 11, "checkpoint_records": 7, "checkpoint_s": 0.1}
COUNTED = (
    EFFECTS.replace("default deny", "default deny\nlongest window 1 h\n", 1)
    .replace(
        "output pace", "event success after dispatched\nevent failure after dispatched\noutput pace"
    )
    .replace(
        "rule refused",
        "rule many when count(allowed) in 1 min >= 50 throttle retry 1 s\nrule refused",
    )
)
Tell = Callable[..., None]


class Steps:
    """Counts durable steps; at the one that was chosen the process dies."""

    def __init__(self, fatal: int) -> None:
        self.fatal = fatal
        self.count = 0
        self._lock = threading.Lock()

    def step(self) -> None:
        with self._lock:
            self.count += 1
            if self.count == self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def whole(*args: Any, **named: Any) -> Any:
            self.step()
            found = act(*args, **named)
            self.step()
            return found

        return whole

    @contextmanager
    def counted(self) -> Iterator[None]:
        with (
            mock.patch.object(sqlite.SqliteStore, "commit", self.around(sqlite.SqliteStore.commit)),
            mock.patch.object(sqlite, "_begin", self.around(sqlite._begin)),  # a durable step
            mock.patch.object(os, "fsync", self.around(os.fsync)),
            mock.patch.object(Path, "replace", self.around(Path.replace)),
        ):
            yield


async def script(plane: Plane, tell: Tell, life: int) -> None:
    """What the child does: agents, people, workers, tokens, a policy that changes."""
    for number in range(6):
        plane.clock.forward(1)
        run = f"r{life}-{number}"
        topic = ("allow.x", "human.x", "limit.x")[number % 3]
        answer = await plane.submit(f"a{number % 2}", topic, key=run, run_id=run, step="s")
        told = _body(answer)
        if answer.status == 202:
            tell("submitted", run, told["job_id"])
        if answer.status == 202 and told["approval_id"]:
            found = plane.service.rows.approval(told["approval_id"])
            assert found is not None
            said = await plane.service.approve(
                approver("bob", "lead"), found.approval_id, {"job_hash": found.job_hash}
            )
            assert said.status == 200
            tell("approved", run, found.approval_id)
        for job in await plane.lease(2):
            tell("leased", run, job["job_id"])
            if (await plane.begin(job)).status == 200:
                tell("started", run, job["job_id"])
            if number % 4 == 3:
                continue  # this worker is never heard of again
            ended = await plane.end(job, ("succeeded", "failed")[number % 2])
            if ended.status == 200:
                tell("ended", run, job["job_id"], _body(ended)["state"])
    made = await plane.service.create_token(
        OPERATOR, {"roles": ["agent"], "agent": "a", "ttl_s": 9}
    )
    tell("token", "", _body(made)["id"])
    published = await plane.service.publish(
        OPERATOR, bundle_of(EFFECTS), allow_looser=True, reason="a test"
    )
    tell("published", "", _body(published)["snapshot"])
    back = await plane.service.rollback(OPERATOR, "a test", allow_looser=True)
    tell("published", "", _body(back)["snapshot"])


def _body(answer: Answer) -> dict[str, Any]:
    assert isinstance(answer.body, dict)
    assert answer.status < 300, answer
    return answer.body


def live_until(
    folder: Path, at_ms: int, life: int, fatal: int
) -> tuple[bool, list[list[str]], int]:
    """A child that does its work until it is killed; whether it was, what it was answered, the steps it made."""
    hear, speak = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(hear)
            steps = Steps(fatal)

            def tell(*words: str) -> None:
                os.write(speak, json.dumps(words).encode() + b"\n")

            async def whole() -> None:
                async with Plane(folder, bundle_of(COUNTED), SETTINGS, Clock(at_ms)) as plane:
                    tell("open")
                    await script(plane, tell, life)
                tell("steps", str(steps.count))

            with steps.counted():
                asyncio.run(whole())
            code = 0
        finally:
            os._exit(code)
    os.close(speak)
    with os.fdopen(hear, "rb") as pipe:
        told = [json.loads(line) for line in pipe]
    _, status = os.waitpid(child, 0)
    was_killed = os.WIFSIGNALED(status)
    assert was_killed or os.waitstatus_to_exitcode(status) == 0, "the child failed by itself"
    count = next((int(words[1]) for words in told if words[0] == "steps"), 0)
    return was_killed, [words for words in told if words[0] not in ("open", "steps")], count


async def found_again(folder: Path, at_ms: int, told: list[list[str]], life: int) -> None:
    """Open the folder again: everything that was acknowledged is there, nothing is done twice."""
    async with Plane(folder, bundle_of(COUNTED), SETTINGS, Clock(at_ms)) as plane:
        rows = plane.service.rows
        for word, run, name, *rest in told:
            match word:
                case "submitted":
                    answer = await _anew(plane, run)
                    assert _body(answer)["job_id"] == name
                    assert answer.headers == {"idempotent-replayed": "true"}
                case "approved":
                    approval = rows.approval(name)
                    assert approval is not None
                    assert approval.state in ("granted", "consumed", "expired")
                case "ended":
                    assert plane.state(name) == rest[0]
                case "token":
                    assert rows.token(name) is not None
                case "published":
                    assert rows.bundle(name) is not None
                case _:
                    assert rows.job(name) is not None, word
        for number in range(6):  # whoever was not answered asks again
            await _anew(plane, f"r{life}-{number}")
            assert rows.attempts(f"r{life}-{number}", "s") == 1, "one job a key"
        await _none_twice(plane, {words[2] for words in told if words[0] == "started"})
        service = plane.service
        made = rebuild.rebuild(rows, service.office.loading, from_saved=False)
        assert made is not None
        now_ms = plane.clock()
        assert made.policy.save(now_ms=now_ms) == service.judge.policy.save(now_ms=now_ms)
    report = audit(folder, exact=True)
    assert report.intact, report.faults
    assert report.covered == report.records


async def _anew(plane: Plane, run: str) -> Answer:
    number = int(run.partition("-")[2])
    topic = ("allow.x", "human.x", "limit.x")[number % 3]
    return await plane.submit(f"a{number % 2}", topic, key=run, run_id=run, step="s")


async def _none_twice(plane: Plane, started: set[str]) -> None:
    """Let every lease end, and work on: no job that had begun is handed out again, none begins twice."""
    plane.clock.forward(31)
    await plane.reconcile()
    plane.clock.forward(31)
    for job in await plane.lease(50):
        assert job["job_id"] not in started, "it may have run already"
        assert (await plane.begin(job)).status == 200
        await plane.end(job)
    begun = Counter[str]()
    for line in plane.service.rows.lines(1):
        record = json.loads(line)
        begun[record["job_id"]] += record["run_timeline_event"] == "step_started"
    assert max(begun.values(), default=0) <= 1
    assert all(begun[job_id] == 1 for job_id in started)


Scenario = Callable[[Plane], Awaitable[None]]
