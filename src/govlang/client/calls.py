"""The routes of a gateway: what each sends, and how its answer is read.

In: the values of a call.  Out: `Call`, which both clients send; nothing here does any I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import uuid4

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
    Stretch,
    Submitted,
    Suspension,
    read,
)
from govlang.client.wire import (
    BUNDLE,
    Call,
    as_list,
    as_one,
    as_page,
    as_text,
    decoded,
    encode,
    get,
    path,
    post,
    present,
)

COMPARES_S: Final = 300.0
"""How long a gateway may compare a policy with the active one."""
EXPLAINS_S: Final = 30.0
"""How long it may look for what would be allowed."""
POLL_MAX_S: Final = 30
"""How long a gateway keeps a request for leases open at most."""

# --- agents ---------------------------------------------------------------------------------------


def submit(
    request: Mapping[str, Any],
    *,
    pool: str,
    payload: Any = None,
    run_id: str | None = None,
    step: str | None = None,
    parent_job_id: str | None = None,
    undo: Mapping[str, Any] | None = None,
    key: str | None = None,
) -> Call[Submitted]:
    """Ask for a job; `key` is made up where none is given, and kept over repetitions."""
    rest = present(run_id=run_id, step=step, parent_job_id=parent_job_id, undo=undo)
    body = {"request": request, "payload": payload, "pool": pool, **rest}
    own = uuid4().hex if key is None else key
    if not (0 < len(own) <= 200 and all("!" <= one <= "~" for one in own)):
        raise ValueError("an idempotency key has 1 to 200 visible ASCII characters")
    return Call("POST", path("jobs"), as_one(Submitted), encode(body), key=own, repeatable=True)


def job(job_id: str) -> Call[Job]:
    """How a job stands."""
    return get(path("jobs", job_id), as_one(Job))


def cancel(job_id: str, reason: str) -> Call[Job]:
    """Call a job off."""
    return post(path("jobs", job_id, "cancel"), as_one(Job), {"reason": reason})


def enter_phase(
    run_id: str, phase: str, evidence: Mapping[str, Any], justification: str
) -> Call[int]:
    """Record that a run enters a phase; the number of the record."""
    body = {"phase": phase, "evidence": evidence, "justification": justification}

    def reads(answer: bytes) -> int:
        return read(int, read(dict[str, Any], decoded(answer)).get("seq"), "`seq`")

    return post(path("runs", run_id, "phases"), reads, body)


def timeline(run_id: str, first: int = 1) -> Call[Stretch]:
    """Records of a run, in order, from number `first` on; a gateway gives so many at a time."""
    return get(path("runs", run_id, "timeline"), as_one(Stretch), first=first)


# --- approvers ------------------------------------------------------------------------------------


def approvals(state: str | None = "open", after: str | None = None) -> Call[Page[Approval]]:
    """What waits for a person, up to 100."""
    return get(path("approvals"), as_page(Approval, "approvals"), state=state, after=after)


def approval(approval_id: str) -> Call[Approval]:
    """All that an approval is about."""
    return get(path("approvals", approval_id), as_one(Approval))


def approve(
    approval_id: str, job_hash: str, role: str | None, reason: str | None
) -> Call[Answered]:
    """Approve exactly the job of this hash; said twice it is one grant."""
    body = {"job_hash": job_hash, **present(role=role, reason=reason)}
    return post(path("approvals", approval_id, "approve"), as_one(Answered), body, repeatable=True)


def reject(approval_id: str, job_hash: str, role: str | None, reason: str | None) -> Call[Answered]:
    """Reject it."""
    body = {"job_hash": job_hash, **present(role=role, reason=reason)}
    return post(path("approvals", approval_id, "reject"), as_one(Answered), body)


# --- workers --------------------------------------------------------------------------------------


def lease(
    pool: str, worker: str, *, most: int = 1, wait_s: int = 0, actions: Iterable[str] = ()
) -> Call[tuple[Lease, ...]]:
    """Jobs to start, as many as `most`; waits for one up to `wait_s` seconds (30 at most)."""
    wait = min(max(wait_s, 0), POLL_MAX_S)
    body = {"worker": worker, "max": most, "wait_s": wait, "actions": sorted(actions)}
    route = path("pools", pool, "lease")
    return Call("POST", route, as_list(Lease, "jobs"), encode(body), extra_s=wait)


def heartbeat(lease_id: str, *, started: bool = False) -> Call[Beat]:
    """Say that the work goes on, or with `started` that it begins: only then may it."""
    return post(
        path("leases", lease_id, "heartbeat"), as_one(Beat), {"started": started}, repeatable=True
    )


def result(
    lease_id: str,
    outcome: str,
    *,
    output: Any = None,
    error: str | None = None,
    used: Mapping[str, Any] | None = None,
    fields: Mapping[str, Any] | None = None,
) -> Call[Reported]:
    """Say how it ended: `succeeded`, `failed`, or `again` if nothing was done."""
    body = {
        "outcome": outcome,
        "output": output,
        **present(error=error, used=used or None, fields=fields or None),
    }
    return post(path("leases", lease_id, "result"), as_one(Reported), body, repeatable=True)


# --- operators ------------------------------------------------------------------------------------


def observe(step: Mapping[str, Any]) -> Call[Observed]:
    """Report an event or a signal (a step of a trace)."""
    route = "signals" if "signal" in step else "events"
    return post(path(route), as_one(Observed), step)


def letters(after: str | None = None) -> Call[Page[Letter]]:
    """The dead letters, up to 1 000."""
    return get(path("dlq"), as_page(Letter, "letters"), after=after)


def retry_letter(job_id: str) -> Call[Submitted]:
    """Ask for a dead letter's work anew, as a new job."""
    return post(path("dlq", job_id, "retry"), as_one(Submitted), {})


