from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ledgers import database

from govlang.runtime.evidence.keys import signed_by
from govlang.runtime.evidence.ledger import EvidenceError, Head, Ledger
from govlang.runtime.evidence.source import (
    LINE_MAX,
    DatabaseSource,
    JsonlSource,
    TileSource,
    open_source,
)


def fill(place: Path, count: int) -> list[bytes]:
    with Ledger(place) as ledger:
        for i in range(count):
            ledger.append({"job_id": f"job{i}"})
    path = place if place.suffix == ".jsonl" else place / "LEDGER.jsonl"
    return path.read_bytes().splitlines()


def test_each_kind_of_ledger_gives_the_same_lines(tmp_path: Path) -> None:
    lines = fill(tmp_path / "dir", 300)
    assert fill(tmp_path / "one.jsonl", 300) == lines
    database(tmp_path / "data", [*lines])
    _, tree = signed_by(tmp_path / "tiles")
    tree.extend(lines)
    tree.checkpoint()
    kinds = {
        "dir": JsonlSource,
        "one.jsonl": JsonlSource,
        "data": DatabaseSource,
        "tiles": TileSource,
    }
    for name, kind in kinds.items():
        source = open_source(tmp_path / name)
        assert type(source) is kind
        assert source.place == tmp_path / name
        assert source.count() == 300
        assert list(source.lines()) == lines
        assert list(source.lines(2, 4)) == lines[1:4]
        assert list(source.lines(299)) == lines[298:]
        assert list(source.lines(301)) == []
        assert not source.torn()
    assert open_source(tmp_path / "tiles").checkpoint() is not None
    assert open_source(tmp_path / "dir").checkpoint() is None
    assert open_source(tmp_path / "dir").head() == open_source(tmp_path / "one.jsonl").head()
    assert open_source(tmp_path / "one.jsonl").folder == tmp_path / "one.evidence"


def test_a_database_is_read_beside_its_writer_and_never_written(tmp_path: Path) -> None:
    database(tmp_path, [b"a", b"b"])
    with closing(sqlite3.connect(tmp_path / "gov.db")) as writer:
        writer.execute("INSERT INTO ledger(seq, line) VALUES (3, ?)", (b"c",))
        assert list(open_source(tmp_path).lines()) == [b"a", b"b"]
        writer.commit()
        assert list(open_source(tmp_path).lines()) == [b"a", b"b", b"c"]
        source = DatabaseSource(tmp_path)
        with closing(source._connect()) as reader, pytest.raises(sqlite3.OperationalError):
            reader.execute("DELETE FROM ledger")


def test_gaps_of_a_database_and_torn_lines_of_a_file_are_seen(tmp_path: Path) -> None:
    assert open_source(database(tmp_path / "gap", [b"a"], first=2)).torn()
    assert not open_source(database(tmp_path / "empty", [])).torn()
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"{}\n{")
    assert open_source(path).torn()
    assert list(open_source(path).lines()) == [b"{}"]
    path.write_bytes(b"")
    assert not open_source(path).torn()
    assert open_source(path).count() == 0


@pytest.mark.parametrize("kind", ["none", "text", "no table", "wrong type", "long", "too long"])
def test_what_is_no_ledger_is_a_coded_error(tmp_path: Path, kind: str) -> None:
    match kind:
        case "text":
            (tmp_path / "gov.db").write_bytes(b"no database at all" * 100)
        case "no table":
            with closing(sqlite3.connect(tmp_path / "gov.db")) as made:
                made.execute("CREATE TABLE other(x)")
        case "wrong type":
            database(tmp_path, ["text"])
        case "long":
            (tmp_path / "LEDGER.jsonl").write_bytes(b"x" * (LINE_MAX + 2**21))
        case "too long":
            database(tmp_path, [b"x" * (LINE_MAX + 1)])
    with pytest.raises(EvidenceError, match="GOV500"):
        list(open_source(tmp_path).lines())


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_no_ledger(tmp_path: Path, device: str) -> None:
    link = tmp_path / "a.jsonl"
    link.symlink_to(device)
    with pytest.raises(EvidenceError, match=r"GOV500.*no file of records"):
        list(open_source(link).lines())
    pipe = tmp_path / "b.jsonl"
    os.mkfifo(pipe)
    with pytest.raises(EvidenceError, match="GOV500"):
        list(open_source(pipe).lines())


def test_the_head_of_a_data_directory_lies_beside_its_database(tmp_path: Path) -> None:
    database(tmp_path, [b"a"])
    assert open_source(tmp_path).head() is None
    (tmp_path / "LEDGER.head").write_bytes(Head(1, "sha256:00").to_bytes())
    assert open_source(tmp_path).head() == Head(1, "sha256:00")
