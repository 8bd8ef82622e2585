"""What workers say of the jobs that they have: that they begin, that they live, what came of it.

What always holds: a worker begins only after its `started` was acknowledged; a job ends once, and the same result told
again is answered the same; a lease that ran out is worth nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.cancel import let_go
from govlang.runtime.control.dispatch import backoff_ms
from govlang.runtime.control.ending import FAILURE, SUCCESS, carried, end_steps
from govlang.runtime.control.job import IN_FLIGHT, Job
from govlang.runtime.control.job_machine import JobState, Move
from govlang.runtime.control.judge import SETTLED
from govlang.runtime.control.revocation import ENDS, SETTLES, watch
from govlang.runtime.control.store import KeptAnswer
from govlang.runtime.control.values import compact, fingerprint
from govlang.runtime.evidence.record import written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from govlang.runtime.control.tokens import Caller
    from govlang.runtime.control.turn import Turn

TOLD_MAX: Final = 16_384
"""The longest `used` and `fields`, in bytes of JSON: a record holds them whole."""


def heartbeat(turn: Turn, caller: Caller, lease_id: str, body: Mapping[str, Any]) -> Answer:
    """Prolong a lease; with `started` the worker says that it begins, and may do so once this is answered."""
    lease = turn.session.lease(lease_id)
    if lease is None or lease.worker_agent != caller.subject:
        return _lost(lease_id)
    if lease.state not in IN_FLIGHT:
        job = turn.session.leased(lease_id)
        if job is not None and (job.undo_owed or job.revoked_ms is not None):
            let_go(turn, job)
        return Answer(200, {"state": lease.state.value, "cancel": True, "lease_s": 0})
    if turn.now_ms > lease.until_ms:
        return _lost(lease_id)
    until_ms = turn.now_ms + int(turn.settings.lease_s * 1000)
    state = lease.state
    if body.get("started") and state is JobState.DISPATCHED:
        state = _start(turn, lease_id, until_ms)
    else:
        turn.has_written = True
        turn.session.prolong(lease_id, until_ms, turn.now_ms)
    return Answer(200, {"state": state.value, "cancel": False, "lease_s": turn.settings.lease_s})


def _start(turn: Turn, lease_id: str, until_ms: int) -> JobState:
    job = turn.session.leased(lease_id)
    assert job is not None, "it was found in this very turn"
    turn.chronicle.tell(turn, "step_started", job, details={"worker": job.worker})
    return turn.move(job, Move.START, lease_until_ms=until_ms).state


def _lost(lease_id: str) -> Answer:
    return problem(
        "lease_lost",
        f"`{lease_id}` is no lease of yours any more: stop the work and report nothing",
        expected="a lease of this token, within `lease_s` of its last heartbeat",
    )


def result(turn: Turn, caller: Caller, lease_id: str, body: Mapping[str, Any]) -> Answer:
    """End a job with what its worker says came of it."""
    job = turn.session.leased(lease_id)
    told = written(dict(body))
    if job is None or job.has_ended:
        earlier = turn.session.answer(_teller(caller), lease_id)
        if earlier is not None and earlier.body_hash == fingerprint(told):
            return Answer(earlier.status, earlier.body)
    if job is None or job.worker_agent != caller.subject:
        return _lost(lease_id)
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
    answer = {"job_id": job.job_id, "state": job.state.value}
    if is_undone:  # the job goes on without this lease, and cannot remember it
        kept = KeptAnswer(fingerprint(told), 200, answer)
        turn.session.put_answer(_teller(caller), lease_id, kept, turn.now_ms)
    return Answer(200, answer)


def _teller(caller: Caller) -> str:
    """Under whom answers to `again` are kept, by lease; no token is called so."""
    return f"\x00lease {caller.subject}"


def _told_again(turn: Turn, job: Job, told: Mapping[str, Any]) -> Answer:
    """A result that comes after the end: the same one is answered the same."""
    if isinstance(job.output, dict) and job.output.get("told") == told:
        return Answer(200, {"job_id": job.job_id, "state": job.state.value})
    if job.undo_owed or job.revoked_ms is not None:
        let_go(turn, job)
    return problem(
        "lease_lost",
        f"the job is {job.state.value}",
        expected="the result that was told first, or a lease that has not ended",
        job_id=job.job_id,
    )


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
    if body["outcome"] != "again" and job.undo_of is None and judge.knows(event):
        wrong = judge.fault_of(event, carried(turn, job, event, told["fields"]))
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
    fields = carried(turn, job, event, body.get("fields") or {})
    kept = job.with_(output={"told": told, "output": body.get("output")} if told else None)
    with watch(turn, (job.agent,), (event, *SETTLES), fields, but=job.job_id):
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
    ended = turn.move(kept, Move.SUCCEED if has_succeeded else Move.FAIL, reason=reason)
    if not has_succeeded:
        turn.bury(ended, reason)
    return ended


def lapse(turn: Turn, job: Job) -> None:
    """End a lease that ran out: what had not begun goes back, what may have run has timed out."""
    if job.state is JobState.DISPATCHED:
        _again(turn, job)
        return
    _time_out(turn, job, "the worker was not heard of any more", {})


def _time_out(turn: Turn, job: Job, reason: str, used: Mapping[str, str] | None) -> Job:
    """End a job of which nothing more is heard; `used` as in `settlement`."""
    with watch(turn, (job.agent,), ENDS, but=job.job_id):
        steps = end_steps(turn, job, FAILURE, carried(turn, job, FAILURE, {}), used)
        turn.chronicle.tell(
            turn,
            "step_timed_out",
            job,
            steps=steps,
            details={"reason": reason, "worker": job.worker},
        )
    ended = turn.move(job, Move.TIME_OUT, reason=reason)
    turn.bury(ended, reason)
    return ended
