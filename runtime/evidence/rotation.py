"""How one key of a ledger takes the place of another: keys that are trusted and notes of rotations in, the keys that
count out.

A rotation is a checkpoint with one line more, `successor KEY` (C2SP tlog-checkpoint permits such extensions), signed by
the old key and by its successor, kept as `checkpoint-SIZE`.

What always holds: a key signs nothing beyond the rotation that ended it, whatever `ledger.pub` says.  Trust goes from a
key to its successor, as long as the key was in use; and back from a key to the one before it, for trees up to their
rotation, but from there to nothing else: a key that was replaced may be a thief's by now.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from govlang.native.files import read_at_most
from govlang.runtime.evidence.checkpoint import (
    Checkpoint,
    PublicKey,
    open_checkpoint,
    sign_checkpoint,
)
from govlang.runtime.evidence.note import NOTE_MAX, Signer, Verifier, open_note
from govlang.runtime.evidence.tree import CHECKPOINT

_NAME: Final = re.compile(CHECKPOINT + r"-([0-9]{1,19})(?:\.([0-9]{1,9}))?")


@dataclass(frozen=True, slots=True)
class Rotation:
    """A rotation whose signatures hold: over `size` records `successor` took the place of `before`."""

    size: int
    before: Verifier
    successor: Verifier
    note: bytes


def sign_rotation(checkpoint: Checkpoint, before: Signer, successor: Signer) -> bytes:
    """The note of a rotation at a checkpoint."""
    said = Checkpoint(checkpoint.origin, checkpoint.size, checkpoint.root, str(successor.verifier))
    return sign_checkpoint(said, (successor, before))


def new_place(folder: Path, size: int) -> Path:
    """Where the note of a rotation over so many records is to lie; there may be others over as many."""
    others = sum(1 for path in folder.glob(f"{CHECKPOINT}-*") if _order(path)[:1] == (size,))
    return folder / (f"{CHECKPOINT}-{size}" + (f".{others + 1}" if others else ""))


def rotation_notes(folder: Path) -> tuple[bytes, ...]:
    """The notes of rotations beside a ledger, the smallest tree first."""
    found = sorted((_order(path), path) for path in folder.glob(f"{CHECKPOINT}-*") if _order(path))
    return tuple(read_at_most(path, NOTE_MAX) for _, path in found)


def _order(path: Path) -> tuple[int, ...]:
    found = _NAME.fullmatch(path.name)
    return () if found is None else (int(found[1]), int(found[2] or 1))


def read_rotation(note: bytes, known: Sequence[Verifier]) -> Rotation | None:
    """The rotation that a note says, both keys among the known ones; None: it says none.

    Raises:
        NoteError: GOV663 it is no checkpoint · GOV664 a signature of a known key does not hold.
    """
    opened = open_note(note, known)
    said = Checkpoint.parse(opened.text)
    successor = next((one for one in opened.signers if str(one) == said.successor), None)
    before = [one for one in opened.signers if one != successor]
    if successor is None or len(before) != 1:
        return None
    return Rotation(said.size, before[0], successor, note)


def followed(
    given: Sequence[PublicKey], beside: Iterable[PublicKey], notes: Iterable[bytes]
) -> tuple[PublicKey, ...]:
    """The keys that count, from keys that are trusted; `beside`: those of `ledger.pub`, `notes` in the order of time.

    A key that is given as retired is so, whatever `ledger.pub` says.

    Raises:
        NoteError: GOV663, GOV664 a note cannot be used, or a key was replaced after it had been.
    """
    named = {key.verifier for key in given}
    ends = _soonest(beside)
    keys = _soonest((*given, *(key for key in ends.values() if key.verifier in named)))
    known = tuple(dict.fromkeys((*ends, *keys)))
    found = [one for note in notes if (one := read_rotation(note, known)) is not None]
    for one in found:
        if one.before in keys:
            open_checkpoint(one.note, (keys[one.before],))
            keys[one.before] = PublicKey(one.before, one.size)
            keys.setdefault(one.successor, ends.get(one.successor, PublicKey(one.successor)))
    for one in reversed(found):
        if one.successor in keys and keys[one.successor].may_sign(one.size):
            keys = _soonest((*keys.values(), PublicKey(one.before, one.size)))
    return tuple(keys.values())


def _soonest(keys: Iterable[PublicKey]) -> dict[Verifier, PublicKey]:
    """Keys by what verifies; of one that is named twice the line by which it retires first."""
    found: dict[Verifier, PublicKey] = {}
    for key in keys:
        before = found.setdefault(key.verifier, key)
        if before.until is None or (key.until is not None and key.until < before.until):
            found[key.verifier] = key
    return found
