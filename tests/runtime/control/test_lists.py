"""Which jobs the store lists for a worker: all that it can do, the longest due first, however many it cannot."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from govlang.runtime.control.job import Intent, Job
from govlang.runtime.control.job_machine import JobState
from govlang.runtime.control.store.session import SqliteSession
from govlang.runtime.control.store.sqlite import DATABASE, SqliteStore


def job(number: int, duties: tuple[str, ...] = (), due_ms: int = 0, pool: str = "p") -> Job:
    obligations = [*({"do": one} for one in duties), {"limit": "amount", "to": number}]
    return Job(
        f"run_{number}:a@1",
        f"run_{number}",
        "a",
        1,
        "a1",
        "x",
        Intent({}, None, pool, None),
        "sha256:" + "0" * 64,
        JobState.SCHEDULED,
        0,
        0,
        due_ms=due_ms,
        decision={"obligations": obligations} if number % 7 else None,
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path)) as opened:
        yield opened


def filled(store: SqliteStore, *jobs: Job) -> SqliteSession:
    session = store.begin()
    for one in jobs:
        session.put_job(one)
    store.commit()
    return session


def asked_for(one: Job) -> set[str]:
    return {duty["do"] for duty in (one.decision or {}).get("obligations", ()) if "do" in duty}


def test_jobs_that_nobody_can_do_hide_no_other(store: SqliteStore) -> None:
    many = [job(7 * n + 1, ("weld",), due_ms=n) for n in range(5_000)]
    session = filled(store, *many, job(1_000_001, (), 9_000), job(1_000_002, ("paint",), 9_001))
    found = session.waiting("p", 10_000, 3, frozenset({"paint"}))
    assert [one.run_id for one in found] == ["run_1000001", "run_1000002", "run_1"]


def test_what_is_listed_is_what_a_search_through_all_would_find(store: SqliteStore) -> None:
    rng = random.Random(5)
    kinds = [(), ("a",), ("b",), ("a", "b"), ('"',), ("a", "c")]
    jobs = [
        job(n, rng.choice(kinds), rng.randrange(30), rng.choice(("p", "p", "q")))
        for n in range(400)
    ]
    session = filled(store, *jobs)
    for _ in range(200):
        pool, now_ms = rng.choice("pq"), rng.randrange(-1, 31)
        most, actions = rng.randrange(1, 90), frozenset(rng.sample(("a", "b", "c", '"'), 2))
        due = [one for one in jobs if one.intent.pool == pool and one.due_ms <= now_ms]
        due.sort(key=lambda one: one.due_ms)
        assert session.waiting(pool, now_ms, most) == due[:most]
        able = [one for one in due if asked_for(one) <= actions]
        rest = [one for one in due if one not in able]
        assert session.waiting(pool, now_ms, most, actions) == [*able, *rest][:most]


def test_a_job_that_asks_for_less_now_is_listed_as_that(store: SqliteStore) -> None:
    filled(store, job(1, ("weld",)), job(2, due_ms=1))
    session = filled(store, job(1, ()))
    assert [one.run_id for one in session.waiting("p", 9, 1, frozenset())] == ["run_1"]


def test_no_list_reads_more_than_it_shows(store: SqliteStore) -> None:
    session = filled(store, *[job(n, ("weld",) if n % 2 else ()) for n in range(50)])
    seen: list[str] = []
    execute = session._execute

    def planned(question: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        seen.extend(row[3] for row in execute("EXPLAIN QUERY PLAN " + question, values))
        return execute(question, values)

    session._execute = planned  # type: ignore[assignment]
    assert len(session.waiting("p", 9, 5, frozenset())) == 5
    assert any("jobs_due" in step for step in seen)
    assert not [step for step in seen if step.startswith("SCAN jobs")]


def test_a_database_from_before_lists_by_actions_once_it_is_opened(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path)) as store:
        filled(store, job(1, ("weld", "cut"), 0), job(2, ("weld",), 1), job(3, (), 2), job(7))
    with closing(sqlite3.connect(tmp_path / DATABASE)) as old:
        old.executescript(
            "DROP INDEX jobs_due; ALTER TABLE jobs DROP COLUMN duties; "
            "CREATE INDEX jobs_waiting ON jobs (pool, due_ms) WHERE state IN ('scheduled', 'retrying');"
        )
    with closing(SqliteStore(tmp_path)) as store:
        found = store.reader().waiting("p", 9, 9, frozenset({"weld"}))
        assert [one.run_id for one in found] == ["run_7", "run_2", "run_3", "run_1"]
        rows = store.reader()._ask("SELECT run_id, duties FROM jobs ORDER BY run_id").fetchall()
    assert rows == [
        ("run_1", '["cut","weld"]'),
        ("run_2", '["weld"]'),
        ("run_3", "[]"),
        ("run_7", "[]"),
    ]
