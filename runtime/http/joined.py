"""Writes the head of an answer and the first of its body as one: one system call and one packet where uvicorn has two.

In: what uvicorn's protocol writes.  Out: the same bytes, in the same order.

What always holds: a head waits for nothing but its body, which ASGI asks for anyway ("the protocol server must not
start sending the response to the client until it has received at least one Response Body event"); an answer that ends,
and a connection that is closed, leave nothing unwritten; `100 Continue` does not wait.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

CONTINUE: Final = b"HTTP/1.1 100 "
"""How the only message begins that comes before the head of an answer."""


class JoinedTransport:
    """The transport of a connection; what is not written here goes on to the one below as it is."""

    __slots__ = ("_below", "_head", "_is_begun", "_write", "is_closing", "resume_reading")

    def __init__(self, below: asyncio.Transport) -> None:
        self._below = below
        self._write = below.write
        self._head = b""
        self._is_begun = False
        self.is_closing = below.is_closing
        self.resume_reading = below.resume_reading

    def write(self, data: bytes) -> None:
        """Write, with the head that waits; the first write of an answer is its head, and waits."""
        if self._head:
            data, self._head = self._head + data, b""
        elif not self._is_begun and not data.startswith(CONTINUE):
            self._is_begun, self._head = True, data
            return
        self._write(data)

    def end_answer(self) -> None:
        """Write what waits (a head that has no body), and take the next write for a head."""
        self._is_begun = False
        self._flush()

    def close(self) -> None:
        """Close, once what waits is written."""
        self._flush()
        self._below.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._write(head)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)
