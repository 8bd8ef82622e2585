"""Child processes that search and prove: only so many at once, and none that nobody waits for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from attack_client import Door, attack, traces
from control_plane import EFFECTS, bundle_of

from govlang.runtime.control.children import BusyError, Children, gov

ASKED = {"request": {"agent": "a1", "topic": "deny.x", "amount": 1}}
STRICTER = EFFECTS.replace('topic like "allow.**"    allow', 'topic like "allow.a*"    allow')


def raising(children: Children) -> None:
    with children.place():
        raise KeyError("x")


def test_there_are_so_many_places_and_each_is_given_back() -> None:
    children = Children(2)
    for _ in range(3):
        with children.place():
            with pytest.raises(KeyError):
                raising(children)
            with children.place(), pytest.raises(BusyError, match="2 searches"):
                raising(children)


def test_what_a_process_printed_comes_back_with_its_code() -> None:
    ended = asyncio.run(gov(("help", "GOV616"), 60.0))
    assert ended is not None
    assert (ended.code, b"GOV616" in ended.printed) == (0, True)


class Seen:
    """The processes that were begun."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[asyncio.subprocess.Process] = []
        begin = asyncio.create_subprocess_exec

        async def noted(*words: Any, **more: Any) -> asyncio.subprocess.Process:
            self.begun.append(await begin(*words, **more))
            return self.begun[-1]

        monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)


def test_a_process_whose_time_is_up_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen(monkeypatch)
    assert asyncio.run(gov(("help", "GOV616"), 0.0)) is None
    assert [one.returncode for one in seen.begun] == [-9]


def test_a_process_that_nobody_waits_for_any_more_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = Seen(monkeypatch)

    async def scenario() -> None:
        asking = asyncio.ensure_future(gov(("help", "GOV616"), 60.0))
        while not seen.begun:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert [one.returncode for one in seen.begun] == [-9]

    asyncio.run(scenario())


def test_more_than_there_is_room_for_are_told_to_ask_again() -> None:
    async def scenario(door: Door) -> None:
        before = traces(door)
        with door.plane.service.children.place():
            asked = (("explain", ASKED), ("publish", bundle_of(STRICTER)))
            for name, body in asked:
                reply = await door(name, body)
                assert (reply.status, reply.code) == (503, "busy")
                assert int(reply.headers["retry-after"]) > 0
            assert traces(door) == before
        replies = await asyncio.gather(*(door("explain", ASKED) for _ in range(3)))
        assert sorted(one.status for one in replies) == [200, 503, 503]
        assert (await door("publish", bundle_of(STRICTER))).status == 200

    attack(scenario, children_max=1)
