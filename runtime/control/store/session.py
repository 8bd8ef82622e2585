"""A session of the SQLite store: one connection, and every question that is asked of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from govlang.runtime.control.job import IN_FLIGHT, Approval, Flight, Job, Lease
from govlang.runtime.control.job_machine import Gate, JobState, Move
from govlang.runtime.control.store import KeptAnswer, Letter, SavedState
from govlang.runtime.control.store.batch import Batch, Insert, parts
from govlang.runtime.control.store.lists import GET_APPROVAL, GET_JOB, Lists
from govlang.runtime.control.store.retention import Retention
from govlang.runtime.control.store.rows import (
    APPROVAL,
    FLIGHT,
    TOKEN,
    WRITTEN,
    Row,
    approval_of,
    approval_row,
    flight_of,
    job_of,
    job_row,
    token_of,
    token_row,
)
from govlang.runtime.control.tokens import StoredToken

_HELD: Final = "undo_owed = 1 OR revoked_ms IS NOT NULL"
_LIVE: Final = (
    "state NOT IN ('succeeded', 'failed', 'cancelled', 'timed_out', 'denied', 'quarantined')"
)


_LASTING: Final = (
    ("jobs", "due_ms", "updated_ms", _LIVE),
    ("approvals", "expires_ms", "created_ms", "state IN ('open', 'granted')"),
    ("tokens", "expires_ms", "created_ms", "revoked_ms IS NULL"),
)
"""What ends, when, and from when on that is counted."""


def _columns(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def _put(table: str, names: tuple[str, ...]) -> Insert:
    return Insert(f"INSERT OR REPLACE INTO {table} ({_columns(names)})", len(names))


_GET_FLIGHT: Final = f"SELECT {_columns(FLIGHT)} FROM jobs "  # noqa: S608  # the same
_PUT_JOB: Final = _put("jobs", WRITTEN)
_PUT_APPROVAL: Final = _put("approvals", APPROVAL)
_GET_TOKEN: Final = f"SELECT {_columns(TOKEN)} FROM tokens "  # noqa: S608  # the same
_PUT_TOKEN: Final = _put("tokens", TOKEN)
_ADD_MOVE: Final = Insert("INSERT INTO moves", 5)
_ADD_PARTY: Final = Insert("INSERT OR IGNORE INTO parties", 2)
_ADD_FLIGHT: Final = Insert("INSERT OR IGNORE INTO flights", 2)
_ADD_ANSWER: Final = Insert("INSERT INTO answers", 6)
_ADD_OUTBOX: Final = Insert("INSERT INTO outbox (pool, job_id)", 2)
_ADD_LINE: Final = Insert("INSERT INTO ledger", 4)
_ADD_SECRET: Final = Insert("INSERT INTO secrets", 3)


@lru_cache
def _get_answers(count: int) -> str:
    """The answers of so many keys, each looked up by the primary key (a row value `IN` scans the table)."""
    keys = ", ".join(["(?, ?)"] * count)
    return (
        f"WITH asked (caller, key) AS (VALUES {keys}) SELECT a.caller, a.key, a.body_hash, a.status, a.body "  # noqa: S608  # no value stands in it
        "FROM asked CROSS JOIN answers AS a ON a.caller = asked.caller AND a.key = asked.key"
    )


class SqliteSession(Lists, Retention):
    """What `store.Session` asks for, of one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self._batch = Batch(connection)
        self._add = self._batch.add
        self._answers: dict[tuple[str, str], KeptAnswer | None] = {}
        """What this transaction knows already: those that it gave, which may not be written yet, and those that it
        looked up.
        """

    def _ask(self, question: str, values: Row = ()) -> sqlite3.Cursor:
        """A question, or a change at once: after all that was added before it."""
        self.flush()
        return self._execute(question, values)

    def flush(self) -> None:
        """Write what was added; it is committed with all else."""
        self._batch.flush()

    def begin(self) -> None:
        """Begin a transaction: of the one before nothing is left."""
        self._answers.clear()
        self._batch.drop()
        self._execute("BEGIN IMMEDIATE")

    # --- jobs ------------------------------------------------------------------------------------

    def _jobs(self, where: str, *values: Any) -> list[Job]:
        return [job_of(row) for row in self._ask(GET_JOB + where, values)]

    def _one_job(self, where: str, *values: Any) -> Job | None:
        return next(iter(self._jobs(where, *values)), None)

    def job(self, job_id: str) -> Job | None:
        return self._one_job("WHERE job_id = ?", job_id)

    def put_job(self, job: Job, before: JobState | None = None) -> None:
        """Keep a job, and whom it is answered for by while a worker has it; `before` is the state it was in, if it
        moved.
        """
        self._add(_PUT_JOB, job_row(job))
        if before is JobState.PENDING:
            for agent in {job.agent, *job.delegation}:
                self._add(_ADD_PARTY, (job.run_id, agent))
        flew = (job.state if before is None else before) in IN_FLIGHT
        if job.state in IN_FLIGHT and not flew:
            for agent in {job.agent, *job.delegation}:
                self._add(_ADD_FLIGHT, (agent, job.job_id))
        elif flew and job.state not in IN_FLIGHT:
            for agent in {job.agent, *job.delegation}:
                self._ask("DELETE FROM flights WHERE agent = ? AND job_id = ?", (agent, job.job_id))

    def attempts(self, run_id: str, step: str) -> int:
        found = self._ask(
            "SELECT max(attempt) FROM (SELECT max(attempt) AS attempt FROM jobs WHERE run_id = ?1 AND step = ?2 "
            "UNION ALL SELECT attempt FROM retired WHERE run_id = ?1 AND step = ?2)",
            (run_id, step),
        )
        return int(found.fetchone()[0] or 0)

    def agents_of_run(self, run_id: str) -> set[str]:
        rows = self._ask("SELECT agent FROM parties WHERE run_id = ?", (run_id,))
        return {agent for (agent,) in rows}

    def oldest(self) -> dict[str, int]:
        """Since when the oldest job that waits in each pool is due, ms."""
        return dict(
            self._ask(
                "SELECT pool, min(due_ms) FROM jobs WHERE state IN ('scheduled', 'retrying') GROUP BY pool"
            ).fetchall()
        )

    def leased(self, lease_id: str) -> Job | None:
        return self._one_job("WHERE lease_id = ?", lease_id)

    def lease(self, lease_id: str) -> Lease | None:
        """What a heartbeat must know of a job, without the rest of it."""
        row = self._ask(
            "SELECT job_id, state, worker_agent, lease_until_ms FROM jobs WHERE lease_id = ?",
            (lease_id,),
        ).fetchone()
        return None if row is None else Lease(row[0], JobState(row[1]), row[2] or "", row[3] or 0)

    def prolong(self, lease_id: str, until_ms: int, now_ms: int) -> None:
        """Let a lease last until a time; nothing else of its job is written."""
        self._ask(
            "UPDATE jobs SET lease_until_ms = ?, updated_ms = ? WHERE lease_id = ?",
            (until_ms, now_ms, lease_id),
        )

    def lapsed(self, now_ms: int, most: int) -> list[Job]:
        where = "WHERE state IN ('dispatched', 'running') AND lease_until_ms < ? LIMIT ?"
        return self._jobs(where, now_ms, most)

    def held(self, now_ms: int) -> list[Job]:
        """The cancelled jobs of whose workers nothing was heard until their leases ran out."""
        return self._jobs(f"WHERE ({_HELD}) AND lease_until_ms < ? LIMIT 100", now_ms)

    def live(self) -> Iterator[Job]:
        return iter(self._jobs(f"WHERE {_LIVE}"))

    def live_counts(self) -> dict[str, int]:
        rows = self._ask(f"SELECT state, count(*) FROM jobs WHERE {_LIVE} GROUP BY state")  # noqa: S608  # no value stands in it
        return dict(rows.fetchall())

    def counts(self) -> dict[str, int]:
        return dict(self._ask("SELECT state, count(*) FROM jobs GROUP BY state").fetchall())

    def in_flight_of(self, agent: str | None) -> list[Flight]:
        """The jobs that workers have for an agent, or that it handed on; None: all.  Payloads are not read."""
        if agent is None:
            rows = self._ask(_GET_FLIGHT + "WHERE state IN ('dispatched', 'running')")
        else:
            where = "WHERE job_id IN (SELECT job_id FROM flights WHERE agent = ?)"
            rows = self._ask(_GET_FLIGHT + where, (agent,))
        return [flight_of(row) for row in rows]

    def add_move(
        self, job_id: str, move: Move, gate: Gate, at_ms: int, *, is_first: bool = False
    ) -> None:
        if is_first:
            self._add(_ADD_MOVE, (job_id, 1, move.value, gate.value, at_ms))
            return
        self._ask(
            "INSERT INTO moves SELECT ?1, 1 + coalesce(max(n), 0), ?2, ?3, ?4 FROM moves WHERE job_id = ?1",
            (job_id, move.value, gate.value, at_ms),
        )

    def moves(self, job_id: str) -> list[tuple[Move, Gate, int]]:
        rows = self._ask(
            "SELECT move, gate, at_ms FROM moves WHERE job_id = ? ORDER BY n", (job_id,)
        )
        return [(Move(move), Gate(gate), at_ms) for move, gate, at_ms in rows]

    # --- approvals -------------------------------------------------------------------------------

    def _approvals(self, where: str, *values: Any) -> list[Approval]:
        return [approval_of(row) for row in self._ask(GET_APPROVAL + where, values)]

    def approval(self, approval_id: str) -> Approval | None:
        return next(iter(self._approvals("WHERE approval_id = ?", approval_id)), None)

    def put_approval(self, approval: Approval) -> None:
        self._add(_PUT_APPROVAL, approval_row(approval))

    def expired_approvals(self, now_ms: int, most: int) -> list[Approval]:
        where = "WHERE state IN ('open', 'granted') AND expires_ms < ? LIMIT ?"
        return self._approvals(where, now_ms, most)

    def consume_approval(self, approval_id: str, token_hash: str) -> bool:
        """Use an approval up; False: it was not granted, is used up, or its one-time token is another."""
        done = self._ask(
            "UPDATE approvals SET state = 'consumed' WHERE approval_id = ? AND token_hash = ? AND state = 'granted'",
            (approval_id, token_hash),
        )
        return done.rowcount == 1

    # --- answers, outbox, letters ----------------------------------------------------------------

    def answer(self, caller: str, key: str) -> KeptAnswer | None:
        if (caller, key) in self._answers:
            return self._answers[caller, key]
        return self._found([(caller, key)]).get((caller, key))

    def look_up_answers(self, keys: Iterable[tuple[str, str]]) -> None:
        """Read the answers of many keys at once; in this transaction they are known from then on."""
        asked = [one for one in keys if one not in self._answers]
        self._answers.update(dict.fromkeys(asked))
        for some in parts(asked):
            self._answers.update(self._found(some))

    def _found(self, keys: list[tuple[str, str]]) -> dict[tuple[str, str], KeptAnswer]:
        rows = self._execute(_get_answers(len(keys)), tuple(chain.from_iterable(keys)))
        return {
            (caller, key): KeptAnswer(body_hash, status, json.loads(body))
            for caller, key, body_hash, status, body in rows
        }

    def put_answer(self, caller: str, key: str, answer: KeptAnswer, at_ms: int) -> None:
        values = (caller, key, answer.body_hash, answer.status, json.dumps(answer.body), at_ms)
        self._add(_ADD_ANSWER, values)
        self._answers[caller, key] = answer

    def drop_answers(self, before_ms: int, most: int) -> int:
        self._answers.clear()
        return super().drop_answers(before_ms, most)

    def publish(self, pool: str, job_id: str) -> None:
        self._add(_ADD_OUTBOX, (pool, job_id))

    def depths(self) -> tuple[int, int]:
        """How many jobs are not yet published, and how many dead letters nobody has retried."""
        found = self._ask(
            "SELECT (SELECT count(*) FROM outbox), "
            "(SELECT count(*) FROM letters WHERE retried_as IS NULL)"
        ).fetchone()
        return int(found[0]), int(found[1])

    def unpublished(self, most: int) -> list[tuple[int, str, str]]:
        return self._ask(
            "SELECT n, pool, job_id FROM outbox ORDER BY n LIMIT ?", (most,)
        ).fetchall()

    def published(self, last: int) -> None:
        self._ask("DELETE FROM outbox WHERE n <= ?", (last,))

    def put_letter(self, letter: Letter) -> None:
        values = (letter.job_id, letter.state, letter.reason, letter.at_ms, letter.retried_as)
        self._ask("INSERT OR REPLACE INTO letters VALUES (?, ?, ?, ?, ?)", values)

    def letter(self, job_id: str) -> Letter | None:
        row = self._ask("SELECT * FROM letters WHERE job_id = ?", (job_id,)).fetchone()
        return None if row is None else Letter(*row)

    # --- the clock -------------------------------------------------------------------------------

    def step_back(self, now_ms: int, lease_ms: int) -> None:
        """Let what was told by a clock that was ahead last no longer from now than it would have from then."""
        for table, end, begin, where in _LASTING:
            self._ask(
                f"UPDATE {table} SET {end} = ?1 + max({end} - {begin}, 0), {begin} = ?1 "  # noqa: S608  # names of ours
                f"WHERE {begin} > ?1 AND {where}",
                (now_ms,),
            )
        self._ask(
            "UPDATE jobs SET lease_until_ms = ?1 + ?2 WHERE lease_until_ms > ?1 + ?2",
            (now_ms, lease_ms),
        )

    # --- the ledger ------------------------------------------------------------------------------

    def add_line(self, seq: int, line: bytes, run_id: str, job_id: str) -> None:
        self._add(_ADD_LINE, (seq, line, run_id, job_id))

    def add_secret(self, seq: int, salt: bytes, private: str) -> None:
        self._add(_ADD_SECRET, (seq, salt, private))

    def secret(self, seq: int) -> str | None:
        row = self._ask("SELECT private FROM secrets WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else str(row[0])

    def tail(self) -> tuple[int, bytes] | None:
        return self._ask("SELECT seq, line FROM ledger ORDER BY seq DESC LIMIT 1").fetchone()  # type: ignore[no-any-return]

    def lines(self, first: int, last: int | None = None) -> Iterator[bytes]:
        top = 2**62 if last is None else last
        rows = self._ask(
            "SELECT line FROM ledger WHERE seq BETWEEN ? AND ? ORDER BY seq", (first, top)
        )
        return (row[0] for row in rows)

    def lines_of_run(self, run_id: str, most: int, first: int = 1) -> list[bytes]:
        rows = self._ask(
            "SELECT line FROM ledger WHERE run_id = ? AND run_id <> '' AND seq >= ? ORDER BY seq LIMIT ?",
            (run_id, first, most),
        )
        return [row[0] for row in rows]

    # --- policies, tokens, agents ----------------------------------------------------------------

    def put_bundle(self, snapshot: str, bundle: bytes, at_ms: int) -> None:
        self._ask("INSERT OR REPLACE INTO bundles VALUES (?, ?, ?)", (snapshot, bundle, at_ms))

    def bundle(self, snapshot: str) -> bytes | None:
        row = self._ask("SELECT bundle FROM bundles WHERE snapshot = ?", (snapshot,)).fetchone()
        return None if row is None else bytes(row[0])

    def put_state(self, saved: SavedState) -> None:
        self._ask("DELETE FROM states")
        values = (saved.seq, saved.snapshot, saved.blob, saved.deadlines)
        self._ask("INSERT INTO states VALUES (?, ?, ?, ?)", values)

    def state(self) -> SavedState | None:
        row = self._ask("SELECT * FROM states ORDER BY seq DESC").fetchone()
        return None if row is None else SavedState(*row)

    def token(self, token_id: str) -> StoredToken | None:
        row = self._ask(_GET_TOKEN + "WHERE id = ?", (token_id,)).fetchone()
        return None if row is None else token_of(row)

    def put_token(self, token: StoredToken) -> None:
        self._add(_PUT_TOKEN, token_row(token))

    def tokens(self) -> list[StoredToken]:
        return [token_of(row) for row in self._ask(_GET_TOKEN + "ORDER BY created_ms")]

    def suspend(self, agent: str, reason: str, at_ms: int) -> None:
        self._ask("INSERT OR REPLACE INTO agents VALUES (?, ?, ?)", (agent, reason, at_ms))

    def reinstate(self, agent: str) -> None:
        self._ask("DELETE FROM agents WHERE agent = ?", (agent,))

    def suspended(self) -> dict[str, str]:
        return dict(self._ask("SELECT agent, reason FROM agents").fetchall())

    def get(self, name: str) -> str | None:
        row = self._ask("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set(self, name: str, value: str | None) -> None:
        if value is None:
            self._ask("DELETE FROM meta WHERE name = ?", (name,))
        else:
            self._ask("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
