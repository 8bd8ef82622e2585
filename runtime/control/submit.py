"""The submit gate: an intent in, and only if the policy lets it, a job out.

What always holds: the policy is asked before anything is stored or published; job, reservation, outbox, evidence and
the remembered
answer move in one transaction; what is refused leaves evidence and nothing else.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.approvals import request_approval
from govlang.runtime.control.gates import (
    Asked,
    answer_of,
    enforced,
    question_of,
    reservation,
    unread,
)
from govlang.runtime.control.job import IN_FLIGHT, Intent, Job, hash_job
from govlang.runtime.control.job_machine import Gate, JobState, Move
from govlang.runtime.control.judge import Question
from govlang.runtime.control.store import KeptAnswer
from govlang.runtime.control.tokens import DEV, Role
from govlang.runtime.control.values import compact, fingerprint, revive
from govlang.runtime.control.verdict import UNAVAILABLE, CheckUnavailableError, Verdict
from govlang.runtime.decision import Decision
from govlang.runtime.evidence.record import written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from govlang.runtime.control.tokens import Caller
    from govlang.runtime.control.turn import Turn

PENDING: Final = JobState.PENDING
"""The state of a job that no gate has seen."""

REQUEST_MAX: Final = 16_384
"""The largest request, in bytes of JSON."""

_REMEMBERED: Final = frozenset({202, 403})
"""Answers that are given again to the same key: those that stored a job, and denials."""


class Refused(Exception):  # noqa: N818  # no error: an answer on its way out
    """The request is refused before the gate; nothing is stored of it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def submit(
    turn: Turn, caller: Caller, body: Mapping[str, Any], key: str, asked: Asked | None = None
) -> Answer:
    """Take an intent in; the answer, which the same key and body get again."""
    body_hash = fingerprint(body)
    earlier = turn.session.answer(caller.subject, key)
    if earlier is not None:
        return _again(earlier, body_hash)
    try:
        job = read_job(turn, caller, body)
    except Refused as refused:
        return refused.answer
    answer = admit(turn, job, asked, body)
    if answer.status in _REMEMBERED:
        turn.has_written = True
        kept = KeptAnswer(body_hash, answer.status, answer.body)  # type: ignore[arg-type]
        turn.session.put_answer(caller.subject, key, kept, turn.now_ms)
    return answer


def question(
    turn: Turn, caller: Caller, body: Mapping[str, Any], key: str
) -> Question | Asked | Answer:
    """What a check elsewhere is to be asked about a body; or what is known without it.

    It is not asked about what the table here cannot read: that would look as if it failed.
    """
    earlier = turn.session.answer(caller.subject, key)
    if earlier is not None:
        return _again(earlier, fingerprint(body))
    try:
        asked = asked_of(read_job(turn, caller, body), body["request"])
        invalid = unread(turn, asked)
    except Refused as refused:
        return refused.answer
    except CheckUnavailableError as error:
        return Asked(unavailable=error.why)
    return asked if invalid is None else Asked(invalid)


def asked_of(job: Job, request: Mapping[str, Any]) -> Question:
    """What is asked about a job that comes in: the very values that were given, so that no text passes for a number."""
    return Question(request, job.agent, job.delegation)


def admit_undo(turn: Turn, job: Job) -> Answer:
    """Queue an undo once more; it was decided with the job that declared it."""
    turn.chronicle.tell(turn, "undo_submitted", job, details={"undo_of": job.undo_of})
    moved = turn.move(job, Move.ADMIT, Gate.UNDO)
    turn.offer(moved)
    return Answer(202, admitted(moved))


def _again(earlier: KeptAnswer, body_hash: str) -> Answer:
    if earlier.body_hash != body_hash:
        return problem(
            "idempotency_conflict",
            "this Idempotency-Key was used for another body",
            field="Idempotency-Key",
        )
    return Answer(earlier.status, earlier.body, {"idempotent-replayed": "true"})


def read_job(turn: Turn, caller: Caller, body: Mapping[str, Any]) -> Job:
    """The job that a body asks for, not yet stored.

    Raises:
        Refused: it names a run, a parent or an agent that the caller cannot speak for.
    """
    request = written(body["request"])
    check_size(request, "request")
    parent = _parent(turn, caller, body.get("parent_job_id"))
    agent = _agent(turn, caller, request)
    topic = request.get("topic")
    topic = topic if isinstance(topic, str) else ""
    run_id = body.get("run_id") or (parent.run_id if parent else None)
    step = body.get("step") or _step(topic)
    delegation = _chain(parent, agent)
    _check_run(turn, caller, run_id, agent, parent)
    undo = body.get("undo")
    if undo is not None:
        check_size(undo["request"], "undo.request")
    intent = Intent(
        request,
        body.get("payload"),
        body["pool"],
        None if undo is None else {**undo, "request": written(undo["request"])},
    )
    is_new = run_id is None
    run_id = run_id or f"run_{secrets.token_hex(6)}"
    attempt = 1 if is_new else 1 + turn.session.attempts(run_id, step)
    return Job(
        job_id=f"{run_id}:{step}@{attempt}",
        run_id=run_id,
        step=step,
        attempt=attempt,
        agent=agent,
        topic=topic,
        intent=intent,
        job_hash=hash_job(intent, agent, run_id, step, delegation),
        state=JobState.PENDING,
        created_ms=turn.now_ms,
        updated_ms=turn.now_ms,
        caller=agent if caller.token_id == DEV.token_id else caller.subject,
        parent_job_id=parent.job_id if parent else None,
        delegation=delegation,
        due_ms=turn.now_ms,
    )


