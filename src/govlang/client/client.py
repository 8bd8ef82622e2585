"""`GovClient`: every route of a gateway as a method.

In: values.  Out: frozen dataclasses (`answers.py`), or a `GovError`.

What always holds: what can do nothing twice is repeated while there is patience, under the key that it had; anything
else is sent once.  No answer, or one that cannot be read, is `Unavailable`.  The token is in no message.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx

from govlang.client import calls
from govlang.client.answers import (
    Answered,
    Approval,
    Beat,
    Job,
    Lease,
    Letter,
    NewToken,
    Observed,
    Page,
    PolicyInfo,
    Reported,
    Ruling,
    Submitted,
    Suspension,
)
from govlang.client.errors import GovError
from govlang.client.sending import (
    Patience,
    answer_of,
    arguments,
    base_url,
    headers_of,
    pause_s,
    unanswered,
)
from govlang.client.wire import Call

T = TypeVar("T")

TIMEOUT_S: Final = 30.0
WAIT_PAUSE_S: Final = 0.5


class GovClient:
    """A gateway, by its URL; `token` (`gov_…`) is not needed by one that runs with `--dev`.

    `timeout_s`: how long an answer may take; `patience`: how often and how long is tried again.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        patience: Patience | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url: Final = base_url(url)
        self.timeout_s: Final = timeout_s
        self.patience: Final = Patience() if patience is None else patience
        self._http: Final = httpx.Client(
            base_url=self.url, headers=headers_of(token), transport=transport
        )

    def __repr__(self) -> str:
        return f"GovClient({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(
        self, call: Call[T], *, timeout_s: float | None = None, patience: Patience | None = None
    ) -> T:
        """Send a call (`calls.py`), again while that is safe and there is patience.

        Raises:
            GovError: it was refused, or nothing came of it.
        """
        within = self.timeout_s if timeout_s is None else timeout_s
        bound = self.patience if patience is None else patience
        sent, waited = 1, 0.0
        while True:
            try:
                return self._sent_once(call, within)
            except GovError as error:
                pause = pause_s(call, error, sent, waited, bound)
                if pause is None:
                    raise
            time.sleep(pause)
            sent, waited = sent + 1, waited + pause

    def _sent_once(self, call: Call[T], timeout_s: float) -> T:
        try:
            response = self._http.request(**arguments(call, timeout_s))
        except httpx.HTTPError as error:
            raise unanswered(error) from error
        return answer_of(call, response)

    def wait(self, job_id: str, timeout_s: float) -> Job:
        """The job when it is over, or as it stands after so many seconds."""
        until = time.monotonic() + timeout_s
        while True:
            found = self.job(job_id)
            left = until - time.monotonic()
            if found.is_over or left <= 0:
                return found
            time.sleep(min(WAIT_PAUSE_S, left))

    # --- agents -----------------------------------------------------------------------------------

    def submit(
        self,
        request: Mapping[str, Any],
        *,
        pool: str,
        payload: Any = None,
        run_id: str | None = None,
        step: str | None = None,
        parent_job_id: str | None = None,
        undo: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Submitted:
        """Ask for a job; Denied, Throttled, Unavailable and Invalid say why there is none.

        `key`: the Idempotency-Key, where the caller repeats a call beyond this one; made up otherwise.
        """
        return self.send(
            calls.submit(
                request,
                pool=pool,
                payload=payload,
                run_id=run_id,
                step=step,
                parent_job_id=parent_job_id,
                undo=undo,
                key=key,
            )
        )

    def job(self, job_id: str) -> Job:
        """How a job stands."""
        return self.send(calls.job(job_id))

    def cancel(self, job_id: str, reason: str) -> Job:
        """Call a job off."""
        return self.send(calls.cancel(job_id, reason))

    def enter_phase(
        self, run_id: str, phase: str, *, evidence: Mapping[str, Any], justification: str
    ) -> int:
        """Record that a run enters a phase, with what the agent gave for it; the number of the record."""
        return self.send(calls.enter_phase(run_id, phase, evidence, justification))

    def timeline(self, run_id: str) -> tuple[dict[str, Any], ...]:
        """All records of a run, in order."""
        found = self.send(calls.timeline(run_id))
        records = found.records
        while found.next is not None:
            found = self.send(calls.timeline(run_id, found.next))
            records += found.records
        return records

    # --- approvers --------------------------------------------------------------------------------

    def approvals(self, state: str | None = "open", *, after: str | None = None) -> Page[Approval]:
        """What waits for a person, up to 100; with the `more` of a page as `after` those that follow."""
        return self.send(calls.approvals(state, after))

    def approval(self, approval_id: str) -> Approval:
        """All that an approval is about, its payload too."""
        return self.send(calls.approval(approval_id))

    def approve(
        self, approval_id: str, job_hash: str, *, role: str | None = None, reason: str | None = None
    ) -> Answered:
        """Approve exactly the job of this hash."""
        return self.send(calls.approve(approval_id, job_hash, role, reason))

    def reject(
        self, approval_id: str, job_hash: str, *, role: str | None = None, reason: str | None = None
    ) -> Answered:
        """Reject it."""
        return self.send(calls.reject(approval_id, job_hash, role, reason))

    # --- workers ----------------------------------------------------------------------------------

    def lease(
        self, pool: str, worker: str, *, most: int = 1, wait_s: int = 0, actions: Iterable[str] = ()
    ) -> tuple[Lease, ...]:
        """Jobs of a pool to start, up to `most`; waits for one up to `wait_s` seconds (30 at most).

        `actions`: the obligations `do` that the worker can carry out.
        """
        return self.send(calls.lease(pool, worker, most=most, wait_s=wait_s, actions=actions))

    def heartbeat(self, lease_id: str, *, started: bool = False) -> Beat:
        """Say that the work goes on, or with `started` that it begins: only then may it."""
        return self.send(calls.heartbeat(lease_id, started=started))

    def result(
        self,
        lease_id: str,
        outcome: str,
        *,
        output: Any = None,
        error: str | None = None,
        used: Mapping[str, Any] | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> Reported:
        """Say how it ended: `succeeded`, `failed`, or `again` if nothing was done."""
        return self.send(
            calls.result(lease_id, outcome, output=output, error=error, used=used, fields=fields)
        )

    # --- operators --------------------------------------------------------------------------------

    def observe(self, step: Mapping[str, Any]) -> Observed:
        """Report an event or a signal, a step of a trace; its `at_ms` says when it happened, the policy takes it as of
        now.
        """
        return self.send(calls.observe(step))

    def letters(self, *, after: str | None = None) -> Page[Letter]:
        """The dead letters, up to 1 000; with the `more` of a page as `after` those that follow."""
        return self.send(calls.letters(after))

    def retry_letter(self, job_id: str) -> Submitted:
        """Ask for a dead letter's work anew, as a new job."""
        return self.send(calls.retry_letter(job_id))

    def evaluate(
        self,
        request: Mapping[str, Any],
        *,
        runtime: Mapping[str, Any] | None = None,
        now_ms: int | None = None,
        record: bool = False,
    ) -> Ruling:
        """What the policy would decide: a question, nothing may be done on it."""
        return self.send(calls.evaluate(request, runtime, now_ms, record=record))

    def simulate(self, requests: Iterable[Mapping[str, Any]]) -> tuple[Ruling, ...]:
        """What it would decide on each of up to 1 000 (`{"request": …, "runtime"?: …}`)."""
        return self.send(calls.simulate(requests))

    def explain(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Why, and the smallest change that would be allowed."""
        return self.send(calls.explain(request))

    def policy(self) -> PolicyInfo:
        """The active policy."""
        return self.send(calls.policy())

    def publish(
        self, bundle: bytes, *, allow_looser: bool = False, reason: str | None = None
    ) -> PolicyInfo:
        """Put another bundle in force."""
        return self.send(calls.publish(bundle, allow_looser=allow_looser, reason=reason))

    def rollback(self, reason: str, *, allow_looser: bool = False) -> PolicyInfo:
        """Bring the bundle before the active one back, one that is looser if that is allowed."""
        return self.send(calls.rollback(reason, allow_looser=allow_looser))

    def suspend(self, agent: str, reason: str) -> Suspension:
        """Deny an agent everything, and call off what it has running."""
        return self.send(calls.suspend(agent, reason))

    def reinstate(self, agent: str, reason: str) -> Suspension:
        """Lift that."""
        return self.send(calls.reinstate(agent, reason))

    def force_open(self, dependency: str, reason: str) -> dict[str, Any]:
        """Hold a breaker open."""
        return self.send(calls.force_open(dependency, reason))

    def release(self, dependency: str, reason: str) -> dict[str, Any]:
        """Let it go."""
        return self.send(calls.release(dependency, reason))

    def tokens(self) -> tuple[dict[str, Any], ...]:
        """The tokens that there are, without their secrets."""
        return self.send(calls.tokens())

    def create_token(
        self,
        roles: Iterable[str],
        *,
        ttl_s: int,
        agent: str | None = None,
        approves: Iterable[str] = (),
        pools: Iterable[str] = (),
        events: Iterable[str] = (),
    ) -> NewToken:
        """Make a token; it is shown this once.  A worker leases from its `pools`, `"*"` is every one."""
        return self.send(
            calls.create_token(
                roles, agent=agent, approves=approves, pools=pools, events=events, ttl_s=ttl_s
            )
        )

    def revoke_token(self, token_id: str) -> dict[str, Any]:
        """End a token."""
        return self.send(calls.revoke_token(token_id))

    # --- auditors and probes ----------------------------------------------------------------------

    def checkpoint(self) -> str:
        """The newest signed checkpoint of the ledger."""
        return self.send(calls.checkpoint())

    def records(
        self, first: int | None = None, last: int | None = None
    ) -> tuple[dict[str, Any], ...]:
        """Records of the ledger, up to 1 000."""
        return self.send(calls.records(first, last))

    def inclusion(self, seq: int, size: int) -> dict[str, Any]:
        """The proof that a record is in the tree of a size."""
        return self.send(calls.inclusion(seq, size))

    def consistency(self, first: int, second: int) -> dict[str, Any]:
        """The proof that one tree is the beginning of another."""
        return self.send(calls.consistency(first, second))

    def health(self) -> dict[str, Any]:
        """Whether the gateway lives."""
        return self.send(calls.health())

    def ready(self) -> dict[str, Any]:
        """Whether it would serve."""
        return self.send(calls.ready())

    def metrics(self) -> str:
        """Its metrics, in the text form of Prometheus."""
        return self.send(calls.metrics())
