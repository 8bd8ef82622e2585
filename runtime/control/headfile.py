"""The head beside the store: the count and the hash of the last committed record, kept in one small file.

In: heads, each after its commit.  Out: `LEDGER.head`, in the form that evidence reads.

What always holds: the file never names a record that is not on the disk, and is on the disk itself when `write`
returns; it is whole at every moment, as it is overwritten in place with as many bytes, less than a sector, and
exchanged where it grows by a digit.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from govlang.native.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from govlang.runtime.evidence.ledger import Head

NAME: Final = "LEDGER.head"


class HeadFile:
    """Writes the heads of one ledger; one thread writes."""

    def __init__(self, folder: Path) -> None:
        self.path: Final = folder / NAME
        self._descriptor: int | None = None
        self._length = 0

    def write(self, head: Head) -> None:
        """Put the head of a ledger that is committed so far.

        Raises:
            OSError: the disk refuses; the file is as it was.
        """
        content = head.to_bytes()
        if self._descriptor is None or len(content) != self._length:
            self.close()
            write_whole(self.path, content)
            self._descriptor, self._length = os.open(self.path, os.O_WRONLY), len(content)
        else:
            os.pwrite(self._descriptor, content, 0)
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Let go of the file; the next `write` opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
