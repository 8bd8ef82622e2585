"""The bodies of the answers, closed like those of the questions; the OpenAPI document and the tests hold them."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic
from pydantic import StringConstraints

from govlang.runtime.control.answer import PROBLEMS
from govlang.runtime.http.bodies import RoleName
from govlang.runtime.http.values import (
    Agent,
    ApprovalId,
    ApprovalPlace,
    Closed,
    Count,
    Fields,
    Hash,
    JobId,
    Json,
    JsonObject,
    LeaseId,
    LetterPlace,
    Millis,
    Name,
    NamedPool,
    Number,
    TokenId,
)

State = Literal[
    "pending",
    "approval_required",
    "scheduled",
    "dispatched",
    "running",
    "retrying",
    "succeeded",
    "failed",
    "cancelled",
    "timed_out",
    "denied",
    "quarantined",
]


class Decision(Closed):
    """A decision as `gov decide --format json` prints it."""

    decision: Literal["allow", "limit", "throttle", "require_human", "deny"]
    rule_id: str | None
    reason: str | None
    obligations: list[JsonObject]
    matched: list[str]
    policy_snapshot: str
    params_hash: str


class Submitted(Closed):
    """A job that was stored."""

    job_id: JobId
    run_id: Name
    state: State
    decision: Decision
    approval_id: ApprovalId | None


class Job(Closed):
    """A job as it stands; times in ms since 1970."""

    job_id: JobId
    run_id: Name
    step: Name
    attempt: Count
    state: State
    agent: Agent
    pool: Name
    topic: str
    created_ms: Millis
    updated_ms: Millis
    delegation: list[JsonObject | str]
    parent_job_id: JobId | None
    approval_id: ApprovalId | None
    tries: Count
    due_ms: Millis | None
    decision: Decision | None
    reason: str | None
    output: Json


class Recorded(Closed):
    """The number of the ledger's record."""

    seq: Count


class Records(Closed):
    """Records of the ledger, as they stand in it."""

    records: list[JsonObject]


class Timeline(Closed):
    """What happened in a run, in order; `next`: the `first` with which the rest is asked for, null: there is none."""

    run_id: Name
    next: Count | None
    records: list[JsonObject]


class UndoJob(Closed):
    """The job that would take this one back."""

    request: Fields
    payload: Json = None
    pool: Name


class Approval(Closed):
    """A job that waits, or waited, for people: all that `job_hash` covers, and the decision that asks.

    `whole` false: `payload` and `undo` are left out of a list, being long; `GET /v1/approvals/{approval_id}` has them.
    """

    approval_id: ApprovalId
    job_id: JobId
    agent: Agent
    roles: list[str]
    granted: list[str]
    created_ms: Millis
    expires_ms: Millis
    state: str
    reason: str | None
    run_id: Name | None
    step: Name | None
    topic: str | None
    pool: Name | None
    delegation: list[str]
    parent_job_id: JobId | None
    decision: Decision | None
    request: Fields
    payload: Json
    undo: UndoJob | None
    whole: bool
    job_hash: Hash


class Approvals(Closed):
    """Approvals of a state, oldest first; all of them, newest first. `more`: the `after` of the rest, null: none."""

    approvals: list[Approval]
    more: ApprovalPlace | None


class Granted(Closed):
    """An approval after somebody spoke."""

    approval_id: ApprovalId
    job_id: JobId
    state: str
    granted: list[str]
    missing: list[str]


class Letter(Closed):
    """A job that will not run any more."""

    job_id: JobId
    state: State
    reason: str | None
    at_ms: Millis


class Letters(Closed):
    """The dead-letter queue, newest first. `more`: the `after` of the rest, null: none."""

    letters: list[Letter]
    more: LetterPlace | None


class Decisions(Closed):
    """One decision a request, in order."""

    decisions: list[Decision]


class Explained(Closed):
    """A decision, and what `gov explain --format json` says of it."""

    decision: Decision
    explanation: JsonObject | None


