"""How an event loop waits for what a thread does: one wake-up for all that ended together.

What always holds: each result reaches its own future, in the loop's thread; a loop that has ended hears nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final


class Awaited:
    """A promise (writer.py) whose `future` is awaited in the loop that made it."""

    __slots__ = ("_mail", "future")

    def __init__(self, mail: Mail) -> None:
        self._mail = mail
        self.future: asyncio.Future[Any] = mail.loop.create_future()

    def set_running_or_notify_cancel(self) -> bool:
        """Whether somebody still waits."""
        return not self.future.cancelled()

    def set_result(self, result: Any) -> None:
        self._mail.post(self.future, result, None)

    def set_exception(self, exception: BaseException | None) -> None:
        self._mail.post(self.future, None, exception)


class Mail:
    """What one thread has for one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop: Final = loop
        self._posted: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._is_announced = False

    def post(self, future: asyncio.Future[Any], result: Any, failed: BaseException | None) -> None:
        """Called in the other thread."""
        self._posted.append((future, result, failed))
        if not self._is_announced and not self.loop.is_closed():
            self._is_announced = True
            self.loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._is_announced = False  # before it looks: what is posted from here on is announced anew
        while self._posted:
            future, result, failed = self._posted.popleft()
            if future.done():
                continue
            if failed is None:
                future.set_result(result)
            else:
                future.set_exception(failed)
