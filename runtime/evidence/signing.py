"""Signs a ledger from outside its writer: a ledger in, its checkpoint and tiles out.

What always holds: the ledger is locked against its writer meanwhile; the checkpoints of a service are the service's to
make, so of a data directory the newest is told, and one is made only with a key or for a rotation.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Final

from govlang.runtime.evidence.keys import Keyring, read_public
from govlang.runtime.evidence.ledger import ledger_files, writing
from govlang.runtime.evidence.note import Signer
from govlang.runtime.evidence.source import (
    DatabaseSource,
    JsonlSource,
    LedgerSource,
    TileSource,
    unreadable,
)
from govlang.runtime.evidence.tree import Tree, no_extension

LOCK: Final = "LOCK"
"""The file in a data directory that a service locks as long as it runs."""


def sign_ledger(
    source: LedgerSource, signer: Signer | None, origin: str | None, *, rotate: bool = False
) -> bytes:
    """The checkpoint over all lines of a ledger, made if there is none yet.

    Raises:
        EvidenceError: GOV500, GOV502 the ledger cannot be read or is written to · GOV660, GOV661, GOV662 as `Tree`.
        NoteError: GOV663, GOV664, GOV665 checkpoint or keys cannot be used.
    """
    told = signer is None and not rotate
    stored = source.checkpoint()
    if isinstance(source, TileSource) or (isinstance(source, DatabaseSource) and told):
        if stored is None:
            raise unreadable(source.place, "has no checkpoint yet; its service makes them")
        if not told:
            raise unreadable(source.place, "has tiles alone, which can be read and not signed anew")
        return stored
    with _alone(source):
        if (why := source.torn()) is not None:
            raise no_extension(f"would be over a broken ledger: {why}")
        return _signed(source, signer, origin, rotate=rotate)


def _signed(
    source: LedgerSource, signer: Signer | None, origin: str | None, *, rotate: bool
) -> bytes:
    if signer is not None:
        source.folder.mkdir(parents=True, exist_ok=True)
        tree = Tree(source.folder, signer.name, (signer,), read_public(source.folder))
        tree.extend(source.lines())
        return tree.checkpoint()
    ring = Keyring.open(source.folder, origin)
    tree = Tree(source.folder, ring.origin, (ring.signer,), ring.keys)
    tree.extend(source.lines())
    if not rotate:
        return tree.checkpoint()
    ring.rotate(tree)
    note = source.checkpoint()
    assert note is not None  # the rotation made it
    return note


def _alone(source: LedgerSource) -> AbstractContextManager[None]:
    """The lock that the ledger's writer holds."""
    if isinstance(source, JsonlSource):
        return writing(ledger_files(source.place).records)
    return writing(source.place / LOCK)
