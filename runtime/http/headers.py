"""The headers that the routes read, picked out of a request in one pass."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from govlang.runtime.http.refusal import refused

IDEMPOTENCY_KEY: Final = re.compile(rb"[\x21-\x7e]{1,200}")


class Headers(NamedTuple):
    """What was sent, an entry for each time that it was."""

    authorization: list[bytes]
    content_type: list[bytes]
    content_length: list[bytes]
    idempotency_key: list[bytes]
    host: list[bytes]


def pick(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers of an ASGI scope that are read here."""
    found = Headers([], [], [], [], [])
    for name, value in headers:
        if name == b"authorization":
            found.authorization.append(value)
        elif name == b"content-type":
            found.content_type.append(value)
        elif name == b"content-length":
            found.content_length.append(value)
        elif name == b"idempotency-key":
            found.idempotency_key.append(value)
        elif name == b"host":
            found.host.append(value)
    return found


def idempotency_key(headers: Headers) -> str:
    """The key under which an answer is remembered.

    Raises:
        RefusedError: idempotency_key_missing, it is missing, given twice, or of other characters.
    """
    keys = headers.idempotency_key
    if len(keys) == 1 and IDEMPOTENCY_KEY.fullmatch(keys[0]):
        return keys[0].decode("ascii")
    raise refused(
        "idempotency_key_missing",
        "the header is " + ("missing" if not keys else "given twice" if keys[1:] else "malformed"),
        field="Idempotency-Key",
        expected="one header of 1 to 200 visible ASCII characters",
    )


def check_content_type(headers: Headers, expected: bytes) -> None:
    """Let only bodies of that type through; JSON only in UTF-8.

    Raises:
        RefusedError: unsupported_media_type.
    """
    if headers.content_type == [expected]:
        return
    if len(headers.content_type) == 1:
        kind, _, parameter = headers.content_type[0].partition(b";")
        charset = parameter.strip().lower().replace(b'"', b"")
        if kind.strip().lower() == expected and charset in {b"", b"charset=utf-8"}:
            return
    raise refused(
        "unsupported_media_type",
        "the body is not said to be of the type that this route takes",
        field="Content-Type",
        expected=expected.decode("ascii"),
    )
