"""What is declared to be done when a job is revoked: its undo, a job of its own.

What always holds: an undo was decided together with the job that declares it, and runs once, after the worker has let
go; it asks the policy no more, as it must run just when nothing else may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from govlang.runtime.control.job import Intent, Job, hash_job
from govlang.runtime.control.job_machine import Gate, JobState, Move

STEP_MAX: Final = 95
"""So much of a step's name stands in that of its undo: a name has at most 100 characters."""

if TYPE_CHECKING:
    from govlang.runtime.control.turn import Turn


def run_undo(turn: Turn, job: Job) -> None:
    """Queue the undo of a job that no worker has any more; nothing where none is declared."""
    if job.undo_owed:
        job = turn.keep(job, undo_owed=False)
    undo = job.intent.undo
    if undo is None or job.undo_of is not None:
        return
    intent = Intent(undo["request"], undo.get("payload"), undo.get("pool") or job.intent.pool)
    step = f"{job.step[:STEP_MAX]}.undo"
    attempt = 1 + turn.session.attempts(job.run_id, step)
    topic = undo["request"].get("topic")
    made = Job(
        job_id=f"{job.run_id}:{step}@{attempt}",
        run_id=job.run_id,
        step=step,
        attempt=attempt,
        agent=job.agent,
        topic=topic if isinstance(topic, str) else "",
        intent=intent,
        job_hash=hash_job(intent, job.agent, job.run_id, step, job.delegation),
        state=JobState.PENDING,
        created_ms=turn.now_ms,
        updated_ms=turn.now_ms,
        caller=job.caller,
        parent_job_id=job.job_id,
        delegation=job.delegation,
        due_ms=turn.now_ms,
        undo_of=job.job_id,
    )
    turn.chronicle.tell(turn, "undo_submitted", made, details={"undo_of": job.job_id})
    turn.offer(turn.move(made, Move.ADMIT, Gate.UNDO))
