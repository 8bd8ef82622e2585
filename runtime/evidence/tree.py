"""The tree of a ledger while it is written: lines in, tiles and signed checkpoints on disk out.

What always holds: a checkpoint is signed only over a tree that begins with the tree of the checkpoint before it, and
only once its tiles are on disk; the checkpoint file is the commit.  A writer that was killed at any step leaves tiles
that no checkpoint names, which the next one writes anew; it works everything out from the lines.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from govlang.native.files import read_at_most, write_whole
from govlang.runtime.evidence.checkpoint import (
    Checkpoint,
    PublicKey,
    open_checkpoint,
    sign_checkpoint,
)
from govlang.runtime.evidence.ledger import EvidenceError
from govlang.runtime.evidence.note import NOTE_MAX, Signer
from govlang.runtime.evidence.tiles import (
    Rows,
    tile_path,
    widths,
    write_tile,
)

CHECKPOINT: Final = "checkpoint"
EVERY: Final = 1_024
WITHIN_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When a checkpoint is due: after so many records, or so long after the first that has none (ms)."""

    every: int = EVERY
    within_ms: int = WITHIN_MS


class Tree:
    """The tree over the lines of one ledger, in the folder of its tiles and its checkpoint.

    Not safe to share between threads: it belongs to the one writer.
    """

    def __init__(
        self,
        folder: Path,
        origin: str,
        signers: Sequence[Signer],
        keys: Sequence[PublicKey] | None = None,
        rhythm: Rhythm | None = None,
    ) -> None:
        """Begin, or go on from the checkpoint in `folder`; `extend` is then given every line from the first on.

        `keys` are those that may have signed the checkpoint, beside the signers' own.

        Raises:
            NoteError: GOV663, GOV664 the checkpoint is none of these keys'.
            EvidenceError: GOV661 it is of another origin.
        """
        self._folder = folder
        self._origin = origin
        self._signers = tuple(signers)
        known = (*(keys or ()), *(PublicKey(signer.verifier) for signer in self._signers))
        self._note = stored_note(folder)
        self.last: Checkpoint | None = None
        if self._note is not None:
            self.last, _ = open_checkpoint(self._note, known)
            if self.last.origin != origin:
                raise no_extension(f"is of `{self.last.origin}`, not of `{origin}`")
        self._rows = Rows(self._write)
        self._rhythm = rhythm or Rhythm()
        self._since_ms: int | None = None

    @property
    def size(self) -> int:
        """How many lines the tree has been given."""
        return self._rows.size

    @property
    def open_records(self) -> int:
        """How many of them no checkpoint covers."""
        return max(0, self.size - (self.last.size if self.last else 0))

    def extend(self, lines: Iterable[bytes], now_ms: int | None = None) -> None:
        """Add the next lines (without their line ends); tiles that become full are written.

        Raises:
            EvidenceError: GOV660 a line is longer than 65 535 bytes · GOV661 the lines are not those of the last
                checkpoint · OSError: the disk refuses.
        """
        for line in lines:
            self._rows.add(line)
            if self.last is not None and self.size == self.last.size:
                self._compare(self.last)
        if self.open_records and self._since_ms is None:
            self._since_ms = now_ms

    def is_due(self, now_ms: int) -> bool:
        """Whether it is time for a checkpoint."""
        if not self.open_records:
            return False
        waited = now_ms - (now_ms if self._since_ms is None else self._since_ms)
        return self.open_records >= self._rhythm.every or waited >= self._rhythm.within_ms

    def checkpoint(self, signers: Sequence[Signer] = ()) -> bytes:
        """Sign the tree as it is and put note and tiles on disk; the note.

        `signers` sign too, beside the tree's own: the old key, when a new one takes its place.

        Raises:
            EvidenceError: GOV661 the lines do not reach the last checkpoint · GOV662 another writer made one.
            OSError: the disk refuses; the last checkpoint stands.
        """
        if self.last is not None and self.size < self.last.size:
            raise no_extension(f"counts {self.last.size} records, the ledger has {self.size}")
        if self._note is not None and self.size == self._size_signed and not signers:
            self._rows.emit_partials()  # if one is missing
            return self._note
        if stored_note(self._folder) != self._note:
            why = f"`{self._folder / CHECKPOINT}` was changed by another program"
            raise EvidenceError("GOV662", why, "end the other writer and start again")
        self._rows.emit_partials()
        made = Checkpoint(self._origin, self.size, self._rows.root())
        note = sign_checkpoint(made, (*signers, *self._signers))
        write_whole(self._folder / CHECKPOINT, note)
        before, self.last, self._note, self._since_ms = self.last, made, note, None
        self._drop_partials(before)
        return note

    @property
    def _size_signed(self) -> int:
        return -1 if self.last is None else self.last.size

    def _compare(self, checkpoint: Checkpoint) -> None:
        if self._rows.root() != checkpoint.root:
            raise no_extension(f"over {checkpoint.size} records has another root than the ledger")

    def _write(self, kind: int | str, index: int, content: bytes, width: int) -> None:
        write_tile(self._folder, kind, index, content, width)

    def _drop_partials(self, before: Checkpoint | None) -> None:
        """Delete what only checkpoints before the last two need; what cannot be deleted does no harm."""
        keep = {tile_path(*part) for part in widths(self.size)}
        keep |= {tile_path(*part) for part in widths(before.size)} if before else set()
        for folder in {(self._folder / path).parent for path in keep}:
            with suppress(OSError):
                for path in folder.iterdir():
                    if path.relative_to(self._folder).as_posix() not in keep:
                        path.unlink()
        for kind, index, width in widths(before.size) if before else ():
            if (self._folder / tile_path(kind, index)).is_file():
                part = self._folder / tile_path(kind, index, width)
                shutil.rmtree(part.parent, ignore_errors=True)


def stored_note(folder: Path) -> bytes | None:
    """The checkpoint file of a ledger's folder, unread; None: there is none."""
    try:
        return read_at_most(folder / CHECKPOINT, NOTE_MAX)
    except FileNotFoundError:
        return None


def no_extension(why: str) -> EvidenceError:
    """The refusal to go on from a checkpoint that is not the ledger's."""
    way = "keep both, run `gov evidence verify`, and restore the ledger from a copy"
    return EvidenceError("GOV661", f"the last checkpoint {why}", way)
