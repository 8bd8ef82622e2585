"""`gov token` asks for no token that is worth nothing, and says which fault is whose."""

from __future__ import annotations

from typing import Any

import pytest

from govlang.cli import token
from govlang.cli.token import listed


def test_an_approver_of_nothing_is_not_made(gov) -> None:
    ended = gov(
        "token", "create", "--role", "approver", "--agent", "ada", "--url", "http://[::1]:1"
    )
    assert ended.code == 2
    assert "without `--approves ROLE`" in ended.err


def test_a_worker_of_no_pool_is_not_made(gov) -> None:
    ended = gov("token", "create", "--role", "worker", "--agent", "w", "--url", "http://[::1]:1")
    assert ended.code == 2
    assert "without `--pool NAME`" in ended.err
    assert "`--pool '*'` names every one" in ended.err


DAY_MS = 86_400_000
GOOD = {
    "id": "tok_1",
    "roles": ["approver", "worker"],
    "agent": "ada",
    "approves": ["lead", "owner"],
    "pools": ["*"],
    "created_ms": 0,
    "expires_ms": 2 * DAY_MS,
    "revoked_ms": None,
}


@pytest.mark.parametrize(
    ("change", "now_ms", "line"),
    [
        ({}, DAY_MS, "good     until 1970-01-03 00:00Z"),
        ({}, 2 * DAY_MS - 1, "good     until 1970-01-03 00:00Z"),
        ({}, 2 * DAY_MS, "expired  until 1970-01-03 00:00Z"),
        ({"revoked_ms": 5}, DAY_MS, "revoked  until 1970-01-03 00:00Z"),
        ({"revoked_ms": 5}, 9 * DAY_MS, "revoked  until 1970-01-03 00:00Z"),
    ],
)
def test_a_token_is_listed_with_its_end(change: dict[str, Any], now_ms: int, line: str) -> None:
    shown = listed(GOOD | change, now_ms)
    assert shown == f"tok_1  {line}  ada  approver (lead, owner), worker (*)"


@pytest.mark.parametrize("url", ["localhost:8431", "127.0.0.1", "//localhost:8431", "http://"])
def test_a_url_without_its_scheme_is_told_what_is_missing(gov, url: str) -> None:
    ended = gov("token", "list", "--url", url)
    assert ended.code == 2
    assert ended.err.startswith(f"error[GOV690]: `{url}` is no URL of a service: ")
    assert "help: write `http://" in ended.err


def test_a_service_that_cannot_be_reached_is_said_in_words(gov) -> None:
    ended = gov("token", "list", "--url", "http://127.0.0.1:1")
    assert ended.code == 2
    assert ended.err.startswith("error[GOV690]: `http://127.0.0.1:1` cannot be reached: ")
    assert "ConnectError" not in ended.err


@pytest.mark.parametrize(
    ("approves", "roles", "note"),
    [
        (("lead",), ["lead", "owner"], ""),
        (("laed", "owner"), ["lead", "owner"], "names no role `laed`; did you mean `lead`?"),
        (("zz",), ["lead", "owner"], "names no role `zz`; roles: lead, owner"),
        (("zz",), None, "names no role `zz`; roles: none"),
    ],
)
def test_a_role_that_the_policy_does_not_name_is_noted_beside_the_token(
    gov,
    monkeypatch: pytest.MonkeyPatch,
    approves: tuple[str, ...],
    roles: list[str] | None,
    note: str,
) -> None:
    fields = [{"name": "agent", "members": None}]
    fields += [] if roles is None else [{"name": "approved", "members": roles}]
    answers = {
        "/v1/tokens": {"token": "gov_secret"},
        "/v1/policy": {"policy": "p", "version": "1", "fields": fields},
    }
    monkeypatch.setattr(token, "_ask", lambda _method, _url, path, *_more: answers[path])
    named = [word for one in approves for word in ("--approves", one)]
    ended = gov("token", "create", "--role", "approver", "--agent", "ada", *named)
    assert (ended.code, ended.out) == (0, "gov_secret\n")
    assert ended.err == (f"note: the active policy (p 1) {note}\n" if note else "")
