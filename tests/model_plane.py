"""A service beside its model (naive_plane.py): every request goes to both, every record is held against the model.

What always holds after a request: each record was expected, and none is missing; jobs, approvals and machines are
alike.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest import mock

from control_plane import Plane, bundle_of
from model_rows import Stored
from naive_plane import NaivePlane
from naive_rules import SOURCE, machines
from naive_task import BUDGET, DEPTH_MAX, FLYING, WAITING, Reply, Task

from govlang.native import table
from govlang.runtime import bundle as bundles
from govlang.runtime.control import builtin, publishing, rebuild, service
from govlang.runtime.control.answer import Answer
from govlang.runtime.control.job import Job
from govlang.runtime.control.settings import Settings
from govlang.runtime.evidence.audit import audit
from govlang.runtime.policy import Policy

SILENT = frozenset({"state_saved", "started", "stopped"})
BREAKER = ("closed", "open", "half_open")
GRANT = ("none", "given", "over")
SETTINGS = Settings(
    retry_budget=BUDGET,
    delegation_depth_max=DEPTH_MAX,
    approval_expires_s=600,
    state_records=37,
    checkpoint_records=50,
    key_capacity=64,
)


@contextmanager
def quick() -> Iterator[None]:
    """Read each bundle and each table once, measure nothing, and leave the reconciler to the model's clock."""
    once = cache(bundles.read_bundle)
    builtin_bundle = cache(builtin.builtin_bundle)

    def read_once(raw: Any, public_key: bytes | None = None) -> Any:
        return once(raw) if isinstance(raw, bytes) else bundles.read_bundle(raw, public_key)

    def builtin_once(file: str, capacity: int) -> Policy:
        return Policy.load(once(builtin_bundle(file)), capacity=min(capacity, 256))

    with (
        mock.patch.object(rebuild, "read_bundle", read_once),
        mock.patch.object(publishing, "read_bundle", read_once),
        mock.patch.object(service, "read_bundle", read_once),
        mock.patch("govlang.runtime.control.job_machine.load_builtin", builtin_once),
        mock.patch("govlang.runtime.control.breaker.load_builtin", builtin_once),
        mock.patch.object(table, "Schema", cache(table.Schema)),
        mock.patch.object(service, "ROUND_S", 3600),
        mock.patch.object(service.Service, "measure", mock.AsyncMock()),
    ):
        yield


