"""How a body arrives: whole, within its limit and in its time, or not at all.

In: what the server receives of a request.  Out: the bytes, or the refusal.

What always holds: no more than the limit is kept in memory; a body that has not come to its end in its time is refused,
however little of it comes at a time; a body that is there already, as nearly all are, costs no timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from types import coroutine
from typing import Any

from starlette.types import Message, Receive

from govlang.runtime.http.headers import CONTENT_LENGTH, Headers
from govlang.runtime.http.refusal import ClientGoneError, RefusedError, refused


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many bytes a body may have, and in how many seconds all of them must come."""

    limit: int
    within_s: float


async def read_bytes(receive: Receive, headers: Headers, bounds: Bounds) -> tuple[bytes, bool]:
    """The whole body, counted as it comes, and whether it was waited for.

    Raises:
        RefusedError: payload_too_large, body_timeout · ClientGoneError: the client left before the end.
    """
    limit = bounds.limit
    lengths = headers.get(CONTENT_LENGTH)
    if lengths and lengths[0].isdigit() and int(lengths[0]) > limit:
        raise _too_large(limit)
    begun = _next(receive)
    try:
        waited = begun.send(None)
    except StopIteration as came:
        if not _has_more(came.value):
            return _whole(came.value, limit), False
        first = _there(came.value)
    else:
        first = _rest(begun, waited)
    try:
        async with asyncio.timeout(bounds.within_s):
            return await _gathered(await first, receive, limit), True
    except TimeoutError:
        raise _too_slow(bounds.within_s) from None


async def _next(receive: Receive) -> Message:
    return await receive()


async def _there(message: Message) -> Message:
    return message


@coroutine
def _rest(begun: Coroutine[Any, None, Message], waited: Any) -> Generator[Any, None, Message]:
    """The rest of a coroutine that was begun by hand, and is at its first wait."""
    try:
        yield waited
    except BaseException as error:
        begun.throw(error)
        raise
    return (yield from begun.__await__())


async def _gathered(message: Message, receive: Receive, limit: int) -> bytes:
    """A body that comes in parts, from its first one on."""
    parts, size = [], 0
    while True:
        parts.append(_part(message))
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
        if not _has_more(message):
            return b"".join(parts)
        message = await receive()


def _whole(message: Message, limit: int) -> bytes:
    body = _part(message)
    if len(body) > limit:
        raise _too_large(limit)
    return body


def _part(message: Message) -> bytes:
    if message["type"] != "http.request":
        raise ClientGoneError
    part: bytes = message.get("body", b"")
    return part


def _has_more(message: Message) -> bool:
    return bool(message.get("more_body", False))


def _too_large(limit: int) -> RefusedError:
    return _closing(
        refused(
            "payload_too_large",
            f"the body has more than {limit} bytes",
            field="body",
            expected=f"at most {limit} bytes",
        )
    )


def _too_slow(within_s: float) -> RefusedError:
    return _closing(
        refused(
            "body_timeout",
            f"the body did not come to its end within {within_s:g} s",
            field="body",
            expected=f"all of it within {within_s:g} s of its head",
        )
    )


def _closing(refusal: RefusedError) -> RefusedError:
    """A refusal after which the connection is of no use: what is left of the body would be taken for a request."""
    refusal.answer.headers["connection"] = "close"
    return refusal
