"""Checks a ledger: its lines, head, checkpoints and tiles in, every fault of them out.

What always holds: a record that was changed, dropped, put elsewhere or cut off at the end is found; up to the head
that lies beside the ledger, up to a hash kept elsewhere even if that head was rewritten too, and up to a checkpoint
even if everything was, as long as its key was not in the same hands.  The stored bytes are hashed as they are; whether
each record is also canonical JSON is asked with `exact`.  Memory does not grow with the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import sleep
from typing import Any, Final

from govlang.native.errors import CodedError
from govlang.native.files import read_at_most
from govlang.runtime.evidence.canonical import canonical
from govlang.runtime.evidence.checkpoint import Checkpoint, PublicKey, open_checkpoint
from govlang.runtime.evidence.keys import read_public, trusted
from govlang.runtime.evidence.ledger import GENESIS, EvidenceError, Head
from govlang.runtime.evidence.source import LedgerSource, TileSource, open_source
from govlang.runtime.evidence.tiles import FOLDER, WIDTH, Rows, tile_path

FAULTS_MAX: Final = 100
TRIES: Final = 5
PAUSE_S: Final = 0.05
"""How often and how long a writer is waited for that has put records down and not yet the head."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not add up; `seq` is the line it was found at, counted from 1."""

    code: str
    seq: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What the check found; `covered` records are under a checkpoint whose signature and root hold."""

    records: int
    head: str
    faults: tuple[Fault, ...]
    covered: int = 0
    origin: str | None = None
    signed_by: tuple[str, ...] = ()
    is_unsigned: bool = False
    """Whether there are records and a key beside them, and no checkpoint at all."""

    @property
    def intact(self) -> bool:
        """Whether everything adds up."""
        return not self.faults


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a ledger from elsewhere: a head's hash, checkpoints, verifier keys."""

    head: str | None = None
    checkpoints: tuple[bytes, ...] = ()
    keys: tuple[PublicKey, ...] = ()


def audit(place: Path, kept: str | Kept | None = None, *, exact: bool = False) -> Audit:
    """Check the ledger at `place` against itself and what was kept elsewhere; `exact`: that it is canonical, too.

    Raises:
        EvidenceError: GOV500 the records cannot be read.
    """
    known = kept if isinstance(kept, Kept) else Kept(head=kept)
    return _Check(open_source(place), known, exact=exact).run()


def records(place: Path) -> Iterator[dict[str, Any]]:
    """The records of a ledger, in order, without checking the chain.

    Raises:
        EvidenceError: GOV500 the records cannot be read, or a line is no record.
    """
    for number, line in enumerate(open_source(place).lines(), 1):
        record = _record(line)
        if not isinstance(record, dict):
            raise EvidenceError(
                "GOV500", f"line {number} of `{place}` is no record", "run `gov evidence verify`"
            )
        yield record


