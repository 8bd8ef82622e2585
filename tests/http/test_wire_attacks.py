"""Attacks on the real service over a real socket: smuggling, slow and cut connections, approvals sent again."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest
from attack_client import Door, traces
from control_plane import EFFECTS, Plane, bundle_of, folder, run

from govlang.runtime.http.server import server

WAIT_S = 20


class Wire:
    """A door with a port."""

    def __init__(self, door: Door, port: int) -> None:
        self.door, self.port = door, port

    def head(self, path: str, length: int | None, *more: str, as_: str = "agent") -> bytes:
        """The head of a POST."""
        lines = [
            f"POST {path} HTTP/1.1",
            "host: x",
            "authorization: Bearer " + self.door.tokens[as_],
            "content-type: application/json",
            *more,
        ]
        lines += [] if length is None else [f"content-length: {length}"]
        return "\r\n".join((*lines, "", "")).encode()

    def post(self, path: str, body: Any, *more: str, as_: str = "agent") -> bytes:
        """A POST, whole."""
        raw = json.dumps(body).encode()
        return self.head(path, len(raw), *more, as_=as_) + raw

    async def told(self, *sent: bytes) -> bytes:
        """Everything that comes back until the server closes; half a second of silence ends it, too."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for part in sent:
            writer.write(part)
            await writer.drain()
        found = b""
        try:
            while part := await asyncio.wait_for(reader.read(65_536), 0.5):
                found += part
        except (TimeoutError, ConnectionError):
            pass
        writer.close()
        return found

    def cut(self, sent: bytes) -> None:
        """Send, and tear the connection down at once, without reading."""
        with socket.create_connection(("127.0.0.1", self.port)) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line.sendall(sent)


def wired(scenario: Callable[[Wire], Awaitable[None]], **settings: Any) -> None:
    async def whole() -> None:
        with folder() as place:
            async with Plane(place, bundle_of(EFFECTS)) as plane:
                door = Door(plane, **settings)
                await door.every_role()
                made = server(door.app, "127.0.0.1", 0, drain_s=0.0)
                serving = asyncio.create_task(made.serve())
                while not made.started:  # noqa: ASYNC110  # uvicorn has a flag, no event
                    await asyncio.sleep(0.005)
                try:
                    port = made.servers[0].sockets[0].getsockname()[1]
                    await asyncio.wait_for(scenario(Wire(door, port)), WAIT_S)
                finally:
                    made.drain()
                    await serving

    run(whole)


def job(topic: str = "allow.x") -> dict[str, Any]:
    return {"request": {"agent": "a1", "topic": topic, "amount": 1}, "pool": "p"}


