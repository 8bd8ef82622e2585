"""The reconciler: what must happen though nobody asks for it.

In: the time.  Out: leases that ran out are ended, approvals expire, undo is run for what a vanished worker left, what
another policy denies is cancelled, what nobody could be asked about is asked about again (what is old is deleted by
retiring.py, what waits too long ended by waiting.py); that it opens a turn lets time pass for the policy, too
(office.py).  What always holds: each round is bounded, and a round that is repeated finds nothing to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from govlang.runtime.control.approvals import expire
from govlang.runtime.control.cancel import let_go
from govlang.runtime.control.results import lapse
from govlang.runtime.control.revocation import ask_again, revoke_lost, watch_end

if TYPE_CHECKING:
    from govlang.runtime.control.turn import Turn

ROUND: Final = 100
"""So many of each kind are settled in one transaction."""


def reconcile(turn: Turn) -> bool:
    """One round; whether there may be more to do at once."""
    lapsed = turn.session.lapsed(turn.now_ms, ROUND)
    for found in lapsed:
        job = turn.session.job(found.job_id)  # the end of one may have revoked the next
        if job is not None and job.state is found.state:
            lapse(turn, job)
    expired = turn.session.expired_approvals(turn.now_ms, ROUND)
    for approval in expired:
        with watch_end(turn, approval):
            expire(turn, approval)
    for job in turn.session.held(turn.now_ms):
        let_go(turn, job)
    lost = revoke_lost(turn, ROUND)
    asked = ask_again(turn, ROUND)
    return ROUND in (len(lapsed), len(expired), lost, asked)
