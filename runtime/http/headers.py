"""The headers of a request by name, and the checks of those that the routes read."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from govlang.runtime.http.refusal import refused

IDEMPOTENCY_KEY: Final = re.compile(rb"[\x21-\x7e]{1,200}")


Headers = Mapping[bytes, list[bytes]]
"""What was sent by name, an entry for each time that it was."""

AUTHORIZATION: Final = b"authorization"
CONTENT_TYPE: Final = b"content-type"
CONTENT_LENGTH: Final = b"content-length"
HOST: Final = b"host"
ORIGIN: Final = b"origin"
SEC_FETCH_SITE: Final = b"sec-fetch-site"
NONE: Final[list[bytes]] = []


def pick(headers: Collection[tuple[bytes, bytes]]) -> Headers:
    """The headers of an ASGI scope."""
    found = {name: [value] for name, value in headers}
    if len(found) == len(headers):
        return found
    found = {}
    for name, value in headers:
        found.setdefault(name, []).append(value)
    return found


def idempotency_key(headers: Headers) -> str:
    """The key under which an answer is remembered.

    Raises:
        RefusedError: idempotency_key_missing, it is missing, given twice, or of other characters.
    """
    keys = headers.get(b"idempotency-key", NONE)
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
    given = headers.get(CONTENT_TYPE, NONE)
    if given == [expected]:
        return
    if len(given) == 1:
        kind, _, parameter = given[0].partition(b";")
        charset = parameter.strip().lower().replace(b'"', b"")
        if kind.strip().lower() == expected and charset in {b"", b"charset=utf-8"}:
            return
    raise refused(
        "unsupported_media_type",
        "the body is not said to be of the type that this route takes",
        field="Content-Type",
        expected=expected.decode("ascii"),
    )