class Twins:
    """The service and its model, one loop for both."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        place = Path("/dev/shm")  # noqa: S108  # a disk that takes no time, where there is one
        self.folder = Path(tempfile.mkdtemp(dir=place if place.is_dir() else None))
        self.plane = self._opened()
        self.model = NaivePlane(self.plane.clock())
        self.seen, self.last = 0, ""
        self.papers: list[str] = []
        self.leases: list[tuple[str, str]] = []
        self._open()

    def _opened(self) -> Plane:
        return Plane(self.folder, bundle_of(SOURCE), SETTINGS)

    def _open(self) -> None:
        self.do(self.plane.__aenter__())
        self.stored = Stored(self.folder)
        self.do(self.plane.reconcile())
        self.records()

    def _stop(self) -> None:
        self.stored.close()
        self.do(self.plane.__aexit__())

    def do(self, act: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(act)

    def close(self) -> None:
        """Stop, and hold the ledger as an auditor would."""
        self._stop()
        found = audit(self.folder, exact=True)
        shutil.rmtree(self.folder)
        assert found.intact, found.faults

    def restart(self) -> None:
        """Stop the service, and open its folder again: nothing is forgotten, nothing happens."""
        before = self.remembered()
        self._stop()
        clock = self.plane.clock
        self.plane = self._opened()
        self.plane.clock = clock
        self._open()
        assert self.remembered() == before, "what the policy remembers survives a restart"
        self.alike()

    # --- what both remember ----------------------------------------------------------------------

    def remembered(self) -> bytes:
        return self.plane.service.judge.policy.save(now_ms=self.plane.clock())

    def rebuilt(self) -> None:
        """What the policy remembers is made again from the first record, to the byte."""
        made = rebuild.rebuild(
            self.plane.service.rows, self.plane.service.office.loading, from_saved=False
        )
        assert made is not None
        assert made.policy.save(now_ms=self.plane.clock()) == self.remembered()

    def row(self, job: Task) -> Job:
        return self.stored.jobs[job.job_id]

    def alike(self) -> None:
        """Jobs, approvals and machines of the service are those of the model."""
        jobs, approvals = self.stored.jobs, self.stored.approvals
        assert jobs.keys() == self.model.jobs.keys(), "the jobs that were asked for, and no other"
        for job in self.model.jobs.values():
            _same_job(jobs[job.job_id], job)
        assert approvals.keys() == set(self.papers)
        for paper_id, paper in zip(self.papers, self.model.papers, strict=True):
            one = approvals[paper_id]
            assert (one.state, one.granted) == (paper.state, paper.granted), paper_id
        policy = self.plane.service.judge.policy
        for name, samples in self.model.samples.items():
            found = machines(samples)
            assert BREAKER[policy.remembered("breaker", name)] == found.breaker
            assert GRANT[policy.remembered("grant", name)] == found.grant
        assert not self.model.faults()

    # --- records ---------------------------------------------------------------------------------

    def records(self) -> list[dict[str, Any]]:
        """What the ledger has new; each names the one before."""
        found = []
        for line in self.stored.read(self.seen):
            record = json.loads(line)
            if self.seen:
                assert record["prev"] == self.last
            self.seen, self.last = self.seen + 1, "sha256:" + sha256(line).hexdigest()
            assert record["seq"] == self.seen
            found.append(record)
        return found

    def follow(
        self, before: list[Task], trigger: Callable[[dict[str, Any], Task | None], None]
    ) -> None:
        """Hold the new records against those that the model expects.

        One that it does not expect must be work that was revoked, or what `trigger` makes of it.
        """
        pending: list[tuple[str, str]] = []
        for record in self.records():
            event = record["run_timeline_event"]
            if event in SILENT:
                continue
            key = (record["job_id"], event)
            pending += self._expected()
            if key not in pending:
                job = self.model.jobs.get(record["job_id"])
                self._unforeseen(record, job, before, trigger)
                pending += self._expected()
            assert key in pending, f"nobody expected {key}, but {pending}"
            pending.remove(key)
            if event == "step_dispatched":
                self._permitted(record)
        pending += self._expected()
        assert not pending, f"not recorded: {pending}"
        left = [j for j in before if j.state in FLYING and self._is_barred(j)]
        assert not left, f"not revoked: {[j.job_id for j in left]}"
        self._names()
        self.alike()

    def _expected(self) -> list[tuple[str, str]]:
        found, self.model.expected = self.model.expected, []
        return found

    def _is_barred(self, job: Task) -> bool:
        return bool(self.model.suspended & {job.agent, *job.chain}) or self.model.is_denied(job)

    def _unforeseen(
        self,
        record: dict[str, Any],
        job: Task | None,
        before: list[Task],
        trigger: Callable[[dict[str, Any], Task | None], None],
    ) -> None:
        if record["run_timeline_event"] == "revoked":
            assert job in before, f"{record['job_id']} was not permitted before"
            assert job is not None
            is_due = job.is_doomed or self._is_barred(job)
            assert is_due, f"{record['job_id']} was revoked for nothing"
            self.model.withdraw(job, "revoked")
        else:
            trigger(record, job)

    def _permitted(self, record: dict[str, Any]) -> None:
        """A dispatch rests on a decision that permits, on an approval, or is an undo."""
        if "undo_of" in record.get("details", {}):
            assert self.model.jobs[record["details"]["undo_of"]].undo is not None
        elif record["decision"] == "REQUIRE_HUMAN":
            assert record["approver"]
            assert record["labels"]["approval_granted"] == "true"
        else:
            assert record["decision"] in ("ALLOW", "LIMIT"), record

    def _names(self) -> None:
        """What only the service knows: the names of approvals, and by chance, when a job is tried again."""
        for paper in self.model.papers[len(self.papers) :]:
            self.papers.append(self.row(paper.job).approval_id or "")
        assert len(set(self.papers)) == len(self.papers)
        for job in self.model.jobs.values():
            if job.state == "retrying":
                due_ms = self.row(job).due_ms
                if due_ms != job.due_ms and job.tries:
                    since = due_ms - self.row(job).updated_ms
                    assert 500 * 2 ** (job.tries - 1) <= since <= 1000 * 2 ** (job.tries - 1)
                    job.due_ms = due_ms


def _same_job(row: Job, job: Task) -> None:
    assert (row.state.value, row.tries) == (job.state, job.tries), job.job_id
    assert (row.agent, row.delegation, row.attempt) == (job.agent, job.chain, job.attempt)
    assert row.parent_job_id == job.parent
    assert (row.committed, row.reported) == (job.committed, job.reported), job.job_id
    assert row.undo_owed == job.owed, job.job_id
    assert (row.revoked_ms is not None) == job.revoked, job.job_id
    if job.state in FLYING:
        assert (row.lease_id, row.worker_agent) == (job.lease, job.worker), job.job_id
        assert row.lease_until_ms == job.until_ms, job.job_id
    if job.state in WAITING:
        assert row.due_ms == job.due_ms, job.job_id


def nothing_else(record: dict[str, Any], job: Task | None) -> None:
    """Only what was expected may happen."""
    del job
    raise AssertionError(f"not expected: {record['run_timeline_event']} {record['job_id']}")


def same(answer: Answer, reply: Reply) -> None:
    """The answer is the one to be expected."""
    body = answer.body
    assert isinstance(body, dict)
    word = body.get("code", body.get("state"))
    assert (answer.status, word) == (reply.status, reply.word), (answer, reply)
    if reply.job_id:
        assert body["job_id"] == reply.job_id
