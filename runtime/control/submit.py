"""The submit gate: an intent in, and only if the policy lets it, a job out.

What always holds: the policy is asked before anything is stored or published; job, reservation, outbox, evidence and
the remembered answer move in one transaction; what is refused leaves evidence and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
from govlang.runtime.control.intake import Refused, read_job
from govlang.runtime.control.job import Job
from govlang.runtime.control.job_machine import Gate, JobState, Move
from govlang.runtime.control.judge import Question
from govlang.runtime.control.refusals import closed, denied, full, invalid, unavailable
from govlang.runtime.control.store import KeptAnswer
from govlang.runtime.control.values import fingerprint, revive
from govlang.runtime.control.verdict import CheckUnavailableError, Verdict
from govlang.runtime.decision import Decision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from govlang.runtime.control.tokens import Caller
    from govlang.runtime.control.turn import Turn

PENDING: Final = JobState.PENDING
"""The state of a job that no gate has seen."""

_REMEMBERED: Final = frozenset({202, 403})
"""Answers that are given again to the same key: those that stored a job, and denials."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A submit as an operation of the writer; `asked` is what a check elsewhere said."""

    caller: Caller
    body: Mapping[str, Any]
    key: str
    asked: Asked | None = None

    def __call__(self, turn: Turn) -> Answer:
        return submit(turn, self.caller, self.body, self.key, self.asked)

    @property
    def kept_as(self) -> tuple[str, str]:
        """Under which caller and key its answer is kept."""
        return self.caller.subject, self.key


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
        undo = _readable_undo(turn, asked, body.get("undo"))
    except Refused as refused:
        return refused.answer
    except CheckUnavailableError as error:
        return Asked(unavailable=error.why)
    return replace(asked, undo=undo) if invalid is None else Asked(invalid)


def _readable_undo(
    turn: Turn, asked: Question, undo: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    if undo is None or unread(turn, replace(asked, request=undo["request"])) is not None:
        return None
    request: Mapping[str, Any] = undo["request"]
    return request


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
    if not earlier.body_hash:
        why = "what was asked under this Idempotency-Key was forgotten (`gov evidence forget-private`)"
        return problem("idempotency_conflict", why, field="Idempotency-Key", expected="another key")
    if earlier.body_hash != body_hash:
        return problem(
            "idempotency_conflict",
            "this Idempotency-Key was used for another body",
        )
    return Answer(earlier.status, earlier.body, {"idempotent-replayed": "true"})


# --- the gate ------------------------------------------------------------------------------------


def admit(
    turn: Turn, job: Job, asked: Asked | None = None, body: Mapping[str, Any] | None = None
) -> Answer:
    """Ask the policy about a job, and store it if it may go on; `body` is what was given, None: it was stored."""
    refusal = closed(turn, job)
    if refusal is not None:
        return refusal
    question = question_of(turn, job) if body is None else asked_of(job, body["request"])
    try:
        found = answer_of(turn, question, asked)
    except CheckUnavailableError as error:
        return unavailable(turn, job, error)
    verdict, is_shadow = enforced(turn, job.topic, found)
    turn.metrics.decided("submit", verdict.before.value, verdict.rule_id)
    if verdict.is_invalid:
        return invalid(turn, job, verdict)
    match verdict.decision:
        case Decision.DENY:
            return denied(turn, job, verdict)
        case Decision.THROTTLE:
            turn.chronicle.decide(turn, "submit_refused", job, verdict)
            return problem(
                "throttled",
                verdict.reason or f"throttled by `{verdict.rule_id}`",
                expected=f"the same request in {verdict.retry_s:g} s, or one that `{verdict.rule_id}` lets go",
                retry_after_s=verdict.retry_s,
                rule_id=verdict.rule_id,
                decision=verdict.to_dict(),
            )
        case _:
            pass
    against = _undo_refused(turn, job, question, body, asked)
    if against is not None:
        return against
    no_room = full(turn, job)
    if no_room is not None:
        return no_room
    return store(turn, job, verdict, verdict.gate, found if is_shadow else verdict)


def _undo_refused(
    turn: Turn,
    job: Job,
    question: Question,
    body: Mapping[str, Any] | None,
    asked: Asked | None,
) -> Answer | None:
    """The refusal of a job whose undo may not be run: decided now, as it must run when all else is revoked.

    Where a check elsewhere decides, it must permit the undo as well as the table here.
    """
    kept = job.intent.undo
    if kept is None:
        return None
    fields = turn.judge.policy.fields
    request = revive(fields, kept["request"]) if body is None else body["undo"]["request"]
    try:
        found = turn.judge.ask(replace(question, request=request), turn.now_ms)
        if found.permits and asked is not None and asked.verdict is not None:
            found = _said_of_undo(asked)
    except CheckUnavailableError as error:
        return unavailable(turn, job, error)
    if found.permits:
        return None
    asked_about = replace(job.intent, request=kept["request"])
    undo = job.with_(intent=asked_about, topic=str(kept["request"].get("topic", "")))
    wrong = f"undo.{found.fault.field}" if found.is_invalid else "undo.request"
    return denied(turn, undo, replace(found, decision=Decision.DENY), wrong)


def _said_of_undo(asked: Asked) -> Verdict:
    if asked.undo is None:
        raise CheckUnavailableError("said nothing of the undo")
    return asked.undo


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
