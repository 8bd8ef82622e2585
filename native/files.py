"""Files that are whole or not there, and reading with a bound: a path and bytes in or out.

What always holds: whoever opens the path sees the old content or the new, never a part of it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

KEY_MAX: Final = 2**16
"""The most bytes of a key file that are read."""


def read_at_most(path: Path, most: int) -> bytes:
    """The content of a file, of a larger one `most + 1` bytes: a device may never end.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(most + 1)


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Put `content` at `path`, synced, in one step.

    Raises:
        OSError: the folder is missing or cannot be written; nothing is left behind.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
            os.fchmod(descriptor, mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
