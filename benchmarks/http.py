"""What the HTTP part costs: evaluate beside an empty Starlette handler, on one server process, in one run.

In: nothing.  Out: requests a second of each target and its share of the empty handler's, the targets taken in turns, so
that a busy machine is busy for all.  `python -m benchmarks.http [SECONDS] [ROUNDS]`.

The load generator keeps `CONNECTIONS` connections busy, a request at a time on each (closed loop: this compares
throughput; open-loop latency is another benchmark).  Each server has a process of its own; those not asked idle.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final, cast

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route as StarletteRoute

from govlang.runtime.control.answer import Answer
from govlang.runtime.control.service import Parts, Service
from govlang.runtime.control.settings import Settings
from govlang.runtime.control.tokens import (
    EVERY_ROLE,
    Parsed,
    StoredToken,
    TokenBook,
    hash_secret,
    token_text,
)
from govlang.runtime.http.app import build_app, now_ms
from govlang.runtime.http.server import server
from govlang.runtime.policy import Policy

CONNECTIONS: Final = 32
TOKEN: Final = Parsed("tok_" + "1" * 16, "2" * 64)
REQUEST: Final = {
    "agent": "a1",
    "topic": "infra.delete",
    "environment": "production",
    "risk": 0.25,
    "tokens": 10,
    "labels": ["write"],
}
FIXED: Final = {
    "decision": "allow",
    "rule_id": "ordinary_work",
    "reason": None,
    "obligations": [],
    "matched": ["ordinary_work"],
    "policy_snapshot": "sha256:" + "0" * 64,
    "params_hash": "sha256:" + "0" * 64,
}


class Fixed:
    """A service whose policy always says the same."""

    async def evaluate(self, caller: Any, body: dict[str, Any], *, record: bool) -> Answer:
        del caller, body, record
        return Answer(200, FIXED)

    def stop_waiting(self) -> None:
        """Nobody waits."""


class Deciding(Fixed):
    """A service that asks a compiled policy."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    async def evaluate(self, caller: Any, body: dict[str, Any], *, record: bool) -> Answer:
        del caller, record
        outcome = self.policy.decide(
            body["request"], now_ms=body["now_ms"], runtime=body["runtime"]
        )
        return Answer(200, outcome.to_dict())


async def empty(_: Request) -> JSONResponse:
    """The least that a Starlette handler can do with JSON."""
    return JSONResponse({})


def targets(policy: Policy) -> dict[str, Starlette]:
    """The applications that are compared, but for the whole service."""
    book = TokenBook()
    far = now_ms() + 10**9
    book.put(
        StoredToken(TOKEN.token_id, hash_secret(TOKEN.secret), EVERY_ROLE, None, None, None, 0, far)
    )
    limits = Settings(rate_per_s=1_000_000, rate_burst=1_000_000)
    return {
        "empty": Starlette(routes=[StarletteRoute("/", empty)]),
        "fixed": build_app(Fixed(), limits, book),  # type: ignore[arg-type]  # only evaluate is asked
        "policy": build_app(Deciding(policy), limits, book),  # type: ignore[arg-type]  # the same
    }


def listening() -> socket.socket:
    """A socket on a free port."""
    return socket.create_server(("127.0.0.1", 0), backlog=1024)


async def serve_service(bundle: bytes, listens: socket.socket) -> None:
    """Serve the whole control plane, its data in a folder that goes away; without tokens, over the loopback."""
    with tempfile.TemporaryDirectory() as folder:
        limits = Settings(rate_per_s=1_000_000, rate_burst=1_000_000)
        service = Service(Path(folder), limits, bundle, {}, Parts())
        await service.start()
        app = build_app(service, limits, service.book, dev=True)
        await server(app, "127.0.0.1", 0).serve([listens])


def serve(bundle: bytes, name: str, listens: socket.socket) -> None:
    """Serve one target until the process is ended."""
    if name == "service":
        uvloop.run(serve_service(bundle, listens))
        return
    app = targets(Policy.load(bundle))[name]
    uvloop.run(server(app, "127.0.0.1", 0).serve([listens]))


