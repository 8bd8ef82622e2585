"""What is dear to make and always the same, made once in a test session, whichever of its processes comes first.

The folder is named by the session's first process and lives as long as the session (conftest.py); without one,
everything is made anew.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

SHELF: Final = "GOVLANG_SHELF"
"""The environment variable that names the folder."""


def kept(name: str, make: Callable[[], bytes]) -> bytes:
    """What `make` returns; `name` says all that it depends on beside the sources."""
    folder = os.environ.get(SHELF)
    if folder is None:
        return make()
    place = Path(folder) / sha256(name.encode()).hexdigest()
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever else needs it waits until it is made
        if not place.exists():
            part = place.with_suffix(".part")
            part.write_bytes(make())
            part.rename(place)
        return place.read_bytes()
