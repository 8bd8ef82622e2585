"""The reconciler: what must happen though nobody asks for it.

In: the time.  Out: leases that ran out are ended, approvals expire, undo is run for what a vanished worker left, keys
get their
ticks, old answers are dropped.  What always holds: each round is bounded, and a round that is repeated finds nothing
to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from govlang.runtime.control import revocation
from govlang.runtime.control.approvals import expire
from govlang.runtime.control.cancel import let_go
from govlang.runtime.control.results import lapse

if TYPE_CHECKING:
    from govlang.runtime.control.turn import Turn

ROUND: Final = 100
"""So many of each kind are settled in one transaction."""
_DAY_MS: Final = 86_400_000


def reconcile(turn: Turn) -> bool:
    """One round; whether there may be more to do at once."""
    lapsed = turn.session.lapsed(turn.now_ms, ROUND)
    for found in lapsed:
        job = turn.session.job(found.job_id)  # the end of one may have revoked the next
        if job is not None and job.state is found.state:
            lapse(turn, job)
    expired = turn.session.expired_approvals(turn.now_ms, ROUND)
    for approval in expired:
        expire(turn, approval)
    for job in turn.session.owed_undo(turn.now_ms):
        let_go(turn, job)
    ticked = revocation.tick(turn, ROUND)
    return ROUND in (len(lapsed), len(expired), ticked)


def forget_answers(turn: Turn) -> int:
    """Drop the answers that idempotency keys no longer need."""
    turn.has_written = True
    return turn.session.drop_answers(turn.now_ms - turn.settings.idempotency_days * _DAY_MS)
