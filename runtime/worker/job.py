"""A job as a plugin sees it, and how it ends.

In: a lease.  Out: `WorkerJob` for the plugin, `Ended` from it.

What always holds: what is reported is JSON of a bounded size; an output that is none is a failure.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from govlang.client.answers import Lease
from govlang.client.errors import Unavailable, Unwritable
from govlang.client.wire import decoded, encode
from govlang.native.request import legible

OUTPUT_MAX: Final = 2**20
"""The most bytes of an output, as JSON."""
ERROR_MAX: Final = 500
"""The most characters of an error."""

Outcome = Literal["succeeded", "failed", "again"]


class Again(Exception):  # noqa: N818  # what a plugin says, not a fault of it
    """Raised by an entry point that has done nothing and wants to be asked once more, later."""


class Cancelled:
    """Whether a job must stop: `is_set()` and `wait()` for threads, `asked()` for coroutines."""

    def __init__(self) -> None:
        self._thread: Final = threading.Event()
        self._loop: Final = asyncio.Event()

    def is_set(self) -> bool:
        """Whether it must stop."""
        return self._thread.is_set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it must stop, or so many seconds; whether it must."""
        return self._thread.wait(timeout_s)

    async def asked(self) -> None:
        """Wait until it must stop."""
        await self._loop.wait()

    def set(self) -> None:
        """Ask it to stop; called by the worker, on its loop."""
        self._thread.set()
        self._loop.set()


@dataclass(frozen=True, slots=True)
class WorkerJob:
    """A job that runs now: limits are applied to `request` already, `limits` holds those of outputs.

    The plugin must carry out each `do` of `obligations`, and stop soon when `cancelled` is set.
    """

    job_id: str
    agent: str | None
    request: Mapping[str, Any]
    payload: Any
    obligations: tuple[Mapping[str, Any], ...]
    limits: Mapping[str, Any]
    delegation: tuple[Any, ...]
    cancelled: Cancelled = field(default_factory=Cancelled, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The job as plugins outside Python get it."""
        return {
            "job_id": self.job_id,
            "agent": self.agent,
            "request": self.request,
            "payload": self.payload,
            "obligations": list(self.obligations),
            "limits": self.limits,
            "delegation": list(self.delegation),
        }


def job_of(lease: Lease) -> WorkerJob:
    """The job of a lease."""
    return WorkerJob(
        lease.job_id,
        lease.agent,
        lease.request,
        lease.payload,
        lease.obligations,
        lease.limits,
        lease.delegation,
    )


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended; an entry point may return one to report more than its output.

    `used`: what was used of each reserved field; `fields`: those of the policy's events `success` and `failure`.
    """

    output: Any = None
    outcome: Outcome = "succeeded"
    error: str | None = None
    used: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)


def failed(why: str) -> Ended:
    """A failure."""
    return Ended(outcome="failed", error=legible(why, ERROR_MAX))


def output_of(text: bytes, otherwise: str) -> Ended:
    """The success of a plugin that said so many bytes: JSON, or nothing; anything else is a failure."""
    if not text.strip():
        return Ended()
    try:
        return Ended(decoded(text))
    except Unavailable:
        return failed(otherwise)


def told(error: BaseException) -> str:
    """An error in one line: of which type it is, and what it says."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def reportable(ended: Ended) -> Ended:
    """An end that can be sent; where the output cannot, the job has failed."""
    try:
        size = len(encode([ended.output, ended.used, ended.fields]))
    except Unwritable as error:
        return failed(f"the output is no JSON: {error.why}")
    if size > OUTPUT_MAX:
        return failed(f"the output has {size} bytes of JSON, more than {OUTPUT_MAX}")
    error_text = None if ended.error is None else legible(ended.error, ERROR_MAX)
    return replace(ended, error=error_text)
