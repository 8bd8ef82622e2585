"""What the store lists: jobs for workers, approvals for people, dead letters for operators.

In: how many at most, and where the last page ended.  Out: rows, in an order that goes on where it ended, whatever came
in between.  What always holds: how much is looked at is bounded, and no payload is read that nobody is shown.
"""

from __future__ import annotations

import json
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Final

from govlang.runtime.control.job import Approval, Job
from govlang.runtime.control.store import Letter
from govlang.runtime.control.store.rows import APPROVAL, JOB, Row, approval_of, job_of
from govlang.runtime.control.values import compact

GET_JOB: Final = f"SELECT {', '.join(JOB)} FROM jobs "  # noqa: S608  # no value stands in it
GET_APPROVAL: Final = f"SELECT {', '.join(APPROVAL)} FROM approvals "  # noqa: S608  # the same

_SHORT: Final = "length(payload) + length(undo) <= ?1"
_EXCERPT: Final = {
    "payload": f"CASE WHEN {_SHORT} THEN payload ELSE 'null' END",
    "undo": f"CASE WHEN {_SHORT} THEN undo ELSE 'null' END",
    "output": "'null'",
}
_GET_EXCERPT: Final = (
    f"SELECT {', '.join(_EXCERPT.get(n, n) for n in JOB)}, {_SHORT} FROM jobs WHERE job_id = ?2"  # noqa: S608  # the same
)
_WAITING: Final = "state IN ('scheduled', 'retrying')"
_NEXT_DUTIES: Final = f"SELECT min(duties) FROM jobs WHERE pool = ?1 AND {_WAITING}"  # noqa: S608  # no value stands in it
_DUTIES: Final = (
    f"WITH RECURSIVE found (duties) AS ({_NEXT_DUTIES} UNION ALL "  # noqa: S608  # the same
    f"SELECT ({_NEXT_DUTIES} AND duties > found.duties) FROM found WHERE found.duties IS NOT NULL) "
    "SELECT duties FROM found WHERE duties IS NOT NULL"
)
"""What the jobs that wait in a pool ask for, each list of actions once: a step of the index for each."""
_DUE: Final = (
    f"SELECT due_ms, rowid FROM jobs WHERE pool = ? AND duties = ? AND {_WAITING} AND due_ms <= ? "  # noqa: S608  # the same
    "ORDER BY due_ms, rowid LIMIT ?"
)
_THESE: Final = "WHERE rowid IN (SELECT value FROM json_each(?)) ORDER BY due_ms, rowid"
FIRST: Final = (-1, "")
LAST: Final = (2**62, "")
"""A place in a list by time before and after all others."""


class Lists(ABC):
    """The part of a session that lists."""

    @abstractmethod
    def _ask(self, question: str, values: Row = ()) -> sqlite3.Cursor:
        """Ask the database; the session has it."""

    def excerpt(self, job_id: str, most: int) -> tuple[Job, bool] | None:
        """A job without its output, and without payload and undo if they have more than so many characters of JSON; and
        whether it has them.
        """
        row = self._ask(_GET_EXCERPT, (most, job_id)).fetchone()
        return None if row is None else (job_of(row[:-1]), bool(row[-1]))

    def waiting(
        self, pool: str, now_ms: int, most: int, actions: frozenset[str] | None = None
    ) -> list[Job]:
        """The jobs that are due, the oldest first.

        With `actions` those come first that asked for no other when they were decided last; the others stand behind,
        as they may ask for less by now.
        """
        duties = [duty for (duty,) in self._ask(_DUTIES, (pool,)).fetchall()]
        if actions is None:
            return self._due(pool, now_ms, most, duties)
        able = [duty for duty in duties if actions.issuperset(json.loads(duty))]
        found = self._due(pool, now_ms, most, able)
        if len(found) == most or len(able) == len(duties):
            return found
        unable = [duty for duty in duties if duty not in able]
        return found + self._due(pool, now_ms, most - len(found), unable)

    def _due(self, pool: str, now_ms: int, most: int, duties: Iterable[str]) -> list[Job]:
        """The first that are due of those that asked for one of these lists of actions."""
        places = [place for duty in duties for place in self._ask(_DUE, (pool, duty, now_ms, most))]
        if not places:
            return []
        first = [row for _, row in sorted(places)[:most]]
        return [job_of(row) for row in self._ask(GET_JOB + _THESE, (compact(first),))]

    def approvals(
        self, state: str | None, most: int, after: tuple[int, str] | None = None
    ) -> list[Approval]:
        """Those of a state, the oldest first, or all, the newest first; `after` the one of this time and id."""
        if state is None:
            where = "WHERE (created_ms, approval_id) < (?, ?) ORDER BY created_ms DESC, approval_id DESC LIMIT ?"
            return self._asked(where, *(after or LAST), most)
        where = "WHERE state = ? AND (created_ms, approval_id) > (?, ?) ORDER BY created_ms, approval_id LIMIT ?"
        return self._asked(where, state, *(after or FIRST), most)

    def _asked(self, where: str, *values: Any) -> list[Approval]:
        return [approval_of(row) for row in self._ask(GET_APPROVAL + where, values)]

    def letters(self, most: int, after: tuple[int, str] | None = None) -> list[Letter]:
        """Those that nobody has retried, the newest first; `after` the one of this time and job."""
        rows = self._ask(
            "SELECT * FROM letters WHERE retried_as IS NULL AND (at_ms, job_id) < (?, ?) "
            "ORDER BY at_ms DESC, job_id DESC LIMIT ?",
            (*(after or LAST), most),
        )
        return [Letter(*row) for row in rows]
