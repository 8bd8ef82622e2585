"""Jobs, approvals and tokens as rows of the store, and back.

What always holds: `job_of(job_row(job)[:-1]) == job`, and so for the others; numbers of a request stay the text that
was written.
"""

from __future__ import annotations

import json
from typing import Any, Final

from govlang.runtime.control.job import Approval, Flight, Intent, Job
from govlang.runtime.control.job_machine import JobState
from govlang.runtime.control.tokens import Role, StoredToken, named_pools, read_pools
from govlang.runtime.control.values import compact

Row = tuple[Any, ...]

JOB: Final = (
    "job_id",
    "run_id",
    "step",
    "attempt",
    "agent",
    "topic",
    "pool",
    "request",
    "payload",
    "undo",
    "job_hash",
    "state",
    "created_ms",
    "updated_ms",
    "caller",
    "parent_job_id",
    "delegation",
    "approval_id",
    "approval_token",
    "tries",
    "due_ms",
    "committed",
    "reported",
    "reserved",
    "lease_id",
    "lease_until_ms",
    "worker",
    "worker_agent",
    "decision",
    "reason",
    "output",
    "undo_of",
    "undo_owed",
    "revoked_ms",
)
WRITTEN: Final = (*JOB, "duties")
"""The columns of a job as it is written: its row, and the actions that it asked for when it was decided last."""

FLIGHT: Final = (
    "job_id",
    "agent",
    "delegation",
    "request",
    "reserved",
    "approval_id",
    "undo_of",
)
APPROVAL: Final = (
    "approval_id",
    "job_id",
    "job_hash",
    "roles",
    "granted",
    "policy_snapshot",
    "params_hash",
    "token_hash",
    "state",
    "agent",
    "reason",
    "created_ms",
    "expires_ms",
)
TOKEN: Final = (
    "id",
    "secret_hash",
    "roles",
    "agent",
    "approves",
    "pools",
    "created_ms",
    "expires_ms",
    "revoked_ms",
    "events",
)
_JSON: Final = frozenset(
    {"request", "payload", "undo", "delegation", "reserved", "decision", "output"}
)
_SETS: Final = ("roles", "approves", "events")
_INTENT: Final = ("request", "payload", "pool", "undo")
_FLAGS: Final = ("committed", "reported", "undo_owed")


def job_row(job: Job) -> Row:
    """The values of the columns `WRITTEN`, in their order."""
    intent = job.intent
    return (
        job.job_id,
        job.run_id,
        job.step,
        job.attempt,
        job.agent,
        job.topic,
        intent.pool,
        compact(intent.request),
        _text(intent.payload),
        _text(intent.undo),
        job.job_hash,
        job.state.value,
        job.created_ms,
        job.updated_ms,
        job.caller,
        job.parent_job_id,
        compact(list(job.delegation)) if job.delegation else "[]",
        job.approval_id,
        job.approval_token,
        job.tries,
        job.due_ms,
        int(job.committed),
        int(job.reported),
        compact(job.reserved) if job.reserved else "{}",
        job.lease_id,
        job.lease_until_ms,
        job.worker,
        job.worker_agent,
        _text(job.decision),
        job.reason,
        _text(job.output),
        job.undo_of,
        int(job.undo_owed),
        job.revoked_ms,
        duties_of(job),
    )


def duties_of(job: Job) -> str:
    """The actions that a job asked for when it was decided last, a list in order."""
    asked = (job.decision or {}).get("obligations", ())
    return compact(sorted({one["do"] for one in asked if "do" in one})) if asked else "[]"


def _text(value: Any) -> str:
    return "null" if value is None else compact(value)


def job_of(row: Row) -> Job:
    """The job of a row of the columns `JOB`."""
    parts = {n: json.loads(v) if n in _JSON else v for n, v in zip(JOB, row, strict=True)}
    intent = Intent(**{name: parts.pop(name) for name in _INTENT})
    parts |= {name: bool(parts[name]) for name in _FLAGS}
    parts["state"] = JobState(parts["state"])
    parts["delegation"] = tuple(parts["delegation"])
    return Job(intent=intent, **parts)


def flight_of(row: Row) -> Flight:
    """The flight of a row of the columns `FLIGHT`."""
    parts = {n: json.loads(v) if n in _JSON else v for n, v in zip(FLIGHT, row, strict=True)}
    parts["delegation"] = tuple(parts["delegation"])
    return Flight(**parts)


def approval_row(one: Approval) -> Row:
    """The values of the columns `APPROVAL`."""
    granted: Any = [one.granted, one.tokens] if one.granted else {}
    kept = {"roles": compact(list(one.roles)), "granted": compact(granted)}
    return tuple(kept.get(name, getattr(one, name)) for name in APPROVAL)


def approval_of(row: Row) -> Approval:
    """The approval of a row of the columns `APPROVAL`."""
    parts = dict(zip(APPROVAL, row, strict=True))
    parts["roles"] = tuple(json.loads(parts["roles"]))
    granted = json.loads(parts["granted"])  # an object: nobody knows with which tokens
    parts["granted"], parts["tokens"] = granted if isinstance(granted, list) else (granted, {})
    return Approval(**parts)


def token_row(token: StoredToken) -> Row:
    """The values of the columns `TOKEN`; roles that are None (every one) are null, pools that are so `*`."""
    lists = {name: compact(_listed(getattr(token, name))) for name in _SETS}
    lists["pools"] = compact(named_pools(token.pools))
    kept = lists | {"secret_hash": token.secret_hash.hex()}
    return tuple(kept.get(name, getattr(token, name)) for name in TOKEN)


def _listed(some: frozenset[Any] | None) -> list[str] | None:
    return None if some is None else sorted(str(one) for one in some)


def token_of(row: Row) -> StoredToken:
    """The token of a row of the columns `TOKEN`."""
    parts = dict(zip(TOKEN, row, strict=True))
    for name in _SETS:
        found = json.loads(parts[name])
        parts[name] = None if found is None else frozenset(found)
    parts["pools"] = read_pools(json.loads(parts["pools"]))
    parts["roles"] = frozenset(Role(one) for one in parts["roles"])
    return StoredToken(**{**parts, "secret_hash": bytes.fromhex(parts["secret_hash"])})
