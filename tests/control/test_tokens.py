from __future__ import annotations

import pytest

from govlang.runtime.control.tokens import (
    Parsed,
    Role,
    StoredToken,
    TokenBook,
    Unknown,
    hash_secret,
    new_token,
    parse_token,
    token_text,
)

PARSED = Parsed("tok_" + "a1" * 8, "b2" * 32)


def stored(parsed: Parsed = PARSED, *, agent: str | None = "ops-7") -> StoredToken:
    return StoredToken(
        parsed.token_id,
        hash_secret(parsed.secret),
        frozenset({Role.AGENT}),
        agent,
        None,
        None,
        created_ms=0,
        expires_ms=1000,
    )


def book() -> TokenBook:
    made = TokenBook()
    made.put(stored())
    return made


def test_a_token_reads_back_as_it_was_written() -> None:
    made = new_token()
    assert parse_token(token_text(made)) == made
    assert made != new_token()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gov_",
        token_text(PARSED)[:-1],
        token_text(PARSED) + "0",
        token_text(PARSED).upper(),
        token_text(PARSED) + "\n",
        " " + token_text(PARSED),
        token_text(PARSED).replace("b2", "b٢", 1),
        "gov_tok_" + "g1" * 8 + "_" + "b2" * 32,
    ],
)
def test_what_is_no_token_is_malformed(text: str) -> None:
    assert parse_token(text) is None
    assert book().who(text, 0) is Unknown.MALFORMED


def test_the_secret_is_not_kept() -> None:
    assert PARSED.secret not in repr(stored())
    assert PARSED.secret.encode() not in stored().secret_hash
    assert len(stored().secret_hash) == 32


def test_a_known_token_is_its_agent() -> None:
    found = book().who(token_text(PARSED), 999)
    assert isinstance(found, StoredToken)
    assert found.caller().subject == "ops-7"
    assert stored(agent=None).caller().subject == PARSED.token_id


@pytest.mark.parametrize(
    ("text", "now_ms", "why"),
    [
        (token_text(Parsed("tok_" + "00" * 8, PARSED.secret)), 0, Unknown.UNKNOWN),
        (token_text(Parsed(PARSED.token_id, "00" * 32)), 0, Unknown.UNKNOWN),
        (token_text(PARSED), 1000, Unknown.EXPIRED),
    ],
)
def test_what_does_not_fit_is_nobody(text: str, now_ms: int, why: Unknown) -> None:
    assert book().who(text, now_ms) is why


def test_a_revoked_token_is_nobody_and_the_version_grows() -> None:
    made = book()
    before = made.version
    made.revoke(PARSED.token_id, 5)
    assert made.version > before
    assert made.who(token_text(PARSED), 6) is Unknown.REVOKED
