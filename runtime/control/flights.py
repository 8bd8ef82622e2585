"""Work in flight, in the writer's memory: what must be known of it when something may have revoked it.

In: jobs as they move.  Out: the flights of agents, or all, each with what the policy is asked about it.  What always
holds: exactly the jobs that workers have are here, but for undos, which nobody revokes; a flight is found under its
agent and under everybody who handed it on; no row is read, and no payload is kept, for a flight to be asked about.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from govlang.runtime.control.job import IN_FLIGHT, Flight, Job
from govlang.runtime.control.judge import Question
from govlang.runtime.control.values import compact, revive

if TYPE_CHECKING:
    from govlang.runtime.control.judge import Judge
    from govlang.runtime.control.verdict import Verdict


class Granted(NamedTuple):
    """The roles that approved a flight, and the policy under which: its snapshot and the hash of its parameters."""

    roles: tuple[str, ...] = ()
    policy: tuple[str, str] = ("", "")


class Lost(NamedTuple):
    """Since when a flight is to be cancelled, in ms since 1970, and why."""

    since_ms: int
    why: str


@dataclass(slots=True)
class Watched:
    """A flight, with what has come of asking about it; times are ms since 1970."""

    flight: Flight
    granted: Granted | None = None
    """None: nobody has looked yet.  It does not change any more."""
    unasked_ms: int | None = None
    """Since when nobody could say whether it may go on; None: it was said."""
    ask_ms: int = 0
    """When to ask again."""
    lost: Lost | None = None
    """Why it is to be cancelled, which is carried out in a later turn; None: it goes on."""
    _mark: str = ""
    _question: tuple[Judge, Question] | None = None

    @property
    def job_id(self) -> str:
        return self.flight.job_id

    @property
    def parties(self) -> tuple[str, ...]:
        """Everybody who is asked for when it is asked about."""
        return self.flight.agent, *self.flight.delegation

    @property
    def mark(self) -> str:
        """What two of them have in common about which the same is asked, but for who approved them."""
        if not self._mark:
            one = self.flight
            self._mark = compact([one.agent, list(one.delegation), one.reserved, one.request])
        return self._mark

    def question(self, judge: Judge, roles: tuple[str, ...]) -> Question:
        """What the policy is asked about it, where these roles have approved it."""
        known = self._question
        if known is None or known[0] is not judge or known[1].approved != roles:
            one = self.flight
            request = revive(judge.policy.fields, one.request)
            asked = Question(request, one.agent, one.delegation, roles, one.reserved)
            self._question = known = judge, asked
        return known[1]


@dataclass(slots=True)
class Flights:
    """All of them."""

    _all: dict[str, Watched] = field(default_factory=dict)
    _of: dict[str, dict[str, Watched]] = field(default_factory=dict)
    _unasked: dict[str, Watched] = field(default_factory=dict)
    _lost: dict[str, Watched] = field(default_factory=dict)
    _moment: tuple[object, object, int] | None = None
    _answers: dict[object, Verdict | None] = field(default_factory=dict)

    def follow(self, job: Job) -> Watched | None:
        """Take in that a job has moved; what it was in flight, if it is so no more."""
        if job.state not in IN_FLIGHT:
            return self._land(job.job_id)
        if job.job_id not in self._all:
            intent = job.intent
            parts = (job.job_id, job.agent, job.delegation, intent.request, job.reserved)
            self.start(Flight(*parts, job.approval_id, job.undo_of))
        return None

    def start(self, flight: Flight) -> None:
        """Take in a flight; an undo is nobody's to revoke."""
        if flight.undo_of is not None:
            return
        one = self._all[flight.job_id] = Watched(flight)
        for agent in one.parties:
            self._of.setdefault(agent, {})[one.job_id] = one

    def _land(self, job_id: str) -> Watched | None:
        one = self._all.pop(job_id, None)
        if one is not None:
            self._unasked.pop(job_id, None)
            self._lost.pop(job_id, None)
            for agent in dict.fromkeys(one.parties):
                del self._of[agent][job_id]
                if not self._of[agent]:
                    del self._of[agent]
        return one

    def __contains__(self, one: Watched) -> bool:
        return self._all.get(one.job_id) is one

    def all(self) -> list[Watched]:
        """Every one."""
        return list(self._all.values())

    def of(self, agents: Iterable[str]) -> list[Watched]:
        """Those of some agents, and those that they handed on; each once."""
        found: dict[str, Watched] = {}
        for agent in agents:
            found |= self._of.get(agent, {})
        return list(found.values())

    def owe(self, one: Watched, since_ms: int, ask_ms: int) -> None:
        """Keep that a flight is to be asked about once more."""
        one.unasked_ms, one.ask_ms = since_ms, ask_ms
        self._unasked[one.job_id] = one

    def settle(self, one: Watched) -> None:
        """Keep that it was asked about."""
        one.unasked_ms = None
        self._unasked.pop(one.job_id, None)

    def owed(self, now_ms: int, most: int) -> list[Watched]:
        """Those that are to be asked about now."""
        return [one for one in self._unasked.values() if one.ask_ms <= now_ms][:most]

    def lose(self, one: Watched, lost: Lost) -> None:
        """Keep that a flight is to be cancelled."""
        one.lost = lost
        self._lost[one.job_id] = one

    def lost(self, most: int) -> list[tuple[Watched, Lost]]:
        """Those that are to be cancelled, the first of them."""
        return [(one, one.lost) for one in islice(self._lost.values(), most) if one.lost]

    def answers(self, turn: object, judge: object, changes: int) -> dict[object, Verdict | None]:
        """By what was denied what was asked about in a moment: this turn, this judge, and nothing that happened since.

        The question is the key; None: it is not denied.
        """
        before = self._moment
        if (
            before is None
            or before[0] is not turn
            or before[1] is not judge
            or before[2] != changes
        ):
            self._moment, self._answers = (turn, judge, changes), {}
        return self._answers


def unasked_name(job_id: str) -> str:
    """Under which name the store keeps since when a flight is to be asked about."""
    return f"unasked {job_id}"


def lost_name(job_id: str) -> str:
    """Under which name the store keeps that a flight is to be cancelled."""
    return f"lost {job_id}"


def written_lost(lost: Lost) -> str:
    """That a flight is to be cancelled, as the store keeps it."""
    return f"{lost.since_ms} {lost.why}"


def read_lost(text: str) -> Lost:
    """The same, from the store."""
    since_ms, _, why = text.partition(" ")
    return Lost(int(since_ms), why)