def message(name: str) -> bytes:
    """The bytes of a request."""
    if name == "empty":
        return b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    body = json.dumps({"request": REQUEST}).encode()
    shown = () if name == "service" else (f"authorization: Bearer {token_text(TOKEN)}",)
    lines = (
        "POST /v1/policy/evaluate HTTP/1.1",
        "host: localhost",
        *shown,
        "content-type: application/json",
        f"content-length: {len(body)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


class Connection(asyncio.Protocol):
    """One connection that asks again as soon as it is answered; answers are counted, not kept."""

    def __init__(self, sent: bytes, until_s: float) -> None:
        self.sent, self.until_s = sent, until_s
        self.count = 0
        self.length: int | None = None
        self.got = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self.sent)

    def data_received(self, data: bytes) -> None:
        self.got += data
        if self.length is None:
            self.length = answer_length(self.got)
        if self.length is None or len(self.got) < self.length:
            return
        assert len(self.got) == self.length, self.got[:300]
        self.got = b""
        self.count += 1
        if time.monotonic() < self.until_s:
            self.transport.write(self.sent)
        elif not self.done.done():
            self.transport.close()
            self.done.set_result(self.count)


def answer_length(got: bytes) -> int | None:
    """The length of a whole answer, which is the same each time; None: its head is not there yet."""
    head, mark, _ = got.partition(b"\r\n\r\n")
    if not mark:
        return None
    assert head.startswith(b"HTTP/1.1 200"), got[:500]
    length = next(
        line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    return len(head) + 4 + int(length.split(b":")[1])


async def load(port: int, sent: bytes, seconds: float) -> float:
    """Requests a second."""
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    made = [
        (
            await loop.create_connection(
                lambda: Connection(sent, began + seconds), "127.0.0.1", port
            )
        )[1]
        for _ in range(CONNECTIONS)
    ]
    counts = await asyncio.gather(*(one.done for one in made))
    return float(sum(counts) / (time.monotonic() - began))


def compiled() -> bytes:
    """The bundle of the control plane's example policy."""
    root = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as folder:
        policy = root / "examples/control_plane.gov"
        arguments = [Path(sys.executable).with_name("gov"), "build", policy, "-o", folder]
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
        return next(Path(folder).glob("*.govb")).read_bytes()


def measured(
    names: tuple[str, ...], seconds: float, rounds: int, bundle: bytes
) -> dict[str, list[float]]:
    """Requests a second of each target in each round, all of them in each."""
    context = multiprocessing.get_context("fork")
    sockets = {name: listening() for name in names}
    servers = [
        context.Process(target=serve, args=(bundle, name, sockets[name]), daemon=True)
        for name in names
    ]
    for one in servers:
        one.start()
    found: dict[str, list[float]] = {name: [] for name in names}
    try:
        time.sleep(2)
        for _ in range(rounds):
            for name in names:
                port = sockets[name].getsockname()[1]
                found[name].append(uvloop.run(load(port, message(name), seconds)))
    finally:
        for one in servers:
            one.kill()
    return found


def lookup_us(bundle: bytes) -> float:
    """What the decision itself costs of it, in µs, dict in, outcome out."""
    policy = Policy.load(bundle)
    times = 20_000
    began = time.perf_counter()
    for _ in range(times):
        policy.decide(REQUEST, now_ms=0, runtime={})
    return (time.perf_counter() - began) / times * 1e6


def main() -> None:
    """Print the table."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    bundle = compiled()
    found = measured(("empty", "fixed", "policy", "service"), seconds, rounds, bundle)
    shares = {
        name: [a / b for a, b in zip(found[name], found["empty"], strict=True)] for name in found
    }
    print(
        f"{CONNECTIONS} connections, {rounds} rounds of {seconds:g} s, load {os.getloadavg()[0]:.1f}"
    )
    for name, rates in found.items():
        rate, share = statistics.median(rates), statistics.median(shares[name])
        print(f"{name:8} {rate:10,.0f} requests/s {share:6.0%} of the empty handler")
    print(f"the decision itself: {lookup_us(bundle):.2f} µs")


if __name__ == "__main__":
    main()
