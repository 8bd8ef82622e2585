"""Checkpoints (C2SP tlog-checkpoint): origin, size and root of a tree in, the signed note out, and back.

What always holds: a checkpoint is read only if it is exactly three lines (four at a rotation: rotation.py), its size
without leading zeros, its root 32 bytes; and trusted only with a signature of a key that may sign a tree of its size.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from govlang.runtime.evidence.merkle import HASH_BYTES
from govlang.runtime.evidence.note import Note, NoteError, Signer, Verifier, open_note, sign_note

_BODY: Final = re.compile(
    r"([^\n]{1,200})\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n(?:successor (\S{1,500})\n)?"
)
_KEY_LINE: Final = re.compile(r"(\S+)(?: until (0|[1-9][0-9]{0,18}))?")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree of a ledger at one moment: how many records, and their root; of a rotation also the key that follows."""

    origin: str
    size: int
    root: bytes
    successor: str | None = None

    def to_text(self) -> str:
        """The body of the note."""
        more = "" if self.successor is None else f"successor {self.successor}\n"
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n{more}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The checkpoint that a note's text says.

        Raises:
            NoteError: GOV663 it says none.
        """
        found = _BODY.fullmatch(text)
        if found is None:
            raise _no_checkpoint()
        checkpoint = cls(found[1], int(found[2]), base64.b64decode(found[3]), found[4])
        if len(checkpoint.root) != HASH_BYTES or checkpoint.to_text() != text:
            raise _no_checkpoint()
        return checkpoint


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A verifier key, and the largest tree that it may sign; None: it is in use."""

    verifier: Verifier
    until: int | None = None

    def __str__(self) -> str:
        return str(self.verifier) + ("" if self.until is None else f" until {self.until}")

    def may_sign(self, size: int) -> bool:
        """Whether it was in use when there were so many records."""
        return self.until is None or size <= self.until

    @classmethod
    def parse(cls, line: str) -> Self:
        """A line of `ledger.pub`: a verifier key, for a retired one with ` until SIZE`.

        Raises:
            NoteError: GOV665 it is none.
        """
        found = _KEY_LINE.fullmatch(line)
        verifier = Verifier.parse(line if found is None else found[1])
        return cls(verifier, None if found is None or found[2] is None else int(found[2]))


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[Signer]) -> bytes:
    """The signed note of a checkpoint."""
    return sign_note(checkpoint.to_text(), signers)


def read_checkpoint(note: bytes) -> Checkpoint:
    """What a checkpoint says, with no signature checked.

    Raises:
        NoteError: GOV663 it is none.
    """
    return Checkpoint.parse(open_note(note, ()).text)


def open_checkpoint(note: bytes, keys: Sequence[PublicKey]) -> tuple[Checkpoint, Note]:
    """A checkpoint that one of these keys signed and may sign.

    Raises:
        NoteError: GOV663 it is no checkpoint · GOV664 none of the keys signed it, or only one retired before.
    """
    opened = open_note(note, [key.verifier for key in keys])
    checkpoint = Checkpoint.parse(opened.text)
    if not opened.signers:
        why = "the checkpoint is signed by none of the known keys"
        raise NoteError("GOV664", why, "give the verifier key that signed it with `--key`")
    known = {key.verifier: key for key in keys}
    if not any(known[signer].may_sign(checkpoint.size) for signer in opened.signers):
        why = f"the key of the checkpoint was retired before {checkpoint.size} records"
        raise NoteError("GOV664", why, "it was signed with an old key, perhaps by a thief of it")
    return checkpoint, opened


def parse_keys(text: str) -> tuple[PublicKey, ...]:
    """The lines of a `ledger.pub`; a line may begin with `#`.

    Raises:
        NoteError: GOV665 a line is no key.
    """
    lines = (line.strip() for line in text.splitlines())
    return tuple(PublicKey.parse(line) for line in lines if line and not line.startswith("#"))


def _no_checkpoint() -> NoteError:
    why = "this is no checkpoint: an origin, a size and a root of 32 bytes, a line each"
    return NoteError("GOV663", why, "restore it from a copy")
