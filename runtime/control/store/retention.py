"""What the store lets go of: the rows of jobs that ended long ago, a bounded number at once.

In: a time, and how many records the newest checkpoint covers.  Out: how many jobs went, with their moves, approvals,
dead letters and outbox rows.  What always holds: a job stays while anything that is kept names it (a job that was
handed on by it or undoes it, an approval that is open or granted, a worker that has not let go of it), and until its
last record is under a checkpoint; the number of its last attempt stays for good, so that its id never comes again.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Final

Place = tuple[int, int]
"""Where a search goes on: the time at which a job was last changed, and its row."""

BEGINNING: Final[Place] = (-1, 0)

_OVER: Final = "state IN ('succeeded', 'failed', 'cancelled', 'timed_out', 'denied', 'quarantined')"

_ADDED: Final = (
    """CREATE TABLE IF NOT EXISTS retired (
      run_id TEXT NOT NULL, step TEXT NOT NULL, attempt INTEGER NOT NULL, PRIMARY KEY (run_id, step)
    ) STRICT, WITHOUT ROWID""",
    f"CREATE INDEX IF NOT EXISTS jobs_ended ON jobs (updated_ms) WHERE {_OVER}",
    "CREATE INDEX IF NOT EXISTS jobs_parent ON jobs (parent_job_id) WHERE parent_job_id IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS approvals_job ON approvals (job_id)",
    "PRAGMA secure_delete = ON",
)
"""What the tables of schema.sql need for it, also in a directory that was begun without; what is deleted is
overwritten, on every build of SQLite.
"""

_AGED: Final = (
    f"SELECT updated_ms, rowid, job_id FROM jobs WHERE {_OVER} "  # noqa: S608  # no value stands in it
    "AND updated_ms < ? AND (updated_ms, rowid) > (?, ?) ORDER BY updated_ms, rowid LIMIT ?"
)
_FREE: Final = (
    f"SELECT run_id, step, attempt FROM jobs WHERE job_id = ?1 AND {_OVER} AND updated_ms < ?2 "  # noqa: S608  # the same
    "AND undo_owed = 0 AND revoked_ms IS NULL "
    "AND NOT EXISTS (SELECT 1 FROM jobs AS other WHERE other.parent_job_id = ?1) "
    "AND NOT EXISTS (SELECT 1 FROM approvals WHERE job_id = ?1 AND state IN ('open', 'granted')) "
    "AND NOT EXISTS (SELECT 1 FROM ledger "
    "WHERE ledger.run_id = jobs.run_id AND ledger.run_id <> '' AND seq > ?3 AND ledger.job_id = ?1)"
)
_KEEP_NUMBER: Final = (
    "INSERT INTO retired VALUES (?, ?, ?) "
    "ON CONFLICT (run_id, step) DO UPDATE SET attempt = max(attempt, excluded.attempt)"
)
_OF_A_JOB: Final = ("moves", "approvals", "letters", "outbox", "jobs")


def prepare(connection: sqlite3.Connection) -> None:
    """Let a database that is written to have what retention needs; changes nothing where it has it."""
    for statement in _ADDED:
        connection.execute(statement)


class Retention(ABC):
    """The part of a session that finds what is old, and deletes it."""

    @abstractmethod
    def _ask(self, question: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """Ask the database; the session has it."""

    def aged(self, before_ms: int, after: Place, most: int) -> tuple[list[str], Place]:
        """Jobs that ended and were last changed before a time, the oldest first, and where to go on from there."""
        found = self._ask(_AGED, (before_ms, *after, most)).fetchall()
        return [row[2] for row in found], (found[-1][0], found[-1][1]) if found else BEGINNING

    def retire(self, job_ids: Iterable[str], before_ms: int, covered: int) -> int:
        """Delete those of some jobs that ended before a time and nothing needs any more; how many.

        `covered` is how many records the newest checkpoint covers.
        """
        count = 0
        for job_id in job_ids:
            found = self._ask(_FREE, (job_id, before_ms, covered)).fetchone()
            if found is not None:
                self._ask(_KEEP_NUMBER, found)
                for table in _OF_A_JOB:
                    self._ask(f"DELETE FROM {table} WHERE job_id = ?", (job_id,))  # noqa: S608  # a name of ours
                count += 1
        return count

    def retired(self, run_id: str, step: str) -> int:
        """The last attempt of a step whose rows are gone; 0: none is."""
        row: Any = self._ask(
            "SELECT attempt FROM retired WHERE run_id = ? AND step = ?", (run_id, step)
        ).fetchone()
        return 0 if row is None else int(row[0])

    def drop_answers(self, before_ms: int, most: int) -> int:
        """Delete answers that were given before a time, at most so many; how many."""
        old = "SELECT caller, key FROM answers WHERE at_ms < ? ORDER BY at_ms LIMIT ?"
        found = self._ask(old, (before_ms, most)).fetchall()
        for key in found:  # a row value `IN` would go over the whole table
            self._ask("DELETE FROM answers WHERE caller = ? AND key = ?", key)
        return len(found)