class Field(Closed):
    """A field of the policy; null is what its kind does not have.

    `origin`: whoever asks gives those of a `request`, in `unit`, within `min` and `max`, a multiple of `step` where
    `rounding` is `exact`, or one of `members`; `default`: what holds where it is left out.
    """

    name: str
    kind: Literal["number", "enum", "set", "bool", "time", "duration", "text", "path", "key"]
    origin: Literal["request", "runtime", "clock"]
    optional: bool
    private: bool
    unit: str | None
    min: Number | None
    max: Number | None
    step: Number | None
    rounding: Literal["exact", "up", "down", "nearest"] | None
    members: list[str] | None
    max_bytes: Count | None
    default: Json


class Policy(Closed):
    """The active policy; `previous` is what a roll-back returns to, `fields` those of a request and of the host."""

    policy: str
    version: str
    snapshot: Hash
    params_hash: str
    proof_hash: str | None
    published_ms: Millis
    previous: Hash | None
    fields: list[Field]


class Published(Policy):
    """A policy that was just made active; `anew`: the cells that start anew."""

    anew: list[str]


class Observed(Closed):
    """What a step did; `next_deadline_ms`: when something changes by itself."""

    seq: Count
    next_deadline_ms: Millis | None
    cancelled: list[JobId]


class Leased(Closed):
    """A job that the worker now holds, for `lease_s` seconds unless it says it lives."""

    job_id: JobId
    lease_id: LeaseId
    lease_s: float = pydantic.Field(strict=False)
    agent: Agent
    request: Fields
    payload: Json
    obligations: list[JsonObject]
    limits: JsonObject
    delegation: list[JsonObject | str]


class Leases(Closed):
    """The jobs that were there; none when the wait was over."""

    jobs: list[Leased]


class Alive(Closed):
    """What holds for the lease; `cancel`: stop the work."""

    state: State
    cancel: bool
    lease_s: float = pydantic.Field(strict=False)


class Ended(Closed):
    """The job after its result."""

    job_id: JobId
    state: State


class Suspended(Closed):
    """An agent after an operator spoke, and the jobs that were cancelled."""

    agent: Agent
    suspended: bool
    cancelled: list[JobId]


class Breaker(Closed):
    """A breaker after an operator spoke."""

    dependency: Name
    state: str


class NewToken(Closed):
    """A token; its text is shown here and never again."""

    token: str
    id: TokenId
    expires_ms: Millis


class Token(Closed):
    """A token without its secret; `approves` null, or `*` among `pools`: every one."""

    id: TokenId
    roles: list[RoleName]
    agent: Agent | None
    approves: list[str] | None
    pools: list[NamedPool]
    events: list[str]
    created_ms: Millis
    expires_ms: Millis
    revoked_ms: Millis | None


class Tokens(Closed):
    """Every token."""

    tokens: list[Token]


class Proved(Closed):
    """A proof of RFC 6962, hashes in hex: `seq` and `size`, or `from` and `to`."""

    seq: Count | None = None
    size: Count | None = None
    from_: Count | None = pydantic.Field(None, alias="from")
    to: Count | None = None
    hashes: list[Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]]


class Health(Closed):
    """Whether the process, or the service, can do its work; `checks`: what was looked at."""

    status: Literal["ok", "ready"]
    policy: Hash | None = None
    checks: dict[str, str] = pydantic.Field(default_factory=dict)


class Example(Closed):
    """What shows that a policy is looser: what changed, and the last step of the history on which it did.

    The step, most often a request, is as `gov decide --trace` reads it; null where none is known.
    """

    message: str
    step: JsonObject | None


class Problem(Closed):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: Literal[tuple(PROBLEMS)]  # type: ignore[valid-type]  # the table is the one source of the codes
    field: str | None = None
    expected: str | None = None
    rule_id: str | None = None
    reason: str | None = None
    remedy: str | None = None
    retry_after_s: float | None = pydantic.Field(None, strict=False)
    job_id: str | None = None
    approval_id: str | None = None
    decision: Decision | None = None
    examples: list[Example] | None = None
