"""Waiting without holding an event loop up.

In: work that blocks.  Out: an awaitable of its value.

What always holds: what comes of work for which nobody waits any more is abandoned, never lost from sight.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T], abandon: Callable[[], None]) -> T:
    """Run work in a thread of its own (waiting for a person would use a pool of threads up)."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def succeed(value: T) -> None:
        if ended.done():
            _apart(abandon)
        else:
            ended.set_result(value)

    def fail(error: BaseException) -> None:
        if not ended.done():
            ended.set_exception(error)

    def run() -> None:
        try:
            value = context.run(work)
        except BaseException as error:  # noqa: BLE001  # it is raised where it is awaited
            _tell(loop, fail, error)
            return
        if not _tell(loop, succeed, value):
            abandon()

    threading.Thread(target=run, daemon=True).start()
    try:
        return await ended
    except asyncio.CancelledError:
        if ended.done() and not ended.cancelled() and ended.exception() is None:
            _apart(abandon)
        raise


def _apart(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[T], None], value: T) -> bool:
    """Whether the loop is still there to be told."""
    try:
        loop.call_soon_threadsafe(what, value)
    except RuntimeError:
        return False
    return True
