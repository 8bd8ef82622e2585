"""How much a caller may ask: a bucket of tokens for each caller and class of routes.

In: a caller's id, a class, the monotonic clock in seconds.  Out: nothing, or how long to wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

BUCKETS_MAX: Final = 10_000
"""Beyond it the full ones are forgotten: they say nothing."""


@dataclass(slots=True)
class Rates:
    """`rate_per_s` requests a second for long, `burst` at once."""

    rate_per_s: float
    burst: int
    clock_s: Callable[[], float] = monotonic
    _buckets: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def wait_s(self, who: str, load: str) -> float:
        """Take one; 0, or after how many seconds there will be one again (none is taken then)."""
        now = self.clock_s()
        left, at = self._buckets.get((who, load), (float(self.burst), now))
        left = min(float(self.burst), left + (now - at) * self.rate_per_s)
        if left < 1:
            return (1 - left) / self.rate_per_s
        if len(self._buckets) >= BUCKETS_MAX:
            self._forget(now)
        self._buckets[who, load] = left - 1, now
        return 0.0

    def _forget(self, now: float) -> None:
        missing = self.burst / self.rate_per_s
        self._buckets = {who: one for who, one in self._buckets.items() if now - one[1] < missing}
