"""Cancelling: by its agent, by an operator, by revocation.

What always holds: a job that no worker has ends at once; one that a worker has ends at once for everybody else, its
worker hears of it at the next heartbeat, and only after that (or after its lease) its undo is run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.approvals import withdraw
from govlang.runtime.control.ending import carried, end_steps, end_unhad, taken_away
from govlang.runtime.control.job import IN_FLIGHT, Job
from govlang.runtime.control.job_machine import JobState, Move
from govlang.runtime.control.undoing import run_undo

if TYPE_CHECKING:
    from govlang.runtime.control.tokens import Caller
    from govlang.runtime.control.turn import Turn


def cancel(turn: Turn, caller: Caller, job: Job, reason: str) -> Answer | Job:
    """Cancel a live job by hand."""
    if job.has_ended:
        return problem(
            "illegal_state",
            f"the job is {job.state.value} already",
            field="job_id",
            expected="a job that has not ended",
            job_id=job.job_id,
        )
    by = f"cancelled by `{caller.subject}`: {reason}"
    if job.state in IN_FLIGHT:
        return cancel_in_flight(turn, job, by, is_revoked=False)
    withdraw(turn, job)
    steps = end_unhad(turn, job, taken_away(turn))
    turn.chronicle.tell(turn, "cancelled", job, steps=steps, details={"reason": by})
    return turn.move(job, Move.CANCEL, reason=by)


def cancel_in_flight(turn: Turn, job: Job, reason: str, *, is_revoked: bool) -> Job:
    """Cancel a job that a worker has."""
    end, has_begun = taken_away(turn), job.state is JobState.RUNNING
    steps = end_steps(turn, job, end, carried(turn, job, end, {}), {} if has_begun else None)
    event = "revoked" if is_revoked else "cancelled"
    turn.chronicle.tell(turn, event, job, steps=steps, details={"reason": reason})
    ended = turn.move(
        job,
        Move.CANCEL,
        reason=reason,
        undo_owed=job.intent.undo is not None,
        revoked_ms=turn.now_ms if is_revoked else None,
    )
    turn.cancelled.append(job.job_id)
    turn.bury(ended, reason)
    return ended


def let_go(turn: Turn, job: Job) -> None:
    """The worker of a cancelled job has let go of it: how long that took is kept, and the undo runs."""
    if job.revoked_ms is not None:
        took_ms = turn.now_ms - job.revoked_ms
        turn.metrics.revocation_done(took_ms / 1000)
        turn.chronicle.tell(turn, "released", job, details={"revoked_after_ms": took_ms})
        job = turn.keep(job, revoked_ms=None)
    if job.undo_owed:
        run_undo(turn, job)
