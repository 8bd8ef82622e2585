"""The dispatch gate: jobs that wait in, and only those that the policy lets go now, out to a worker.

What always holds: between the decision and the lease nothing happens; a job whose hash does not match is quarantined;
an approval is used up in the transaction that dispatches; whatever gives no answer is asked again, a bounded number
of times.
"""

from __future__ import annotations

import random
import sqlite3
from typing import TYPE_CHECKING, Any, NamedTuple

from govlang.runtime.control.answer import Answer
from govlang.runtime.control.approvals import (
    approved_roles,
    approver_of,
    request_approval,
    use_up,
)
from govlang.runtime.control.ending import FAILURE, end_unhad, taken_away
from govlang.runtime.control.gates import Asked, answer_of, enforced, feed, question_of
from govlang.runtime.control.job import WAITING, Job
from govlang.runtime.control.job_machine import Gate, Move
from govlang.runtime.control.judge import DISPATCHED, Question
from govlang.runtime.control.revocation import watch_end
from govlang.runtime.control.turn import new_id
from govlang.runtime.control.undoing import run_undo
from govlang.runtime.control.values import revive
from govlang.runtime.control.verdict import UNAVAILABLE, CheckUnavailableError, Verdict, limited
from govlang.runtime.decision import Decision

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from govlang.runtime.control.tokens import Caller
    from govlang.runtime.control.turn import Turn


class JobError(Exception):
    """The gate failed at one job; the others have nothing to do with it."""

    def __init__(self, job_id: str, error: Exception) -> None:
        super().__init__(f"`{job_id}` could not be taken through the gate: {error}")
        self.job_id = job_id
        self.why = (
            error.why
            if isinstance(error, CheckUnavailableError)
            else f"failed at this job: {type(error).__name__}, the log of the service says more"
        )


def put_off(turn: Turn, job_id: str, why: str) -> None:
    """Count an attempt at a job at which the gate failed; ask again later, or give up."""
    job = turn.session.job(job_id)
    if job is not None and job.state in WAITING:
        _unanswered(turn, job, CheckUnavailableError(why))


class Hands(NamedTuple):
    """Who takes jobs: a caller, the name it gives its worker, the actions that this one can carry out."""

    caller: Caller
    worker: str
    actions: frozenset[str]


class Decided(NamedTuple):
    """The verdict that counts, whether the policy's own was only recorded, and whether it was committed."""

    verdict: Verdict
    is_shadow: bool
    is_committed: bool


def lease(
    turn: Turn,
    caller: Caller,
    pool: str,
    body: Mapping[str, Any],
    asked: Mapping[str, Asked] | None = None,
    but: Collection[str] = (),
) -> Answer:
    """Take up to `max` jobs of a pool through the gate, and hand them to a worker; `but` are left where they are.

    `asked` holds what a policy check elsewhere said of jobs, by what names each as it was then (`asked_key`).

    Raises:
        JobError: something about one job failed that nobody foresaw; the turn must be taken back, and gone on without
            it.
    """
    handed: list[dict[str, Any]] = []
    hands = Hands(caller, str(body.get("worker", "")), frozenset(body.get("actions", ())))
    for job in turn.session.waiting(pool, turn.now_ms, 4 * body["max"], hands.actions):
        if len(handed) == body["max"]:
            break
        said = None if asked is None else asked.get(asked_key(turn, job))
        if asked is not None and said is None and job.undo_of is None:
            continue  # it came, or changed, since the check was asked
        if job.job_id in but:
            continue
        try:
            found = dispatch(turn, job, hands, said)
            turn.session.flush()  # now, so that a row that cannot be kept is this job's fault
        except sqlite3.OperationalError:  # the disk refuses: that is no job's fault
            raise
        except Exception as error:
            raise JobError(job.job_id, error) from error
        if found is not None:
            handed.append(found)
    return Answer(200, {"jobs": handed})


def asked_key(turn: Turn, job: Job) -> str:
    """What names a job as it was when a check elsewhere was asked about it, under which policy."""
    policy = turn.judge.policy
    return f"{job.job_id} {job.updated_ms} {job.state.value} {policy.snapshot} {policy.params_hash}"


