"""The evidence ledger: records in, an append-only chain on disk out.

A ledger is `NAME.jsonl` (in a data directory: `LEDGER.jsonl`), one canonical record (RFC 8785) a line,
each holding in `prev` the SHA-256 of the line before it, with `NAME.head` (count and hash of the last
line) and `NAME.salts` (the salts of private fields, deletable) beside it.

What always holds: when `append` returns, the record and the head are on disk; a writer that was killed leaves at most
one whole record after the head, which the next writer adopts, or a torn line, which it drops.  Only one writer at a
time.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from govlang.native.digest import digest
from govlang.native.errors import CodedError
from govlang.native.files import sync_folder, write_whole
from govlang.runtime.evidence.canonical import canonical
from govlang.runtime.evidence.record import fitted

GENESIS: Final = "sha256:" + "0" * 64
"""`prev` of the first record."""
RECORD_MAX: Final = 2**16 - 1
"""The longest record, since tiles say the length of an entry with 16 bits."""


class EvidenceError(CodedError):
    """A ledger cannot be read or written."""


@dataclass(frozen=True, slots=True)
class Head:
    """How many records there are and the hash of the last."""

    count: int = 0
    hash: str = GENESIS

    def to_bytes(self) -> bytes:
        """The content of the head file."""
        return canonical({"count": self.count, "hash": self.hash}) + b"\n"


@dataclass(frozen=True, slots=True)
class LedgerFiles:
    """Where the parts of a ledger lie."""

    records: Path
    head: Path
    salts: Path


def ledger_files(place: Path) -> LedgerFiles:
    """The files of a ledger given by its directory or by its JSONL file."""
    is_file = place.suffix == ".jsonl" and not place.is_dir()
    records = place if is_file else place / "LEDGER.jsonl"
    return LedgerFiles(records, records.with_suffix(".head"), records.with_suffix(".salts"))


def read_head(path: Path) -> Head | None:
    """The head that a file holds, or None if there is no file.

    Raises:
        EvidenceError: GOV503 the file is no head.
    """
    try:
        content = path.read_bytes()
        plain: Any = json.loads(content)
        head = Head(int(plain["count"]), str(plain["hash"]))
        whole = head.to_bytes() == content
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise _bad_head(path) from None
    if not whole:
        raise _bad_head(path)
    return head


def _bad_head(path: Path) -> EvidenceError:
    return EvidenceError("GOV503", f"`{path}` is no ledger head", "restore it from a copy")


def chain_line(body: Mapping[str, Any], head: Head) -> tuple[bytes, Head]:
    """The line of the record that follows `head`, without its line end, and the head that it makes.

    Raises:
        EvidenceError: GOV660 it is longer than 65 535 bytes, even with long texts cut (`fitted`).
    """
    links = {"seq": head.count + 1, "prev": head.hash}
    line = canonical({**body, **links})
    if len(line) > RECORD_MAX:
        line = canonical({**fitted(body), **links})
    if len(line) > RECORD_MAX:
        raise too_long(len(line))
    return line, Head(head.count + 1, digest(line))


def too_long(length: int) -> EvidenceError:
    """The refusal of a record that has no place in a tile."""
    why = f"a record of {length} bytes is longer than {RECORD_MAX}"
    return EvidenceError("GOV660", why, "keep large values out of the record: record their hash")


class Ledger:
    """A ledger open for writing; a context manager, and safe to share between threads."""

    def __init__(self, place: Path) -> None:
        """Open or begin the ledger at a directory or a `.jsonl` file.

        Raises:
            EvidenceError: GOV501 the place cannot be written · GOV502 another writer has it open ·
                GOV503 the head is broken · GOV504 the records do not reach the head.
        """
        self._files = ledger_files(place)
        self._lock = Lock()
        self._failed = False
        self._file = _open_exclusively(self._files.records)
        try:
            self.head = self._settle()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the next writer in."""
        self._file.close()

    def append(self, body: Mapping[str, Any], salt: bytes | None = None) -> Head:
        """Add a record (without `seq` and `prev`, which the ledger gives); the new head.

        `salt` is what private fields of this record were hashed with; it is kept apart.

        Raises:
            EvidenceError: GOV501 the disk refused; nothing counts as written · GOV508 the ledger is closed,
                by `close` or by an append that failed · GOV660 the record is too long; nothing was written.
        """
        with self._lock:
            if self._file.closed:
                raise self._shut()
            seq = self.head.count + 1
            line, head = chain_line(body, self.head)
            try:
                if salt is not None:
                    self._keep_salt(seq, salt)
                self._file.write(line + b"\n")
                self._file.flush()
                os.fsync(self._file.fileno())
                self.head = self._write_head(head)
            except BaseException as error:
                self._failed = True
                self.close()  # what reached the disk is unknown: the next writer settles it
                if isinstance(error, OSError):
                    raise _unwritable(self._files.records, error) from None
                raise
            return self.head

    def _write_head(self, head: Head) -> Head:
        write_whole(self._files.head, head.to_bytes())
        return head

    def _keep_salt(self, seq: int, salt: bytes) -> None:
        descriptor = os.open(self._files.salts, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(canonical({"seq": seq, "salt": salt.hex()}) + b"\n")
            file.flush()
            os.fsync(descriptor)

    def _settle(self) -> Head:
        """The head to go on from; adopts a whole record after it, drops a torn one.

        More than one record after the head, or the head missing, is no trace of a killed writer.
        """
        kept = read_head(self._files.head)
        head = kept or Head()
        lines = self._file.read().split(b"\n")
        torn = lines.pop()
        if len(lines) < head.count or (head.count and digest(lines[head.count - 1]) != head.hash):
            raise self._broken("does not reach its head")
        if len(lines) > head.count + 1:
            known = "but no head" if kept is None else f"its head counts {head.count}"
            raise self._broken(f"has {len(lines)} records, {known}")
        for line in lines[head.count :]:
            head = self._adopt(head, line)
        if torn:
            self._file.truncate(self._file.tell() - len(torn))
            self._file.seek(0, os.SEEK_END)
        return head if head == kept else self._write_head(head)

    def _adopt(self, head: Head, line: bytes) -> Head:
        if _links(line) != (head.count + 1, head.hash):
            raise self._broken(f"has a record {head.count + 1} that does not follow the one before")
        return Head(head.count + 1, digest(line))

    def _shut(self) -> EvidenceError:
        since = " since a record could not be written" if self._failed else ""
        why = f"`{self._files.records}` is closed{since}, nothing was recorded"
        return EvidenceError(
            "GOV508", why, "open the ledger again: that settles what is on the disk"
        )

    def _broken(self, why: str) -> EvidenceError:
        help_line = "keep it, run `gov evidence verify` on it, and begin a new ledger"
        return EvidenceError("GOV504", f"`{self._files.records}` {why}", help_line)


def _links(line: bytes) -> tuple[int, str]:
    try:
        plain: Any = json.loads(line)
        return plain["seq"], plain["prev"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return -1, ""


def _open_exclusively(path: Path) -> BinaryIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        file = path.open("a+b")
        if new:
            sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise EvidenceError(
            "GOV502", f"another program writes to `{path}`", "end it, or give another ledger"
        ) from None
    file.seek(0)
    return file


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Be the one writer of a ledger's records for a while.

    Raises:
        EvidenceError: GOV501 they cannot be written · GOV502 another program writes.
    """
    with closing(_open_exclusively(path)):
        yield


def _unwritable(path: Path, error: OSError) -> EvidenceError:
    why = (error.strerror or "cannot be written").lower()
    return EvidenceError("GOV501", f"`{path}`: {why}", "give a place that can be written")
