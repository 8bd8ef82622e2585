"""Ledgers for tests: filled, signed, and checked by both auditors at once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from govlang.runtime.evidence import auditor
from govlang.runtime.evidence.audit import Kept, audit
from govlang.runtime.evidence.checkpoint import PublicKey
from govlang.runtime.evidence.keys import Keyring, signed_by
from govlang.runtime.evidence.ledger import (
    GENESIS,
    Head,
    chain_line,
    ledger_files,
    read_head,
)
from govlang.runtime.evidence.source import open_source


def fill(place: Path, count: int, mark: str = "") -> list[bytes]:
    """Append so many records, as a ledger would but without syncing each; all lines."""
    files = ledger_files(place)
    files.records.parent.mkdir(parents=True, exist_ok=True)
    head = read_head(files.head) or Head()
    with files.records.open("ab") as file:
        for i in range(count):
            line, head = chain_line({"job_id": f"job{i}{mark}", "n": str(i)}, head)
            file.write(line + b"\n")
    files.head.write_bytes(head.to_bytes())
    return list(open_source(place).lines())


def sign(place: Path) -> tuple[Keyring, bytes]:
    """Make a checkpoint over all lines."""
    source = open_source(place)
    ring, tree = signed_by(source.folder, "log")
    tree.extend(source.lines())
    return ring, tree.checkpoint()


def chained(bodies: list[dict[str, str]]) -> tuple[list[bytes], Head]:
    """The lines of records, chained anew as whoever can write would."""
    lines, head = [], Head(0, GENESIS)
    for body in bodies:
        line, head = chain_line(body, head)
        lines.append(line)
    return lines, head


def put(place: Path, lines: list[bytes], head: Head | None = None) -> None:
    """Put other lines in the place of a ledger, and a head if it is to be rewritten."""
    (place / "LEDGER.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    if head is not None:
        (place / "LEDGER.head").write_bytes(head.to_bytes())


def database(place: Path, lines: list[bytes | str], first: int = 1) -> Path:
    """A data directory whose `gov.db` holds these lines."""
    place.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(place / "gov.db")) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute(
            "CREATE TABLE ledger(seq INTEGER PRIMARY KEY, line BLOB, run_id TEXT, job_id TEXT)"
        )
        rows = [(seq, line) for seq, line in enumerate(lines, first)]
        made.executemany("INSERT INTO ledger(seq, line) VALUES (?, ?)", rows)
        made.commit()
    return place


def faults(
    place: Path, keys: tuple[PublicKey, ...] = (), kept: tuple[bytes, ...] = ()
) -> tuple[set[str], bool]:
    """The codes that the audit finds, and whether the auditor of one file finds something."""
    codes = {fault.code for fault in audit(place, Kept(None, kept, keys)).faults}
    return codes, one_file_finds(place, keys, kept)


def one_file_finds(
    place: Path, keys: tuple[PublicKey, ...] = (), kept: tuple[bytes, ...] = ()
) -> bool:
    """Whether the auditor of one file finds a fault, or cannot read what it is given."""
    try:
        check = auditor.Auditor(
            place,
            [auditor.read_key(str(key)) for key in keys],
            [(f"kept {at}", note) for at, note in enumerate(kept)],
        )
        check.run()
    except (auditor.UnusableError, UnicodeDecodeError):
        return True
    return bool(check.faults)