BODY = json.dumps(job()).encode()
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
LENGTH = f"content-length: {len(BODY)}"
SMUGGLED = {
    "two lengths": ((LENGTH, "content-length: 0"), BODY),
    "two equal lengths": ((LENGTH, LENGTH), BODY),
    "a list of lengths": ((f"content-length: {len(BODY)}, {len(BODY)}",), BODY),
    "a signed length": ((f"content-length: +{len(BODY)}",), BODY),
    "a hexadecimal length": ((f"content-length: {len(BODY):#x}",), BODY),
    "a length beyond 64 bits": (("content-length: 99999999999999999999",), BODY),
    "length and chunks": (("content-length: 4", "transfer-encoding: chunked"), CHUNKED),
    "chunks and length": (("transfer-encoding: chunked", "content-length: 4"), CHUNKED),
    "chunks, then identity": (("transfer-encoding: chunked, identity",), CHUNKED),
    "two encodings": (("transfer-encoding: chunked", "transfer-encoding: identity"), CHUNKED),
    "an unknown encoding": (("transfer-encoding: xchunked",), CHUNKED),
    "identity, then chunks": (("transfer-encoding: identity,chunked",), CHUNKED),
    "identity and chunks": (
        ("transfer-encoding: identity", "transfer-encoding: chunked"),
        CHUNKED,
    ),
    "another encoding, then chunks": (("transfer-encoding: gzip, chunked",), CHUNKED),
    "nothing, then chunks": (("transfer-encoding: ,chunked",), CHUNKED),
    "a blank before the colon": (("transfer-encoding : chunked", LENGTH), BODY),
    "a folded header": (("x: a\r\n b", "transfer-encoding:\r\n chunked", LENGTH), BODY),
    "a chunk of another size": (
        ("transfer-encoding: chunked",),
        b"5\r\n" + BODY + b"\r\n0\r\n\r\n",
    ),
    "a chunk of no size": (("transfer-encoding: chunked",), b"zz\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "a negative chunk": (("transfer-encoding: chunked",), b"-1\r\n" + BODY + b"\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_no_request_hides_behind_another(name: str) -> None:
    async def scenario(wire: Wire) -> None:
        headers, body = SMUGGLED[name]
        head = wire.head("/v1/jobs", None, "idempotency-key: k", *headers)
        hidden = wire.post("/v1/jobs", job(), "idempotency-key: hidden")
        found = await wire.told(head + body + hidden)
        rows = wire.door.plane.service.rows
        assert rows.answer("a1", "hidden") is None
        assert found.count(b"HTTP/1.1 ") <= 1
        assert b"HTTP/1.1 202" not in found
        assert rows.counts() == {}

    wired(scenario)


def test_pipelined_requests_are_answered_in_order_each_once() -> None:
    async def scenario(wire: Wire) -> None:
        sent = [wire.post("/v1/jobs", job(), f"idempotency-key: k{n % 3}") for n in range(9)]
        found = await wire.told(b"".join(sent))
        assert found.count(b"HTTP/1.1 202") == 9
        assert wire.door.plane.service.rows.counts() == {"scheduled": 3}

    wired(scenario)


@pytest.mark.parametrize("announced", [True, False])
def test_too_long_a_body_is_refused_before_it_has_come(*, announced: bool) -> None:
    async def scenario(wire: Wire) -> None:
        length = 2**40 if announced else None
        more = () if announced else ("transfer-encoding: chunked",)
        piece = b" " * 65_536
        chunk = piece if announced else b"10000\r\n" + piece + b"\r\n"
        head = wire.head("/v1/jobs", length, "idempotency-key: k", *more)
        found = await wire.told(head, *[chunk] * (1 if announced else 40))
        assert found.startswith(b"HTTP/1.1 413")
        assert b"payload_too_large" in found

    wired(scenario)


def test_slow_and_silent_clients_keep_nobody_waiting() -> None:
    async def scenario(wire: Wire) -> None:
        head = wire.head("/v1/jobs", 1_000, "idempotency-key: slow")
        slow = [await asyncio.open_connection("127.0.0.1", wire.port) for _ in range(200)]
        for number, (_, writer) in enumerate(slow):
            writer.write((b"", head[:40], head, head + BODY[:20])[number % 4])
        sent = wire.post("/v1/jobs", job(), "idempotency-key: quick")
        assert b"HTTP/1.1 202" in await wire.told(sent)
        for _, writer in slow:
            writer.close()
        assert wire.door.plane.service.rows.counts() == {"scheduled": 1}

    wired(scenario)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("part", [b"", b"{"])
def test_a_body_that_comes_too_slowly_is_refused_and_the_line_closed(
    part: bytes, *, chunked: bool
) -> None:
    async def scenario(wire: Wire) -> None:
        more = ("transfer-encoding: chunked",) if chunked else ()
        length = None if chunked else 1_000
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        head = wire.head("/v1/jobs", length, "idempotency-key: k", *more)
        writer.write(head + (b"1\r\n%s\r\n" % part if chunked and part else part))
        found = await reader.read()  # to the end: the server closes
        writer.close()
        assert found.startswith(b"HTTP/1.1 408")
        assert b'"code":"body_timeout"' in found
        assert b"connection: close" in found
        assert wire.door.plane.service.rows.counts() == {}

    wired(scenario, body_timeout_s=0.1)


def test_a_request_of_http_1_0_has_no_chunks() -> None:
    async def scenario(wire: Wire) -> None:
        head = wire.head("/v1/jobs", None, "idempotency-key: k", "transfer-encoding: chunked")
        found = await wire.told(head.replace(b"HTTP/1.1", b"HTTP/1.0") + CHUNKED)
        assert found.startswith(b"HTTP/1.1 400")
        assert wire.door.plane.service.rows.counts() == {}

    wired(scenario)


def test_chunks_are_taken_however_they_are_named() -> None:
    async def scenario(wire: Wire) -> None:
        for number, coding in enumerate(("chunked", "CHUNKED")):
            named = (f"idempotency-key: k{number}", f"transfer-encoding: {coding}")
            found = await wire.told(wire.head("/v1/jobs", None, *named) + CHUNKED)
            assert found.startswith(b"HTTP/1.1 202")

    wired(scenario)


def test_a_head_without_end_is_not_read_for_ever() -> None:
    async def scenario(wire: Wire) -> None:
        head = b"GET /healthz HTTP/1.1\r\n" + b"x: " + b"y" * 1_000_000
        found = await wire.told(*[head[at : at + 65_536] for at in range(0, len(head), 65_536)])
        assert found.startswith(b"HTTP/1.1 431 ") or not found, "closed, perhaps with a reset"
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        with suppress(ConnectionError):
            for at in range(0, len(head), 4_096):
                writer.write(head[at : at + 4_096])
                await writer.drain()
            await reader.read()
        assert writer.is_closing() or reader.at_eof(), "nobody reads on"
        writer.close()
        assert b"HTTP/1.1 202" in await wire.told(
            wire.post("/v1/jobs", job(), "idempotency-key: k")
        )

    wired(scenario)


def test_nobody_comes_in_by_what_stands_behind_the_body() -> None:
    async def scenario(wire: Wire) -> None:
        head = wire.head("/v1/jobs", None, "idempotency-key: k", "transfer-encoding: chunked")
        bare = b"\r\n".join(x for x in head.split(b"\r\n") if not x.startswith(b"authorization"))
        trailer = b"authorization: Bearer " + wire.door.tokens["agent"].encode() + b"\r\n\r\n"
        assert b"HTTP/1.1 202" in await wire.told(head + CHUNKED)
        assert b"HTTP/1.1 401" in await wire.told(bare + CHUNKED[:-2] + trailer)

    wired(scenario)


def test_a_token_that_is_revoked_while_a_body_is_on_its_way_is_worth_nothing() -> None:
    """Whoever has stolen an operator's token would have a new one made by a request that waits for the last byte."""

    async def scenario(wire: Wire) -> None:
        await wire.door.token("stolen", "operator")
        wanted = wire.post("/v1/tokens", {"roles": ["operator"], "ttl_s": 3600}, as_="stolen")
        before = len(wire.door.plane.service.rows.tokens())
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(wanted[:-1])
        await writer.drain()
        await asyncio.sleep(0.2)
        assert (await wire.door("revoke_token", token_id=wire.door.ids["stolen"])).status == 200
        writer.write(wanted[-1:])
        assert (await reader.read(12)) == b"HTTP/1.1 401"
        writer.close()
        await writer.wait_closed()
        assert len(wire.door.plane.service.rows.tokens()) == before

    wired(scenario)


def test_a_request_that_was_cut_short_stores_nothing() -> None:
    async def scenario(wire: Wire) -> None:
        whole = wire.post("/v1/jobs", job(), "idempotency-key: k")
        before = traces(wire.door)
        for end in (10, len(whole) - len(BODY), len(whole) - 1):
            wire.cut(whole[:end])
        await asyncio.sleep(0.2)
        assert traces(wire.door) == before

    wired(scenario)


@pytest.mark.parametrize("cuts", [0, 1, 5])
def test_an_approval_whose_connection_is_cut_gives_one_dispatch(cuts: int) -> None:
    """Before the commit (the body is not whole) and after it (nobody reads the answer), then sent again."""

    async def scenario(wire: Wire) -> None:
        door = wire.door
        approval_id = (await door.submit("human.x")).json["approval_id"]
        (asked,) = (await door("approvals", query="?state=open")).json["approvals"]
        path = f"/v1/approvals/{approval_id}/approve"
        sent = wire.post(path, {"job_hash": asked["job_hash"]}, as_="approver")
        for _ in range(cuts):
            wire.cut(sent[:-1])
        await asyncio.sleep(0.1)
        assert door.plane.service.rows.approval(approval_id).state == "open"
        for _ in range(cuts):
            wire.cut(sent)
        await asyncio.sleep(0.1)
        for _ in range(2):
            assert b"HTTP/1.1 200" in await wire.told(sent)
        assert door.plane.events().count("approved") == 1
        first = (await door("lease", {"worker": "w", "max": 9}, as_="worker", pool="p")).json
        again = (await door("lease", {"worker": "w", "max": 9}, as_="worker", pool="p")).json
        assert (len(first["jobs"]), again["jobs"]) == (1, [])
        assert door.plane.events().count("step_dispatched") == 1

    wired(scenario)


def test_a_submit_whose_answer_nobody_read_is_one_job_when_sent_again() -> None:
    async def scenario(wire: Wire) -> None:
        sent = wire.post("/v1/jobs", job(), "idempotency-key: k")
        for _ in range(5):
            wire.cut(sent)
        assert b"HTTP/1.1 202" in await wire.told(sent)
        assert wire.door.plane.service.rows.counts() == {"scheduled": 1}

    wired(scenario)


ODD = [
    "a/b",
    "/",
    "//a//",
    "suspend",
    "a/suspend",
    "a/reinstate",
    "team/../other",
    "..",
    "a%2Fb",
    "a b?c#d;e",
    "urn:agent:ä/ö",
    "{agent}",
    "x/" * 128,
]


@pytest.mark.parametrize("name", ODD)
def test_an_agent_is_suspended_and_reinstated_whatever_it_is_called(name: str) -> None:
    async def scenario(wire: Wire) -> None:
        path = f"/v1/agents/{quote(name, safe='')}"
        for verb, expected in (("suspend", {name: "odd"}), ("reinstate", {})):
            sent = wire.post(f"{path}/{verb}", {"reason": "odd"}, as_="operator")
            found = await wire.told(sent)
            assert found.startswith(b"HTTP/1.1 200")
            assert json.loads(found.partition(b"\r\n\r\n")[2])["agent"] == name
            assert wire.door.plane.service.rows.suspended() == expected

    wired(scenario)


@pytest.mark.parametrize("part", ["", "a%0A", "%00", "x" * 257, "a/b/c%7F"])
def test_what_is_no_name_of_an_agent_is_not_found(part: str) -> None:
    async def scenario(wire: Wire) -> None:
        sent = wire.post(f"/v1/agents/{part}/suspend", {"reason": "odd"}, as_="operator")
        assert (await wire.told(sent)).startswith(b"HTTP/1.1 404")
        assert wire.door.plane.service.rows.suspended() == {}

    wired(scenario)


def test_a_worker_that_leaves_while_it_waits_is_handed_nothing() -> None:
    async def scenario(wire: Wire) -> None:
        sent = wire.post("/v1/pools/p/lease", {"worker": "w", "wait_s": 20}, as_="worker")
        wire.cut(sent)
        await asyncio.sleep(0.2)
        job_id = (await wire.door.submit()).json["job_id"]
        await asyncio.sleep(0.2)
        assert wire.door.plane.state(job_id) == "scheduled"

    wired(scenario)
