"""The writer: one thread that carries out operations one after another, many of them in one transaction.

In: operations, functions of a `Turn`, from any thread or event loop.  Out: what they return, once it is on the disk.

What always holds: nobody is answered before the commit; an operation that raises has changed nothing; when one fails
after it wrote, or the disk refuses, everything of its group is taken back and the memory is made anew from what was
stored.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from govlang.native.errors import CodedError

if TYPE_CHECKING:
    from govlang.runtime.control.turn import Turn

T = TypeVar("T")
Operation = Callable[["Turn"], T]


class StorageError(CodedError):
    """Nothing can be stored now; what was asked for has not happened."""

    def __init__(self, why: str) -> None:
        super().__init__("GOV623", f"nothing can be stored: {why}", "see the log of the service")


class StoppedError(CodedError):
    """The service is stopping, and takes in nothing more."""

    def __init__(self) -> None:
        super().__init__("GOV624", "the service is stopping", "ask again when it is back")


class Workshop(Protocol):
    """What the writer needs to open and close its transactions; `Office` (office.py) is the real one."""

    def open(self, operations: Sequence[Operation[Any]]) -> Turn:
        """Begin a transaction for these operations, so that what they look up can be looked up at once."""
        ...

    def close(self, turn: Turn) -> None:
        """Commit; on the disk when it returns."""
        ...

    def abandon(self) -> None:
        """Take everything back and make the memory anew."""
        ...


class Promise(Protocol):
    """What hears how an operation ended; a `concurrent.futures.Future` is one, `Awaited` (awaited.py) another."""

    def set_running_or_notify_cancel(self) -> bool: ...
    def set_result(self, result: Any) -> None: ...
    def set_exception(self, exception: BaseException | None) -> None: ...


_Item = tuple[Operation[Any], Promise]
_STOP: Final = None


class Writer:
    """Takes operations and carries them out in groups."""

    def __init__(
        self, workshop: Workshop, group_max: int, told: Callable[[int, float], None]
    ) -> None:
        """`told(operations, seconds)` hears of each group that was committed."""
        self._workshop = workshop
        self._group_max = group_max
        self._told = told
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._is_open = True
        self.last_error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="gov-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it takes in operations, and the last group reached the disk."""
        return self._is_open and self._thread.is_alive() and self.last_error is None

    def submit(self, operation: Operation[T]) -> Future[T]:
        """Have an operation carried out; the future ends when it is on the disk.

        Raises:
            StoppedError: the service is stopping.
        """
        future: Future[T] = Future()
        self.promise(operation, future)
        return future

    def promise(self, operation: Operation[Any], promise: Promise) -> None:
        """The same, with somebody else to be told.

        Raises:
            StoppedError: the service is stopping.
        """
        with self._gate:
            if not self._is_open:
                raise StoppedError
            self._queue.put((operation, promise))

    def stop(self) -> None:
        """Carry out what was taken in, and end."""
        with self._gate:
            self._is_open = False
            self._queue.put(_STOP)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._queue.get()) is not _STOP:
            group = [item]
            ends = False
            while len(group) < self._group_max and not ends:
                try:
                    found = self._queue.get_nowait()
                except queue.Empty:
                    break
                if found is _STOP:
                    ends = True
                else:
                    group.append(found)
            self._begin(group)
            if ends:
                return

    def _begin(self, group: list[_Item]) -> None:
        """Carry out what nobody has taken back; from here on it cannot be taken back any more."""
        kept = [item for item in group if item[1].set_running_or_notify_cancel()]
        if kept:
            self._carry_out(kept)

    def _carry_out(self, group: list[_Item]) -> None:
        """Carry a group out; where one of several breaks it, each once more by itself."""
        started = time.monotonic()
        try:
            results = self._try(group)
        except BaseException as error:  # noqa: BLE001  # whatever it is, those who wait must hear of it
            self._recover(group, error)
            return
        self.last_error = None
        self._told(len(group), time.monotonic() - started)
        for (_, future), (value, failed) in zip(group, results, strict=True):
            future.set_exception(failed) if failed is not None else future.set_result(value)

    def _recover(self, group: list[_Item], error: BaseException) -> None:
        try:
            self._workshop.abandon()
        except BaseException as second:  # noqa: BLE001  # the same
            self.last_error = second
            _tell_all(group, StorageError(str(second)))
            return
        if len(group) > 1:
            for item in group:
                self._carry_out([item])
            return
        if not isinstance(error, _BrokenError):
            self.last_error = error
        cause = error.__cause__ if isinstance(error, _BrokenError) else StorageError(str(error))
        _tell_all(group, cause or error)

    def _try(self, group: list[_Item]) -> list[tuple[Any, BaseException | None]]:
        turn = self._workshop.open([operation for operation, _ in group])
        results: list[tuple[Any, BaseException | None]] = []
        for operation, _ in group:
            turn.begin()
            try:
                results.append((operation(turn), None))
            except Exception as error:
                if turn.has_written:
                    raise _BrokenError from error
                results.append((None, error))
        self._workshop.close(turn)
        return results


class _BrokenError(Exception):
    """An operation failed after it wrote."""


def _tell_all(group: list[_Item], error: BaseException) -> None:
    for _, future in group:
        future.set_exception(error)
