"""Rows that are yet to be written: inserts one by one in, one statement for many of them out.

SQLite's module lets other threads run at each statement, and then waits for its turn again: seven statements a job, and
a busy event loop beside it, cost the writer more than the statements themselves.
What always holds: rows of one table are written in the order in which they were added; the caller flushes before it
asks for anything that may stand in them, and before it commits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, Final, TypeVar

T = TypeVar("T")
Row = tuple[Any, ...]

SIZES: Final = (64, 16, 4, 1)
"""So many rows go into one statement: few sizes, so that each is prepared once.  64 jobs have 2 176 values, SQLite
takes 32 766."""


def parts(rows: list[T]) -> Iterator[list[T]]:
    """Rows, so many at once as one statement takes."""
    first = 0
    for size in SIZES:
        while len(rows) - first >= size:
            yield rows[first : first + size]
            first += size


@dataclass(frozen=True, slots=True)
class Insert:
    """A kind of row: `INSERT … INTO table (columns)`, and how many columns it has."""

    head: str
    width: int


@lru_cache(maxsize=128)
def statement(insert: Insert, count: int) -> str:
    """The statement that inserts so many rows."""
    marks = f"({', '.join('?' * insert.width)})"
    return f"{insert.head} VALUES {', '.join([marks] * count)}"


class Batch:
    """The rows that one transaction has not written yet."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows: dict[Insert, list[Row]] = {}
        self._failed: Exception | None = None

    def add(self, insert: Insert, row: Row) -> None:
        """Write a row with the next flush."""
        self._rows.setdefault(insert, []).append(row)

    def flush(self) -> None:
        """Write all of them.

        INVARIANT: rows that could not be written fail everything that follows, the commit too, until `drop`: whoever
        added them was told that all is well, and somebody else's question may be what wrote them.

        Raises:
            sqlite3.Error: one cannot be written, now or before, or the transaction is gone.
        """
        if self._failed is not None:
            raise self._failed
        if not self._rows:
            return
        try:
            self._check()
            for insert, rows in self._rows.items():
                self._write(insert, rows)
        except Exception as error:
            self._failed = error
            raise
        self._rows.clear()

    def drop(self) -> None:
        """Forget them: their transaction is taken back."""
        self._rows.clear()
        self._failed = None

    def _check(self) -> None:
        if not self._connection.in_transaction:  # the disk refused, and SQLite took it back itself
            raise sqlite3.OperationalError("the transaction was taken back")

    def _write(self, insert: Insert, rows: list[Row]) -> None:
        for some in parts(rows):
            self._connection.execute(statement(insert, len(some)), tuple(chain.from_iterable(some)))