def _record(line: bytes) -> Any:
    """What a line holds; None: it is no JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class _Signed:
    """A checkpoint whose signature holds, and whether it is the one that lies beside the ledger."""

    checkpoint: Checkpoint
    signers: tuple[str, ...]
    stored: bool


class _Check:
    """One pass over a ledger."""

    def __init__(self, source: LedgerSource, kept: Kept, *, exact: bool) -> None:
        self._source = source
        self._kept = kept
        self._exact = exact
        self._faults: list[Fault] = []
        self._note: bytes | None = None
        self._has_key = False
        self._held: list[_Signed] = []
        self._signed = sorted(self._checkpoints(), key=lambda one: one.checkpoint.size)
        self._head = self._read_head()
        self._stored = next((one.checkpoint for one in self._signed if one.stored), None)
        self._rows: Rows | None = Rows(self._compare_tile) if self._needs_tree() else None

    def run(self) -> Audit:
        """Read every line once."""
        self._compare_sizes(0)
        count, last, kept_seen = self._follow()
        self._end(count, kept_seen=kept_seen)
        best = self._held[-1] if self._held else None
        return Audit(
            count,
            last,
            tuple(self._faults[:FAULTS_MAX]),
            best.checkpoint.size if best else 0,
            best.checkpoint.origin if best else None,
            best.signers if best else (),
            bool(count and not self._signed and self._note is None and self._has_key),
        )

    def _follow(self) -> tuple[int, str, bool]:
        """Go along the chain: how many records, the hash of the last, and whether a kept head was met."""
        kept = self._kept.head
        prev, seq, kept_seen = GENESIS, 0, False
        stops = {one.checkpoint.size for one in self._signed}
        scan = json.JSONDecoder().raw_decode
        exact, head_count = self._exact, self._head.count if self._head else -1
        for seq, line in enumerate(self._lines(), 1):
            record: Any = None
            try:
                text = line.decode()
                record, end = scan(text)
                if end != len(text):
                    record = None
                number = record["seq"]
                linked = number == seq and type(number) is int and record["prev"] == prev
            except (ValueError, RecursionError, TypeError, LookupError):
                linked = False
            if exact or not linked:
                self._link(seq, line, record, prev)
            prev = "sha256:" + sha256(line).hexdigest()
            if prev == kept:
                kept_seen = True
            if seq == head_count:
                self._compare_head(seq, prev)
            if self._rows is not None:
                try:
                    self._rows.add(line)
                except EvidenceError as error:
                    self._leave_tree(seq, error)
                if seq in stops:
                    self._compare_sizes(seq)
        return seq, prev, kept_seen

    def _lines(self) -> Iterator[bytes]:
        """The lines, up to a tile that is broken where there are only tiles."""
        try:
            yield from self._source.lines()
        except EvidenceError as error:
            if error.code != "GOV666":
                raise
            self._fault(error.code, None, error.message)

    def _link(self, seq: int, line: bytes, record: Any, prev: str) -> None:
        """Say what is wrong with one link of the chain, if anything is."""
        if not isinstance(record, dict) or (self._exact and not _is_canonical(line, record)):
            self._fault("GOV505", seq, f"line {seq} is no canonical record")
        elif record.get("seq") != seq or type(record["seq"]) is not int:
            self._fault("GOV505", seq, f"line {seq} holds record {str(record.get('seq'))[:40]}")
        elif record.get("prev") != prev:
            self._fault("GOV505", seq, f"record {seq} does not follow the record before it")

    def _leave_tree(self, seq: int, error: EvidenceError) -> None:
        """A record that no tile can hold: there is no tree over it and what follows."""
        self._fault(error.code, seq, f"record {seq}: {error.message}")
        self._rows = None

    def _compare_sizes(self, size: int) -> None:
        """Hold every checkpoint over `size` records against the root of these."""
        if self._rows is None or self._rows.size != size:
            return
        for one in self._signed:
            if one.checkpoint.size != size:
                continue
            if one.checkpoint.root == self._rows.root():
                self._held.append(one)
            else:
                where = "beside the ledger" if one.stored else "that was kept"
                message = f"the checkpoint {where} over {size} records has another root than they"
                self._fault("GOV661", size, message)
        if self._stored is not None and self._stored.size == size and self._has_tiles():
            self._rows.emit_partials()

    def _compare_tile(self, kind: int | str, index: int, content: bytes, width: int) -> None:
        """Hold a tile on disk against what it must be."""
        stored = self._stored
        if stored is None or not self._has_tiles():
            return
        if self._rows is not None and self._rows.size > stored.size:
            return  # tiles that no checkpoint names yet
        path = self._source.folder / tile_path(kind, index, width)
        try:
            same = read_at_most(path, len(content)) == content
        except OSError:
            same = False
        if not same and not self._has_moved(width):
            seq = self._rows.size if self._rows is not None else None
            self._fault("GOV666", seq, f"the tile `{path}` is missing or not that of the records")

    def _has_moved(self, width: int) -> bool:
        """Whether a writer has gone on meanwhile, and so deleted a tile that was not full."""
        return width < WIDTH and self._source.checkpoint() != self._note

    def _has_tiles(self) -> bool:
        return (self._source.folder / FOLDER).is_dir()

    def _needs_tree(self) -> bool:
        return bool(self._signed)

    def _compare_head(self, seq: int, hash_: str) -> None:
        if self._head is not None and hash_ != self._head.hash:
            self._fault("GOV506", seq, f"record {seq} is not the one that the head names")

    def _read_head(self) -> Head | None:
        try:
            head = self._source.head()
        except EvidenceError as error:
            self._fault(error.code, None, error.message)
            return Head(-1)
        is_tiles = isinstance(self._source, TileSource)
        if is_tiles and head is not None:
            why = "there is a head, and the database (`gov.db`) or the lines that it is of are gone: tiles are left"
            self._fault("GOV506", None, why)
        is_archive = is_tiles and self._signed
        if head is None and self._kept.head is None and not is_archive:
            why = "there is no head, so a cut at the end would not be seen"
            self._fault("GOV506", None, why)
        return head

    def _end(self, count: int, *, kept_seen: bool) -> None:
        """What can only be said when every line was seen."""
        if (why := self._source.torn()) is not None:
            self._fault("GOV505", count + 1, f"after record {count}: {why}")
        head, kept = self._head, self._kept.head
        if head is not None and head.count > count:
            why = f"the head counts {head.count} records, the ledger has {count}"
            self._fault("GOV506", None, why)
        elif head is not None and 0 <= head.count < count and not self._is_growing(count):
            why = f"there are records after the head ({count}, not {head.count})"
            self._fault("GOV506", head.count + 1, why)
        for one in self._signed:
            if one.checkpoint.size > count:
                why = f"a checkpoint counts {one.checkpoint.size} records, the ledger has {count}"
                self._fault("GOV661", None, why)
        if kept is not None and not kept_seen and kept != GENESIS:
            self._fault("GOV507", None, f"the head kept elsewhere, `{kept}`, is not in the chain")

    def _is_growing(self, count: int) -> bool:
        """Whether a writer has moved the head on meanwhile; it does so just after the records are there."""
        for _ in range(TRIES):
            head = self._source.head()
            if head is not None and head.count >= count:
                return True
            sleep(PAUSE_S)
        return False

    def _checkpoints(self) -> Iterator[_Signed]:
        """Every checkpoint that is known of and whose signature holds; of the others, a fault."""
        try:
            self._has_key = bool(read_public(self._source.folder))
            keys, turned = trusted(self._source.folder, self._kept.keys)
            stored = self._note = self._source.checkpoint()
        except (CodedError, OSError) as error:
            self._fault(getattr(error, "code", "GOV663"), None, _said(error))
            return
        found: Sequence[tuple[bytes, bool]] = [
            *((note, False) for note in (*self._kept.checkpoints, *turned)),
            *(((stored, True),) if stored is not None else ()),
        ]
        if self._kept.keys and not found:
            self._fault("GOV664", None, "there is no checkpoint that the given key could verify")
        for note, is_stored in found:
            try:
                checkpoint, opened = open_checkpoint(note, keys)
            except CodedError as error:
                self._fault(error.code, None, error.message)
            else:
                yield _Signed(checkpoint, tuple(map(str, opened.signers)), is_stored)

    def _fault(self, code: str, seq: int | None, message: str) -> None:
        if len(self._faults) < FAULTS_MAX:
            self._faults.append(Fault(code, seq, message))


def _is_canonical(line: bytes, record: dict[str, Any]) -> bool:
    try:
        return canonical(record) == line
    except (ValueError, RecursionError):
        return False


def _said(error: Exception) -> str:
    return error.message if isinstance(error, CodedError) else str(error)
