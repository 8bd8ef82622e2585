"""Retention in the database of a service: a time in, what is private and older deleted from every table that holds it.

The salts and values of records (`secrets`), the requests, payloads, undos and outputs of jobs (`jobs`), the answers
kept under idempotency keys (`answers`).  What always holds: no record changes; what belongs to a job that still goes on
stays whole, and is counted as deferred; so do the values of a record from which a start must make what the policy
remembers, as no state was saved since; rows are looked for outside of transactions and deleted a few at once, so a
service that runs goes on; what is deleted is overwritten with zeros (SQLite's secure_delete).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from govlang.runtime.bundle import read_bundle

RECORDS: Final = 10_000
"""So many records are looked at in one transaction."""
ROWS: Final = 200
"""So many jobs or answers are: a payload may be of megabytes."""

_ENDED: Final = (
    "state IN ('succeeded', 'failed', 'cancelled', 'timed_out', 'denied', 'quarantined') "
    "AND undo_owed = 0 AND revoked_ms IS NULL"
)
_SECRETS: Final = "DELETE FROM secrets WHERE seq BETWEEN ? AND ?"
_UNLESS_LIVING: Final = (
    " AND NOT EXISTS (SELECT 1 FROM ledger JOIN jobs ON jobs.job_id = ledger.job_id "  # noqa: S608  # no value stands in it
    f"WHERE ledger.seq = secrets.seq AND NOT ({_ENDED}))"
)
_NEEDED: Final = (
    "seq > ? AND EXISTS (SELECT 1 FROM ledger WHERE ledger.seq = secrets.seq "
    "AND json_extract(CAST(line AS TEXT), '$.committed'))"
)
"""What `rebuild` feeds to the policy again: the requests that were committed after the state that was saved last."""
_COUNT_NEEDED: Final = f"SELECT count(*) FROM secrets WHERE seq BETWEEN ? AND ? AND {_NEEDED}"  # noqa: S608  # the same
_JOBS: Final = (
    f"SELECT job_id, request, json_extract(undo, '$.request'), decision, ({_ENDED}) FROM jobs "  # noqa: S608  # the same
    "WHERE job_id > ? AND created_ms < ? AND job_hash <> '' ORDER BY job_id LIMIT ?"
)
_EMPTY_JOB: Final = (
    "UPDATE jobs SET request = ?, payload = 'null', undo = 'null', output = 'null', decision = ?, job_hash = '' "
    "WHERE job_id = ?"
)
_EMPTY_APPROVAL: Final = f"UPDATE approvals SET job_hash = 'sha256:{'0' * 64}' WHERE job_id = ?"  # noqa: S608  # the same
"""An approval holds the hash of its job, too, against which a guess could be held; this is the hash of no job."""
_ANSWERS: Final = (
    "SELECT caller, key, body FROM answers "
    "WHERE (caller, key) > (?, ?) AND at_ms < ? AND body_hash <> '' ORDER BY caller, key LIMIT ?"
)
_EMPTY_ANSWER: Final = "UPDATE answers SET body_hash = '', body = '{}' WHERE caller = ? AND key = ?"
_GOES_ON: Final = f"SELECT 1 FROM jobs WHERE job_id = ? AND NOT ({_ENDED})"  # noqa: S608  # the same


class Forgotten(NamedTuple):
    """Of how many records, jobs and answers what is private was deleted; how many jobs go on; how many records the next
    start needs.
    """

    records: int = 0
    jobs: int = 0
    answers: int = 0
    deferred: int = 0
    needed: int = 0


def forget_rows(database: sqlite3.Connection, first_kept: int, before_ms: int) -> Forgotten:
    """Delete what is private of the records before `first_kept`, and of jobs and answers from before a time.

    Raises:
        CodedError: a bundle of the store cannot be read, so nobody knows what is private; nothing was deleted.
    """
    database.isolation_level = None  # transactions are begun by hand
    database.execute("PRAGMA secure_delete = ON")
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    policies = _policies(database) if "bundles" in tables else []
    names = {field["name"] for one in policies for field in one["fields"] if field["private"]}
    is_fed = any(one.get("time") for one in policies)
    records = needed = 0
    if "secrets" in tables:
        records, needed = _forget_secrets(database, tables, first_kept, is_fed=is_fed)
    if not names:
        return Forgotten(records, needed=needed)
    jobs, deferred = _forget_jobs(database, names, before_ms)
    return Forgotten(records, jobs, _forget_answers(database, before_ms), deferred, needed)


def _forget_secrets(
    database: sqlite3.Connection, tables: set[str], first_kept: int, *, is_fed: bool
) -> tuple[int, int]:
    """Of how many records salts and values were deleted, and how many must keep theirs for the next start.

    `is_fed`: a policy of the store remembers something, so that records may have to be fed to it again.
    """
    unless = _UNLESS_LIVING if "jobs" in tables else ""
    records = needed = 0
    for first in range(1, first_kept, RECORDS):
        last = min(first + RECORDS, first_kept) - 1
        with _transaction(database):
            # asked for in each transaction: a service that runs may have saved its state meanwhile
            saved = _saved_seq(database) if is_fed else last
            place = (first, last, saved)
            needed += database.execute(_COUNT_NEEDED, place).fetchone()[0]
            question = f"{_SECRETS}{unless} AND NOT ({_NEEDED})"
            records += database.execute(question, place).rowcount
    return records, needed


def _saved_seq(database: sqlite3.Connection) -> int:
    """The record up to which the saved state of the policy reaches; 0 where none was saved."""
    (seq,) = database.execute("SELECT coalesce(max(seq), 0) FROM states").fetchone()
    return int(seq)


def _policies(database: sqlite3.Connection) -> list[Any]:
    """Every policy of the store, as its bundle holds it."""
    return [
        json.loads(read_bundle(raw).core)["policy"]
        for (raw,) in database.execute("SELECT bundle FROM bundles")
    ]


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _groups(
    database: sqlite3.Connection, question: str, width: int, before_ms: int
) -> Iterator[list[Any]]:
    """What a question finds, a group at once, each from where the last one ended; `width` columns are the place."""
    place, found = ("",) * width, [()] * ROWS
    while len(found) == ROWS:
        found = database.execute(question, (*place, before_ms, ROWS)).fetchall()
        if found:
            yield found
            place = tuple(found[-1][:width])


def _forget_jobs(database: sqlite3.Connection, names: set[str], before_ms: int) -> tuple[int, int]:
    """How many jobs were emptied, and how many that hold something private go on."""
    emptied = deferred = 0
    for found in _groups(database, _JOBS, 1, before_ms):
        changes = []
        for job_id, request, undone, decision, has_ended in found:
            kept = json.loads(request)
            if names.isdisjoint({*kept, *json.loads(undone or "{}")}):
                continue
            shown = {name: value for name, value in kept.items() if name not in names}
            deferred += not has_ended
            if has_ended:  # which does not change any more
                changes.append((_text(shown), _plain_decision(decision), job_id))
        with _transaction(database):
            emptied += database.executemany(_EMPTY_JOB, changes).rowcount if changes else 0
            database.executemany(_EMPTY_APPROVAL, [(job_id,) for _, _, job_id in changes])
    return emptied, deferred


def _plain_decision(text: str) -> str:
    """A decision without its obligations: a limit may be what a field said."""
    decision = json.loads(text)
    return text if decision is None else _text({**decision, "obligations": []})


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _forget_answers(database: sqlite3.Connection, before_ms: int) -> int:
    """How many answers were emptied, those about a job that goes on left out; their keys stay used."""
    emptied = 0
    for found in _groups(database, _ANSWERS, 2, before_ms):
        old = [(caller, key) for caller, key, body in found if not _goes_on(database, body)]
        with _transaction(database):
            emptied += database.executemany(_EMPTY_ANSWER, old).rowcount if old else 0
    return emptied


def _goes_on(database: sqlite3.Connection, body: str) -> bool:
    """Whether the job that an answer tells of has not ended."""
    job_id = json.loads(body).get("job_id", "")
    return database.execute(_GOES_ON, (job_id,)).fetchone() is not None
