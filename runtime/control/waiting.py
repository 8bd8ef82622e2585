"""Jobs that wait for a worker: how long the oldest of each pool has, who is told, and when it has been too long.

In: since when the oldest job of each pool is due.  Out: a warning for a pool that no worker serves, the time that
metrics tell, and jobs that are `timed_out` after `GOV_QUEUE_WAIT_S`.  What always holds: only what is due and was not
asked about counts as waiting, so a job that the policy puts off is not ended; a turn ends a bounded number.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from govlang.runtime.control.approvals import withdraw
from govlang.runtime.control.ending import FAILURE, end_unhad
from govlang.runtime.control.job_machine import Move
from govlang.runtime.control.revocation import watch_end

if TYPE_CHECKING:
    from govlang.runtime.control.job import Job
    from govlang.runtime.control.settings import Settings
    from govlang.runtime.control.turn import Turn

log: Final = logging.getLogger("govlang.control")

WARN_MS: Final = 300_000
"""After so long a pool whose jobs nobody takes is warned of, in ms."""
POOLS_MAX: Final = 20
"""So many pools are told of by name, those that wait longest: their names are the callers'."""
ROUND: Final = 100
"""So many jobs of a pool are ended in one transaction."""


class Queues:
    """What was told of pools that wait."""

    def __init__(self, settings: Settings) -> None:
        self._most_ms = settings.queue_wait_s * 1000
        self._warned: set[str] = set()

    def look(self, oldest: Mapping[str, int], now_ms: int) -> dict[str, float]:
        """For how many seconds the oldest job of each pool waits; warns once of each that waits long."""
        waits = {pool: now_ms - due_ms for pool, due_ms in oldest.items() if due_ms <= now_ms}
        longest = sorted(waits, key=lambda pool: (-waits[pool], pool))[:POOLS_MAX]
        late = {pool for pool in longest if waits[pool] > WARN_MS}
        for pool in sorted(late - self._warned):
            log.warning(
                "no worker has taken the oldest job of pool `%s` for %d s: start one for it (`gov worker --pool`), "
                "one that can carry out the obligations of its jobs",
                pool,
                waits[pool] / 1000,
            )
        self._warned = late
        return {pool: waits[pool] / 1000 for pool in longest}

    def overdue(self, oldest: Mapping[str, int], now_ms: int) -> list[str]:
        """The pools of which some jobs have waited too long."""
        return [pool for pool, due_ms in oldest.items() if now_ms - due_ms > self._most_ms]


def time_out(turn: Turn, pools: Iterable[str]) -> bool:
    """End the jobs of some pools that have waited too long; whether there may be more."""
    most_s = turn.settings.queue_wait_s
    for pool in pools:
        found = turn.session.waiting(pool, turn.now_ms - most_s * 1000 - 1, ROUND)
        for job in found:
            _end(turn, job, f"no worker of pool `{pool}` took it within {most_s} s")
        if found:
            return True
    return False


def _end(turn: Turn, job: Job, reason: str) -> None:
    withdraw(turn, job)
    with watch_end(turn, job):
        steps = end_unhad(turn, job, FAILURE)
        turn.chronicle.tell(turn, "step_timed_out", job, steps=steps, details={"reason": reason})
    turn.bury(turn.move(job, Move.TIME_OUT, reason=reason), reason)
