"""Guarded calls decided by a gateway: this process asks for the job, and is itself the worker of a pool of its own.

In: a request.  Out: the job's lease, taken and started; its end reported.

How: the job goes into a pool from which nobody else leases, by default one made up for this very call
(`local.` and 24 hex digits), so that whatever the gateway dispatches can only come back here.  It passes both gates,
waits for a person where a rule says so, and is one job in the record like any other.

What always holds: the call runs only after the gateway has acknowledged its start under a lease of this job; a call
that will not run is cancelled at the gateway; a lease that cannot be renewed in time sets `cancelled`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from govlang.client import calls
from govlang.client.answers import Beat, Job, Lease, Ruling, Submitted
from govlang.client.client import GovClient
from govlang.client.duties import Duties, read_duties
from govlang.client.errors import ApprovalRequired, Denied, GovError, LeaseLost, Unavailable
from govlang.client.permit import CURRENT, Permit
from govlang.client.road import LOG, Admitted, Check, told
from govlang.client.sending import IMPATIENT, Patience

DISPATCH_S: Final = 10.0
"""How long a job that waits for nobody may take to be dispatched."""

POLL_S: Final = 3
"""How long one request for the lease waits; then the job is looked at, for it may have been denied."""

BEAT_S: Final = 10.0
"""How long a heartbeat waits for its answer at most."""

ALLOWED: Final = frozenset(("allow", "limit", "require_human"))


@dataclass(slots=True)
class Desk:
    """The leases of a pool that belongs to this process; threads take turns at asking, each takes its own."""

    client: GovClient
    pool: str
    worker: str = field(default_factory=lambda: f"guard_{uuid4().hex[:12]}")
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _found: dict[str, tuple[Lease, float]] = field(default_factory=dict)

    def take(self, job_id: str, wait_s: int, actions: Collection[str]) -> Lease | None:
        """The lease of a job; None: not within so many seconds.

        The leases of others stay for whoever waits for them; nobody starts one that nobody waits for, and it lapses.
        """
        if not self._turn.acquire(timeout=max(wait_s, 1)):
            return None
        try:
            if job_id not in self._found:
                asked = calls.lease(self.pool, self.worker, wait_s=wait_s, actions=actions)
                for one in self.client.send(asked):
                    self._found[one.job_id] = (one, time.monotonic() + one.lease_s)
            lease, until = self._found.pop(job_id, (None, 0.0))
            return lease if time.monotonic() < until else None
        finally:
            self._turn.release()


@dataclass(frozen=True, slots=True)
class ThroughGateway:
    """A gateway, and how a guarded call goes through it.

    `wait_s`: how long a person may take to approve.  `pool`: a pool of this process's own, for tokens that are bound
    to pools; left out, each call has one of its own.  `run_id`, `step`, `parent_job_id`: see `GovClient.submit`; a
    guarded call inside another has that one's job as its parent.
    """

    client: GovClient
    wait_s: float = 60.0
    pool: str | None = None
    run_id: str | None = None
    step: str | None = None
    parent_job_id: str | None = None
    _desk: list[Desk] = field(default_factory=list, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def admit(
        self,
        request: Mapping[str, Any],
        payload: Any,
        check: Check,
        actions: Collection[str],
        given_up: threading.Event,
    ) -> Admitted:
        """Submit the job and wait for its lease; raises GovError unless it may run."""
        desk = self._own_desk()
        outer = CURRENT.get()
        parent = self.parent_job_id or (outer.job_id if outer is not None else None)
        job = self.client.submit(
            request,
            pool=desk.pool,
            payload=payload,
            run_id=self.run_id,
            step=self.step,
            parent_job_id=parent,
        )
        try:
            check(_first_duties(job.decision))
            lease = self._wait(desk, job, actions, given_up)
            duties = read_duties(lease.obligations)
            check(duties)
        except BaseException as error:
            withdraw(self.client, job.job_id, told(error))
            raise
        word, rule = job.decision.decision, job.decision.rule_id
        return _Leased(self.client, lease, duties, dict(lease.request), word, rule, job.job_id)

    def _own_desk(self) -> Desk:
        if self.pool is None:
            return Desk(self.client, f"local.{uuid4().hex[:24]}")
        with self._lock:
            if not self._desk:
                self._desk.append(Desk(self.client, self.pool))
            return self._desk[0]

    def _wait(
        self, desk: Desk, made: Submitted, actions: Collection[str], given_up: threading.Event
    ) -> Lease:
        begun = time.monotonic()
        patient = self.wait_s if made.approval_id is not None else 0.0
        while not given_up.is_set():
            left = begun + patient + DISPATCH_S - time.monotonic()
            lease = desk.take(made.job_id, max(0, min(POLL_S, int(left))), actions)
            if lease is not None:
                return lease
            job = self.client.job(made.job_id)
            if job.is_over:
                raise _ended(job)
            waited = time.monotonic() - begun
            waits = job.state == "approval_required"
            if waits and waited >= self.wait_s:
                raise _unapproved(job, waited)
            patient = max(patient, self.wait_s if waits else 0.0)
            if waited >= patient + DISPATCH_S:
                why = f"the job was not dispatched within {waited:.0f} s, it is {job.state}"
                raise Unavailable("not_dispatched", 0, why, {"job_id": made.job_id})
        raise Unavailable("given_up", 0, "nobody waits for it any more")


def _first_duties(decision: Ruling) -> Duties:
    """What a job must keep to by the decision at its submission.

    Raises:
        Denied: the decision is none on which anything runs.
    """
    if decision.decision not in ALLOWED:
        raise Denied("denied", 0, f"the decision is `{decision.decision}`")
    return read_duties(decision.obligations)


def _ended(job: Job) -> GovError:
    members = {"job_id": job.job_id, "approval_id": job.approval_id, "reason": job.reason}
    because = f": {job.reason}" if job.reason else ""
    kind = Unavailable if job.state == "timed_out" and job.approval_id is None else Denied
    return kind(job.state, 0, f"the job was not run, it is {job.state}{because}", members)


def _unapproved(job: Job, waited_s: float) -> GovError:
    members = {"job_id": job.job_id, "approval_id": job.approval_id, "reason": job.reason}
    why = f"nobody approved it within {waited_s:.0f} s; the job is withdrawn"
    return ApprovalRequired("approval_required", 0, why, members)


def withdraw(client: GovClient, job_id: str, why: str) -> None:
    """Cancel a job that will not run here; if that fails nobody else can run it either."""
    try:
        client.cancel(job_id, f"the guarded call will not run: {why}"[:200])
    except Exception as error:  # noqa: BLE001  # why it will not run is what is to be raised
        LOG.warning("the job %s could not be cancelled: %s", job_id, type(error).__name__)


@dataclass(slots=True)
class _Leased:
    """A job that this process holds the lease of."""

    client: GovClient
    lease: Lease
    duties: Duties
    request: Mapping[str, Any]
    decision: str
    rule_id: str | None
    job_id: str | None
    cancelled: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """Start the job: nothing runs before the gateway has acknowledged it."""
        asked_at = time.monotonic()
        call = calls.heartbeat(self.lease.lease_id, started=True)
        patience = Patience(4, self.lease.lease_s / 2)
        within = min(BEAT_S, self.lease.lease_s)
        beat = self.client.send(call, timeout_s=within, patience=patience)
        if beat.state != "running" or beat.cancel:
            raise Denied("cancelled", 0, f"the job is {beat.state}", {"job_id": self.job_id})
        until = asked_at + beat.lease_s
        if time.monotonic() >= until:
            raise LeaseLost("lease_lost", 0, "the lease ran out while it was being started")
        threading.Thread(target=self._keep, args=(until, beat.lease_s), daemon=True).start()

    def _keep(self, until: float, lease_s: float) -> None:
        try:
            self._renew(until, lease_s)
        except Exception as error:  # noqa: BLE001  # `cancelled` is set; a thread has nobody to raise it to
            LOG.warning(
                "the lease of job %s was not renewed: %s", self.job_id, type(error).__name__
            )

    def _renew(self, until: float, lease_s: float) -> None:
        """Heartbeats at a third of the lease, until the work is over; whatever else ends them cancels it."""
        try:
            while not self._over.wait(lease_s / 3):
                asked_at = time.monotonic()
                beat = self._beat(until, until - lease_s / 3)
                if beat is None:
                    continue
                if beat.cancel or beat.state != "running":
                    return
                until, lease_s = asked_at + beat.lease_s, beat.lease_s
        finally:
            if not self._over.is_set():
                self.cancelled.set()

    def _beat(self, until: float, last: float) -> Beat | None:
        """The answer to a heartbeat; None: there is none yet, and time for another before `last`.

        Raises:
            GovError: the lease is lost, or will be before it can be asked for again.
        """
        within = min(BEAT_S, max(until - time.monotonic(), 0.1))
        call = calls.heartbeat(self.lease.lease_id)
        try:
            return self.client.send(call, timeout_s=within, patience=IMPATIENT)
        except Unavailable:
            if time.monotonic() >= last:
                raise
            return None

    def withdraw(self, why: str) -> None:
        """Cancel the job."""
        self._over.set()
        withdraw(self.client, self.lease.job_id, why)

    def succeed(self, permit: Permit) -> None:
        """Report its success."""
        self._report("succeeded", permit, None)

    def fail(self, permit: Permit, error: BaseException) -> None:
        """Report its failure."""
        self._report("failed", permit, told(error))

    def _report(self, outcome: str, permit: Permit, error: str | None) -> None:
        self._over.set()
        try:
            self.client.result(
                self.lease.lease_id,
                outcome,
                output=permit.output,
                error=error,
                used=permit.used,
                fields=permit.fields,
            )
        except Exception as fault:  # noqa: BLE001  # the work is done, and its value is not to be lost
            LOG.warning("the end of job %s was not reported: %s", self.job_id, told(fault))
