from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ledgers import database, put

from govlang.runtime.evidence.audit import audit
from govlang.runtime.evidence.forgetting import forget_private
from govlang.runtime.evidence.ledger import EvidenceError, Head, Ledger, chain_line
from govlang.runtime.evidence.source import open_source


def test_salts_of_older_records_are_deleted_and_nothing_else(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        for at in (10, 20, 30):
            ledger.append({"at_ms": at}, salt=bytes([at]) * 16)
    content = (tmp_path / "LEDGER.jsonl").read_bytes()
    assert forget_private(open_source(tmp_path), 10).records == 0
    assert forget_private(open_source(tmp_path), 30).records == 2
    left = (tmp_path / "LEDGER.salts").read_bytes()
    assert (b"1e" * 16) in left
    assert (b"0a" * 16) not in left
    assert (tmp_path / "LEDGER.salts").stat().st_mode & 0o077 == 0
    assert forget_private(open_source(tmp_path), 99).records == 1
    assert (tmp_path / "LEDGER.jsonl").read_bytes() == content
    assert audit(tmp_path).intact
    with Ledger(tmp_path) as ledger:
        assert ledger.append({"at_ms": 40}, salt=b"s" * 16).count == 4


def test_a_ledger_that_is_written_to_is_left_alone(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append({"at_ms": 1}, salt=b"s" * 16)
        with pytest.raises(EvidenceError, match="GOV502"):
            forget_private(open_source(tmp_path), 9)


def data(place: Path) -> Path:
    lines, head = [], Head()
    for at in (10, 20, 30):
        line, head = chain_line({"at_ms": at}, head)
        lines.append(line)
    database(place, [*lines])
    with closing(sqlite3.connect(place / "gov.db")) as made:
        made.execute("CREATE TABLE secrets(seq INTEGER PRIMARY KEY, salt BLOB, private BLOB)")
        rows = [(seq, b"salt", b"the name of person %d" % seq) for seq in (1, 2, 3)]
        made.executemany("INSERT INTO secrets VALUES (?, ?, ?)", rows)
        made.commit()
    return place


def test_private_values_of_a_service_are_gone_from_the_file_itself(tmp_path: Path) -> None:
    data(tmp_path)
    with closing(sqlite3.connect(tmp_path / "gov.db")) as holder:
        assert holder.execute("SELECT count(*) FROM secrets").fetchone() == (3,)
        assert forget_private(open_source(tmp_path), 25).records == 2
        assert holder.execute("SELECT seq FROM secrets").fetchall() == [(3,)]
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"person 3" in stored
    assert b"person 1" not in stored
    assert b"person 2" not in stored


def test_a_database_that_is_held_is_a_coded_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data(tmp_path)
    monkeypatch.setattr("govlang.runtime.evidence.forgetting.WAIT_S", 0.05)
    with closing(sqlite3.connect(tmp_path / "gov.db")) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(EvidenceError, match="GOV668"):
            forget_private(open_source(tmp_path), 25)


def test_values_that_a_reader_keeps_in_the_log_are_not_said_to_be_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data(tmp_path)
    monkeypatch.setattr("govlang.runtime.evidence.forgetting.WAIT_S", 0.05)
    with closing(sqlite3.connect(tmp_path / "gov.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM secrets").fetchone()
        with pytest.raises(EvidenceError, match=r"GOV668.*a reader keeps the log"):
            forget_private(open_source(tmp_path), 25)
    assert forget_private(open_source(tmp_path), 25).records == 0


def test_nothing_private_is_nothing_to_forget(tmp_path: Path) -> None:
    database(tmp_path / "db", [b'{"at_ms":1}'])
    assert forget_private(open_source(tmp_path / "db"), 9).records == 0
    (tmp_path / "plain").mkdir()
    put(tmp_path / "plain", [b'{"at_ms":1}'])
    assert forget_private(open_source(tmp_path / "plain"), 9).records == 0
    put(tmp_path / "plain", [b"x"])
    with pytest.raises(EvidenceError, match="GOV500"):
        forget_private(open_source(tmp_path / "plain"), 9)
