"""Who calls: the Authorization header in, a `Caller` out.

What always holds: no token, no caller, but for `--dev`, where the anonymous caller must come over the loopback and
have asked for a loopback name (a page of another site, its name bound to 127.0.0.1, has not).  What is remembered of
tokens is thrown away as soon as the book of tokens has changed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

from govlang.runtime.control.tokens import DEV, Caller, TokenBook, Unknown
from govlang.runtime.http.headers import AUTHORIZATION, HOST, NONE, Headers
from govlang.runtime.http.refusal import RefusedError, refused

KNOWN_MAX: Final = 10_000
LOCAL_HOST: Final = re.compile(rb"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)


@dataclass(slots=True)
class Auth:
    """The door; `clock_ms` gives ms since 1970."""

    book: TokenBook
    clock_ms: Callable[[], int]
    dev: bool = False
    _known: dict[bytes, tuple[Caller, int]] = field(default_factory=dict)
    _version: int = -1

    def caller(self, headers: Headers, client: Any) -> Caller:
        """Whoever calls; `client` is the (host, port) of the connection, None if it has none.

        Raises:
            RefusedError: unauthenticated.
        """
        given = headers.get(AUTHORIZATION)
        if not given:
            if self.dev and is_loopback(client) and _asked_locally(headers):
                return DEV
            raise _nobody(Unknown.MISSING)
        if len(given) > 1:
            raise _nobody(Unknown.MALFORMED)
        if self._version != self.book.version:
            self._version = self.book.version
            self._known.clear()
        header = given[0]
        digest = hashlib.sha256(header).digest()
        known = self._known.get(digest)
        if known is not None and self.clock_ms() < known[1]:
            return known[0]
        return self._look_up(header, digest)

    def _look_up(self, header: bytes, digest: bytes) -> Caller:
        scheme, _, text = header.decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            raise _nobody(Unknown.MALFORMED)
        found = self.book.who(text, self.clock_ms())
        if isinstance(found, Unknown):
            raise _nobody(found)
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        caller = found.caller()
        self._known[digest] = caller, found.expires_ms
        return caller


def is_loopback(client: Any) -> bool:
    """Whether a connection comes from this machine."""
    return bool(client) and _is_loopback(client[0])


@lru_cache(maxsize=256)
def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _asked_locally(headers: Headers) -> bool:
    hosts = headers.get(HOST, NONE)
    return len(hosts) == 1 and LOCAL_HOST.fullmatch(hosts[0]) is not None


def _nobody(why: Unknown) -> RefusedError:
    refusal = refused(
        "unauthenticated", why.value, field="Authorization", expected="`Bearer` and a valid token"
    )
    refusal.answer.headers["www-authenticate"] = "Bearer"
    return refusal
