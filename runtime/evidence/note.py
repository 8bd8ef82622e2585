"""Signed notes (C2SP signed-note v1): a text and keys in, the note out, and back.

A note is a text that ends in a line end, an empty line, and a line a signature:
`— NAME base64(4 bytes of key hash, 64 bytes of Ed25519 signature)`.  A verifier key is written
`NAME+HASH+base64(0x01, 32 bytes of public key)`.

What always holds: a note is read only if it is exactly of this form; a signature of an unknown key counts for
nothing, a wrong signature of a known one spoils the note.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from govlang.native.errors import CodedError

ED25519: Final = b"\x01"
KEY_BYTES: Final = 32
NOTE_MAX: Final = 2**16
SIGNATURES_MAX: Final = 16
DASH: Final = "— "
NAME: Final = re.compile(r"[^\s+]{1,200}")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


class NoteError(CodedError):
    """A note, a checkpoint or a key cannot be used."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key and the name it goes by."""

    name: str
    key: bytes

    @property
    def hash(self) -> bytes:
        """The first four bytes of the SHA-256 of name and key."""
        content = self.name.encode() + b"\n" + ED25519 + self.key
        return hashlib.sha256(content).digest()[:4]

    def __str__(self) -> str:
        encoded = base64.b64encode(ED25519 + self.key).decode()
        return f"{self.name}+{self.hash.hex()}+{encoded}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The verifier key that a text is.

        Raises:
            NoteError: GOV665 it is none.
        """
        parts = text.split("+", 2)
        raw = _unbased(parts[2]) if len(parts) == 3 and parts[2].isascii() else b""
        if len(raw) != 1 + KEY_BYTES or raw[:1] != ED25519 or not NAME.fullmatch(parts[0]):
            raise _no_verifier()
        found = cls(parts[0], raw[1:])
        if str(found) != text:
            raise _no_verifier()
        return found

    def verifies(self, text: bytes, signature: bytes) -> bool:
        """Whether the signature over the text is of this key."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key and the name it goes by."""

    name: str
    secret: Ed25519PrivateKey

    @classmethod
    def new(cls, name: str) -> Self:
        """A key of its own."""
        return cls(_usable(name), Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, name: str, pem: bytes) -> Self:
        """A key from a PEM file without a password.

        Raises:
            NoteError: GOV665 the name cannot stand in a note · GOV406 the key is no Ed25519 private key.
        """
        try:
            secret = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            secret = None
        if not isinstance(secret, Ed25519PrivateKey):
            way = "make one with `openssl genpkey -algorithm ed25519 -out key.pem`"
            raise NoteError("GOV406", "the key is no Ed25519 private key in PEM", way)
        return cls(_usable(name), secret)

    def to_pem(self) -> bytes:
        """The key as a PEM file: whoever reads it can sign."""
        form = serialization.PrivateFormat.PKCS8
        return self.secret.private_bytes(
            serialization.Encoding.PEM, form, serialization.NoEncryption()
        )

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        raw = self.secret.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        return Verifier(self.name, raw)


@dataclass(frozen=True, slots=True)
class Note:
    """A text and who signed it; `signers` are the known keys whose signatures hold."""

    text: str
    signers: tuple[Verifier, ...]


def sign_note(text: str, signers: Sequence[Signer]) -> bytes:
    """The note of a text, signed by each key in order."""
    content = text.encode()
    assert text.endswith("\n")
    assert not _CONTROL.search(text)
    lines = [
        f"{DASH}{signer.name} "
        + base64.b64encode(signer.verifier.hash + signer.secret.sign(content)).decode()
        for signer in signers
    ]
    return content + b"\n" + "".join(f"{line}\n" for line in lines).encode()


def open_note(note: bytes, verifiers: Sequence[Verifier]) -> Note:
    """The text of a note, and which of these keys signed it, perhaps none.

    Raises:
        NoteError: GOV663 it is no signed note · GOV664 a signature of one of these keys does not hold.
    """
    text, signatures = _parts(note)
    content = text.encode()
    known = {(verifier.name, verifier.hash): verifier for verifier in verifiers}
    found: list[Verifier] = []
    for name, key_hash, signature in signatures:
        verifier = known.get((name, key_hash))
        if verifier is None:
            continue
        if verifier in found or not verifier.verifies(content, signature):
            why = f"the signature of `{name}+{key_hash.hex()}` does not hold"
            raise NoteError("GOV664", why, "the note was changed, or never signed by this key")
        found.append(verifier)
    return Note(text, tuple(found))


def _parts(note: bytes) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """The text of a note and its signatures: name, key hash and signature."""
    try:
        whole = note.decode() if len(note) <= NOTE_MAX else ""
    except UnicodeDecodeError:
        whole = ""
    head, gap, tail = whole.rpartition("\n\n")
    lines = tail.split("\n")
    if not gap or lines.pop() or not 1 <= len(lines) <= SIGNATURES_MAX or _CONTROL.search(whole):
        raise _no_note()
    return head + "\n", [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, gap, encoded = line.removeprefix(DASH).partition(" ")
    raw = _unbased(encoded) if encoded.isascii() else b""
    if not line.startswith(DASH) or not gap or not NAME.fullmatch(name):
        raise _no_note()
    if len(raw) <= 4 or base64.b64encode(raw).decode() != encoded:
        raise _no_note()
    return name, raw[:4], raw[4:]


def _unbased(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _usable(name: str) -> str:
    if not NAME.fullmatch(name) or _CONTROL.search(name):
        why = f"`{name[:40]}` cannot name a key: 1 to 200 characters, no blanks, no `+`"
        raise NoteError("GOV665", why, "give a name such as `example.org/ledger`")
    return name


def _no_verifier() -> NoteError:
    why = "a verifier key is `NAME+HASH+BASE64` of an Ed25519 key, this is none"
    return NoteError("GOV665", why, "copy the line from `ledger.pub`")


def _no_note() -> NoteError:
    why = "this is no signed note: a text, an empty line, and a line a signature"
    return NoteError("GOV663", why, "restore it from a copy")
