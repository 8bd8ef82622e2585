"""A job: what an agent asked for, how far it has come, and what stands behind it.

What always holds: `job_hash` covers the request, the payload itself, the pool, the undo and whom it was asked for, so
that nothing of what was decided or approved can be exchanged; a job never changes in place.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from govlang.runtime.control.job_machine import JobState
from govlang.runtime.control.values import compact, sha256

IN_FLIGHT: Final = frozenset({JobState.DISPATCHED, JobState.RUNNING})
"""The states in which a worker has the job."""

NEXT: Final = "\n"
"""Between the callers of a job; no name of a caller has it."""

WAITING: Final = frozenset({JobState.SCHEDULED, JobState.RETRYING})
"""The states from which the dispatch gate takes jobs."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What is to be done, as it was asked for; numbers of `request` are texts (values.py)."""

    request: dict[str, Any]
    payload: Any
    pool: str
    undo: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the store keeps it; times are ms since 1970."""

    job_id: str
    run_id: str
    step: str
    attempt: int
    agent: str
    topic: str
    intent: Intent
    job_hash: str
    state: JobState
    created_ms: int
    updated_ms: int
    caller: str = ""
    """Who asked for it, a line each: whoever submitted it, then whoever retried it."""
    parent_job_id: str | None = None
    delegation: tuple[str, ...] = ()
    """The agents that handed it on, the origin first; empty for a job that its own agent began."""
    approval_id: str | None = None
    approval_token: str | None = None
    tries: int = 0
    """How often the dispatch gate found no answer; counted against the retry budget."""
    due_ms: int = 0
    committed: bool = False
    """Whether the policy has counted it (one `allowed` a job)."""
    reported: bool = True
    """False from the `dispatched` that the policy was told of until the job's end: it is told once a job."""
    reserved: dict[str, str] = field(default_factory=dict)
    """Amounts of the fields of which the policy reads `reserved(x)`, as texts."""
    lease_id: str | None = None
    lease_until_ms: int | None = None
    worker: str | None = None
    worker_agent: str | None = None
    decision: dict[str, Any] | None = None
    reason: str = ""
    output: Any = None
    undo_of: str | None = None
    undo_owed: bool = False
    revoked_ms: int | None = None

    def with_(self, **changes: Any) -> Self:
        """The job with some of its parts changed."""
        return replace(self, **changes)

    @property
    def origin(self) -> str:
        """The agent that began the chain."""
        return self.delegation[0] if self.delegation else self.agent

    @property
    def askers(self) -> tuple[str, ...]:
        """Who asked for it, on whose behalf, or for it once more: none of them approves it."""
        return self.agent, *self.caller.split(NEXT), *self.delegation

    @property
    def has_ended(self) -> bool:
        return self.state.is_over

    @property
    def was_handed_out(self) -> bool:
        """Whether a worker has it, or had it once."""
        return self.worker_agent is not None

    @property
    def is_forgotten(self) -> bool:
        """Whether what it asked for was deleted, as private (evidence/forgetting_rows.py)."""
        return not self.job_hash

    @property
    def is_whole(self) -> bool:
        """Whether it is still what was decided on."""
        return self.job_hash == hash_job(
            self.intent, self.agent, self.run_id, self.step, self.delegation
        )


@dataclass(frozen=True, slots=True)
class Flight:
    """A job that a worker has, without what may be large: enough to ask the policy about it once more."""

    job_id: str
    agent: str
    delegation: tuple[str, ...]
    request: dict[str, Any]
    reserved: dict[str, str]
    approval_id: str | None
    undo_of: str | None


@dataclass(frozen=True, slots=True)
class Lease:
    """Who has a job, until when, and how the job is."""

    job_id: str
    state: JobState
    worker_agent: str
    until_ms: int


def hash_job(
    intent: Intent, agent: str, run_id: str, step: str, delegation: tuple[str, ...]
) -> str:
    """The hash of all that a decision or an approval is about."""
    return sha256(
        compact(
            {
                "agent": agent,
                "delegation": list(delegation),
                "payload": intent.payload,
                "pool": intent.pool,
                "request": intent.request,
                "run_id": run_id,
                "step": step,
                "undo": intent.undo,
            }
        )
    )


@dataclass(frozen=True, slots=True)
class Approval:
    """A question to people, and what they answered; a record of the service, never a label of a request."""

    approval_id: str
    job_id: str
    job_hash: str
    roles: tuple[str, ...]
    """The roles that the rule names: each must be given, by people of its own."""
    granted: dict[str, str]
    """Role to the subject that gave it."""
    policy_snapshot: str
    params_hash: str
    token_hash: str
    """SHA-256 of the one-time token that the job carries since it was approved."""
    state: str
    """open, granted, rejected, expired or consumed."""
    agent: str
    reason: str
    created_ms: int
    expires_ms: int
    tokens: dict[str, str] = field(default_factory=dict)
    """Role to the id of the token with which it was given."""

    def with_(self, **changes: Any) -> Self:
        """The approval with some of its parts changed."""
        return replace(self, **changes)

    @property
    def missing(self) -> tuple[str, ...]:
        """The roles that nobody has given yet."""
        return tuple(role for role in self.roles if role not in self.granted)
