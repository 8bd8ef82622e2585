"""How the service tells that there is work: the interface.

The outbox of the store is the truth; a bus only wakes whoever waits.  What always holds: a message may come twice, late
or not at all, and no job is lost or run twice for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class Bus(Protocol):
    """Tells pools that work is waiting."""

    @property
    def is_closed(self) -> bool:
        """Whether nobody waits any more."""
        ...

    async def publish(self, pools: Iterable[str]) -> None: ...
    async def wait(self, pool: str, timeout_s: float) -> bool:
        """True when there may be work, False when the time is up."""
        ...

    async def close(self) -> None: ...


__all__ = ["Bus"]
