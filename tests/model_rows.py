"""The jobs and approvals that a service has stored, all of them: a reader of its own, which parses a row once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from govlang.runtime.control.job import Approval, Job
from govlang.runtime.control.store import rows
from govlang.runtime.control.store.sqlite import DATABASE

T = TypeVar("T")


class Table(Generic[T]):
    """The rows of a table by name, as they were committed last."""

    def __init__(
        self, table: str, columns: tuple[str, ...], parse: Callable[[tuple[Any, ...]], T]
    ) -> None:
        self._query: Final = f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608  # names of ours
        self._parse = parse
        self._seen: dict[str, tuple[tuple[Any, ...], T]] = {}

    def read(self, connection: sqlite3.Connection) -> dict[str, T]:
        seen, self._seen = self._seen, {}
        for row in connection.execute(self._query):
            before = seen.get(row[0])
            is_same = before is not None and before[0] == row
            self._seen[row[0]] = before if is_same and before else (row, self._parse(row))
        return {name: found for name, (_, found) in self._seen.items()}


class Stored:
    """What the store of a folder holds; closed before the service is, which then clears up its log."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / DATABASE, isolation_level=None)
        self._jobs = Table[Job]("jobs", rows.JOB, rows.job_of)
        self._approvals = Table[Approval]("approvals", rows.APPROVAL, rows.approval_of)
        self.jobs: dict[str, Job] = {}
        self.approvals: dict[str, Approval] = {}

    def read(self, seen: int) -> list[bytes]:
        """Read all of it, as it was at one moment; the lines of the ledger after so many."""
        self._connection.execute("BEGIN")
        new = self._connection.execute(
            "SELECT line FROM ledger WHERE seq > ? ORDER BY seq", (seen,)
        )
        lines = [line for (line,) in new]
        self.jobs = self._jobs.read(self._connection)
        self.approvals = self._approvals.read(self._connection)
        self._connection.execute("COMMIT")
        return lines

    def close(self) -> None:
        self._connection.close()
