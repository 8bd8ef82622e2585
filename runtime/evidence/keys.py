"""The keys of a ledger: a folder in, its signing key, its public keys and their rotation out.

`ledger.key` is the Ed25519 key in PEM (0600), `ledger.pub` a verifier key a line; a retired one stays, with
` until SIZE`: it verifies checkpoints of at most so many records.  How one follows another is in rotation.py.

What always holds: the note of a rotation is its commit, the files follow; one that was killed is either not begun or is
finished by the next who opens the keys.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from govlang.native.files import KEY_MAX, read_at_most, sync_folder, write_whole
from govlang.runtime.evidence.checkpoint import PublicKey, parse_keys
from govlang.runtime.evidence.note import NoteError, Signer, Verifier
from govlang.runtime.evidence.rotation import (
    followed,
    new_place,
    read_rotation,
    rotation_notes,
    sign_rotation,
)
from govlang.runtime.evidence.tree import Tree

SECRET: Final = "ledger.key"  # noqa: S105  # the name of a file
PUBLIC: Final = "ledger.pub"
NEXT: Final = "ledger.key.next"
PUBLIC_MAX: Final = 2**18


def new_origin() -> str:
    """A name for a ledger that no other has; two checkpoints under one name must agree."""
    return f"govlang-ledger/{secrets.token_hex(8)}"


@dataclass(frozen=True, slots=True)
class Keyring:
    """The key that signs for a ledger, and all that ever did."""

    folder: Path
    signer: Signer
    keys: tuple[PublicKey, ...]

    @property
    def origin(self) -> str:
        """The name of the ledger, which its keys bear."""
        return self.signer.name

    @classmethod
    def open(cls, folder: Path, origin: str | None = None) -> Self:
        """The keys in a folder; made where there are none, named `origin`.

        Raises:
            NoteError: GOV406, GOV665 a key cannot be used, or the two files do not belong together.
            OSError: they cannot be read or written.
        """
        keys = read_public(folder)
        if not keys:
            return cls._create(folder, origin or new_origin())
        keys = _finished(folder, keys)
        if origin not in {None, keys[-1].verifier.name}:
            why = f"the keys in `{folder}` are of `{keys[-1].verifier.name}`, not of `{origin}`"
            raise NoteError("GOV665", why, "leave the origin out, or give another folder")
        for name in (SECRET, NEXT):
            with suppress(FileNotFoundError):
                pem = read_at_most(folder / name, KEY_MAX)
                signer = Signer.from_pem(keys[-1].verifier.name, pem)
                if PublicKey(signer.verifier) == keys[-1]:
                    return cls(folder, _settled(folder, name, signer), keys)
        if not (folder / SECRET).exists():
            why = f"`{folder / SECRET}` is missing: without it nobody can sign as the key that `{PUBLIC}` ends with"
            ways = f"restore it from the newest copy that has this `{PUBLIC}`; no other key can take its place"
            raise NoteError("GOV665", why, ways)
        why = f"`{folder / SECRET}` is not the key that `{PUBLIC}` ends with"
        raise NoteError("GOV665", why, "restore both from one copy")

    @classmethod
    def _create(cls, folder: Path, origin: str) -> Self:
        if (folder / SECRET).exists():  # a kill between the two files, or a key that was put there
            signer = Signer.from_pem(origin, read_at_most(folder / SECRET, KEY_MAX))
        else:
            signer = Signer.new(origin)
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / SECRET, signer.to_pem(), mode=0o600)
        keys = (PublicKey(signer.verifier),)
        _write_public(folder, keys)
        return cls(folder, signer, keys)

    def rotate(self, tree: Tree) -> Keyring:
        """Retire the key: a new one signs from the next checkpoint on, the old one a last time beside it.

        `tree` holds all lines and signs with this key; open a new one with the keys that are returned.

        Raises:
            EvidenceError, NoteError: as `Tree.checkpoint` · OSError: the disk refuses; the old key stands.
        """
        signer = Signer.new(self.origin)
        write_whole(self.folder / NEXT, signer.to_pem(), mode=0o600)
        tree.checkpoint(signers=(signer,))
        assert tree.last is not None
        note = sign_rotation(tree.last, self.signer, signer)
        write_whole(new_place(self.folder, tree.size), note)
        retired = PublicKey(self.signer.verifier, tree.size)
        keys = (*self.keys[:-1], retired, PublicKey(signer.verifier))
        _write_public(self.folder, keys)
        return Keyring(self.folder, _settled(self.folder, NEXT, signer), keys)


def _finished(folder: Path, keys: tuple[PublicKey, ...]) -> tuple[PublicKey, ...]:
    """The keys, with the rotation that was signed and then killed before `ledger.pub` said so."""
    try:
        pem = read_at_most(folder / NEXT, KEY_MAX)
    except FileNotFoundError:
        return keys
    newest = keys[-1].verifier
    successor = Signer.from_pem(newest.name, pem).verifier
    for note in rotation_notes(folder) if successor != newest else ():
        found = read_rotation(note, (newest, successor))
        if found is not None and found.successor == successor:
            keys = (*keys[:-1], PublicKey(newest, found.size), PublicKey(successor))
            _write_public(folder, keys)
    return keys


def _settled(folder: Path, name: str, signer: Signer) -> Signer:
    """The signer, its key in its place."""
    if name == NEXT:
        (folder / NEXT).replace(folder / SECRET)
        sync_folder(folder)
    return signer


def _write_public(folder: Path, keys: tuple[PublicKey, ...]) -> None:
    write_whole(folder / PUBLIC, "".join(f"{key}\n" for key in keys).encode())


def read_public(folder: Path) -> tuple[PublicKey, ...]:
    """The public keys beside a ledger, the newest last; none where there is no file.

    Raises:
        NoteError: GOV665 the file cannot be used.
    """
    try:
        text = read_at_most(folder / PUBLIC, PUBLIC_MAX).decode()
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError):
        why = f"`{folder / PUBLIC}` cannot be read"
        raise NoteError("GOV665", why, "restore it from a copy") from None
    return parse_keys(text)


def trusted(
    folder: Path, given: tuple[PublicKey, ...]
) -> tuple[tuple[PublicKey, ...], tuple[bytes, ...]]:
    """The keys that may have signed, and the checkpoints of rotations; from keys that are trusted already.

    A key of `ledger.pub` counts if a rotation leads to it (`followed`).  Without given keys those of `ledger.pub`
    count, which then tells of accidents and not of whoever could write there.

    Raises:
        NoteError: GOV663, GOV664, GOV665 a note or key cannot be used.
    """
    known, notes = read_public(folder), rotation_notes(folder)
    return (followed(given, known, notes) if given else known), notes


def given_keys(texts: tuple[str, ...]) -> tuple[PublicKey, ...]:
    """Verifier keys, or files that hold them, as a command line gives them.

    Raises:
        NoteError: GOV665 one is neither.
    """
    return tuple(key for text in texts for key in _given(text))


def _given(text: str) -> tuple[PublicKey, ...]:
    if text.count("+") >= 2 and not Path(text).exists():
        return (PublicKey(Verifier.parse(text)),)
    try:
        return parse_keys(read_at_most(Path(text), PUBLIC_MAX).decode())
    except (OSError, UnicodeDecodeError):
        why = f"`{text[:80]}` is neither a verifier key nor a file of them"
        raise NoteError("GOV665", why, "give a line of `ledger.pub`, or the file") from None
    except NoteError as error:
        raise NoteError(error.code, f"`{text[:80]}`: {error.message}", error.help) from None


def signed_by(folder: Path, origin: str | None = None) -> tuple[Keyring, Tree]:
    """The keys in a folder and a tree that signs with them, which is to be given every line.

    Raises:
        NoteError, EvidenceError: as `Keyring.open` and `Tree`.
    """
    ring = Keyring.open(folder, origin)
    return ring, Tree(folder, ring.origin, (ring.signer,), ring.keys)
