"""The body and the query of every route that takes one; closed, strict, bounded."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from govlang.runtime.control.telling import is_by_hand
from govlang.runtime.http.values import (
    INTEGRAL,
    Agent,
    ApprovalPlace,
    Closed,
    Count,
    Fields,
    Hash,
    JobId,
    Json,
    JsonObject,
    LetterPlace,
    Millis,
    Name,
    NamedPool,
    Number,
    Reason,
    Scalar,
    Text,
    WaitS,
    Word,
)

RoleName = Literal["agent", "approver", "worker", "auditor", "operator"]


class Undo(Closed):
    """The job that takes this one back, should its authority be revoked."""

    request: Fields
    payload: Json = None
    pool: Name


class Submit(Closed):
    """POST /v1/jobs."""

    request: Fields
    payload: Json = None
    pool: Name
    run_id: Name | None = None
    step: Name | None = None
    parent_job_id: JobId | None = None
    undo: Undo | None = None


class Why(Closed):
    """A reason, where one must be given."""

    reason: Reason


class Rollback(Why):
    """Why, and whether the policy before may be looser than the active one."""

    allow_looser: bool = False


class Phase(Closed):
    """POST /v1/runs/{id}/phases: a phase of a run, and why the agent may enter it."""

    phase: Name
    evidence: JsonObject
    justification: Text


class Approve(Closed):
    """Approve or reject: `job_hash` is the hash that the approver saw."""

    job_hash: Hash
    role: Word | None = None
    reason: Reason | None = None


class Evaluate(Closed):
    """POST /v1/policy/evaluate: a question; `runtime` only from an operator."""

    request: Fields
    runtime: Fields = Field(default_factory=dict)
    now_ms: Millis | None = None


class Asked(Closed):
    """One request of a simulation."""

    request: Fields
    runtime: Fields = Field(default_factory=dict)


class Simulate(Closed):
    """POST /v1/policy/simulate."""

    requests: Annotated[list[Asked], Field(min_length=1, max_length=1000)]


class Explain(Closed):
    """POST /v1/policy/explain."""

    request: Fields


Key = Agent | Annotated[dict[Word, Agent], Field(max_length=10)]
"""Whom a step concerns: the key itself, or `{field: key}`."""


HappenedMs = Annotated[
    Millis,
    Field(
        description="When it happened, in ms since 1970, at most a minute ahead of the service: the time to detect is "
        "counted from it. The policy takes the step as of now, whatever stands here."
    ),
]


class Event(Closed):
    """POST /v1/events: a step of a trace; the policy takes it as of now, `at_ms` says when it happened."""

    event: Word
    fields: Fields = Field(default_factory=dict)
    key: Key | None = None
    at_ms: HappenedMs | None = None


class Signal(Closed):
    """POST /v1/signals: a step of a trace; the policy takes it as of now, `at_ms` says when it was measured."""

    signal: Word
    value: Scalar
    key: Key | None = None
    at_ms: HappenedMs | None = None


class Lease(Closed):
    """POST /v1/pools/{p}/lease: waits up to `wait_s` for a job.

    `actions`: those that the worker can carry out; a job that asks for another goes to another worker (empty: none).
    """

    worker: Name
    max: Annotated[int, Field(ge=1, le=100), INTEGRAL] = 1
    wait_s: WaitS = 0.0
    actions: Annotated[list[Word], Field(max_length=100)] = Field(default_factory=list)


class Heartbeat(Closed):
    """POST /v1/leases/{id}/heartbeat: `started` says that the work begins now."""

    started: bool = False


class Result(Closed):
    """POST /v1/leases/{id}/result; `used` and `fields` feed the policy."""

    outcome: Literal["succeeded", "failed", "again"]
    output: Json = None
    error: Text | None = None
    used: Annotated[dict[Word, Number], Field(max_length=100)] = Field(default_factory=dict)
    fields: Fields = Field(default_factory=dict)


def _told(name: str) -> str:
    if is_by_hand(name):
        raise PydanticCustomError(
            "by_hand",
            "an event that others than an operator may tell, which `{name}` is not",
            {"name": name},
        )
    return name


Told = Annotated[
    Word,
    AfterValidator(_told),
    Field(json_schema_extra={"not": {"pattern": r"\.(issued|revoked|reinstated)$"}}),
]
"""An event or signal that a worker may tell; those by which contracts are issued, revoked and reinstated are none."""


NAMED: Final = ("agent", "approver")
"""The roles whose tokens say whose they are."""


class CreateToken(Closed):
    """POST /v1/tokens: a worker leases from `pools` (`*`: every one) and tells the policy of `events`, none where they
    are empty, as with `approves`; a token of an agent names its agent, one of an approver its person: whoever had two
    that named nobody could approve what they asked for, and be two people.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"roles": {"contains": {"enum": list(NAMED)}}}},
            "then": {"properties": {"agent": {"type": "string"}}, "required": ["agent"]},
        }
    )
    roles: Annotated[
        list[RoleName], Field(min_length=1, max_length=5, json_schema_extra={"uniqueItems": True})
    ]
    agent: Agent | None = None
    approves: Annotated[list[Word], Field(max_length=100)] = Field(default_factory=list)
    pools: Annotated[list[NamedPool], Field(max_length=100)] = Field(default_factory=list)
    events: Annotated[list[Told], Field(max_length=100)] = Field(default_factory=list)
    ttl_s: Annotated[int, Field(ge=1, le=315_360_000), INTEGRAL]

    @model_validator(mode="after")
    def _agents_are_named(self) -> Self:
        if len(set(self.roles)) < len(self.roles):
            raise PydanticCustomError("roles", "`roles` names one twice")
        named = next((role for role in NAMED if role in self.roles), None)
        if named is not None and self.agent is None:
            raise PydanticCustomError("agent", f"a token of the role {named} names its `agent`")
        return self


def _truth(text: Any) -> Any:
    return {"true": True, "false": False}.get(text, text)


def _digits(text: Any) -> Any:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else text


Truth = Annotated[bool, BeforeValidator(_truth)]
Digits = Annotated[Count, BeforeValidator(_digits)]


class Record(Closed):
    """Whether the evaluation is recorded."""

    record: Truth = False


class Publish(Closed):
    """Whether a looser policy is meant, and why."""

    allow_looser: Truth = False
    reason: Reason | None = None


class ApprovalsOf(Closed):
    """Which approvals; left out: all. `after`: the `more` of the page before."""

    state: Literal["open", "granted", "consumed", "rejected", "expired"] | None = None
    after: ApprovalPlace | None = None


class LettersOf(Closed):
    """`after`: the `more` of the page before."""

    after: LetterPlace | None = None


class From(Closed):
    """From which record on, by its number."""

    first: Annotated[int, Field(ge=1, le=2**53 - 1), BeforeValidator(_digits)] = 1


class Range(Closed):
    """Records by number, from 1, both ends included; at most 1 000."""

    first: Annotated[int, Field(ge=1, le=2**53 - 1), BeforeValidator(_digits)] = 1
    last: Annotated[int, Field(ge=1, le=2**53 - 1), BeforeValidator(_digits)] | None = None


class Proof(Closed):
    """`seq` and `size`: that a record is in the tree; `from` and `to`: that one tree is the start of another."""

    seq: Digits | None = None
    size: Digits | None = None
    from_: Digits | None = Field(None, alias="from")
    to: Digits | None = None

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        given = tuple(one is not None for one in (self.seq, self.size, self.from_, self.to))
        if given not in {(True, True, False, False), (False, False, True, True)}:
            raise PydanticCustomError("proof", "give `seq` and `size`, or `from` and `to`")
        return self
