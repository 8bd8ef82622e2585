"""Retention: jobs that ended long ago are deleted from the store; what became of them stays in the ledger.

In: the time, and how far the ledger is signed.  Out: fewer rows.  What always holds: a turn deletes a bounded number;
what may go is found beside the writer and looked at once more by it (store/retention.py); nothing of what the policy
remembers is in those rows, so it is made again from the ledger to the same bytes with them or without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.sight import not_found, sees
from govlang.runtime.control.store.retention import BEGINNING, Place

if TYPE_CHECKING:
    from govlang.runtime.control.settings import Settings
    from govlang.runtime.control.store import Session
    from govlang.runtime.control.tokens import Caller
    from govlang.runtime.control.turn import Turn

ROUND: Final = 50
"""So many jobs are deleted in one transaction: the payload of each may be of `GOV_BODY_LIMIT_BYTES`."""
ANSWERS: Final = 1000
"""So many answers to idempotency keys are."""
DAY_MS: Final = 86_400_000


def forget_answers(turn: Turn) -> bool:
    """Drop answers that idempotency keys no longer need; whether there may be more."""
    turn.has_written = True
    before_ms = turn.now_ms - turn.settings.idempotency_days * DAY_MS
    return turn.session.drop_answers(before_ms, ANSWERS) == ANSWERS


class Retiring:
    """Goes over the jobs that ended, from the oldest on; those that must stay are passed by until the next time."""

    def __init__(self, settings: Settings) -> None:
        self._keep_ms = settings.retention_days * DAY_MS
        self._place: Place = BEGINNING

    def find(self, session: Session, now_ms: int) -> list[str]:
        """The next jobs that are old enough; none: all were looked at."""
        found, self._place = session.aged(now_ms - self._keep_ms, self._place, ROUND)
        return found

    def delete(self, turn: Turn, found: list[str], covered: int) -> int:
        """Delete those that nothing needs any more; how many."""
        turn.has_written = True
        return turn.session.retire(found, turn.now_ms - self._keep_ms, covered)


def absent(session: Session, caller: Caller, what: str, job_id: str, keep_days: int) -> Answer:
    """What is answered for a job that has no row: that it is gone, to whoever took part in its run, or never was."""
    run_id, _, rest = job_id.partition(":")
    step, _, attempt = rest.rpartition("@")
    is_gone = attempt.isdecimal() and int(attempt) <= session.retired(run_id, step)
    if not is_gone or not sees(caller, session.agents_of_run(run_id)):
        return not_found(what, job_id)
    return problem(
        "gone",
        f"`{job_id}` ended more than {keep_days} days ago; its records are in the ledger: "
        f"`GET /v1/runs/{run_id}/timeline`, or `gov evidence show DATA --job {job_id}`",
        job_id=job_id,
    )


def forgotten(job_id: str) -> Answer:
    """What is answered for a job that cannot be done again, as what it asked for was deleted."""
    why = f"what `{job_id}` asked for was forgotten (`gov evidence forget-private`): submit it anew"
    return problem("gone", why, job_id=job_id)