def dispatch(
    turn: Turn, job: Job, hands: Hands, asked: Asked | None = None
) -> dict[str, Any] | None:
    """Take one job through the gate; what the worker gets, None if it does not go now, or not to this worker."""
    if not job.is_whole or job.state not in WAITING:
        _quarantine(turn, job)
        return None
    if job.undo_of is not None:
        return _hand(turn, job, hands, None, Gate.UNDO)
    barred = _barred(turn, job)
    if barred is not None:
        _refuse(turn, job, *barred)
        return None
    roles = approved_roles(turn, job)
    if asked is not None and asked.verdict is not None and asked.approved != roles:
        return None  # an approval has ended since the check was told of it: it is asked anew
    try:
        decided = _decide(turn, job, question_of(turn, job, roles), hands.actions, asked)
    except CheckUnavailableError as error:
        _unanswered(turn, job, error)
        return None
    if decided is None:
        return None
    verdict = decided.verdict
    turn.metrics.decided("dispatch", verdict.before.value, verdict.rule_id)
    if not verdict.permits:
        _held_back(turn, job, verdict, committed=decided.is_committed)
        return None
    if roles:
        use_up(turn, job)
    told = _tell(turn, job, hands, decided, approver_of(turn, job) if roles else "")
    return _hand(turn, told, hands, verdict, verdict.gate)


def _tell(turn: Turn, job: Job, hands: Hands, decided: Decided, approver: str) -> Job:
    """Record that a job goes, and tell the policy; the job, as it has been counted."""
    steps = feed(turn, DISPATCHED, job.agent, {}) if job.reported else []
    turn.chronicle.decide(
        turn,
        "step_dispatched",
        job,
        decided.verdict,
        committed=decided.is_committed,
        steps=steps,
        approver=approver,
        shadow=decided.is_shadow,
        details={"worker": hands.worker, "pool": job.intent.pool},
    )
    return job.with_(
        committed=job.committed or decided.is_committed,
        reported=job.reported and not steps,
        decision=decided.verdict.to_dict(),
    )


def _decide(
    turn: Turn, job: Job, question: Question, actions: frozenset[str], asked: Asked | None
) -> Decided | None:
    """The verdict that counts; None: it asks for an action that this worker cannot carry out, another one may.

    A job is counted once: one that was dispatched before and came back is only asked about.
    """
    first = answer_of(turn, question, asked)
    if first.is_fail_open and job.approval_id is not None and not question.approved:
        raise CheckUnavailableError("does not answer, and nobody's approval is good any more")
    if first.permits and not first.actions <= actions:
        _note_duties(turn, job, first)
        return None
    verdict, committed = first, False
    if asked is None and not job.committed and not first.is_fail_open:
        turn.has_written = True
        verdict, committed = turn.judge.commit(question, turn.now_ms)
    return Decided(*enforced(turn, job.topic, verdict), committed)


def _note_duties(turn: Turn, job: Job, verdict: Verdict) -> None:
    """Keep what a job asks for now, so that it is not among the first to be looked at for such a worker."""
    told = verdict.to_dict()
    if (job.decision or {}).get("obligations") != told["obligations"]:
        turn.keep(job, decision=told)


def _barred(turn: Turn, job: Job) -> tuple[str, str] | None:
    """Why a job may not go whatever the policy says, and what says so; None: it may be asked about."""
    suspended = turn.suspended
    one = next((a for a in (job.agent, *job.delegation) if a in suspended), None)
    if one is not None:
        return f"`{one}` is suspended: {suspended[one]}", "suspended"
    depth, most = len(job.delegation), turn.settings.delegation_depth_max
    if depth > most:  # it was set anew since the submit
        return f"it was handed on {depth} times, at most {most} are allowed", "delegation_depth"
    return None


def _hand(
    turn: Turn,
    job: Job,
    hands: Hands,
    verdict: Verdict | None,
    gate: Gate,
) -> dict[str, Any]:
    """Give the job to the worker: the machine moves, the lease begins."""
    if verdict is None:
        turn.chronicle.tell(
            turn, "step_dispatched", job, details={"undo_of": job.undo_of, "worker": hands.worker}
        )
    lease_ms = int(turn.settings.lease_s * 1000)
    moved = turn.move(
        job,
        Move.DISPATCH,
        gate,
        lease_id=new_id("lease"),
        lease_until_ms=turn.now_ms + lease_ms,
        worker=hands.worker,
        worker_agent=hands.caller.subject,
    )
    turn.metrics.dispatched((turn.now_ms - job.created_ms) / 1000)
    obligations = verdict.obligations if verdict else ()
    fields = turn.judge.policy.fields
    request, outputs = limited(revive(fields, job.intent.request), obligations)
    return {
        "job_id": moved.job_id,
        "lease_id": moved.lease_id,
        "lease_s": turn.settings.lease_s,
        "agent": moved.agent,
        "request": request,
        "payload": moved.intent.payload,
        "obligations": verdict.to_dict()["obligations"] if verdict else [],
        "limits": outputs,
        "delegation": list(moved.delegation),
    }


