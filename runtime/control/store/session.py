"""A session of the SQLite store: one connection, and every question that is asked of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from govlang.runtime.control.job import IN_FLIGHT, Approval, Job
from govlang.runtime.control.job_machine import Gate, JobState, Move
from govlang.runtime.control.store import KeptAnswer, Letter, SavedState
from govlang.runtime.control.store.rows import (
    APPROVAL,
    JOB,
    TOKEN,
    approval_of,
    approval_row,
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


def _columns(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def _put(table: str, names: tuple[str, ...]) -> str:
    marks = ", ".join("?" * len(names))
    return f"INSERT OR REPLACE INTO {table} ({_columns(names)}) VALUES ({marks})"  # noqa: S608  # no value stands in it


_GET_JOB: Final = f"SELECT {_columns(JOB)} FROM jobs "  # noqa: S608  # no value stands in it
_PUT_JOB: Final = _put("jobs", JOB)
_GET_APPROVAL: Final = f"SELECT {_columns(APPROVAL)} FROM approvals "  # noqa: S608  # the same
_PUT_APPROVAL: Final = _put("approvals", APPROVAL)
_GET_TOKEN: Final = f"SELECT {_columns(TOKEN)} FROM tokens "  # noqa: S608  # the same
_PUT_TOKEN: Final = _put("tokens", TOKEN)


class SqliteSession:
    """What `store.Session` asks for, of one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._ask = connection.execute

    # --- jobs ------------------------------------------------------------------------------------

    def _jobs(self, where: str, *values: Any) -> list[Job]:
        return [job_of(row) for row in self._ask(_GET_JOB + where, values)]

    def _one_job(self, where: str, *values: Any) -> Job | None:
        return next(iter(self._jobs(where, *values)), None)

    def job(self, job_id: str) -> Job | None:
        return self._one_job("WHERE job_id = ?", job_id)

    def request(self, job_id: str) -> dict[str, Any] | None:
        """What a job asks for, without its payload, which may be large."""
        row = self._ask("SELECT request FROM jobs WHERE job_id = ?", (job_id,)).fetchone()
        return None if row is None else json.loads(row[0])

    def put_job(self, job: Job, before: JobState | None = None) -> None:
        """Keep a job, and whom it is answered for by while a worker has it; `before` is the state it was in, if it
        moved.
        """
        self._ask(_PUT_JOB, job_row(job))
        if before is JobState.PENDING:
            for agent in {job.agent, *job.delegation}:
                self._ask("INSERT OR IGNORE INTO parties VALUES (?, ?)", (job.run_id, agent))
        flew = (job.state if before is None else before) in IN_FLIGHT
        if job.state in IN_FLIGHT and not flew:
            for agent in {job.agent, *job.delegation}:
                self._ask("INSERT OR IGNORE INTO flights VALUES (?, ?)", (agent, job.job_id))
        elif flew and job.state not in IN_FLIGHT:
            for agent in {job.agent, *job.delegation}:
                self._ask("DELETE FROM flights WHERE agent = ? AND job_id = ?", (agent, job.job_id))

    def attempts(self, run_id: str, step: str) -> int:
        found = self._ask(
            "SELECT max(attempt) FROM jobs WHERE run_id = ? AND step = ?", (run_id, step)
        )
        return int(found.fetchone()[0] or 0)

    def agents_of_run(self, run_id: str) -> set[str]:
        rows = self._ask("SELECT agent FROM parties WHERE run_id = ?", (run_id,))
        return {agent for (agent,) in rows}

    def waiting(self, pool: str, now_ms: int, most: int) -> list[Job]:
        where = "WHERE pool = ? AND state IN ('scheduled', 'retrying') AND due_ms <= ? ORDER BY due_ms LIMIT ?"
        return self._jobs(where, pool, now_ms, most)

    def leased(self, lease_id: str) -> Job | None:
        return self._one_job("WHERE lease_id = ?", lease_id)

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

    def in_flight_of(self, agent: str | None) -> list[Job]:
        """The jobs that workers have for an agent, or that it handed on; None: all."""
        if agent is None:
            return self._jobs("WHERE state IN ('dispatched', 'running')")
        return self._jobs("WHERE job_id IN (SELECT job_id FROM flights WHERE agent = ?)", agent)

    def add_move(self, job_id: str, move: Move, gate: Gate, at_ms: int) -> None:
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
        return [approval_of(row) for row in self._ask(_GET_APPROVAL + where, values)]

    def approval(self, approval_id: str) -> Approval | None:
        return next(iter(self._approvals("WHERE approval_id = ?", approval_id)), None)

    def put_approval(self, approval: Approval) -> None:
        self._ask(_PUT_APPROVAL, approval_row(approval))

    def approvals(self, state: str | None, most: int) -> list[Approval]:
        if state is None:
            return self._approvals("ORDER BY created_ms DESC LIMIT ?", most)
        return self._approvals("WHERE state = ? ORDER BY created_ms LIMIT ?", state, most)

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
        row = self._ask(
            "SELECT body_hash, status, body FROM answers WHERE caller = ? AND key = ?",
            (caller, key),
        ).fetchone()
        return None if row is None else KeptAnswer(row[0], row[1], json.loads(row[2]))

    def put_answer(self, caller: str, key: str, answer: KeptAnswer, at_ms: int) -> None:
        values = (caller, key, answer.body_hash, answer.status, json.dumps(answer.body), at_ms)
        self._ask("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)", values)

    def drop_answers(self, before_ms: int) -> int:
        return self._ask("DELETE FROM answers WHERE at_ms < ?", (before_ms,)).rowcount

    def publish(self, pool: str, job_id: str) -> None:
        self._ask("INSERT INTO outbox (pool, job_id) VALUES (?, ?)", (pool, job_id))

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

    def letters(self, most: int) -> list[Letter]:
        rows = self._ask(
            "SELECT * FROM letters WHERE retried_as IS NULL ORDER BY at_ms DESC LIMIT ?", (most,)
        )
        return [Letter(*row) for row in rows]

    # --- the ledger ------------------------------------------------------------------------------

    def add_line(self, seq: int, line: bytes, run_id: str, job_id: str) -> None:
        self._ask("INSERT INTO ledger VALUES (?, ?, ?, ?)", (seq, line, run_id, job_id))

    def add_secret(self, seq: int, salt: bytes, private: str) -> None:
        self._ask("INSERT INTO secrets VALUES (?, ?, ?)", (seq, salt, private))

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

    def lines_of_run(self, run_id: str, most: int) -> list[bytes]:
        rows = self._ask(
            "SELECT line FROM ledger WHERE run_id = ? AND run_id <> '' ORDER BY seq LIMIT ?",
            (run_id, most),
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
        self._ask(_PUT_TOKEN, token_row(token))

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
