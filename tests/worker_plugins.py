"""Entry points for the tests of the worker."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from govlang.runtime.worker import Again, Ended, WorkerJob

RAN: list[str] = []
LOCK = threading.Lock()


def remember(job: WorkerJob) -> None:
    with LOCK:
        RAN.append(job.job_id)


def double(job: WorkerJob) -> Any:
    remember(job)
    return {"twice": job.payload * 2, "size": job.request["size"]}


async def double_async(job: WorkerJob) -> Any:
    remember(job)
    await asyncio.sleep(0)
    return {"twice": job.payload * 2}


def fail(job: WorkerJob) -> None:
    remember(job)
    raise ValueError("no \x07 good")


def odd(_: WorkerJob) -> Any:
    return {"set": object()}


def huge(_: WorkerJob) -> Any:
    return "x" * (2**20 + 1)


def again_once(job: WorkerJob) -> str:
    remember(job)
    if RAN.count(job.job_id) == 1:
        raise Again("not yet")
    return "now"


def spend(_: WorkerJob) -> Ended:
    return Ended("done", used={"tokens": 7}, fields={"size": 2})


def patient(job: WorkerJob) -> str:
    """A thread that looks at `cancelled`."""
    remember(job)
    return "stopped" if job.cancelled.wait(20) else "ended"


async def patient_async(job: WorkerJob) -> str:
    remember(job)
    await asyncio.wait_for(job.cancelled.asked(), 20)
    return "stopped"


async def deaf_async(job: WorkerJob) -> None:
    """A coroutine that does not look, and is cancelled."""
    remember(job)
    try:
        await asyncio.sleep(20)
    finally:
        RAN.append("cleaned")


def brief(job: WorkerJob) -> str:
    remember(job)
    time.sleep(0.5)
    return "ended"
