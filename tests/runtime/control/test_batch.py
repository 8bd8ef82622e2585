"""Rows that are written together: in order, all of them, or none."""

from __future__ import annotations

import sqlite3
from itertools import pairwise

import pytest

from govlang.runtime.control.store.batch import SIZES, Batch, Insert, parts

NOTE = Insert("INSERT INTO notes (n, text)", 2)


@pytest.fixture
def connection() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.execute("CREATE TABLE notes (n INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    made.execute("BEGIN")
    return made


def noted(connection: sqlite3.Connection) -> list[int]:
    return [n for (n,) in connection.execute("SELECT n FROM notes ORDER BY rowid")]


@pytest.mark.parametrize("count", [1, 3, 4, 63, 64, 65, 203])
def test_every_row_is_written_once_and_in_order(connection: sqlite3.Connection, count: int) -> None:
    batch = Batch(connection)
    for n in range(count):
        batch.add(NOTE, (n, str(n)))
    assert noted(connection) == []
    batch.flush()
    batch.flush()
    assert noted(connection) == list(range(count))


def test_parts_are_of_few_sizes_and_lose_nothing() -> None:
    for count in range(300):
        rows = list(range(count))
        some = list(parts(rows))
        assert [n for part in some for n in part] == rows
        assert {len(part) for part in some} <= set(SIZES)
        assert all(len(a) >= len(b) for a, b in pairwise(some))


def test_a_row_that_cannot_be_written_fails_all_that_follows(
    connection: sqlite3.Connection,
) -> None:
    batch = Batch(connection)
    batch.add(NOTE, (1, "one"))
    batch.flush()
    batch.add(NOTE, (1, "again"))
    for _ in range(3):
        with pytest.raises(sqlite3.IntegrityError):
            batch.flush()
        batch.add(NOTE, (2, "two"))
    batch.drop()
    batch.flush()
    assert noted(connection) == [1]
    batch.add(NOTE, (3, "three"))
    batch.flush()
    assert noted(connection) == [1, 3]


def test_nothing_is_written_outside_of_a_transaction(connection: sqlite3.Connection) -> None:
    """SQLite takes a transaction back itself where the disk is full; what follows must not be committed row by row."""
    batch = Batch(connection)
    batch.add(NOTE, (1, "one"))
    connection.execute("ROLLBACK")
    with pytest.raises(sqlite3.OperationalError):
        batch.flush()
    connection.execute("BEGIN")
    with pytest.raises(sqlite3.OperationalError):
        batch.flush()
    assert noted(connection) == []
