"""The clock that gates decide by: milliseconds since 1970 that never go back while the service runs.

Wall time is read once, at the start, and carried on by a clock that nobody sets: when somebody sets the host's clock,
no window of a policy shrinks or grows and no sample is a clock fault.  It goes on while the host sleeps
(CLOCK_BOOTTIME, where there is one): an approval of ten minutes is not good for the night that a machine was suspended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

NowMs = Callable[[], int]
"""A clock: the time in ms since 1970."""

_PER_MS: Final = 1_000_000


def _elapsed_ns() -> Callable[[], int]:
    since_boot: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    if since_boot is None:
        return time.monotonic_ns
    return lambda: time.clock_gettime_ns(since_boot)


def host_clock() -> NowMs:
    """A clock that begins at the wall time of now."""
    elapsed_ns = _elapsed_ns()
    offset = time.time_ns() - elapsed_ns()
    return lambda: (offset + elapsed_ns()) // _PER_MS
