"""The measurements of the control plane, for Prometheus; control calls plain methods and knows nothing of HTTP.

In: what happened, times in seconds.  Out: the text that /metrics shows.  Each `Metrics` has its own registry, so that
two services of one process, or two tests, do not add up.
"""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import Any, Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from govlang.runtime.control.meter import Meter
from govlang.runtime.http.requests import QUICK, Requests

SLOW: Final = (0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 3600, 14_400, 86_400)
"""Buckets in seconds for what waits, for workers or for people."""

SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)

BREAKER_STATES: Final = ("closed", "open", "half_open", "forced")

M = TypeVar("M", Counter, Gauge, Histogram)


class Metrics(Meter):
    """What is counted and timed.

    Labels hold names of rules, routes, states: never ids, never what a caller sent, but for the names of the few pools
    that wait longest (control/waiting.py).
    """

    def __init__(self, now_s: Callable[[], float] = time) -> None:
        self._registry = CollectorRegistry()
        self._now_s = now_s
        self._children: dict[tuple[Any, ...], Any] = {}
        self._declare_decisions()
        self._declare_work()
        self._declare_store()

    def _made(
        self, kind: type[M], name: str, says: str, labels: tuple[str, ...] = (), **rest: Any
    ) -> M:
        return kind("gov_" + name, says, labels, registry=self._registry, **rest)

    def _declare_decisions(self) -> None:
        self._decisions = self._made(Counter, "decisions", "Decisions.", ("gate", "effect", "rule"))
        self._approvals = self._made(
            Counter, "approvals", "Approvals that ended, and how.", ("rule", "outcome")
        )
        self._asked = self._made(Counter, "approvals_requested", "Approvals asked for.", ("rule",))
        self._approval_queue = self._made(
            Histogram,
            "approval_queue_seconds",
            "From the question to the answer of people.",
            ("rule",),
            buckets=SLOW,
        )
        self._detect = self._made(
            Histogram,
            "revocation_detect_seconds",
            "From the fact to its report, by cause.",
            ("cause",),
            buckets=SLOW,
        )
        self._revoke = self._made(
            Histogram,
            "revocation_revoke_seconds",
            "From the report until a worker let go of what it revoked.",
            buckets=SLOW,
        )

    def _declare_work(self) -> None:
        self._jobs = self._made(Gauge, "jobs", "Live jobs by state.", ("state",))
        self._ended = self._made(Counter, "jobs_ended", "Jobs that ended, by state.", ("state",))
        self._queue = self._made(
            Histogram, "dispatch_seconds", "From submit to dispatch.", buckets=SLOW
        )
        self._outbox = self._made(Gauge, "outbox_depth", "Stored and not yet published.")
        self._letters = self._made(Gauge, "dead_letters", "Jobs that will not run any more.")
        self._waits = self._made(
            Gauge, "queue_oldest_seconds", "Since when the oldest job of a pool is due.", ("pool",)
        )
        self._breakers = self._made(
            Gauge, "breaker_state", "1 for the state that holds.", ("dependency", "state")
        )
        self._requests = Requests()
        self._registry.register(self._requests)

    def _declare_store(self) -> None:
        self._group = self._made(
            Histogram, "writer_group_size", "Operations of a commit.", buckets=SIZES
        )
        self._commit = self._made(
            Histogram, "writer_commit_seconds", "A commit, to the disk.", buckets=QUICK
        )
        self._records = self._made(Gauge, "ledger_records", "Records of the ledger.")
        self._covered = self._made(
            Gauge, "checkpoint_records", "Records that the newest checkpoint covers."
        )
        self._checkpoint_age = self._made(
            Gauge, "checkpoint_age_seconds", "Since the newest checkpoint."
        )

    def _child(self, metric: Any, *labels: str) -> Any:
        """The series of those labels, looked up once."""
        key = (metric, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    # --- decisions and people ---

    def decided(self, gate: str, effect: str, rule: str | None) -> None:
        """A gate decided: `gate` is submit, dispatch or evaluate; `rule` None where none fired."""
        self._child(self._decisions, gate, effect, rule or "").inc()

    def approval_requested(self, rule: str | None) -> None:
        """A job waits for people."""
        self._child(self._asked, rule or "").inc()

    def approval_ended(self, rule: str | None, outcome: str, queue_s: float) -> None:
        """It waits no more: approved, rejected, expired or cancelled, after `queue_s`."""
        self._child(self._approvals, rule or "", outcome).inc()
        self._child(self._approval_queue, rule or "").observe(queue_s)

    def revocation_detected(self, cause: str, seconds: float) -> None:
        """Authority was revoked by `event`, `operator`, `expiry` or `policy`, so long after the fact."""
        self._child(self._detect, cause).observe(seconds)

    def revocation_done(self, seconds: float) -> None:
        """A worker let go of revoked work, so long after it was revoked."""
        self._revoke.observe(seconds)

    # --- jobs ---

    def moved(self, before: str | None, after: str, *, ended: bool = False) -> None:
        """A job moved; `before` None: it is new; `ended`: `after` is where jobs end."""
        if before is not None:
            self._child(self._jobs, before).dec()
        if ended:
            self._child(self._ended, after).inc()
        else:
            self._child(self._jobs, after).inc()

    def restored(self, states: dict[str, int]) -> None:
        """How many live jobs there are by state, after a start."""
        for state, count in states.items():
            self._child(self._jobs, state).set(count)

    def dispatched(self, waited_s: float) -> None:
        """A job went to a worker, `waited_s` after it was submitted."""
        self._queue.observe(waited_s)

    def outbox(self, depth: int) -> None:
        """So many stored jobs are not yet published."""
        self._outbox.set(depth)

    def dead_letters(self, count: int) -> None:
        """So many jobs will not run any more."""
        self._letters.set(count)

    def waiting(self, waits_s: dict[str, float]) -> None:
        """For so long the oldest job of each pool has been due and in no worker's hands; pools beside them are gone."""
        self._waits.clear()
        for pool, wait_s in waits_s.items():
            self._waits.labels(pool).set(wait_s)

    def breaker(self, dependency: str, state: str) -> None:
        """The breaker of a dependency is in that state."""
        for one in BREAKER_STATES:
            self._child(self._breakers, dependency, one).set(one == state)

    # --- store ---

    def committed(self, operations: int, seconds: float) -> None:
        """A group of operations is on the disk."""
        self._group.observe(operations)
        self._commit.observe(seconds)

    def ledger(self, records: int) -> None:
        """So many records there are."""
        self._records.set(records)

    def checkpointed(self, records: int) -> None:
        """A checkpoint of so many records was signed, now."""
        at_s = self._now_s()
        self._covered.set(records)
        self._checkpoint_age.set_function(lambda: max(0.0, self._now_s() - at_s))

    # --- HTTP ---

    def requested(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.add(route, method, status, seconds)

    def exposition(self) -> str:
        """All of it, in the text format."""
        return generate_latest(self._registry).decode()
