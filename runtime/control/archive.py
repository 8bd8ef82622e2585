"""The archive: lines of the ledger in, tiles and signed checkpoints as static files out, beside the writer.

What always holds: it signs only what is committed; what it has not signed yet is in the database, and a start goes on
from there; when it cannot sign, decisions go on, and `checkpoint age` in the metrics tells.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from govlang.native.digest import digest
from govlang.native.errors import CodedError
from govlang.runtime.control.meter import Meter
from govlang.runtime.evidence.keys import signed_by
from govlang.runtime.evidence.ledger import GENESIS
from govlang.runtime.evidence.tiles import Tiles
from govlang.runtime.evidence.tree import stored_note

if TYPE_CHECKING:
    from govlang.runtime.control.settings import Settings
    from govlang.runtime.control.store import Store

log: Final = logging.getLogger("govlang.archive")

RESTORE: Final = (
    "restore the data directory from a copy, `gov evidence verify` shows which; "
    "it is never begun anew by itself"
)


class Archive:
    """Extends the tree of a ledger from time to time, in a thread of its own."""

    def __init__(
        self, folder: Path, store: Store, settings: Settings, meter: Meter | None = None
    ) -> None:
        """Open the tree, and hold it against the ledger.

        Raises:
            CodedError: GOV628 a record after the last checkpoint does not follow the one before · GOV661 the last
            checkpoint is not of this ledger, or covers more than there is · GOV665 the keys do not belong together.
        """
        self._folder = folder
        self._store = store
        self._meter = meter or Meter()
        self._every = settings.checkpoint_records
        self._within_s = settings.checkpoint_s
        self._origin = settings.origin
        self._ring, self._tree = signed_by(folder, settings.origin)
        self._due = threading.Event()
        self._is_over = False
        self.last_error: str | None = None
        self._thread = threading.Thread(target=self._run, name="gov-archive", daemon=True)
        self._catch_up()
        self._check_end()
        self._warn_unsigned()

    def _warn_unsigned(self) -> None:
        """Say in the log that no checkpoint is there although there must have been one: a stop signs, as do many
        records.
        """
        tail = self._store.reader().tail()
        if self._tree.last is not None or tail is None:
            return
        has_stopped = json.loads(tail[1]).get("run_timeline_event") == "stopped"
        if has_stopped or self._tree.size >= self._every:
            log.warning(
                "`%s` has %d records and no checkpoint, though one was due: it was removed, or not written; all "
                "is signed anew. Compare with a checkpoint or a copy that was kept elsewhere",
                self._folder,
                self._tree.size,
            )

    def _check_end(self) -> None:
        """Refuse a ledger that was cut below its checkpoint, has a hole, or goes on after it otherwise than it must.

        What the checkpoint covers is held against its root by the tree.
        """
        covered = self.size
        if self._tree.size < covered:
            raise CodedError(
                "GOV661",
                f"the last checkpoint covers {covered} records, the ledger has {self._tree.size}",
                RESTORE,
            )
        session = self._store.reader()
        tail = session.tail()
        if tail is not None and tail[0] != self._tree.size:
            raise CodedError(
                "GOV628", f"the ledger counts {tail[0]} records and has {self._tree.size}", RESTORE
            )
        lines = session.lines(max(1, covered))
        prev = digest(bytes(next(lines, b""))) if covered else GENESIS
        for seq, line in enumerate(lines, covered + 1):
            if not _follows(bytes(line), seq, prev):
                why = f"record {seq} of the ledger does not follow the one before"
                raise CodedError("GOV628", why, RESTORE)
            prev = digest(bytes(line))

    @property
    def key(self) -> str:
        """The verifier key of what signs now."""
        return str(self._ring.signer.verifier)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Sign what is there, and end."""
        self._is_over = True
        self._due.set()
        self._thread.join()
        self._sign()  # what was committed while the thread was busy

    def grown(self, count: int) -> None:
        """Hear how many records the ledger has; wakes the archive when there are enough for a checkpoint."""
        last = self._tree.last
        if count - (last.size if last else 0) >= self._every:
            self._due.set()

    def _run(self) -> None:
        while not self._is_over:
            self._due.wait(self._within_s)
            self._due.clear()
            self._sign()

    def _sign(self) -> None:
        try:
            if (
                self.last_error is not None
            ):  # what failed may have left the rows of the tree half done
                self._ring, self._tree = signed_by(self._folder, self._origin)
            self._catch_up()
            if self._tree.open_records:
                self._tree.checkpoint()
                self._meter.checkpointed(self.size)
            self.last_error = None
        except Exception as error:  # whatever it is, the next round tries again
            self.last_error = str(error)
            log.exception("no checkpoint could be signed")

    def _catch_up(self) -> None:
        self._tree.extend(bytes(line) for line in self._store.reader().lines(self._tree.size + 1))

    # --- what is asked of it ---------------------------------------------------------------------

    def checkpoint(self) -> bytes | None:
        """The newest signed note."""
        return stored_note(self._folder)

    @property
    def size(self) -> int:
        """How many records the newest checkpoint covers."""
        return self._tree.last.size if self._tree.last else 0

    def proof(self, query: Mapping[str, int]) -> dict[str, Any]:
        """The hashes that prove that record `seq` is in the tree of `size` records, or that the tree of `from` is its
        beginning.

        Raises:
            CodedError: GOV667 there is no such tree yet.
        """
        size = query.get("size") or query.get("to") or self.size
        if size > self.size:
            raise CodedError(
                "GOV667",
                f"the newest checkpoint covers {self.size} records",
                "ask for no more of them",
            )
        tiles = Tiles(self._folder, self.size)  # tiles of other sizes come and go
        if "seq" in query:
            if not 1 <= query["seq"] <= size:
                raise CodedError(
                    "GOV667",
                    f"record {query['seq']} is in no tree of {size} records",
                    "ask for another",
                )
            found = tiles.inclusion(query["seq"] - 1, size)
            return {"seq": query["seq"], "size": size, "hashes": [one.hex() for one in found]}
        first = query.get("from", 0)
        if not 1 <= first <= size:
            raise CodedError(
                "GOV667", f"a tree of {first} records is no beginning of {size}", "ask for another"
            )
        found = tiles.consistency(first, size)
        return {"from": first, "to": size, "hashes": [one.hex() for one in found]}


def _follows(line: bytes, seq: int, prev: str) -> bool:
    try:
        plain = json.loads(line)
        return (plain["seq"], plain["prev"]) == (seq, prev)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
