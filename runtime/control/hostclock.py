"""The clock that gates decide by: milliseconds since 1970 that never go back while the service runs.

Wall time is read once, at the start, and carried on by the monotonic clock: when somebody sets the host's clock, no
window of
a policy shrinks or grows and no sample is a clock fault.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

NowMs = Callable[[], int]
"""A clock: the time in ms since 1970."""

_PER_MS: Final = 1_000_000


def host_clock() -> NowMs:
    """A clock that begins at the wall time of now."""
    offset = time.time_ns() - time.monotonic_ns()
    return lambda: (offset + time.monotonic_ns()) // _PER_MS
