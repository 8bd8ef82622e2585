"""When the keys of a policy want their next ticks.

In: after each sample of a key, the next time at which something can change by itself.  Out: the keys whose time it is.

What always holds: of a key only what its newest sample said counts; a deadline is given once.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any, Final

STALE_MAX: Final = 1000
"""So many deadlines that were overtaken are kept, beside as many as count, before they are dropped."""


class Deadlines:
    """The next tick of each key, in ms since 1970."""

    def __init__(self) -> None:
        self._at: dict[str, int] = {}
        self._queue: list[tuple[int, str]] = []

    def note(self, key: str, at_ms: int | None) -> None:
        """The newest sample of a key says when it wants its next tick; what was said before is void."""
        if at_ms is None:
            self._at.pop(key, None)
        elif self._at.get(key) != at_ms:
            self._at[key] = at_ms
            heapq.heappush(self._queue, (at_ms, key))
            if len(self._queue) > 2 * len(self._at) + STALE_MAX:
                self._queue = self._sorted()

    def due(self, now_ms: int) -> dict[str, int]:
        """The keys that want a tick now, each with its deadline; they are given once."""
        found: dict[str, int] = {}
        while self._queue and self._queue[0][0] <= now_ms:
            at_ms, key = heapq.heappop(self._queue)
            if self._at.get(key) == at_ms:
                del self._at[key]
                found[key] = at_ms
        return found

    def kept(self) -> list[list[Any]]:
        """When each key wants its next tick, for whoever goes on from this state."""
        return [[at_ms, key] for at_ms, key in self._sorted()]

    def go_on(self, kept: Iterable[Iterable[Any]]) -> None:
        """Go on with the deadlines that another one kept."""
        self._at = {str(key): int(at_ms) for at_ms, key in kept}
        self._queue = self._sorted()

    def _sorted(self) -> list[tuple[int, str]]:
        return sorted((at_ms, key) for key, at_ms in self._at.items())
