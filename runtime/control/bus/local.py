"""The bus of one process: whoever waits for a pool is woken by the event loop."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable


class LocalBus:
    """Waiters by pool."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Future[bool]]] = defaultdict(set)
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether nobody waits any more."""
        return self._is_closed

    async def publish(self, pools: Iterable[str]) -> None:
        for pool in pools:
            self._wake(pool, found=True)

    def _wake(self, pool: str, *, found: bool) -> None:
        for waiter in self._waiting.pop(pool, ()):
            if not waiter.done():
                waiter.set_result(found)

    async def wait(self, pool: str, timeout_s: float) -> bool:
        if self._is_closed or timeout_s <= 0:
            return False
        waiter = asyncio.get_running_loop().create_future()
        self._waiting[pool].add(waiter)
        try:
            return await asyncio.wait_for(waiter, timeout_s)
        except TimeoutError:
            return False
        finally:
            waiters = self._waiting.get(pool, set())
            waiters.discard(waiter)
            if not waiters:
                self._waiting.pop(pool, None)

    async def close(self) -> None:
        """Wake everybody; nobody waits any more."""
        self._is_closed = True
        for pool in list(self._waiting):
            self._wake(pool, found=False)
