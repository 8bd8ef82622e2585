"""What workers say of the jobs that they have: that they begin, that they live, what came of it.

What always holds: a worker begins only after its `started` was acknowledged; a job ends once, and the same result
told again is
answered the same; a lease that ran out is worth nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.cancel import let_go
from govlang.runtime.control.dispatch import backoff_ms
from govlang.runtime.control.gates import feed, settlement
from govlang.runtime.control.job import IN_FLIGHT, Job
from govlang.runtime.control.job_machine import JobState, Move
from govlang.runtime.control.judge import SETTLED
from govlang.runtime.control.revocation import watch
from govlang.runtime.control.values import compact
from govlang.runtime.evidence.record import written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from govlang.runtime.control.tokens import Caller
    from govlang.runtime.control.turn import Turn

SUCCESS: Final = "success"
FAILURE: Final = "failure"

TOLD_MAX: Final = 16_384
"""The longest `used` and `fields`, in bytes of JSON: a record holds them whole."""


def heartbeat(turn: Turn, caller: Caller, lease_id: str, body: Mapping[str, Any]) -> Answer:
    """Prolong a lease; with `started` the worker says that it begins, and may do so once this is answered."""
    job = turn.session.leased(lease_id)
    if job is None or job.worker_agent != caller.subject:
        return _lost(lease_id)
    if job.state not in IN_FLIGHT:
        if job.undo_owed or job.revoked_ms is not None:
            let_go(turn, job)
        return Answer(200, {"state": job.state.value, "cancel": True, "lease_s": 0})
    if turn.now_ms > (job.lease_until_ms or 0):
        return _lost(lease_id)
    until_ms = turn.now_ms + int(turn.settings.lease_s * 1000)
    if body.get("started") and job.state is JobState.DISPATCHED:
        turn.chronicle.tell(turn, "step_started", job, details={"worker": job.worker})
        job = turn.move(job, Move.START, lease_until_ms=until_ms)
    else:
        job = turn.keep(job, lease_until_ms=until_ms)
    return Answer(
        200, {"state": job.state.value, "cancel": False, "lease_s": turn.settings.lease_s}
    )


def _lost(lease_id: str) -> Answer:
    return problem(
        "lease_lost",
        f"`{lease_id}` is no lease of yours any more: stop the work and report nothing",
    )


def result(turn: Turn, caller: Caller, lease_id: str, body: Mapping[str, Any]) -> Answer:
    """End a job with what its worker says came of it."""
    job = turn.session.leased(lease_id)
    if job is None or job.worker_agent != caller.subject:
        return _lost(lease_id)
    told = written(dict(body))
    if job.has_ended:
        return _told_again(turn, job, told)
    if job.state not in IN_FLIGHT or turn.now_ms > (job.lease_until_ms or 0):
        return _lost(lease_id)
    if job.state is JobState.DISPATCHED and body["outcome"] != "again":
        return problem(
            "illegal_state",
            "the worker did not say that it begins",
            field="outcome",
            expected="a heartbeat with `started` first",
        )
    unusable = _unusable(turn, job, body)
    if unusable is not None:
        return unusable
    is_undone = body["outcome"] == "again"
    job = _again(turn, job) if is_undone else _end(turn, job, body, told)
    return Answer(200, {"job_id": job.job_id, "state": job.state.value})


def _told_again(turn: Turn, job: Job, told: Mapping[str, Any]) -> Answer:
    """A result that comes after the end: the same one is answered the same."""
    if isinstance(job.output, dict) and job.output.get("told") == told:
        return Answer(200, {"job_id": job.job_id, "state": job.state.value})
    if job.undo_owed or job.revoked_ms is not None:
        let_go(turn, job)
    return problem("lease_lost", f"the job is {job.state.value}", job_id=job.job_id)


def _event(turn: Turn, name: str) -> str:
    """What the policy calls this end: a cancelled job is a `failure` where it declares nothing else."""
    return name if turn.judge.knows(name) else FAILURE


def _fields(turn: Turn, job: Job, event: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the event of an end: what the worker gave, else what the request says under the same name."""
    if not turn.judge.knows(event):
        return {}
    names = turn.judge.fields_of(event)
    return {n: given[n] if n in given else job.intent.request.get(n) for n in names}