def check_size(value: Any, field: str) -> None:
    """A record holds the whole request, and must fit a tile of the ledger.

    Raises:
        Refused: it is too long.
    """
    size = len(compact(value).encode())
    if size > REQUEST_MAX:
        raise Refused(
            problem(
                "invalid_body",
                f"`{field}` has {size} bytes",
                field=field,
                expected=f"at most {REQUEST_MAX} bytes; large values belong into `payload`",
            )
        )


def _step(topic: str) -> str:
    last = topic.rsplit(".", 1)[-1]
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in last)
    return kept[:100] or "step"


def _agent(turn: Turn, caller: Caller, request: Mapping[str, Any]) -> str:
    """Whose request it is: the agent that it names, which must be the caller's own."""
    name = turn.judge.agent_field
    named = request.get(name) if name is not None else None
    if not isinstance(named, str):
        return caller.subject
    if named != caller.subject and Role.OPERATOR not in caller.roles:
        raise Refused(
            problem(
                "forbidden",
                f"the token speaks for `{caller.subject}`, the request names `{named}`",
                field=f"request.{name}",
                expected=f"`{caller.subject}`",
            )
        )
    return named


def _parent(turn: Turn, caller: Caller, parent_id: str | None) -> Job | None:
    """The job on whose behalf this one is: the caller's own, or one that a worker of the caller has."""
    if parent_id is None:
        return None
    parent = turn.session.job(parent_id)
    own = parent is not None and (
        caller.subject in (parent.agent, parent.worker_agent) or Role.OPERATOR in caller.roles
    )
    if parent is None or not own:
        raise Refused(
            problem(
                "forbidden",
                f"there is no job `{parent_id}` of yours, and none that was handed to you",
                field="parent_job_id",
                expected="a job of your own, or one that your worker has leased",
            )
        )
    if parent.state not in IN_FLIGHT:
        raise Refused(
            problem(
                "illegal_state",
                f"`{parent_id}` is {parent.state.value}: only work that is in flight delegates",
                field="parent_job_id",
                expected="a job that is dispatched or running",
            )
        )
    return parent


def _chain(parent: Job | None, agent: str) -> tuple[str, ...]:
    if parent is None:
        return ()
    chain = (*parent.delegation, parent.agent)
    return chain if parent.agent != agent else parent.delegation


def _check_run(
    turn: Turn, caller: Caller, run_id: str | None, agent: str, parent: Job | None
) -> None:
    """A run belongs to the agents that take part in it."""
    if run_id is None or (parent is not None and parent.run_id == run_id):
        return
    taking_part = turn.session.agents_of_run(run_id)
    if taking_part and agent not in taking_part and Role.OPERATOR not in caller.roles:
        raise Refused(
            problem(
                "forbidden",
                f"run `{run_id}` belongs to other agents",
                field="run_id",
                expected="a run of your own, or a `parent_job_id` in it",
            )
        )


# --- the gate ------------------------------------------------------------------------------------


def admit(
    turn: Turn, job: Job, asked: Asked | None = None, body: Mapping[str, Any] | None = None
) -> Answer:
    """Ask the policy about a job, and store it if it may go on; `body` is what was given, None: it was stored."""
    refusal = _closed(turn, job)
    if refusal is not None:
        return refusal
    question = question_of(turn, job) if body is None else asked_of(job, body["request"])
    try:
        found = answer_of(turn, question, asked)
    except CheckUnavailableError as error:
        return _unavailable(turn, job, error)
    verdict, is_shadow = enforced(turn, job.topic, found)
    turn.metrics.decided("submit", verdict.before.value, verdict.rule_id)
    if verdict.is_invalid:
        return _invalid(turn, job, verdict)
    match verdict.decision:
        case Decision.DENY:
            return _denied(turn, job, verdict)
        case Decision.THROTTLE:
            turn.chronicle.decide(turn, "submit_refused", job, verdict)
            return problem(
                "throttled",
                verdict.reason or "the policy asks to wait",
                retry_after_s=verdict.retry_s,
                rule_id=verdict.rule_id,
                decision=verdict.to_dict(),
            )
        case _:
            pass
    against = _undo_refused(turn, job, question, body)
    if against is not None:
        return against
    most = turn.settings.live_jobs_agent_max
    if turn.live[job.agent] >= most:
        why = f"`{job.agent}` has {most} live jobs, as many as one agent may have"
        return problem("rate_limited", why, retry_after_s=5)
    if len(turn.machine) >= turn.settings.live_jobs_max:
        return problem("storage_unavailable", "there are too many live jobs", retry_after_s=5)
    return store(turn, job, verdict, verdict.gate, found if is_shadow else verdict)


