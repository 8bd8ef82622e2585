"""How a body arrives: whole, within its limit and in its time, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from govlang.runtime.http.arrival import Bounds, read_bytes
from govlang.runtime.http.refusal import ClientGoneError, RefusedError

Receive = Callable[[], Awaitable[dict[str, Any]]]


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def coming(*messages: dict[str, Any], pause: bool = False) -> Receive:
    """A client that sends these, each after a pause of the loop or at once, and then nothing."""
    left = list(messages)

    async def receive() -> dict[str, Any]:
        if pause:
            await asyncio.sleep(0)
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    return receive


def read(receive: Receive, limit: int = 10, within_s: float = 10.0) -> bytes:
    return asyncio.run(read_bytes(receive, {}, Bounds(limit, within_s)))[0]


@pytest.mark.parametrize("pause", [False, True])
@pytest.mark.parametrize(
    "messages",
    [
        [part(b"abcdef", more=False)],
        [part(b"abc"), part(b"def", more=False)],
        [part(b""), part(b"abc"), part(b"def"), part(b"", more=False)],
    ],
)
def test_a_body_is_what_was_sent_in_however_many_parts(
    messages: list[dict[str, Any]], *, pause: bool
) -> None:
    assert read(coming(*messages, pause=pause)) == b"abcdef"


@pytest.mark.parametrize("pause", [False, True])
@pytest.mark.parametrize("sent", [[], [part(b"")], [part(b"a"), part(b"b")]])
def test_a_body_that_does_not_end_in_time_is_refused(
    sent: list[dict[str, Any]], *, pause: bool
) -> None:
    with pytest.raises(RefusedError) as caught:
        read(coming(*sent, pause=pause), within_s=0.01)
    assert (caught.value.answer.status, caught.value.answer.body["code"]) == (408, "body_timeout")
    assert caught.value.answer.headers["connection"] == "close"


def test_a_body_that_drips_is_refused_in_the_same_time() -> None:
    async def drip() -> dict[str, Any]:
        await asyncio.sleep(0.001)
        return part(b"")

    with pytest.raises(RefusedError) as caught:
        read(drip, within_s=0.02)
    assert caught.value.answer.status == 408


def test_a_body_that_is_there_sets_no_timer() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        loop.call_at = None  # type: ignore[assignment]  # whoever set a timer would fail
        bounds = Bounds(10, 1.0)
        assert await read_bytes(coming(part(b"abc", more=False)), {}, bounds) == (b"abc", False)

    asyncio.run(scenario())


@pytest.mark.parametrize("pause", [False, True])
@pytest.mark.parametrize("pieces", [[b"x" * 11], [b"x" * 6, b"x" * 5]])
def test_too_long_a_body_is_refused_before_its_end(pieces: list[bytes], *, pause: bool) -> None:
    with pytest.raises(RefusedError) as caught:
        read(coming(*(part(one) for one in pieces), pause=pause))
    assert caught.value.answer.status == 413


@pytest.mark.parametrize("pause", [False, True])
@pytest.mark.parametrize("sent", [[], [part(b"a")]])
def test_a_client_that_leaves_gets_nothing(sent: list[dict[str, Any]], *, pause: bool) -> None:
    with pytest.raises(ClientGoneError):
        read(coming(*sent, {"type": "http.disconnect"}, pause=pause))


def test_a_reading_that_is_called_off_ends() -> None:
    async def scenario() -> None:
        reading = asyncio.ensure_future(read_bytes(coming(), {}, Bounds(10, 10.0)))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    asyncio.run(scenario())
