"""Child processes that search and prove with the solver: never more than so many at once, none left behind.

In: words for `gov`, what it reads.  Out: what it printed and its exit code, or None where it was not done in time.

What always holds: a place is taken before a process is begun and given back when it has ended; a process whose asker
has left, or whose time is up, is killed.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

RETRY_S: Final = 5
"""When to ask again who was refused, in seconds: a search takes some."""


class BusyError(Exception):
    """So many child processes run already; the caller is told to ask again."""


class Ended(NamedTuple):
    """What a child process printed, and its exit code."""

    printed: bytes
    code: int | None


class Children:
    """So many places for child processes; of one event loop."""

    def __init__(self, places: int) -> None:
        self.places: Final = places
        self._taken = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            BusyError: none is free.
        """
        if self._taken >= self.places:
            raise BusyError(f"{self.places} searches and proofs run already")
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


async def gov(words: Sequence[str], within_s: float, read: bytes | None = None) -> Ended | None:
    """Run `gov` in a process of its own; None: it was not done in `within_s` seconds."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "govlang.cli", *words),
        stdin=asyncio.subprocess.DEVNULL if read is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(within_s):
            printed, _ = await child.communicate(read)
    except TimeoutError:
        return None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return Ended(printed, child.returncode)
