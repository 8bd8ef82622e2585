"""The dispatch gate: jobs that wait in, and only those that the policy lets go now, out to a worker.

What always holds: between the decision and the lease nothing happens; a job whose hash does not match is quarantined;
an approval is
used up in the transaction that dispatches; whatever gives no answer is asked again, a bounded number of times.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from govlang.runtime.control.answer import Answer
from govlang.runtime.control.approvals import (
    approved_roles,
    approver_of,
    request_approval,
    use_up,
)
from govlang.runtime.control.gates import (
    Asked,
    answer_of,
    enforced,
    feed,
    question_of,
    settlement,
)
from govlang.runtime.control.job import WAITING, Job
from govlang.runtime.control.job_machine import Gate, Move
from govlang.runtime.control.judge import DISPATCHED, Question
from govlang.runtime.control.turn import new_id
from govlang.runtime.control.undoing import run_undo
from govlang.runtime.control.values import revive
from govlang.runtime.control.verdict import UNAVAILABLE, CheckUnavailableError, Verdict, limited
from govlang.runtime.decision import Decision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from govlang.runtime.control.tokens import Caller
    from govlang.runtime.control.turn import Turn


def lease(
    turn: Turn,
    caller: Caller,
    pool: str,
    body: Mapping[str, Any],
    asked: Mapping[str, Asked] | None = None,
) -> Answer:
    """Take up to `max` jobs of a pool through the gate, and hand them to a worker.

    `asked` holds what a policy check elsewhere said of jobs, by their ids and the time at which they were last
    changed.
    """
    handed: list[dict[str, Any]] = []
    actions = frozenset(body.get("actions", ()))
    for job in turn.session.waiting(pool, turn.now_ms, 4 * body["max"]):
        if len(handed) == body["max"]:
            break
        said = None if asked is None else asked.get(asked_key(job))
        if asked is not None and said is None and job.undo_of is None:
            continue  # it came, or changed, since the check was asked
        found = dispatch(turn, job, caller, str(body.get("worker", "")), actions, said)
        if found is not None:
            handed.append(found)
    return Answer(200, {"jobs": handed})


def asked_key(job: Job) -> str:
    """What names a job as it was when a check elsewhere was asked about it."""
    return f"{job.job_id} {job.updated_ms} {job.state.value}"


def dispatch(
    turn: Turn,
    job: Job,
    caller: Caller,
    worker: str,
    actions: frozenset[str],
    asked: Asked | None = None,
) -> dict[str, Any] | None:
    """Take one job through the gate; what the worker gets, None if it does not go now."""
    if not job.is_whole or job.state not in WAITING:
        _quarantine(turn, job)
        return None
    if job.undo_of is not None:
        return _hand(turn, job, caller, worker, None, Gate.UNDO)
    barred = _barred(turn, job)
    if barred:
        _refuse(turn, job, barred, "suspended")
        return None
    roles = approved_roles(turn, job)
    question = question_of(turn, job, roles)
    try:
        verdict, is_shadow, is_committed = _decide(turn, job, question, actions, asked)
    except CheckUnavailableError as error:
        _unanswered(turn, job, error)
        return None
    turn.metrics.decided("dispatch", verdict.before.value, verdict.rule_id)
    if not verdict.permits:
        _held_back(turn, job, verdict, committed=is_committed)
        return None
    if roles:
        use_up(turn, job)
    approver = approver_of(turn, job) if roles else ""
    steps = feed(turn, DISPATCHED, job.agent, {}) if job.reported else []
    turn.chronicle.decide(
        turn,
        "step_dispatched",
        job,
        verdict,
        committed=is_committed,
        steps=steps,
        approver=approver,
        shadow=is_shadow,
        details={"worker": worker, "pool": job.intent.pool},
    )
    job = job.with_(
        committed=job.committed or is_committed,
        reported=job.reported and not steps,
        decision=verdict.to_dict(),
    )
    return _hand(turn, job, caller, worker, verdict, verdict.gate)


def _decide(
    turn: Turn,
    job: Job,
    question: Question,
    actions: frozenset[str],
    asked: Asked | None,
) -> tuple[Verdict, bool, bool]:
    """The verdict that counts, whether the policy's own was only recorded, and whether it was committed.

    A job is counted once: one that was dispatched before and came back is only asked about.  What the worker cannot
    carry out is
    not committed either.
    """
    first = answer_of(turn, question, asked)
    if first.is_fail_open and job.approval_id is not None and not question.approved:
        raise CheckUnavailableError("does not answer, and nobody's approval is good any more")
    missing = first.actions - actions if first.permits else frozenset()
    if missing:
        raise CheckUnavailableError(f"asks for `{min(missing)}`, which this worker cannot do")
    verdict, committed = first, False
    if asked is None and not job.committed and not first.is_fail_open:
        turn.has_written = True
        verdict, committed = turn.judge.commit(question, turn.now_ms)
    return *enforced(turn, job.topic, verdict), committed


def _barred(turn: Turn, job: Job) -> str:
    suspended = turn.suspended
    one = next((a for a in (job.agent, *job.delegation) if a in suspended), None)
    return "" if one is None else f"`{one}` is suspended: {suspended[one]}"


def _hand(
    turn: Turn,
    job: Job,
    caller: Caller,
    worker: str,
    verdict: Verdict | None,
    gate: Gate,
) -> dict[str, Any]:
    """Give the job to the worker: the machine moves, the lease begins."""
    if verdict is None:
        turn.chronicle.tell(
            turn, "step_dispatched", job, details={"undo_of": job.undo_of, "worker": worker}
        )
    lease_ms = int(turn.settings.lease_s * 1000)
    moved = turn.move(
        job,
        Move.DISPATCH,
        gate,
        lease_id=new_id("lease"),
        lease_until_ms=turn.now_ms + lease_ms,
        worker=worker,
        worker_agent=caller.subject,
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
    steps = settlement(turn, job, None)
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
            steps = settlement(turn, job, None)
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
    steps = settlement(turn, job, None)
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
        steps = settlement(turn, job, None)
        turn.chronicle.tell(turn, "step_timed_out", job, steps=steps, details={"reason": reason})
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
