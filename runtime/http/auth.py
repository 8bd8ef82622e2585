"""Who calls: the Authorization header in, a `Caller` out.

What always holds: no token, no caller, but for `--dev`, where the anonymous caller must come over the loopback, have
asked for a loopback name (a page of another site, its name bound to 127.0.0.1, has not), and be no page but one of this
very service (a page of another site, or of another port of this machine, says so in `Origin`, which browsers send with
every request that is no plain reading).  What is remembered of tokens is thrown away as soon as the book of tokens has
changed.
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
from govlang.runtime.http.headers import AUTHORIZATION, HOST, NONE, ORIGIN, SEC_FETCH_SITE, Headers
from govlang.runtime.http.refusal import RefusedError, refused

KNOWN_MAX: Final = 10_000
LOCAL_HOST: Final = re.compile(rb"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)

OUR_SITE: Final = frozenset({b"same-origin", b"none"})
"""What Sec-Fetch-Site says of our own page, and of a person who typed the address."""


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
            RefusedError: unauthenticated; forbidden, a page of another origin asks without a token.
        """
        given = headers.get(AUTHORIZATION)
        if not given:
            if self.dev and is_loopback(client) and _asked_locally(headers):
                _check_origin(headers)
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

    def check_still(self, caller: Caller) -> None:
        """Refuse a caller whose token has ended since it was shown: its body may have been half a minute on the way.

        Raises:
            RefusedError: unauthenticated.
        """
        lost = self.book.lost(caller.token_id, self.clock_ms())
        if lost is not None:
            raise _nobody(lost)

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


def _check_origin(headers: Headers) -> None:
    """Refuse a page of another origin: it cannot read an answer, but what it asks for would be done.

    Raises:
        RefusedError: forbidden.
    """
    own = b"http://" + headers[HOST][0].lower()
    origins, sites = headers.get(ORIGIN, NONE), headers.get(SEC_FETCH_SITE, NONE)
    if all(one.lower() == own for one in origins) and OUR_SITE.issuperset(sites):
        return
    raise refused(
        "forbidden",
        "a page of another origin asks; without a token only this service's own may",
        field="Origin",
        expected=f"`{own.decode('latin-1')}`, or none",
    )


def _asked_locally(headers: Headers) -> bool:
    hosts = headers.get(HOST, NONE)
    return len(hosts) == 1 and LOCAL_HOST.fullmatch(hosts[0]) is not None


def _nobody(why: Unknown) -> RefusedError:
    refusal = refused(
        "unauthenticated", why.value, field="Authorization", expected="`Bearer` and a valid token"
    )
    refusal.answer.headers["www-authenticate"] = "Bearer"
    return refusal
