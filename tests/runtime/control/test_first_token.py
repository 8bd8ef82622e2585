"""The first operator's token: shown once, and replaced where it was not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from control_plane import EFFECTS, OPERATOR, Clock, bundle_of

from govlang.runtime.control.service import Parts, Service
from govlang.runtime.control.settings import Settings
from govlang.runtime.control.tokens import StoredToken, Unknown


def opened(place: Path) -> Service:
    return Service(place, Settings(), bundle_of(EFFECTS), parts=Parts(clock=Clock()))


def start(place: Path, *, is_shown: bool, then: Any = None) -> str | None:
    """A start of the service that ends before or after the token is shown; the token."""

    async def scenario() -> str | None:
        service = opened(place)
        text = service.first_token()
        await service.start()
        if is_shown:
            await service.first_token_shown()
        if then is not None:
            await then(service)
        await service.stop()
        return text

    return asyncio.run(scenario())


def who(place: Path, text: str | None) -> StoredToken | Unknown:
    """Whose token it is, after a start."""
    found: list[StoredToken | Unknown] = []

    async def look(service: Service) -> None:
        found.append(service.book.who(text or "", Clock()()))

    start(place, is_shown=True, then=look)
    return found[0]


def test_a_token_that_was_shown_is_not_made_again(tmp_path: Path) -> None:
    first = start(tmp_path, is_shown=True)
    assert first is not None
    assert start(tmp_path, is_shown=True) is None
    assert isinstance(who(tmp_path, first), StoredToken)


@pytest.mark.parametrize("times", [1, 3])
def test_a_token_that_nobody_saw_is_replaced_and_worth_nothing(tmp_path: Path, times: int) -> None:
    unseen = [start(tmp_path, is_shown=False) for _ in range(times)]
    seen = start(tmp_path, is_shown=True)
    assert len({*unseen, seen, None}) == times + 2
    assert start(tmp_path, is_shown=True) is None
    assert [who(tmp_path, one) for one in unseen] == [Unknown.REVOKED] * times
    assert isinstance(who(tmp_path, seen), StoredToken)


def test_a_start_that_ended_before_the_token_was_made_makes_it_at_the_next(tmp_path: Path) -> None:
    opened(tmp_path).office.store.close()
    assert start(tmp_path, is_shown=True) is not None


def test_where_somebody_has_made_a_token_none_is_made(tmp_path: Path) -> None:
    """As after a start with --dev, which shows none."""

    async def makes_one(service: Service) -> None:
        body = {"roles": ["operator"], "agent": "ada", "ttl_s": 60}
        await service.create_token(OPERATOR, body)

    async def scenario() -> None:
        service = opened(tmp_path)
        await service.start()
        await makes_one(service)
        await service.stop()

    asyncio.run(scenario())
    assert start(tmp_path, is_shown=True) is None
