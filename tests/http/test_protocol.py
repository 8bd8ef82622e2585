"""What is written to a connection: head and body as one, in order, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from govlang.runtime.http.protocol import HEAD_MAX, StrictProtocol

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: Any) -> None:
        assert not self.is_closed
        self.written.append(bytes(data))

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        """Nothing is read from a wire of a test."""

    def resume_reading(self) -> None:
        """The same."""


def answering(*parts: bytes, fails_after: int = -1) -> ASGIApp:
    """An application that answers with these parts, and fails after so many of them."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            await receive()
        size = str(sum(map(len, parts))).encode()
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", size)]}
        )
        for number, part in enumerate(parts):
            if number == fails_after:
                raise ValueError("on the way")
            await asyncio.sleep(0)
            more = number + 1 < len(parts)
            await send({"type": "http.response.body", "body": part, "more_body": more})

    return app


def written(
    app: ASGIApp, *sent: bytes, head_s: float = 60, idle_s: int = 60, ends: bool = False
) -> Wire:
    """The wire, after these bytes came over it; `ends`: once it has been closed by the service."""
    wire = Wire()

    async def exchange() -> None:
        config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_keep_alive=idle_s)
        config.load()
        given = {"config": config, "server_state": ServerState(), "app_state": {}}
        protocol = StrictProtocol(head_s=head_s, **given, _loop=asyncio.get_running_loop())
        protocol.connection_made(wire)
        for data in sent:
            if not wire.is_closed:
                protocol.data_received(data)
            for _ in range(20):
                await asyncio.sleep(0)
        while ends and not wire.is_closed:  # noqa: ASYNC110  # a transport has no event
            await asyncio.sleep(0.001)
        protocol.shutdown()

    asyncio.run(exchange())
    return wire


