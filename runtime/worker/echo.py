"""The plugin of `gov serve --dev` where none is named: it does nothing but say so."""

from __future__ import annotations

from typing import Any

from govlang.runtime.worker.job import WorkerJob


def echo(job: WorkerJob) -> Any:
    """What was asked for, and that nothing was done."""
    return {"done": False, "request": dict(job.request), "payload": job.payload}
