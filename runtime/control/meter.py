"""What the control plane tells of itself, as plain calls; `runtime/http/metrics.py` counts them for Prometheus.

This one counts nothing.  Times are in seconds; nothing here raises.
"""

from __future__ import annotations


class Meter:
    """Hears of what happens."""

    def decided(self, gate: str, effect: str, rule: str | None) -> None:
        """A gate decided: `gate` is submit, dispatch or evaluate; the effect before approvals count."""

    def approval_requested(self, rule: str | None) -> None:
        """A job waits for people."""

    def approval_ended(self, rule: str | None, outcome: str, queue_s: float) -> None:
        """It waits no more: approved, rejected or expired."""

    def moved(self, before: str | None, after: str, *, ended: bool = False) -> None:
        """A job moved; `before` None: it is new; `ended`: `after` is where jobs end."""

    def restored(self, states: dict[str, int]) -> None:
        """How many live jobs there are by state, after a start."""

    def dispatched(self, waited_s: float) -> None:
        """A job went to a worker, so long after it was submitted."""

    def revocation_detected(self, cause: str, seconds: float) -> None:
        """Authority was revoked by `event`, `operator`, `expiry` or `policy`, so long after the fact."""

    def revocation_done(self, seconds: float) -> None:
        """A worker let go of revoked work, so long after it was revoked."""

    def dead_letters(self, count: int) -> None:
        """So many jobs will not run any more."""

    def outbox(self, depth: int) -> None:
        """So many stored jobs are not yet published."""

    def waiting(self, waits_s: dict[str, float]) -> None:
        """For so long the oldest job of each pool has been due and in no worker's hands; the longest few pools."""

    def breaker(self, dependency: str, state: str) -> None:
        """The breaker of a dependency is in that state."""

    def committed(self, operations: int, seconds: float) -> None:
        """A group of operations is on the disk."""

    def ledger(self, records: int) -> None:
        """So many records there are."""

    def checkpointed(self, records: int) -> None:
        """A checkpoint of so many records was signed, now."""
