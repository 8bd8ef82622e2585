"""What a token may: the pools that it names, in memory, in the store, and in stores of before they had to be named."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from control_plane import EFFECTS, OPERATOR, Plane, bundle_of

from govlang.runtime.control.store.rows import TOKEN, token_of, token_row
from govlang.runtime.control.tokens import Role, StoredToken, named_pools, read_pools


@pytest.mark.parametrize(
    ("named", "pools"),
    [
        (None, frozenset()),
        ([], frozenset()),
        (["p"], frozenset({"p"})),
        (["*"], None),
        (["p", "*"], None),
    ],
)
def test_only_a_star_is_every_pool(named: list[str] | None, pools: frozenset[str] | None) -> None:
    assert read_pools(named) == pools
    assert read_pools(named_pools(pools)) == pools


@pytest.mark.parametrize("pools", [None, frozenset(), frozenset({"p", "q"})])
@pytest.mark.parametrize("approves", [None, frozenset(), frozenset({"lead"})])
def test_a_token_comes_back_from_its_row(
    approves: frozenset[str] | None, pools: frozenset[str] | None
) -> None:
    token = StoredToken(
        "tok_1", b"\1" * 32, frozenset({Role.WORKER}), "w", approves, pools, 1, 2, None
    )
    assert token_of(token_row(token)) == token


def test_a_token_that_was_stored_without_pools_names_none_any_more(tmp_path: Path) -> None:
    """It was stored as `null` and meant every pool; its worker is refused, in words, and made a token anew."""

    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as one:
            body = {"roles": ["worker"], "agent": "w", "pools": ["*"], "ttl_s": 600}
            made = (await one.service.create_token(OPERATOR, body)).body
            assert isinstance(made, dict)
        with sqlite3.connect(tmp_path / "gov.db") as store:
            store.execute("UPDATE tokens SET pools = 'null'")
        store.close()
        async with Plane(tmp_path, bundle_of(EFFECTS)) as one:
            kept = one.service.book.find(made["id"])
            assert kept is not None
            assert kept.caller().pools == frozenset()
            answer = await one.service.lease(kept.caller(), "p", {"worker": "w", "max": 1})
            assert answer.status == 403

    asyncio.run(scenario())


def test_every_column_of_a_token_is_kept() -> None:
    assert set(TOKEN) == set(StoredToken.__slots__)
