"""The HTTP/1.1 of the service: uvicorn's protocol, and what it leaves open.

What always holds: a request whose end is uncertain is not carried out (framing.py); a head comes in its time, and has
at most `HEAD_MAX` bytes, as have trailers, which are no headers of the request, so that nobody comes in by them; what
is left of a request that was answered already comes in its time (a body that is asked for is bounded by the app); what
is no HTTP is answered as a problem like any other, unless another answer is owed, for which it could be taken; the head
of an answer goes with its body.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from govlang.runtime.control.answer import problem
from govlang.runtime.http.framing import TRANSFER_ENCODING, check_codings
from govlang.runtime.http.joined import JoinedTransport
from govlang.runtime.http.sending import body_of, headers_of

HEAD_MAX: Final = 65_536
"""The longest head of a request, and the longest trailers, in bytes."""


class StrictProtocol(HttpToolsProtocol):
    """One connection; in `head_s` seconds a head must come, and what is left of a request that was answered.

    `_pending` counts what came since a head ended, or part of a body: if it is not 0, one of them has begun.
    """

    def __init__(self, *, head_s: float, **given: Any) -> None:
        super().__init__(**given)
        self._head_s = head_s
        self._pending = 0
        self._is_in_head = True
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(  # type: ignore[override]  # uvicorn says it of its own method, too
        self, transport: asyncio.Transport
    ) -> None:
        """Write through a transport that joins; whoever says nothing is like one who says nothing more."""
        self.joined = JoinedTransport(transport)
        super().connection_made(cast("asyncio.Transport", self.joined))
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._in_time()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, as long as what comes is not all head and comes in its time."""
        self._pending += len(data)
        super().data_received(data)
        if self._pending and not self.transport.is_closing():
            self._bound()

    def on_headers_complete(self) -> None:
        """Refuse before anything of the request is carried out."""
        for name, _ in self.headers:
            if name == TRANSFER_ENCODING:
                check_codings(self.headers, self.parser.get_http_version())
                break
        super().on_headers_complete()
        self.headers = []  # trailers go here, the request has the list that was
        self._pending, self._is_in_head = 0, False
        self._in_time()

    def on_body(self, body: bytes) -> None:
        """Count anew: how long a body may be is asked where it is read."""
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is here whole."""
        super().on_message_complete()
        self._pending, self._is_in_head = 0, True
        self._in_time()

    def on_response_complete(self) -> None:
        """Write what waits before the next request is answered."""
        self.joined.end_answer()
        super().on_response_complete()
        if not self._is_in_head and not self.transport.is_closing():
            self._bound()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser does not take."""
        del msg
        self._refuse("malformed_http", "the request is not HTTP/1.1, or its end is not certain")

    def _bound(self) -> None:
        """Bound what is to come of a request where nobody else does."""
        if self._pending > HEAD_MAX:
            why = f"the head, or what follows the body, has more than {HEAD_MAX} bytes"
            self._refuse("head_too_large", why)
        elif self._timer is None and (self._is_in_head or self.cycle.response_complete):
            self._timer = self.loop.call_later(self._head_s, self._too_late)

    def _in_time(self) -> None:
        """Wait no longer for what has come."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        if self._is_in_head:
            within = f"{self._head_s:g} s"
            self._refuse("head_timeout", f"the head did not come to its end within {within}")
        self.transport.close()

    def _refuse(self, code: str, detail: str) -> None:
        """Answer and close; only close where an answer is owed that this could be taken for."""
        if not self._owes_another():
            answer = problem(code, detail)
            answer.headers["connection"] = "close"
            body = body_of(answer)
            headers = (*self.server_state.default_headers, *headers_of(answer, body))
            lines = [b"%b: %b\r\n" % one for one in headers]
            self.transport.write(b"".join((STATUS_LINE[answer.status], *lines, b"\r\n", body)))
        self.transport.close()

    def _owes_another(self) -> bool:
        """Whether a request that came before is not answered yet, or this one is being answered."""
        if self._is_in_head:
            cycle: RequestResponseCycle | None = self.cycle
            return cycle is not None and not cycle.response_complete
        return bool(self.pipeline) or self.cycle.response_started
