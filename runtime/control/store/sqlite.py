"""The store of one machine: SQLite with a write-ahead log, every commit on the disk before it returns.

In: a data directory.  Out: sessions.  What always holds: one process writes (a lock file says which); a database that
is damaged, of another format or newer than this program stops the start with what is wrong, and is never begun anew.
"""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from importlib.resources import files
from pathlib import Path
from typing import Final

from govlang.native.errors import CodedError
from govlang.runtime.control.store import retention
from govlang.runtime.control.store.session import SqliteSession

DATABASE: Final = "gov.db"
APPLICATION: Final = 0x676F7631
"""`gov1`: SQLite's application_id of our databases."""
FORMAT: Final = 1
"""SQLite's user_version: the layout of schema.sql."""

_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -65536",
    "PRAGMA wal_autocheckpoint = 65536",
)
"""The writer moves the log into the database itself only when `tidy` was not called for long (256 MiB)."""


_DUTIES: Final = """
ALTER TABLE jobs ADD COLUMN duties TEXT NOT NULL DEFAULT '[]';
UPDATE jobs SET duties = (
  SELECT json_group_array(action) FROM (
    SELECT DISTINCT json_extract(value, '$.do') AS action FROM json_each(jobs.decision, '$.obligations')
    WHERE action IS NOT NULL ORDER BY action))
  WHERE state IN ('scheduled', 'retrying');
DROP INDEX jobs_waiting;
CREATE INDEX jobs_due ON jobs (pool, duties, due_ms) WHERE state IN ('scheduled', 'retrying');
"""
"""Adds what jobs ask for; those that wait for people are written again before they are due."""


class SqliteStore:
    """The database of a data directory, open for writing by this process alone."""

    def __init__(self, folder: Path) -> None:
        """Open or begin it.

        Raises:
            CodedError: GOV620 the place cannot be used · GOV621 another process writes to it · GOV622 it is damaged
                or no store of this program.
        """
        self.folder: Final = folder
        self._path = folder / DATABASE
        self._lock = _lock(folder)
        try:
            self._writer = _open(self._path)
        except BaseException:
            self._lock.close()
            raise
        self._session = SqliteSession(self._writer)
        self._readers = threading.local()
        self._open: list[tuple[threading.Thread, sqlite3.Connection]] = []
        self._owner = threading.current_thread()
        self._tidier: sqlite3.Connection | None = None
        self._tidying = threading.Lock()
        self._is_closed = False

    def begin(self) -> SqliteSession:
        """The writer's session, in a transaction of its own; only one thread writes."""
        self._session.begin()
        return self._session

    def commit(self) -> None:
        """Everything since `begin` is on the disk when this returns."""
        self._session.flush()
        self._writer.execute("COMMIT")

    def rollback(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    def reader(self) -> SqliteSession:
        """A session of this thread that sees what was committed last."""
        session: SqliteSession | None = getattr(self._readers, "session", None)
        if session is None:
            connection = _connect(self._path)
            connection.execute("PRAGMA query_only = ON")
            self._open.append((threading.current_thread(), connection))
            session = self._readers.session = SqliteSession(connection)
        return session

    def tidy(self) -> None:
        """Move what is committed from the log into the database, beside the writer, so that no commit waits for it."""
        with self._tidying:
            if self._is_closed:
                return
            if self._tidier is None:
                self._tidier = _connect(self._path)
            self._tidier.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def close(self) -> None:
        """Let the next process in.

        The reader of a thread that may be reading is left to that thread: SQLite does not survive to be closed under
        it.
        """
        with self._tidying:
            self._is_closed = True
            if self._tidier is not None:
                self._tidier.close()
        for thread, connection in self._open:
            if not thread.is_alive() or thread in (self._owner, threading.current_thread()):
                connection.close()
        self._writer.close()
        self._lock.close()


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=256
    )


def _lock(folder: Path):  # type: ignore[no-untyped-def]  # noqa: ANN202  # an open file
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (folder / "LOCK").open("a")
    except OSError as error:
        why = (error.strerror or "cannot be used").lower()
        raise CodedError(
            "GOV620", f"`{folder}`: {why}", "give `--data` a place that can be written"
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise CodedError(
            "GOV621", f"another process serves `{folder}`", "stop it, or give another `--data`"
        ) from None
    return file


def _open(path: Path) -> sqlite3.Connection:
    is_new = not path.exists() or path.stat().st_size == 0
    if is_new:
        _check_alone(path)
        path.touch(mode=0o600)  # it holds what is private; SQLite gives its logs the same mode
    connection = _connect(path)
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        if is_new or _is_blank(connection):
            _check_alone(path)
            _begin(connection)
        _check(connection, path)
        retention.prepare(connection)
        _widen(connection)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _damaged(path, f"cannot be read: {error}") from None
    except BaseException:
        connection.close()
        raise
    return connection


def _begin(connection: sqlite3.Connection) -> None:
    schema = files("govlang.runtime.control.store").joinpath("schema.sql").read_text("utf-8")
    connection.executescript(
        f"BEGIN; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT};\n{schema}\nCOMMIT;"
    )


def _is_blank(connection: sqlite3.Connection) -> bool:
    """Whether a first start was killed before it wrote the tables: there is nothing in it."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    return (tables, application) == (0, 0)


def _check_alone(path: Path) -> None:
    """Begin no database beside what is left of a ledger."""
    left = [name for name in ("LEDGER.head", "checkpoint") if (path.parent / name).exists()]
    if left:
        raise _damaged(path, f"is missing, but `{left[0]}` of its ledger lies beside it")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION:
        raise _damaged(path, "is no store of `gov serve`")
    if version != FORMAT:
        raise _damaged(path, f"has format {version}, this program writes {FORMAT}")
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise _damaged(path, f"is damaged: {found}")


def _widen(connection: sqlite3.Connection) -> None:
    """Let a database that was begun without them hold what tokens may tell (nothing) and what jobs ask for."""
    if not _has(connection, "tokens", "events"):
        connection.execute("ALTER TABLE tokens ADD COLUMN events TEXT NOT NULL DEFAULT '[]'")
    if not _has(connection, "jobs", "duties"):
        connection.executescript(f"BEGIN IMMEDIATE;\n{_DUTIES}\nCOMMIT;")


def _has(connection: sqlite3.Connection, table: str, column: str) -> bool:
    return any(row[1] == column for row in connection.execute(f"PRAGMA table_info({table})"))


def _damaged(path: Path, why: str) -> CodedError:
    return CodedError(
        "GOV622",
        f"`{path}` {why}",
        "restore the data directory from a copy; docs/operations.md says how. It is never begun anew by itself",
    )
