"""What the control plane tells of itself, as plain calls; `runtime/http/metrics.py` counts them for Prometheus.

This one counts nothing.  Times are in seconds.
"""

from __future__ import annotations


class Meter:
    """Hears of what happens; never raises."""

    def decided(self, gate: str, effect: str, rule_id: str) -> None:
        """A gate (`submit`, `dispatch`) decided; the effect before approvals count."""

    def moved(self, before: str, after: str) -> None:
        """A job went from one state to another."""

    def approved(self, rule_id: str, waited_s: float) -> None:
        """All that a rule asks for was approved, so long after it was asked."""

    def rejected(self, rule_id: str) -> None:
        """What a rule asked a person about was rejected."""

    def dispatched(self, rule_id: str, waited_s: float) -> None:
        """A job went to a worker, so long after it was submitted."""

    def lost(self) -> None:
        """A lease ran out before the worker began."""

    def revoked(self, jobs: int, detected_s: float) -> None:
        """An event revoked work in flight, and reached us so long after it happened."""

    def let_go(self, took_s: float) -> None:
        """A worker let go of revoked work, so long after it was revoked."""

    def committed(self, operations: int, took_s: float) -> None:
        """A group of operations is on the disk."""

    def breaker(self, dependency: str, state: str) -> None:
        """The state of a circuit breaker."""
