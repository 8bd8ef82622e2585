"""Takes the time of a Python call over a stream of requests, and keeps what was measured as rows.

Every figure is the median of several rounds of processor time (of all threads of this process, so that other work on
the machine does not count); a round walks on through the shuffled stream where the last one stopped. The loop around
the call is part of the figure: about 20 ns, the same for everyone.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from time import process_time, process_time_ns
from typing import Any

ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: `value` in `unit`, of `subject` in `form`, on `workload` with `rules` rules."""

    workload: str
    rules: int
    subject: str
    form: str
    value: float
    unit: str

    def as_json(self) -> dict[str, Any]:
        """The row as plain data."""
        return asdict(self)


def ns_per_call(call: Callable[[Any], object], prepared: Sequence[Any], budget_s: float) -> float:
    """The median nanoseconds a call, within about `budget_s` seconds."""
    stream = cycle(prepared)
    per_round = calls_within(call, stream, budget_s / (ROUNDS + 1))
    return statistics.median(one_round(call, stream, per_round) for _ in range(ROUNDS))


def calls_within(call: Callable[[Any], object], stream: cycle[Any], seconds: float) -> int:
    """How many calls fit; doubles until they take that long."""
    count = 4
    while True:
        start = process_time()
        for request in islice(stream, count):
            call(request)
        spent = process_time() - start
        if spent >= seconds / 2:
            return max(4, int(count * seconds / spent))
        count *= 2


def one_round(call: Callable[[Any], object], stream: cycle[Any], count: int) -> float:
    """Nanoseconds a call over `count` calls."""
    requests = list(islice(stream, count))
    start = process_time_ns()
    for request in requests:
        call(request)
    return (process_time_ns() - start) / count


def seconds_of(call: Callable[[], object], times: int = 1) -> float:
    """The median seconds of processor time of a call."""
    spent = []
    for _ in range(times):
        start = process_time()
        call()
        spent.append(process_time() - start)
    return statistics.median(spent)