# --- what does not go ----------------------------------------------------------------------------


def _quarantine(turn: Turn, job: Job) -> None:
    reason = "the job is not what was decided on: its hash does not match"
    with watch_end(turn, job):
        steps = end_unhad(turn, job, taken_away(turn))
        turn.chronicle.tell(turn, "quarantined", job, steps=steps, details={"reason": reason})
    turn.bury(turn.move(job, Move.QUARANTINE, reason=reason), reason)


def _held_back(turn: Turn, job: Job, verdict: Verdict, *, committed: bool) -> None:
    match verdict.decision:
        case Decision.REQUIRE_HUMAN:
            _hold(turn, job, verdict, committed=committed)
        case Decision.THROTTLE:
            due_ms = turn.now_ms + int(verdict.retry_s * 1000)
            turn.chronicle.decide(
                turn, "postponed", job, verdict, committed=committed, details={"due_ms": due_ms}
            )
            turn.move(job, Move.POSTPONE, Gate.THROTTLE, due_ms=due_ms, reason=verdict.reason)
        case _:
            with watch_end(turn, job):
                steps = end_unhad(turn, job, taken_away(turn))
                turn.chronicle.decide(
                    turn, "dispatch_refused", job, verdict, committed=committed, steps=steps
                )
            _bury(turn, job, verdict.reason or f"denied by `{verdict.rule_id}`", verdict)


def _hold(turn: Turn, job: Job, verdict: Verdict, *, committed: bool) -> None:
    approval, token = request_approval(turn, job, verdict)
    details = {"approval_id": approval.approval_id}
    turn.chronicle.decide(
        turn, "approval_requested", job, verdict, committed=committed, details=details
    )
    turn.move(
        job,
        Move.HOLD,
        Gate.HUMAN,
        approval_id=approval.approval_id,
        approval_token=token,
        decision=verdict.to_dict(),
    )


def _refuse(turn: Turn, job: Job, reason: str, rule_id: str) -> None:
    with watch_end(turn, job):
        steps = end_unhad(turn, job, taken_away(turn))
        turn.chronicle.refuse(turn, "dispatch_refused", job, rule_id, reason)
        if steps:
            turn.chronicle.tell(turn, "released", job, steps=steps)
    _bury(turn, job, reason, None)


def _bury(turn: Turn, job: Job, reason: str, verdict: Verdict | None) -> None:
    told = verdict.to_dict() if verdict else job.decision
    denied = turn.move(job, Move.REFUSE, Gate.DENY, reason=reason, decision=told)
    turn.bury(denied, reason)
    run_undo(turn, denied)


def _unanswered(turn: Turn, job: Job, error: CheckUnavailableError) -> None:
    """Count the attempt; ask again later, or give up."""
    tries = job.tries + 1
    turn.metrics.decided("dispatch", "deny", UNAVAILABLE)
    if tries >= turn.settings.retry_budget:
        reason = f"no answer after {tries} attempts: {error.why}"
        with watch_end(turn, job):
            steps = end_unhad(turn, job, FAILURE)
            turn.chronicle.tell(
                turn, "step_timed_out", job, steps=steps, details={"reason": reason}
            )
        turn.bury(turn.move(job, Move.TIME_OUT, tries=tries, reason=reason), reason)
        return
    due_ms = turn.now_ms + backoff_ms(
        tries, turn.settings.backoff_first_s, turn.settings.backoff_max_s
    )
    details = {"reason": error.why, "tries": tries, "due_ms": due_ms}
    turn.chronicle.tell(turn, "postponed", job, details=details)
    turn.move(job, Move.POSTPONE, Gate.UNAVAILABLE, tries=tries, due_ms=due_ms, reason=error.why)


def backoff_ms(tries: int, first_s: float, most_s: float) -> int:
    """How long to wait after so many attempts: doubling, at most `most_s`, half of it by chance (jitter)."""
    whole = min(most_s, first_s * 2 ** min(tries - 1, 62))
    return int(1000 * whole * (0.5 + random.random() / 2))  # noqa: S311  # spreads load, no secret
