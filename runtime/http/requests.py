"""How many requests were answered, and how fast: counted in plain lists, made into series when /metrics is read.

In: each request's route, method, status and seconds.  Out: the counter and the histogram of prometheus_client, which
would take a lock for each of its five numbers; here only the event loop counts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

QUICK: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Buckets in seconds for what a machine does at once."""

BOUNDS: Final = (*(str(bound) for bound in QUICK), "+Inf")


class Requests(Collector):
    """Counts by route, method and status, times by route."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], int] = {}
        self._times: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def add(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        key = (route, method, status)
        counts = self._counts
        counts[key] = counts.get(key, 0) + 1
        times = self._times.get(route)
        if times is None:
            times = self._times[route] = [0] * len(BOUNDS)
            self._seconds[route] = 0.0
        times[bisect_left(QUICK, seconds)] += 1
        self._seconds[route] += seconds

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        """The series of both."""
        labels = ("route", "method", "status")
        counter = CounterMetricFamily("gov_http_requests", "Requests.", labels=labels)
        for (route, method, status), count in self._counts.items():
            counter.add_metric((route, method, str(status)), count)
        yield counter
        timed = HistogramMetricFamily(
            "gov_http_request_seconds", "Requests, timed.", labels=("route",)
        )
        for route, times in self._times.items():
            below = zip(BOUNDS, accumulate(times), strict=True)
            timed.add_metric((route,), list(below), self._seconds[route])
        yield timed
