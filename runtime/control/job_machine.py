"""The states of jobs and the moves between them, as the proved table of `builtin/job.gov` has them.

In: moves, each with what the gate in front of it said.  Out: the state that a job is in then.

What always holds: a move that the table does not know is an error and changes nothing, not one byte of the state.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from govlang.native.errors import CodedError
from govlang.runtime.control.builtin import load_builtin
from govlang.runtime.decision import Decision

if TYPE_CHECKING:
    from govlang.runtime.decision import Outcome

CAPACITY: Final = 1_000_000
"""Jobs that are remembered at once unless told otherwise; all of them together take 150 MB."""


class JobState(StrEnum):
    """Where a job is, in the order in which `job.gov` numbers the states."""

    PENDING = "pending"
    APPROVAL_REQUIRED = "approval_required"
    SCHEDULED = "scheduled"
    DISPATCHED = "dispatched"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    DENIED = "denied"
    QUARANTINED = "quarantined"

    @property
    def is_over(self) -> bool:
        """Whether no move leads on from there."""
        return self in _OVER


class Move(StrEnum):
    """What may happen to a job."""

    ADMIT = "admit"
    HOLD = "hold"
    APPROVE = "approve"
    POSTPONE = "postpone"
    DISPATCH = "dispatch"
    REFUSE = "refuse"
    START = "start"
    LOSE = "lose"
    AGAIN = "again"
    SUCCEED = "succeed"
    FAIL = "fail"
    TIME_OUT = "time_out"
    CANCEL = "cancel"
    QUARANTINE = "quarantine"


class Gate(StrEnum):
    """What stands behind a move: an outcome of the policy, the word of a person, or neither."""

    NONE = "none"
    ALLOW = "allow"
    LIMIT = "limit"
    FAIL_OPEN = "fail_open"
    UNDO = "undo"
    HUMAN = "human"
    APPROVED = "approved"
    THROTTLE = "throttle"
    UNAVAILABLE = "unavailable"
    DENY = "deny"
    REJECTED = "rejected"


_STATES: Final = tuple(JobState)
_OVER: Final = frozenset(_STATES[_STATES.index(JobState.SUCCEEDED) :])


class IllegalMoveError(CodedError):
    """The table has no such move from the state that the job is in (GOV640); nothing has changed."""

    def __init__(self, job_id: str, state: JobState, move: Move, gate: Gate) -> None:
        super().__init__(
            "GOV640",
            f"the job `{job_id}` is {state}: `{move}` with the gate `{gate}` is no move from there",
            help="read the job's state anew; somebody else may have moved it",
        )
        self.job_id = job_id
        self.state = state
        self.move = move
        self.gate = gate


class JobMachine:
    """The states of all jobs; one thread moves them, any thread may read."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._policy: Final = load_builtin("job-1.0.0.govb", capacity)
        self._now_ms = 0
        self._live: set[str] = set()

    def __len__(self) -> int:
        """How many jobs have moved and have not ended."""
        return len(self._live)

    def move(self, job_id: str, move: Move, gate: Gate = Gate.NONE, *, now_ms: int) -> JobState:
        """Make a move; the state that the job is in then.

        `now_ms` only says when: no move depends on time, and a clock that went back stands still here.

        Raises:
            IllegalMoveError: GOV640, the table has no such move.
            CodedError: GOV641 no job could have this id, or it is no time · GOV642 there is no room for another job.
        """
        asked = {"job": job_id, "move": move, "gate": gate}
        at_ms = max(now_ms, self._now_ms)
        for ask in (self._policy.decide, self._policy.commit):
            outcome = ask(asked, now_ms=at_ms)
            if outcome.decision is not Decision.ALLOW:
                raise self._refusal(outcome, job_id, move, gate)
        self._now_ms = at_ms
        state = self.state(job_id)
        (self._live.discard if state.is_over else self._live.add)(job_id)
        return state

    def state(self, job_id: str) -> JobState:
        """The state of a job; one that has not moved is pending.

        Raises:
            CodedError: GOV420, no job could have this id.
        """
        return _STATES[self._policy.remembered("state", job_id)]

    def follow(self, job_id: str, moves: Iterable[tuple[Move, Gate, int]]) -> JobState:
        """Make the moves of a job again, as they were written down: move, gate, time in ms.

        Raises:
            CodedError: as `move`; those before it have been made.
        """
        for move, gate, at_ms in moves:
            self.move(job_id, move, gate, now_ms=at_ms)
        return self.state(job_id)

    def forget(self, job_id: str) -> None:
        """Make room: a job has ended, or never began, and its id does not come again.

        Raises:
            CodedError: GOV420 no job could have this id · GOV643 the job is still going on; it stays.
        """
        state = self.state(job_id)
        if not (state.is_over or state is JobState.PENDING):
            raise CodedError(
                "GOV643",
                f"the job `{job_id}` is {state}: a job that goes on is not forgotten",
                help="cancel it first",
            )
        self._policy.forget(job_id)

    def _refusal(self, outcome: Outcome, job_id: str, move: Move, gate: Gate) -> CodedError:
        if outcome.rule_id == "invalid_request":
            return CodedError(
                "GOV641",
                f"a move cannot be read: {outcome.reason}",
                help="give the id of a job of at most 256 bytes, a move, a gate, and a time in ms since 1970",
            )
        if outcome.rule_id == "state_full":
            return CodedError(
                "GOV642",
                f"there is no room for the job `{job_id}` beside {self._policy.capacity} others",
                help="let jobs end, or start with room for more",
            )
        return IllegalMoveError(job_id, self.state(job_id), move, gate)
