"""Checks a ledger: its files in, every fault of the chain out.

What always holds: a record that was changed, dropped, put elsewhere or cut off at the end is found; up to
the head that lies beside the ledger, and up to a hash kept elsewhere even if that head was rewritten too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import rfc8785

from govlang.native.digest import digest
from govlang.runtime.evidence.ledger import GENESIS, EvidenceError, Head, ledger_files, read_head

FAULTS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not add up; `seq` is the line it was found at, counted from 1."""

    code: str
    seq: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What the check found."""

    records: int
    head: str
    faults: tuple[Fault, ...]

    @property
    def intact(self) -> bool:
        """Whether everything adds up."""
        return not self.faults


def audit(place: Path, kept: str | None = None) -> Audit:
    """Check the ledger at `place`; `kept` is a head's hash that was noted elsewhere.

    Raises:
        EvidenceError: GOV500 the records cannot be read.
    """
    files = ledger_files(place)
    lines = _lines(files.records)
    hashes = [digest(line) for line in lines[:-1]]
    faults = [*_chain_faults(lines), *_head_faults(files.head, hashes, kept)]
    if kept is not None and kept not in hashes:
        faults.append(
            Fault("GOV507", None, f"the head kept elsewhere, `{kept}`, is not in the chain")
        )
    return Audit(len(hashes), hashes[-1] if hashes else GENESIS, tuple(faults[:FAULTS_MAX]))


def records(place: Path) -> Iterator[dict[str, Any]]:
    """The records of a ledger, in order, without checking the chain.

    Raises:
        EvidenceError: GOV500 the records cannot be read, or a line is no record.
    """
    path = ledger_files(place).records
    for number, line in enumerate(_lines(path)[:-1], 1):
        record = _record(line)
        if record is None:
            raise EvidenceError(
                "GOV500", f"line {number} of `{path}` is no record", "run `gov evidence verify`"
            )
        yield record


def _lines(path: Path) -> list[bytes]:
    """The lines of a file; the last is what stands after the last line end."""
    try:
        return path.read_bytes().split(b"\n")
    except OSError as error:
        why = (error.strerror or "cannot be read").lower()
        help_line = "give a ledger's directory or its .jsonl file"
        raise EvidenceError("GOV500", f"`{path}`: {why}", help_line) from None


def _chain_faults(lines: list[bytes]) -> Iterator[Fault]:
    prev = GENESIS
    for seq, line in enumerate(lines[:-1], 1):
        record = _record(line)
        if record is None:
            yield Fault("GOV505", seq, f"line {seq} is no canonical record")
        elif record.get("seq") != seq:
            yield Fault("GOV505", seq, f"line {seq} holds record {record.get('seq')}")
        elif record.get("prev") != prev:
            yield Fault("GOV505", seq, f"record {seq} does not follow the record before it")
        prev = digest(line)
    if lines[-1]:
        yield Fault("GOV505", len(lines), f"line {len(lines)} is cut off")


def _head_faults(path: Path, hashes: list[str], kept: str | None) -> Iterator[Fault]:
    try:
        head = read_head(path)
    except EvidenceError as error:
        yield Fault(error.code, None, error.message)
        return
    if head is None:
        if kept is None:
            yield Fault("GOV506", None, "there is no head, so a cut at the end would not be seen")
        return
    yield from _against_head(head, hashes)


def _against_head(head: Head, hashes: list[str]) -> Iterator[Fault]:
    if len(hashes) < head.count:
        yield Fault(
            "GOV506", None, f"the head counts {head.count} records, the ledger has {len(hashes)}"
        )
    elif head.count and hashes[head.count - 1] != head.hash:
        yield Fault("GOV506", head.count, f"record {head.count} is not the one that the head names")
    elif len(hashes) > head.count:
        yield Fault(
            "GOV506",
            head.count + 1,
            f"there are records after the head ({len(hashes)}, not {head.count})",
        )


def _record(line: bytes) -> dict[str, Any] | None:
    """The record on a line, if the line is what the ledger would have written."""
    try:
        plain: Any = json.loads(line)
        canonical = rfc8785.dumps(plain)
    except (ValueError, RecursionError, rfc8785.CanonicalizationError):
        return None
    return plain if isinstance(plain, dict) and canonical == line else None
