"""A ledger that was changed behind the service's back: the start says so and serves nothing, and never begins anew."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from control_plane import EFFECTS, Plane, bundle_of

from govlang.native.errors import CodedError
from govlang.runtime.evidence.canonical import canonical
from govlang.runtime.evidence.ledger import Head

Rows = list[tuple[int, bytes]]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a service that has worked and was stopped."""
    place = tmp_path_factory.mktemp("served")

    async def work() -> None:
        async with Plane(place, bundle_of(EFFECTS)) as plane:
            for number in range(12):
                await plane.submit("a1", ("allow.x", "deny.x")[number % 2])
            for job in await plane.lease(3):
                await plane.begin(job)
                await plane.end(job)

    asyncio.run(work())
    return place


def rows_of(place: Path) -> Rows:
    with closing(sqlite3.connect(place / "gov.db")) as database:
        return database.execute("SELECT seq, line FROM ledger ORDER BY seq").fetchall()


def put(place: Path, rows: Rows) -> None:
    """Write the ledger anew, whole."""
    with closing(sqlite3.connect(place / "gov.db")) as database, database:
        database.execute("DELETE FROM ledger")
        values = [(seq, line, "", "") for seq, line in rows]
        database.executemany("INSERT INTO ledger VALUES (?, ?, ?, ?)", values)


def digest(line: bytes) -> str:
    return "sha256:" + hashlib.sha256(line).hexdigest()


def chained(rows: Rows, first: int) -> Rows:
    """The rows with numbers and links made good again from the one at `first` on."""
    made = rows[:first]
    for _, line in rows[first:]:
        body = json.loads(line)
        body["seq"] = len(made) + 1
        body["prev"] = digest(made[-1][1])
        made.append((len(made) + 1, canonical(body)))
    return made


def head(place: Path, rows: Rows) -> None:
    """Have the head name the last row."""
    (place / "LEDGER.head").write_bytes(Head(len(rows), digest(rows[-1][1])).to_bytes())


def edited(rows: Rows, at: int) -> Rows:
    body = json.loads(rows[at][1])
    body["agent"] = "somebody"
    return [*rows[:at], (rows[at][0], canonical(body)), *rows[at + 1 :]]


def cut(place: Path) -> None:
    put(place, rows_of(place)[:-3])


def cut_with_its_head(place: Path) -> None:
    kept = rows_of(place)[:-3]
    put(place, kept)
    head(place, kept)


def hole(place: Path) -> None:
    rows = rows_of(place)
    put(place, rows[:7] + rows[8:])


def hole_made_good(place: Path) -> None:
    rows = rows_of(place)
    kept = chained(rows[:7] + rows[8:], 7)
    put(place, kept)
    head(place, kept)


def edit(place: Path) -> None:
    put(place, edited(rows_of(place), 7))


def edit_made_good(place: Path) -> None:
    rows = chained(edited(rows_of(place), 7), 8)
    put(place, rows)
    head(place, rows)


def edit_of_the_last(place: Path) -> None:
    rows = rows_of(place)
    put(place, edited(rows, len(rows) - 1))


def edit_of_the_last_with_its_head(place: Path) -> None:
    rows = rows_of(place)
    rows = edited(rows, len(rows) - 1)
    put(place, rows)
    head(place, rows)


def reorder(place: Path) -> None:
    rows = rows_of(place)
    rows[6], rows[7] = (rows[6][0], rows[7][1]), (rows[7][0], rows[6][1])
    put(place, rows)


def reorder_made_good(place: Path) -> None:
    rows = rows_of(place)
    rows[6], rows[7] = rows[7], rows[6]
    rows = chained(rows, 6)
    put(place, rows)
    head(place, rows)


def fork(place: Path) -> None:
    rows = rows_of(place)
    rows = chained([*rows[:-2], rows[-4], rows[-3], rows[-2]], len(rows) - 2)
    put(place, rows)
    head(place, rows)


def add(place: Path) -> None:
    rows = rows_of(place)
    put(place, [*rows, (len(rows) + 1, rows[-1][1])])


def empty(place: Path) -> None:
    put(place, [])


def no_head(place: Path) -> None:
    (place / "LEDGER.head").unlink()


def head_of_another(place: Path) -> None:
    (place / "LEDGER.head").write_bytes(Head(5, "sha256:" + "1" * 64).to_bytes())


def head_torn(place: Path) -> None:
    path = place / "LEDGER.head"
    path.write_bytes(path.read_bytes()[:-9])


def no_database(place: Path) -> None:
    for path in place.glob("gov.db*"):
        path.unlink()


def database_torn(place: Path) -> None:
    path = place / "gov.db"
    path.write_bytes(path.read_bytes()[:-6000])


ATTACKS: tuple[Callable[[Path], None], ...] = (
    cut,
    cut_with_its_head,
    hole,
    hole_made_good,
    edit,
    edit_made_good,
    edit_of_the_last,
    edit_of_the_last_with_its_head,
    reorder,
    reorder_made_good,
    fork,
    add,
    empty,
    no_head,
    head_of_another,
    head_torn,
    no_database,
    database_torn,
)


@pytest.mark.parametrize("change", ATTACKS, ids=lambda one: one.__name__)
def test_a_changed_ledger_stops_the_start(
    served: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    place = tmp_path / "data"
    shutil.copytree(served, place)
    change(place)
    before = {path: path.read_bytes() for path in place.glob("gov.db")}

    async def start() -> None:
        async with Plane(place, bundle_of(EFFECTS)):
            pass

    with pytest.raises(CodedError) as refused:
        asyncio.run(start())
    assert refused.value.code in {"GOV503", "GOV622", "GOV626", "GOV628", "GOV661"}
    assert refused.value.help
    assert {path: path.read_bytes() for path in place.glob("gov.db")} == before


def test_an_unchanged_copy_starts(served: Path, tmp_path: Path) -> None:
    place = tmp_path / "data"
    shutil.copytree(served, place)

    async def start() -> None:
        async with Plane(place, bundle_of(EFFECTS)) as plane:
            assert plane.events()[-1] == "started"

    asyncio.run(start())
