"""A turn: what an operation works with while the writer carries it out.

What always holds: everything of one turn is of one time and of one transaction.
"""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.flights import Flights, lost_name, unasked_name
from govlang.runtime.control.job import Job
from govlang.runtime.control.job_machine import Gate, JobState, Move
from govlang.runtime.control.store import Letter

if TYPE_CHECKING:
    from govlang.runtime.control.chronicle import Chronicle
    from govlang.runtime.control.job_machine import JobMachine
    from govlang.runtime.control.judge import Judge
    from govlang.runtime.control.meter import Meter
    from govlang.runtime.control.settings import Settings
    from govlang.runtime.control.store import Session
    from govlang.runtime.control.tokens import Caller


@dataclass(slots=True)
class Turn:
    """Rows, policy, job machine, ledger, settings and the time of one transaction."""

    now_ms: int
    session: Session
    judge: Judge
    machine: JobMachine
    chronicle: Chronicle
    settings: Settings
    metrics: Meter
    suspended: dict[str, str]
    """Agents that may do nothing, with the reason; as the store has them."""
    live: Counter[str]
    """How many live jobs each agent has."""
    flights: Flights
    """The jobs that workers have."""
    has_written: bool = False
    woken: set[str] = field(default_factory=set)
    """Pools for which work was stored in this turn."""
    cancelled: list[str] = field(default_factory=list)
    """Jobs that the operation cancelled."""

    def begin(self) -> None:
        """Before each operation of the transaction."""
        self.has_written = False
        self.cancelled = []

    def move(self, job: Job, move: Move, gate: Gate = Gate.NONE, **changes: Any) -> Job:
        """Move a job on as the job machine says, and keep it with its changes.

        Raises:
            IllegalMoveError: the machine has no such move; nothing has changed.
        """
        state = self.machine.move(job.job_id, move, gate, now_ms=self.now_ms)
        self.has_written = True
        reported = job.reported or state.is_over  # whatever ends it tells the policy (ending.py)
        moved = job.with_(state=state, updated_ms=self.now_ms, reported=reported, **changes)
        is_first = job.state is JobState.PENDING
        self.session.add_move(job.job_id, move, gate, self.now_ms, is_first=is_first)
        self.session.put_job(moved, job.state)
        landed = self.flights.follow(moved)
        if landed is not None and landed.unasked_ms is not None:
            self.session.set(unasked_name(job.job_id), None)
        if landed is not None and landed.lost is not None:
            self.session.set(lost_name(job.job_id), None)
        before = None if job.state is JobState.PENDING else job.state.value
        self.live[job.agent] += (before is None) - moved.has_ended
        self.metrics.moved(before, state.value, ended=moved.has_ended)
        if moved.has_ended:
            self.machine.forget(job.job_id)
        return moved

    def keep(self, job: Job, **changes: Any) -> Job:
        """Keep a job with its changes, in the state in which it is."""
        self.has_written = True
        kept = job.with_(updated_ms=self.now_ms, **changes)
        self.session.put_job(kept)
        return kept

    def offer(self, job: Job) -> None:
        """Put a job that waits for a worker into the outbox."""
        self.has_written = True
        self.session.publish(job.intent.pool, job.job_id)
        self.woken.add(job.intent.pool)

    def bury(self, job: Job, reason: str) -> None:
        """Keep a job that ended without having done its work among the dead letters."""
        self.has_written = True
        self.session.put_letter(Letter(job.job_id, job.state.value, reason, self.now_ms))
        self.chronicle.tell(self, "dead_lettered", job, details={"reason": reason})


def suspension(turn: Turn, caller: Caller) -> Answer | None:
    """The refusal of a caller who is suspended, whatever its role; None where it is not."""
    why = turn.suspended.get(caller.subject)
    if why is None:
        return None
    return problem("suspended", f"`{caller.subject}` is suspended: {why}", reason=why)


def new_id(prefix: str) -> str:
    """A name that nobody can guess."""
    return f"{prefix}_{secrets.token_hex(8)}"
