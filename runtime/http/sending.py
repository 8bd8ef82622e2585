"""Sends an `Answer`: JSON, problem+json, or text, with the headers that every answer has."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

from starlette.types import Send

from govlang.runtime.control.answer import Answer, Lasting

JSON: Final = b"application/json"
PROBLEM: Final = b"application/problem+json"
TEXT: Final = b"text/plain; charset=utf-8"
ALWAYS: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


def _plain(value: Any) -> Any:
    """Exact decimals as the numbers that are read back as the same decimal."""
    if isinstance(value, Decimal):
        return (
            int(value)
            if value == value.to_integral_value() and abs(value) < 2**53
            else float(value)
        )
    raise TypeError(f"an answer holds a {type(value).__name__}")


_encode: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"), default=_plain
).encode


def body_of(answer: Answer) -> bytes:
    """The bytes of an answer's body."""
    match answer.body:
        case None:
            return b""
        case str():
            return answer.body.encode()
        case Lasting():
            if answer.body.text is None:
                answer.body.text = _encode(answer.body).encode()
            return answer.body.text
        case _:
            return _encode(answer.body).encode()


def _kind(answer: Answer) -> bytes:
    if isinstance(answer.body, str):
        return TEXT
    return PROBLEM if answer.status >= 400 else JSON


def headers_of(answer: Answer, body: bytes) -> list[tuple[bytes, bytes]]:
    """The headers of an answer whose body has these bytes."""
    headers = [*ALWAYS]
    if answer.status != 204:
        headers.append((b"content-length", str(len(body)).encode()))
    if body and "content-type" not in answer.headers:
        headers.append((b"content-type", _kind(answer)))
    for name, value in answer.headers.items():
        headers.append((name.encode(), value.encode()))
    return headers


async def send_answer(send: Send, answer: Answer, body: bytes, *, head: bool = False) -> None:
    """Send it all, with the bytes of its body (`body_of`); of a HEAD only the headers."""
    headers = headers_of(answer, body)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})
