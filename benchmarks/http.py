"""What the HTTP part costs: evaluate beside an empty Starlette handler, on one server process, in one run.

In: nothing.  Out: requests a second of each target and its share of the empty handler's (`plain`), the targets taken
in turns, so that a busy machine is busy for all; and the processor time that the server spent on a request, which
others on the machine disturb less.  `python -m benchmarks.http [SECONDS] [ROUNDS]`.

`plain` is the empty handler on uvicorn as it comes (uvloop, httptools); all others, `empty` too, run on the service's
own server, which writes head and body as one.

Two requests are sent: one that a person must approve, and one that is allowed.

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
from dataclasses import dataclass
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
from govlang.runtime.http.metrics import Metrics
from govlang.runtime.http.server import server
from govlang.runtime.policy import Policy

CONNECTIONS: Final = 32
TOKEN: Final = Parsed("tok_" + "1" * 16, "2" * 64)
PERSON: Final = {
    "agent": "a1",
    "topic": "infra.delete",
    "environment": "production",
    "risk": 0.25,
    "tokens": 10,
    "labels": ["write"],
}
ALLOWED: Final = {**PERSON, "topic": "infra.read", "environment": "dev"}
LOADS: Final = (
    ("plain", None),
    ("empty", None),
    ("fixed", PERSON),
    ("policy", PERSON),
    ("policy", ALLOWED),
    ("service", PERSON),
    ("service", ALLOWED),
)
"""A server and what it is asked; None: the empty handler, asked nothing."""

Load = tuple[str, dict[str, Any] | None]
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
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


def bare() -> Starlette:
    """An application with nothing but the empty handler."""
    app = Starlette(routes=[StarletteRoute("/", empty)])
    app.state.head_s = limits().head_timeout_s
    return app


def limits() -> Settings:
    """Settings whose rate nobody reaches; it is counted all the same."""
    return Settings(rate_per_s=1_000_000, rate_burst=1_000_000)


def token() -> StoredToken:
    """The token that every request shows."""
    far = now_ms() + 10**9
    return StoredToken(
        TOKEN.token_id, hash_secret(TOKEN.secret), EVERY_ROLE, None, None, None, 0, far
    )


def targets(policy: Policy) -> dict[str, Starlette]:
    """The applications that are compared, but for the whole service."""
    book = TokenBook()
    book.put(token())
    return {
        "plain": bare(),
        "empty": bare(),
        "fixed": build_app(Fixed(), limits(), book),  # type: ignore[arg-type]  # only evaluate is asked
        "policy": build_app(Deciding(policy), limits(), book),  # type: ignore[arg-type]  # the same
    }


def listening() -> socket.socket:
    """A socket on a free port."""
    return socket.create_server(("127.0.0.1", 0), backlog=1024)


async def serve_service(bundle: bytes, listens: socket.socket) -> None:
    """Serve the whole control plane, its data in a folder that goes away."""
    with tempfile.TemporaryDirectory() as folder:
        metrics = Metrics()
        service = Service(Path(folder), limits(), bundle, {}, Parts(meter=metrics))
        await service.start()
        service.book.put(token())
        app = build_app(service, limits(), service.book, metrics=metrics)
        await server(app, "127.0.0.1", 0).serve([listens])


def serve(bundle: bytes, name: str, listens: socket.socket) -> None:
    """Serve one target until the process is ended."""
    if name == "service":
        uvloop.run(serve_service(bundle, listens))
        return
    running = server(targets(Policy.load(bundle))[name], "127.0.0.1", 0)
    if name == "plain":
        running.config.http = "httptools"
    uvloop.run(running.serve([listens]))


def message(request: dict[str, Any] | None) -> bytes:
    """The bytes of a request."""
    if request is None:
        return b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    body = json.dumps({"request": request}).encode()
    lines = (
        "POST /v1/policy/evaluate HTTP/1.1",
        "host: localhost",
        f"authorization: Bearer {token_text(TOKEN)}",
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


async def load(port: int, sent: bytes, seconds: float) -> tuple[int, float]:
    """How many requests were answered, in how many seconds."""
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
    return sum(counts), time.monotonic() - began


def compiled() -> bytes:
    """The bundle of the control plane's example policy."""
    root = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as folder:
        policy = root / "examples/control_plane.gov"
        arguments = [Path(sys.executable).with_name("gov"), "build", policy, "-o", folder]
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
        return next(Path(folder).glob("*.govb")).read_bytes()


@dataclass(frozen=True, slots=True)
class Round:
    """What a server made of a load for a while."""

    requests: int
    seconds: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float:
        """Processor time of a request, in µs, all threads of the server and the kernel's part."""
        return self.cpu_s / self.requests * 1e6


def cpu_s(pid: int | None) -> float:
    """The processor time that a process has had, user and system (proc(5), in ticks)."""
    rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(rest[11]) + int(rest[12])) / TICKS_PER_S


def asked(pid: int | None, port: int, sent: bytes, seconds: float) -> Round:
    """One server under one load."""
    before = cpu_s(pid)
    requests, took_s = uvloop.run(load(port, sent, seconds))
    return Round(requests, took_s, cpu_s(pid) - before)


def measured(seconds: float, rounds: int, bundle: bytes) -> list[list[Round]]:
    """The rounds of each load, all of them in each."""
    context = multiprocessing.get_context("fork")
    sockets = {name: listening() for name, _ in LOADS}
    servers = {
        name: context.Process(target=serve, args=(bundle, name, one), daemon=True)
        for name, one in sockets.items()
    }
    for one in servers.values():
        one.start()
    found: list[list[Round]] = [[] for _ in LOADS]
    try:
        time.sleep(2)
        for _ in range(rounds):
            for (name, request), rates in zip(LOADS, found, strict=True):
                port = sockets[name].getsockname()[1]
                rates.append(asked(servers[name].pid, port, message(request), seconds))
    finally:
        for one in servers.values():
            one.kill()
    return found


def lookup_us(bundle: bytes) -> float:
    """What the decision itself costs of it, in µs, dict in, outcome out."""
    policy = Policy.load(bundle)
    times = 20_000
    began = time.perf_counter()
    for _ in range(times):
        policy.decide(PERSON, now_ms=0, runtime={})
    return (time.perf_counter() - began) / times * 1e6


def named(load_of: Load) -> str:
    """A load in words."""
    name, request = load_of
    return name if request is None else f"{name}, {'allowed' if request is ALLOWED else 'person'}"


def main() -> None:
    """Print the table."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    bundle = compiled()
    found = measured(seconds, rounds, bundle)
    print(
        f"{CONNECTIONS} connections, {rounds} rounds of {seconds:g} s, load {os.getloadavg()[0]:.1f}"
    )
    for load_of, those in zip(LOADS, found, strict=True):
        rate = statistics.median(one.rate for one in those)
        share = statistics.median(a.rate / b.rate for a, b in zip(those, found[0], strict=True))
        cpu = statistics.median(one.cpu_us for one in those)
        print(f"{named(load_of):16} {rate:8,.0f}/s {share:5.0%} of empty, {cpu:6.1f} µs CPU")
    print(f"the decision itself: {lookup_us(bundle):.2f} µs")


if __name__ == "__main__":
    main()
