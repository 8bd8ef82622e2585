"""The desk: how an event loop has operations carried out by the writer, and what errors become.

What always holds: an answer that tells of a change is given after the change is on the disk; an error that nobody
foresaw is an `internal_error`, is logged, and has changed nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from govlang.native.errors import CodedError
from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.awaited import Awaited, Mail
from govlang.runtime.control.children import RETRY_S, BusyError, Children
from govlang.runtime.control.job_machine import IllegalMoveError
from govlang.runtime.control.verdict import CheckUnavailableError
from govlang.runtime.control.writer import StoppedError, StorageError, Writer

if TYPE_CHECKING:
    from govlang.runtime.control.bus import Bus
    from govlang.runtime.control.check import RemoteCheck
    from govlang.runtime.control.judge import Judge
    from govlang.runtime.control.office import Office
    from govlang.runtime.control.store import Session
    from govlang.runtime.control.tokens import Caller, TokenBook
    from govlang.runtime.control.turn import Turn

T = TypeVar("T")
log: Final = logging.getLogger("govlang.control")

STORAGE_RETRY_S: Final = 5
STOPPING_RETRY_S: Final = 10


class Desk:
    """Office, writer, bus, tokens and the check elsewhere, if there is one."""

    def __init__(
        self, office: Office, writer: Writer, bus: Bus, book: TokenBook, check: RemoteCheck | None
    ) -> None:
        self.office: Final = office
        self.writer: Final = writer
        self.bus: Final = bus
        self.book: Final = book
        self.check: Final = check
        self.children: Final = Children(office.settings.children_max)
        self._box: Mail | None = None

    @property
    def judge(self) -> Judge:
        """The active policy."""
        judge = self.office.judge
        assert judge is not None, "a service is started with a policy"
        return judge

    @property
    def rows(self) -> Session:
        """What was committed last, for reading."""
        return self.office.store.reader()

    def ended(self, caller: Caller) -> Answer | None:
        """The refusal of a caller whose token has become worthless while something was waited for; None: it has not."""
        lost = self.book.lost(caller.token_id, self.office.clock())
        if lost is None:
            return None
        answer = problem(
            "unauthenticated",
            lost.value,
            field="Authorization",
            expected="`Bearer` and a valid token",
        )
        answer.headers["www-authenticate"] = "Bearer"
        return answer

    async def carry_out(self, operation: Callable[[Turn], T]) -> T:
        """Have an operation carried out; what it returns, once it is on the disk."""
        awaited = Awaited(self._mail())
        self.writer.promise(operation, awaited)
        found: T = await awaited.future
        return found

    def _mail(self) -> Mail:
        """The mail of the loop that runs."""
        loop = asyncio.get_running_loop()
        if self._box is None or self._box.loop is not loop:
            self._box = Mail(loop)
        return self._box

    async def run(self, operation: Callable[[Turn], T]) -> T | Answer:
        """The same, with an answer for every error."""
        try:
            return await self.carry_out(operation)
        except Exception as error:  # noqa: BLE001  # whatever it is, the caller is told, and it is logged
            return answer_to(error)


def answer_to(error: Exception) -> Answer:
    """What a caller is told of an error."""
    match error:
        case StoppedError():
            return problem("shutting_down", error.message, retry_after_s=STOPPING_RETRY_S)
        case StorageError():
            log.error("storage", exc_info=error)
            return problem(
                "storage_unavailable", "nothing can be stored now", retry_after_s=STORAGE_RETRY_S
            )
        case IllegalMoveError():
            return problem("illegal_state", error.message, expected=error.help)
        case CheckUnavailableError():
            return problem("policy_unavailable", error.message, retry_after_s=1)
        case BusyError():
            return problem("busy", str(error), retry_after_s=RETRY_S)
        case CodedError():
            log.error("refused", exc_info=error)
            return problem("internal_error", error.message)
        case _:
            log.error("unforeseen", exc_info=error)
            return problem("internal_error", "the service failed; nothing has changed")