def _unusable(turn: Turn, job: Job, body: Mapping[str, Any]) -> Answer | None:
    """Why the policy could not take what a worker says, None if it can."""
    told = {"used": body.get("used") or {}, "fields": body.get("fields") or {}}
    if len(compact(written(told)).encode()) > TOLD_MAX:
        return problem(
            "invalid_body",
            "`used` and `fields` are too long",
            field="fields",
            expected=f"at most {TOLD_MAX} bytes; large values belong into `output`",
        )
    judge, event = turn.judge, SUCCESS if body["outcome"] == "succeeded" else FAILURE
    wrong = None
    if body["outcome"] != "again" and not job.reported and judge.knows(event):
        given = _fields(turn, job, event, told["fields"])
        wrong = judge.fault_of(event, {n: v for n, v in given.items() if v is not None})
        if wrong is not None:
            return _refused(f"fields.{wrong.field}", event, wrong.why)
    if judge.knows(SETTLED):
        wrong = judge.fault_of(SETTLED, _spent(turn, written(told["used"])))
    return None if wrong is None else _refused(f"used.{wrong.field}", SETTLED, wrong.why)


def _spent(turn: Turn, used: Mapping[str, str]) -> dict[str, str]:
    """What is said to be used of each field that the policy reserves."""
    return {name: used.get(name, "0") for name in turn.judge.reserved_names}


def _refused(field: str, event: str, why: str) -> Answer:
    named = field.rpartition(".")[2]
    return problem(
        "invalid_body",
        f"the policy's event `{event}` carries `{named}`, which {why}",
        field=field,
        expected="what the policy declares",
    )


def _again(turn: Turn, job: Job) -> Job:
    """Nothing was done: the job goes back, counted as an attempt."""
    tries = job.tries + 1
    if tries >= turn.settings.retry_budget and job.state is JobState.DISPATCHED:
        reason = f"it was handed out {tries} times, and never begun"
        return _time_out(turn, job.with_(tries=tries), reason, None)
    if tries >= turn.settings.retry_budget:
        job = job.with_(tries=tries)
        return _end(turn, job, {"outcome": "failed", "error": "retry budget used up"}, None)
    wait_ms = backoff_ms(tries, turn.settings.backoff_first_s, turn.settings.backoff_max_s)
    move = Move.AGAIN if job.state is JobState.RUNNING else Move.LOSE
    turn.chronicle.tell(turn, "retried", job, details={"tries": tries})
    return turn.move(
        job, move, tries=tries, due_ms=turn.now_ms + wait_ms, lease_id=None, lease_until_ms=None
    )


def _end(turn: Turn, job: Job, body: Mapping[str, Any], told: Mapping[str, Any] | None) -> Job:
    has_succeeded = body["outcome"] == "succeeded"
    event = SUCCESS if has_succeeded else FAILURE
    reason = str(body.get("error") or ("" if has_succeeded else "failed"))
    fields = _fields(turn, job, event, body.get("fields") or {})
    kept = job.with_(output={"told": told, "output": body.get("output")} if told else None)
    with watch(turn, job.agent, but=job.job_id):
        steps = end_steps(turn, job, event, fields, written(body.get("used") or {}))
        name = "step_succeeded" if has_succeeded else "step_failed"
        turn.chronicle.tell(
            turn,
            name,
            job,
            steps=steps,
            details={"worker": job.worker, "reason": reason},
            values={"output": body.get("output")},
        )
    ended = turn.move(
        kept, Move.SUCCEED if has_succeeded else Move.FAIL, reason=reason, reported=True
    )
    if not has_succeeded:
        turn.bury(ended, reason)
    return ended


def end_steps(
    turn: Turn,
    job: Job,
    event: str,
    fields: Mapping[str, Any],
    used: Mapping[str, str] | None,
) -> list[dict[str, object]]:
    """Tell the policy that dispatched work has ended: its result, and what becomes of its reservation."""
    steps: list[dict[str, object]] = []
    if not job.reported:
        known = {name: value for name, value in fields.items() if value is not None}
        steps += feed(turn, _event(turn, event), job.agent, known)
    return steps + settlement(turn, job, used)


def lapse(turn: Turn, job: Job) -> None:
    """End a lease that ran out: what had not begun goes back, what may have run has timed out."""
    if job.state is JobState.DISPATCHED:
        _again(turn, job)
        return
    _time_out(turn, job, "the worker was not heard of any more", {})


def _time_out(turn: Turn, job: Job, reason: str, used: Mapping[str, str] | None) -> Job:
    """End a job of which nothing more is heard; `used` as in `settlement`."""
    with watch(turn, job.agent, but=job.job_id):
        steps = end_steps(turn, job, FAILURE, _fields(turn, job, FAILURE, {}), used)
        turn.chronicle.tell(
            turn,
            "step_timed_out",
            job,
            steps=steps,
            details={"reason": reason, "worker": job.worker},
        )
    ended = turn.move(job, Move.TIME_OUT, reason=reason, reported=True)
    turn.bury(ended, reason)
    return ended
