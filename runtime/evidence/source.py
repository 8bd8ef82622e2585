"""Where a ledger's lines come from: a place in, one reader for every kind of ledger out.

A ledger is a JSONL file, a directory with `LEDGER.jsonl`, the data directory of a service (`gov.db`), or a folder of
tiles with their checkpoint alone.  What always holds: nothing is written, lines come as the bytes that are stored, in
order, and memory does not grow with the ledger; a device, a line that does not end and a database that is none are
refused.
"""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote

from govlang.runtime.evidence.checkpoint import read_checkpoint
from govlang.runtime.evidence.ledger import EvidenceError, Head, ledger_files, read_head
from govlang.runtime.evidence.tiles import FOLDER, Tiles
from govlang.runtime.evidence.tree import stored_note

DATABASE: Final = "gov.db"
HEAD: Final = "LEDGER.head"
CHUNK: Final = 2**20
LINE_MAX: Final = 2**22
"""The longest line that is read; the writer makes none over 65 535 bytes."""


class LedgerSource(Protocol):
    """A ledger that is read; lines are counted from 1, as `seq` is."""

    @property
    def place(self) -> Path:
        """What was asked for."""
        ...

    @property
    def folder(self) -> Path:
        """Where its checkpoint, its tiles and its keys lie."""
        ...

    def count(self) -> int:
        """How many whole lines there are."""
        ...

    def lines(self, first: int = 1, last: int | None = None) -> Iterator[bytes]:
        """The lines from `first` to `last`, without their line ends."""
        ...

    def torn(self) -> str | None:
        """What stands wrong behind the last whole line, or among their numbers; None: nothing does."""
        ...

    def head(self) -> Head | None:
        """The head beside the ledger, None if there is none.

        Raises:
            EvidenceError: GOV503 it is broken.
        """
        ...

    def checkpoint(self) -> bytes | None:
        """The newest checkpoint beside it, None if there is none."""
        ...


class JsonlSource:
    """A JSONL file."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._files = ledger_files(place)
        in_folder = self._files.records != place
        self.folder = place if in_folder else place.with_suffix(".evidence")

    def count(self) -> int:
        return sum(1 for _ in self.lines())

    def lines(self, first: int = 1, last: int | None = None) -> Iterator[bytes]:
        return self._all() if (first, last) == (1, None) else islice(self._all(), first - 1, last)

    def _all(self) -> Iterator[bytes]:
        path, number = self._files.records, 1
        rest = b""
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise unreadable(path, "is no file of records")
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    lines = (rest + chunk).split(b"\n")
                    rest = lines.pop()
                    number += len(lines)
                    if len(rest) > LINE_MAX:
                        raise unreadable(path, f"line {number} is longer than {LINE_MAX} bytes")
                    yield from lines
        except OSError as error:
            raise unreadable(path, (error.strerror or "cannot be read").lower()) from None

    def torn(self) -> str | None:
        path = self._files.records
        try:
            with path.open("rb") as file:
                if file.seek(0, 2) == 0:
                    return None
                file.seek(-1, 2)
                return None if file.read(1) == b"\n" else "the last line is cut off"
        except OSError as error:
            raise unreadable(path, (error.strerror or "cannot be read").lower()) from None

    def head(self) -> Head | None:
        return read_head(self._files.head)

    def checkpoint(self) -> bytes | None:
        return stored_note(self.folder)


class DatabaseSource:
    """The data directory of a service; its database is opened for reading only."""

    def __init__(self, place: Path) -> None:
        self.place = self.folder = place
        self._path = place / DATABASE

    def count(self) -> int:
        return int(self._one("SELECT count(*) FROM ledger"))

    def _one(self, query: str, *values: str) -> int:
        try:
            with closing(self._connect()) as database:
                return int(database.execute(query, values).fetchone()[0])
        except sqlite3.Error as error:
            raise unreadable(self._path, str(error)) from None

    def lines(self, first: int = 1, last: int | None = None) -> Iterator[bytes]:
        return (line for _, line in self.numbered(first, last))

    def numbered(self, first: int = 1, last: int | None = None) -> Iterator[tuple[int, bytes]]:
        """The rows, each with the number that the database gives it."""
        query = "SELECT seq, line FROM ledger WHERE seq >= ? AND seq <= ? ORDER BY seq"
        try:
            with closing(self._connect()) as database:
                for seq, line in database.execute(query, (first, last or 2**62)):
                    if not isinstance(line, bytes):
                        raise unreadable(self._path, f"record {seq} is not stored as bytes")
                    if len(line) > LINE_MAX:
                        raise unreadable(self._path, f"record {seq} is longer than {LINE_MAX}")
                    yield seq, line
        except sqlite3.Error as error:
            raise unreadable(self._path, str(error)) from None

    def has_table(self, name: str) -> bool:
        """Whether the database has a table of that name; an archive has the ledger only."""
        query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
        return self._one(query, name) == 1

    def _connect(self) -> sqlite3.Connection:
        uri = f"file:{quote(str(self._path.absolute()))}?mode=ro"
        return sqlite3.connect(uri, uri=True)

    def torn(self) -> str | None:
        gaps = self._one("SELECT count(*) - coalesce(max(seq), 0) FROM ledger")
        return "the rows are not numbered from 1 without a gap" if gaps else None

    def head(self) -> Head | None:
        return read_head(self.place / HEAD)

    def checkpoint(self) -> bytes | None:
        return stored_note(self.folder)


class TileSource:
    """A folder of tiles with their checkpoint, and nothing else of the ledger."""

    def __init__(self, place: Path) -> None:
        self.place = self.folder = place

    def _tiles(self) -> Tiles:
        note = self.checkpoint()
        if note is None:
            raise unreadable(self.place, "has tiles and no checkpoint")
        return Tiles(self.place, read_checkpoint(note).size)

    def count(self) -> int:
        return self._tiles().size

    def lines(self, first: int = 1, last: int | None = None) -> Iterator[bytes]:
        tiles = self._tiles()
        return tiles.entries(first - 1, tiles.size if last is None else min(last, tiles.size))

    def torn(self) -> str | None:
        return None

    def head(self) -> Head | None:
        return read_head(self.place / HEAD)

    def checkpoint(self) -> bytes | None:
        return stored_note(self.place)


def open_source(place: Path) -> LedgerSource:
    """The ledger at a place; which kind it is is seen from what lies there.

    Raises:
        EvidenceError: GOV500 there is none.
    """
    if (place / DATABASE).is_file():
        return DatabaseSource(place)
    if (place / FOLDER).is_dir() and not ledger_files(place).records.exists():
        return TileSource(place)
    path = ledger_files(place).records
    if not path.exists():
        raise unreadable(path, "no such file or directory")
    return JsonlSource(place)


def unreadable(path: Path, why: str) -> EvidenceError:
    """The refusal of a ledger that cannot be read."""
    help_line = "give a ledger's directory, its .jsonl file or the data directory of a service"
    return EvidenceError("GOV500", f"`{path}`: {why}", help_line)
