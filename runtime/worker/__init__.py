"""`gov worker`: runs the jobs of a pool through a plugin."""

from __future__ import annotations

from govlang.runtime.worker.job import Again, Cancelled, Ended, WorkerJob

__all__ = ["Again", "Cancelled", "Ended", "WorkerJob"]
