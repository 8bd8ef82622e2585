"""Where a request ends: what must be refused beyond what uvicorn's parser refuses.

What always holds: a request whose end two readers of HTTP could find in two places is none: it is answered 400,
nothing of it or after it is carried out, and the connection is closed (RFC 9112, 6.1 and 11.2).  The parser (llhttp)
refuses Content-Length beside Transfer-Encoding, two lengths, and a last coding other than `chunked`; it takes any list
that ends in `chunked`, whose other codings nobody here decodes, and of which a proxy may make something else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

TRANSFER_ENCODING: Final = b"transfer-encoding"


class FramingError(Exception):
    """Nobody can say for sure where the request ends; the parser makes its 400 of it."""


def check_codings(headers: Iterable[tuple[bytes, bytes]], version: str) -> None:
    """Let only `chunked` through, once, and in HTTP/1.1: HTTP/1.0 has no Transfer-Encoding.

    Raises:
        FramingError: there are other codings, or more of them.
    """
    codings = [value.lower() for name, value in headers if name == TRANSFER_ENCODING]
    if codings and (codings != [b"chunked"] or version == "1.0"):
        raise FramingError