def head(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size


def test_head_and_body_are_written_as_one() -> None:
    assert written(answering(b"abc"), GET).written == [head(3) + b"abc"]


def test_the_parts_that_follow_are_written_as_they_come() -> None:
    assert written(answering(b"ab", b"c", b"d"), GET).written == [head(4) + b"ab", b"c", b"d"]


@pytest.mark.parametrize("sent", [(GET, GET, GET), (GET * 3,)])
def test_every_answer_of_a_connection_begins_with_its_head(sent: tuple[bytes, ...]) -> None:
    assert written(answering(b"HTTP/1.1 "), *sent).written == [head(9) + b"HTTP/1.1 "] * 3


def test_a_head_without_a_body_does_not_wait() -> None:
    assert written(answering(b"abc"), HEAD, GET).written == [head(3), head(3) + b"abc"]


def test_an_empty_body_is_a_body() -> None:
    assert written(answering(b""), GET, GET).written == [head(0)] * 2


def test_the_word_to_go_on_does_not_wait() -> None:
    wire = written(answering(b"abc"), POST, b"{}")
    assert wire.written == [b"HTTP/1.1 100 Continue\r\n\r\n", head(3) + b"abc"]


def test_what_is_no_request_is_answered_before_the_connection_is_closed() -> None:
    wire = written(answering(b"abc"), b"no request\r\n\r\n")
    assert [one[:12] for one in wire.written] == [b"HTTP/1.1 400"]
    assert wire.is_closed


@pytest.mark.parametrize(("fails_after", "expected"), [(0, [head(2)]), (1, [head(2) + b"a"])])
def test_an_answer_that_breaks_off_closes_the_connection(
    fails_after: int, expected: list[bytes]
) -> None:
    wire = written(answering(b"a", b"b", fails_after=fails_after), GET)
    assert wire.written == expected
    assert wire.is_closed


@pytest.mark.parametrize(
    "codings",
    [b"gzip, chunked", b"identity,chunked", b"chunked\r\ntransfer-encoding: chunked"],
)
def test_a_request_that_could_end_elsewhere_is_refused(codings: bytes) -> None:
    sent = b"GET / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: %s\r\n\r\n0\r\n\r\n" % codings
    wire = written(answering(b"abc"), sent)
    assert [one[:12] for one in wire.written] == [b"HTTP/1.1 400"]
    assert wire.is_closed


ENDLESS = b"GET / HTTP/1.1\r\nhost: x\r\nx: "
ANSWERED = b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n"
"""Answered at once, by an application that reads no body."""
TRAILED = b"PUT / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
SOON = 0.01


def refused(wire: Wire) -> tuple[int, str]:
    """The status and the code of the one refusal on the wire."""
    (answer,) = wire.written
    top, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in top
    assert b"connection: close" in top
    assert b"content-length: %d" % len(body) in top
    problem = json.loads(body)
    assert {"field", "expected"} <= problem.keys()
    return int(top[9:12]), problem["code"]


def test_what_is_no_http_is_a_problem_like_any_other() -> None:
    assert refused(written(answering(b"abc"), b"no request\r\n\r\n")) == (400, "malformed_http")


def test_a_head_has_a_longest() -> None:
    wire = written(answering(b"abc"), ENDLESS, *[b"y" * 1_000] * 100)
    assert refused(wire) == (431, "head_too_large")
    assert wire.is_closed


def test_the_longest_head_is_taken() -> None:
    rest = b"y" * (HEAD_MAX - len(ENDLESS) - 4) + b"\r\n\r\n"
    parts = [rest[at : at + 999] for at in range(0, len(rest), 999)]
    assert written(answering(b"abc"), ENDLESS, *parts).written == [head(3) + b"abc"]


@pytest.mark.parametrize("sent", [b"G", ENDLESS, ENDLESS + b"y" * 1_000])
def test_a_head_comes_in_its_time(sent: bytes) -> None:
    wire = written(answering(b"abc"), sent, head_s=SOON, ends=True)
    assert refused(wire) == (408, "head_timeout")


def test_the_second_head_of_a_connection_comes_in_its_time() -> None:
    wire = written(answering(b"abc"), GET, ENDLESS, head_s=SOON, ends=True)
    assert wire.written[0] == head(3) + b"abc"
    assert wire.written[1].startswith(b"HTTP/1.1 408")


def test_a_head_that_has_come_is_not_late() -> None:
    wire = written(answering(b"abc"), GET[:9], GET[9:], head_s=0.5, idle_s=1, ends=True)
    assert wire.written == [head(3) + b"abc"]


def test_who_never_says_anything_is_not_listened_to_for_ever() -> None:
    assert written(answering(b"abc"), idle_s=0, ends=True).written == []


def test_what_is_left_of_an_answered_request_comes_in_its_time() -> None:
    wire = written(answering(b"abc"), ANSWERED, b"z" * 10, head_s=SOON, ends=True)
    assert wire.written == [head(3) + b"abc"]


def test_trailers_have_a_longest() -> None:
    async def reading(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass

    line = b"z: " + b"z" * 995 + b"\r\n"
    assert refused(written(reading, TRAILED, *[line] * 70)) == (431, "head_too_large")
    answered = written(answering(b"abc"), TRAILED, *[line] * 70)
    assert answered.written == [head(3) + b"abc"]
    assert answered.is_closed


def test_heads_and_bodies_of_a_connection_are_not_counted_together() -> None:
    some = GET[:-2] + (b"x: " + b"y" * 1_000 + b"\r\n") * 50 + b"\r\n"
    assert len(written(answering(b"abc"), *[some] * 5).written) == 5
    post = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 300000\r\n\r\n"
    assert len(written(answering(b"abc"), post, *[b"y" * 1_000] * 300, GET).written) == 2


@pytest.mark.parametrize("apart", [False, True])
def test_what_stands_behind_a_body_is_no_header(*, apart: bool) -> None:
    found: list[dict[bytes, bytes]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            pass
        found.append(dict(scope["headers"]))
        await answering(b"abc")(scope, receive, send)

    trailers = b"authorization: Bearer x\r\nx: y\r\n\r\n"
    sent = (TRAILED, trailers) if apart else (TRAILED + trailers,)
    assert written(app, *sent).written == [head(3) + b"abc"]
    assert found == [{b"host": b"x", b"transfer-encoding": b"chunked"}]


def test_a_refusal_is_not_taken_for_the_answer_to_the_request_before() -> None:
    asked: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])
        await asyncio.sleep(0.01)

    wire = written(app, GET + b"no request\r\n\r\n")
    assert asked == ["/"]
    assert wire.written == []
    assert wire.is_closed
