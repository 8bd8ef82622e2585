"""API tokens: who calls, with which roles; the secret itself is never kept.

In: the text of a token, and what is stored of the tokens.  Out: a `Caller`, or why there is none.

What always holds: only SHA-256 of a secret is kept; secrets are compared in constant time; whatever is unknown,
expired, revoked or malformed is nobody.  A secret has 256 random bits, so a plain hash is enough (no slow one).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, NamedTuple


class Role(StrEnum):
    """What a caller may do; the routes say which role they ask for."""

    AGENT = "agent"
    APPROVER = "approver"
    WORKER = "worker"
    AUDITOR = "auditor"
    OPERATOR = "operator"


EVERY_ROLE: Final = frozenset(Role)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    `subject` is the agent that the token speaks for, or the token's id.  `approves`: the policy's roles that it may
    approve for, None: every one.  `pools`: those it may lease from, empty: none, None: every one.
    """

    subject: str
    roles: frozenset[Role]
    approves: frozenset[str] | None
    pools: frozenset[str] | None
    token_id: str
    events: frozenset[str] = frozenset()
    """The policy's events and signals that a worker may tell, about whomever; an operator tells all of them."""


DEV: Final = Caller("dev", EVERY_ROLE, None, None, "dev")
"""The anonymous caller of `gov serve --dev`, on loopback only."""


EVERY_POOL: Final = "*"
"""What a token names that may lease from every pool; no pool is called so."""


def read_pools(named: Iterable[str] | None) -> frozenset[str] | None:
    """The pools that a token names; None: every one.

    None given names none: so tokens were stored for which nobody had said which, and that is no leave.
    """
    found = frozenset(named or ())
    return None if EVERY_POOL in found else found


def named_pools(pools: frozenset[str] | None) -> list[str]:
    """The pools as a token names them."""
    return [EVERY_POOL] if pools is None else sorted(pools)


class Parsed(NamedTuple):
    """The two halves of a token's text."""

    token_id: str
    secret: str


TOKEN: Final = re.compile(r"gov_(tok_[0-9a-f]{16})_([0-9a-f]{64})", re.ASCII)
TOKEN_CHARACTERS: Final = len("gov_tok__") + 16 + 64


@dataclass(frozen=True, slots=True)
class StoredToken:
    """What is kept of a token; times in ms since 1970."""

    id: str
    secret_hash: bytes
    roles: frozenset[Role]
    agent: str | None
    approves: frozenset[str] | None
    pools: frozenset[str] | None
    created_ms: int
    expires_ms: int
    revoked_ms: int | None = None
    events: frozenset[str] = frozenset()

    def caller(self) -> Caller:
        """Whoever shows this token."""
        subject = self.agent or self.id
        return Caller(subject, self.roles, self.approves, self.pools, self.id, self.events)


class Unknown(StrEnum):
    """Why a token is nobody's; the words go to the caller, who learns no more than that."""

    MISSING = "send `Authorization: Bearer gov_…`"
    MALFORMED = "the token is malformed"
    UNKNOWN = "the token is unknown"
    EXPIRED = "the token has expired"
    REVOKED = "the token is revoked"


def new_token(random_hex: Callable[[int], str] = secrets.token_hex) -> Parsed:
    """A new id and secret; `random_hex(n)` gives n random bytes in hex."""
    return Parsed("tok_" + random_hex(8), random_hex(32))


def token_text(parsed: Parsed) -> str:
    """The text that its owner keeps."""
    return f"gov_{parsed.token_id}_{parsed.secret}"


def parse_token(text: str) -> Parsed | None:
    """The halves of a token's text, None if it is none."""
    found = TOKEN.fullmatch(text) if len(text) == TOKEN_CHARACTERS else None
    return Parsed(found[1], found[2]) if found else None


def hash_secret(secret: str) -> bytes:
    """What is stored of a secret: SHA-256, 32 bytes."""
    return hashlib.sha256(secret.encode("ascii")).digest()


@dataclass(slots=True)
class TokenBook:
    """The tokens in memory, as the store has them; `version` grows with each change, so that caches notice.

    One thread writes (after its commit), any may read.
    """

    version: int = 0
    _tokens: dict[str, StoredToken] = field(default_factory=dict)

    def put(self, token: StoredToken) -> None:
        """Take in a token, new or changed."""
        self._tokens[token.id] = token
        self.version += 1

    def revoke(self, token_id: str, at_ms: int) -> None:
        """Mark it revoked; whoever shows it from now on is nobody."""
        self.put(replace(self._tokens[token_id], revoked_ms=at_ms))

    def find(self, token_id: str) -> StoredToken | None:
        """The token of this id."""
        return self._tokens.get(token_id)

    def who(self, text: str, now_ms: int) -> StoredToken | Unknown:
        """The token that the text is the whole of, or why it is none."""
        parsed = parse_token(text)
        if parsed is None:
            return Unknown.MALFORMED
        stored = self._tokens.get(parsed.token_id)
        if stored is None or not hmac.compare_digest(
            stored.secret_hash, hash_secret(parsed.secret)
        ):
            return Unknown.UNKNOWN
        return self.lost(stored.id, now_ms) or stored

    def lost(self, token_id: str, now_ms: int) -> Unknown | None:
        """Why a token that was good is so no more; None where it is, and of the caller of --dev, who has none."""
        stored = self._tokens.get(token_id)
        if stored is None:
            return None
        if stored.revoked_ms is not None:
            return Unknown.REVOKED
        return Unknown.EXPIRED if now_ms >= stored.expires_ms else None
