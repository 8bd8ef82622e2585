"""Retention: a ledger and a time in, the private values and salts of older records deleted, and what else holds them.

What always holds: no record changes, so chain, tree and checkpoints stay as they are; once its salt is gone, a private
field's hash says nothing of its value.  What is deleted is deleted from the files, not only from their index.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from govlang.native.files import write_whole
from govlang.runtime.evidence.forgetting_rows import Forgotten, forget_rows
from govlang.runtime.evidence.ledger import EvidenceError, ledger_files, writing
from govlang.runtime.evidence.source import DATABASE, DatabaseSource, LedgerSource

WAIT_S: Final = 5.0


def forget_private(source: LedgerSource, before_ms: int) -> Forgotten:
    """Delete salts and private values of the records that were written before a time; of a service what its jobs and
    stored answers of before that time hold, too.

    Raises:
        EvidenceError: GOV500 the ledger cannot be read · GOV502 another program writes to it · GOV668 the values
            cannot be deleted.
    """
    first_kept = _first_from(source, before_ms)
    try:
        if isinstance(source, DatabaseSource):
            return _forget_rows(source.place / DATABASE, first_kept, before_ms)
        return Forgotten(_forget_lines(source.place, first_kept))
    except (OSError, sqlite3.Error) as error:
        why = f"the private values of `{source.place}` cannot be deleted: {error}"
        raise EvidenceError("GOV668", why, "stop the writer, or try again") from None


def _first_from(source: LedgerSource, at_ms: int) -> int:
    """The first record that is not before a time; one more than there are if all are before."""
    seq = 0
    for seq, line in enumerate(source.lines(), 1):
        try:
            record: Any = json.loads(line)
            told = record["at_ms"]
        except (ValueError, RecursionError, KeyError, TypeError):
            why = f"line {seq} of `{source.place}` is no record"
            raise EvidenceError("GOV500", why, "run `gov evidence verify`") from None
        if not isinstance(told, int) or told >= at_ms:
            return seq
    return seq + 1


def _forget_lines(place: Path, first_kept: int) -> int:
    files = ledger_files(place)
    if not files.salts.exists():
        return 0
    with writing(files.records):
        lines = files.salts.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if _seq_of(line) >= first_kept]
        if len(kept) < len(lines):
            write_whole(files.salts, b"".join(kept), mode=0o600)
        return len(lines) - len(kept)


def _seq_of(line: bytes) -> int:
    """The record whose salt a line holds; a broken line belongs to none and is dropped."""
    try:
        seq = json.loads(line)["seq"]
    except (ValueError, KeyError, TypeError):
        return 0
    return seq if isinstance(seq, int) else 0


def _forget_rows(path: Path, first_kept: int, before_ms: int) -> Forgotten:
    with closing(sqlite3.connect(path, timeout=WAIT_S)) as database:
        done = forget_rows(database, first_kept, before_ms)
        busy, _, _ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:  # the log beside the database still has the old pages
            raise sqlite3.OperationalError("they are deleted, but a reader keeps the log alive")
        return done