def _closed(turn: Turn, job: Job) -> Answer | None:
    """Whether it may not be asked at all: an agent of the chain is suspended, or the chain is too long."""
    suspended = turn.suspended
    barred = next((one for one in (job.agent, *job.delegation) if one in suspended), None)
    if barred is not None:
        why = f"`{barred}` is suspended: {suspended[barred]}"
        turn.chronicle.refuse(turn, "submit_refused", job, "suspended", why)
        return problem("denied", why, rule_id="suspended", reason=suspended[barred])
    most = turn.settings.delegation_depth_max
    if len(job.delegation) > most:
        why = f"it was handed on {len(job.delegation)} times, at most {most} are allowed"
        turn.chronicle.refuse(turn, "submit_refused", job, "delegation_depth", why)
        return problem("denied", why, rule_id="delegation_depth", field="parent_job_id")
    return None


def _unavailable(turn: Turn, job: Job, error: CheckUnavailableError) -> Answer:
    turn.chronicle.refuse(turn, "submit_refused", job, UNAVAILABLE, error.why)
    return problem("policy_unavailable", error.message, rule_id=UNAVAILABLE, retry_after_s=1)


def _invalid(turn: Turn, job: Job, verdict: Verdict) -> Answer:
    turn.chronicle.decide(turn, "invalid", job, verdict)
    named = verdict.reason.split("`")
    where = f"request.{named[1]}" if len(named) > 2 else "request"
    return problem(
        "invalid_request",
        verdict.reason,
        field=where,
        expected="what `GET /v1/policy` says of the field",
        rule_id=verdict.rule_id,
    )


def _denied(turn: Turn, job: Job, verdict: Verdict, field: str | None = None) -> Answer:
    details = None if field is None else {"field": field}
    turn.chronicle.decide(turn, "submit_refused", job, verdict, details=details)
    of = f" (as `{verdict.of}`, on whose behalf it is)" if verdict.of else ""
    return problem(
        "denied",
        (verdict.reason or f"denied by `{verdict.rule_id}`") + of,
        field=field,
        rule_id=verdict.rule_id,
        reason=verdict.reason,
        remedy=verdict.remedy,
        decision=verdict.to_dict(),
    )


def _undo_refused(
    turn: Turn, job: Job, question: Question, body: Mapping[str, Any] | None
) -> Answer | None:
    """The refusal of a job whose undo may not be run: decided now, as it must run when all else is revoked."""
    kept = job.intent.undo
    if kept is None:
        return None
    fields = turn.judge.policy.fields
    request = revive(fields, kept["request"]) if body is None else body["undo"]["request"]
    found = turn.judge.ask(replace(question, request=request), turn.now_ms)
    if found.permits:
        return None
    asked_about = replace(job.intent, request=kept["request"])
    undo = job.with_(intent=asked_about, topic=str(kept["request"].get("topic", "")))
    return _denied(turn, undo, replace(found, decision=Decision.DENY), "undo.request")


def store(turn: Turn, job: Job, verdict: Verdict, gate: Gate, told: Verdict) -> Answer:
    """Store a job that may go on: to the workers, or to a person first."""
    waits = verdict.decision is Decision.REQUIRE_HUMAN
    amounts, steps = reservation(turn, job)
    changes: dict[str, Any] = {"reserved": amounts, "decision": told.to_dict()}
    if waits:
        approval, token = request_approval(turn, job, verdict)
        changes |= {"approval_id": approval.approval_id, "approval_token": token}
    details = {
        "job_hash": job.job_hash,
        "pool": job.intent.pool,
        "parent_job_id": job.parent_job_id,
        "approval_id": changes.get("approval_id"),
    }
    known = {name: value for name, value in details.items() if value is not None}
    turn.chronicle.decide(
        turn, "submitted", job, told, steps=steps, details=known, shadow=told is not verdict
    )
    moved = turn.move(job, Move.HOLD if waits else Move.ADMIT, gate, **changes)
    if not waits:
        turn.offer(moved)
    return Answer(202, admitted(moved))


def admitted(job: Job) -> dict[str, Any]:
    """The body of a 202."""
    return {
        "job_id": job.job_id,
        "run_id": job.run_id,
        "state": job.state.value,
        "decision": job.decision,
        "approval_id": job.approval_id,
    }