def evaluate(
    request: Mapping[str, Any],
    runtime: Mapping[str, Any] | None,
    now_ms: int | None,
    *,
    record: bool,
) -> Call[Ruling]:
    """What the policy would decide."""
    body = {"request": request, **present(runtime=runtime, now_ms=now_ms)}
    params = (("record", "true"),) if record else ()
    reads = as_one(Ruling)
    return Call(
        "POST",
        path("policy", "evaluate"),
        reads,
        encode(body),
        params=params,
        repeatable=not record,
    )


def simulate(requests: Iterable[Mapping[str, Any]]) -> Call[tuple[Ruling, ...]]:
    """What it would decide on each of up to 1 000 (`{"request": …, "runtime"?: …}`)."""
    body = {"requests": list(requests)}
    reads = as_list(Ruling, "decisions")
    return post(path("policy", "simulate"), reads, body, repeatable=True)


def explain(request: Mapping[str, Any]) -> Call[dict[str, Any]]:
    """Why, and the smallest change that would be allowed."""
    reads = as_one(dict[str, Any])
    body = {"request": request}
    return post(path("policy", "explain"), reads, body, repeatable=True, extra_s=EXPLAINS_S)


def policy() -> Call[PolicyInfo]:
    """The active policy."""
    return get(path("policy"), as_one(PolicyInfo))


def publish(bundle: bytes, *, allow_looser: bool, reason: str | None) -> Call[PolicyInfo]:
    """Put another bundle in force."""
    looser = "true" if allow_looser else None
    params = tuple(present(allow_looser=looser, reason=reason).items())
    return Call(
        "POST",
        path("policy", "publish"),
        as_one(PolicyInfo),
        bundle,
        BUNDLE,
        params=params,
        extra_s=COMPARES_S,
    )


def rollback(reason: str, *, allow_looser: bool = False) -> Call[PolicyInfo]:
    """Bring the previous bundle back."""
    body = {"reason": reason, **({"allow_looser": True} if allow_looser else {})}
    return post(path("policy", "rollback"), as_one(PolicyInfo), body, extra_s=COMPARES_S)


def suspend(agent: str, reason: str) -> Call[Suspension]:
    """Deny an agent everything, and call off what it has running."""
    return post(path("agents", agent, "suspend"), as_one(Suspension), {"reason": reason})


def reinstate(agent: str, reason: str) -> Call[Suspension]:
    """Lift that."""
    return post(path("agents", agent, "reinstate"), as_one(Suspension), {"reason": reason})


def force_open(dependency: str, reason: str) -> Call[dict[str, Any]]:
    """Hold a breaker open."""
    reads = as_one(dict[str, Any])
    return post(path("breakers", dependency, "force-open"), reads, {"reason": reason})


def release(dependency: str, reason: str) -> Call[dict[str, Any]]:
    """Let it go."""
    reads = as_one(dict[str, Any])
    return post(path("breakers", dependency, "release"), reads, {"reason": reason})


def tokens() -> Call[tuple[dict[str, Any], ...]]:
    """The tokens that there are, without their secrets."""
    return get(path("tokens"), as_list(dict[str, Any], "tokens"))


def create_token(
    roles: Iterable[str],
    *,
    ttl_s: int,
    agent: str | None,
    approves: Iterable[str],
    pools: Iterable[str],
    events: Iterable[str] = (),
) -> Call[NewToken]:
    """Make a token."""
    body = {
        "roles": list(roles),
        "approves": list(approves),
        "pools": list(pools),
        "ttl_s": ttl_s,
        **({"events": named} if (named := list(events)) else {}),
        **present(agent=agent),
    }
    return post(path("tokens"), as_one(NewToken), body)


def revoke_token(token_id: str) -> Call[dict[str, Any]]:
    """End a token."""
    return post(path("tokens", token_id, "revoke"), as_one(dict[str, Any]), {}, repeatable=True)


# --- auditors and probes --------------------------------------------------------------------------


def checkpoint() -> Call[str]:
    """The newest signed checkpoint of the ledger."""
    return get(path("evidence", "checkpoint"), as_text)


def records(first: int | None, last: int | None) -> Call[tuple[dict[str, Any], ...]]:
    """Records of the ledger, up to 1 000."""
    reads = as_list(dict[str, Any], "records")
    return get(path("evidence", "records"), reads, first=first, last=last)


def inclusion(seq: int, size: int) -> Call[dict[str, Any]]:
    """The proof that a record is in the tree of a size."""
    return get(path("evidence", "proof"), as_one(dict[str, Any]), seq=seq, size=size)


def consistency(first: int, second: int) -> Call[dict[str, Any]]:
    """The proof that one tree is the beginning of another."""
    return get(path("evidence", "proof"), as_one(dict[str, Any]), **{"from": first, "to": second})


def health() -> Call[dict[str, Any]]:
    """Whether the gateway lives."""
    return get("/healthz", as_one(dict[str, Any]))


def ready() -> Call[dict[str, Any]]:
    """Whether it would serve."""
    return get("/readyz", as_one(dict[str, Any]))


def metrics() -> Call[str]:
    """Its metrics, in the text form of Prometheus."""
    return get("/metrics", as_text)
