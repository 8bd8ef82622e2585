"""Open-loop load on a real `gov serve`: how long a durable submit takes when nobody waits for the one before it.

In: nothing.  Out: rows: submits at 1 000/s and at the highest rate that is kept (p50, p99, p99.9 in ms, from the time
at which each request was due, so that a slow answer delays no other: no coordinated omission), processor time of a
submit and of an evaluate, evaluate beside an empty Starlette handler, and the share of the decision itself.

`python -m benchmarks.load [SECONDS]` prints them.  Every request is a job of its own (key, agent of
2 000) for `examples/control_plane.gov`, whose rate rule counts what is dispatched, so that none is throttled; each must
be answered with 202, and each is on the disk then (SQLite, synchronous=FULL, in the folder of `GOVLANG_LOAD_DIR`, else
/var/tmp).
The generator is this process: 64 connections, uvloop, no library of HTTP.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import monotonic, sleep
from typing import Final, cast

import uvloop

from benchmarks import http
from benchmarks.measure import Row
from benchmarks.targets import CONTROL_PLANE, EVALUATE_SHARE

CONNECTIONS: Final = 64
RATE: Final = 1_000
STEP: Final = 250
RATE_MAX: Final = 6_000
P99_MAX_MS: Final = 50.0
AGENTS: Final = 2_000
WARM_S: Final = 1.5
ROUNDS: Final = 5
RULES: Final = 5
SUBJECT: Final = "govlang"
TICKS: Final = os.sysconf("SC_CLK_TCK")
SETTINGS: Final = {
    "GOV_RATE_PER_S": "1000000",
    "GOV_RATE_BURST": "1000000",
    "GOV_LOG_LEVEL": "error",
}


@dataclass(frozen=True, slots=True)
class Served:
    """A service that runs."""

    pid: int
    port: int
    token: str

    def cpu_s(self) -> float:
        """Processor time that it has spent, all threads, in seconds."""
        spent = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(spent[11]) + int(spent[12])) / TICKS


@dataclass(frozen=True, slots=True)
class Sustained:
    """What a rate came to; latencies in ms, from when each request was due."""

    rate: float
    kept: float
    latencies: list[float]
    cpu_us: float

    def quantile(self, share: float) -> float:
        """The latency that so many do not exceed."""
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]

    @property
    def sustained(self) -> float:
        """The rate at which it was asked, if it kept up; what was answered a second lacks the last latency."""
        return self.rate if self.is_kept else self.kept

    @property
    def is_kept(self) -> bool:
        """Whether the service kept up: nothing piled up, and 99 % within the limit."""
        return self.kept >= 0.98 * self.rate and self.quantile(0.99) < P99_MAX_MS


@contextmanager
def serving(bundle: bytes) -> Iterator[Served]:
    """`gov serve` in a process of its own, its data in a folder that goes away."""
    place = os.environ.get("GOVLANG_LOAD_DIR", "/var/tmp")  # noqa: S108  # a disk, where /tmp may be memory
    with tempfile.TemporaryDirectory(dir=place) as folder:
        file = Path(folder, "policy.govb")
        file.write_bytes(bundle)
        command = [Path(sys.executable).with_name("gov"), "serve", file]
        running = subprocess.Popen(
            [*command, "--port", "0", "--data", Path(folder, "data")],
            env={**os.environ, **SETTINGS, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert running.stdout is not None
            said = ""
            while "token" not in said:
                line = running.stdout.readline()
                assert line, said
                said += line
            port, token = re.search(r":(\d+)  \(", said), re.search(r"gov_\S+", said)
            assert port, said
            assert token, said
            yield Served(running.pid, int(port[1]), token[0])
        finally:
            running.terminate()
            running.wait(30)


def posted(path: str, body: bytes, token: str, *headers: str) -> bytes:
    """The bytes of a POST."""
    lines = (
        f"POST {path} HTTP/1.1",
        "host: localhost",
        f"authorization: Bearer {token}",
        "content-type: application/json",
        *headers,
        f"content-length: {len(body)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


def submit_of(token: str, run: str) -> Callable[[int], bytes]:
    """Number to a submit of its own."""

    def made(number: int) -> bytes:
        request = {**http.ALLOWED, "agent": f"a{number % AGENTS}"}
        body = {"request": request, "payload": {"vm": f"v{number}"}, "pool": "ops"}
        raw = json.dumps(body).encode()
        return posted("/v1/jobs", raw, token, f"idempotency-key: {run}-{number}")

    return made


class Connection(asyncio.Protocol):
    """One connection; `idle` is told when it is free again."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.got = b""
        self.due_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def send(self, sent: bytes, due_s: float) -> None:
        """One request, which was due at `due_s`."""
        self.due_s = due_s
        self.transport.write(sent)

    def data_received(self, data: bytes) -> None:
        self.got += data
        head = self.got.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self.got.find(b"content-length: ", 0, head)
        end = self.got.find(b"\r\n", at)
        if len(self.got) < head + 4 + int(self.got[at + 16 : end]):
            return
        assert self.got.startswith(self.load.status), self.got[:600]
        self.got = b""
        self.load.answered(self)


class Load:
    """Requests at a fixed rate, whatever becomes of them."""

    status: Final = b"HTTP/1.1 202"

    def __init__(
        self, port: int, made: Callable[[int], bytes], rate: float, seconds: float
    ) -> None:
        self.port, self.rate = port, rate
        self.requests = [made(number) for number in range(int(rate * seconds))]
        self.latencies: list[float] = []
        self.idle: deque[Connection] = deque()
        self.waiting: deque[int] = deque()
        self.last_s = 0.0

    def due_s(self, number: int) -> float:
        """When a request is due."""
        return self.began_s + number / self.rate

    def answered(self, one: Connection) -> None:
        """Note the latency, and have the connection ask what is overdue."""
        self.last_s = monotonic()
        self.latencies.append((self.last_s - one.due_s) * 1e3)
        if self.waiting:
            number = self.waiting.popleft()
            one.send(self.requests[number], self.due_s(number))
        else:
            self.idle.append(one)
        if len(self.latencies) == len(self.requests):
            self.done.set()

    async def run(self) -> tuple[float, list[float]]:
        """Requests answered a second, and the latencies in order of size."""
        loop = asyncio.get_running_loop()
        self.done = asyncio.Event()
        for _ in range(CONNECTIONS):
            made = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.port)
            self.idle.append(made[1])
        self.began_s = monotonic() + 0.05
        for number, sent in enumerate(self.requests):
            due_s = self.due_s(number)
            left_s = due_s - monotonic()
            if left_s > 0:
                await asyncio.sleep(left_s)
            if self.idle:
                self.idle.popleft().send(sent, due_s)
            else:
                self.waiting.append(number)
        await asyncio.wait_for(self.done.wait(), 60)
        for one in self.idle:
            one.transport.close()
        return len(self.requests) / (self.last_s - self.began_s), sorted(self.latencies)


def sustained(served: Served, rate: float, seconds: float) -> Sustained:
    """Submits at a rate."""
    gc.collect()
    gc.disable()
    load = Load(served.port, submit_of(served.token, f"r{rate:g}-{monotonic():.0f}"), rate, seconds)
    before_s = served.cpu_s()
    kept, latencies = uvloop.run(load.run())
    spent_s = served.cpu_s() - before_s
    gc.enable()
    return Sustained(rate, kept, latencies, spent_s / len(latencies) * 1e6)


def highest(served: Served, seconds: float) -> Sustained:
    """The highest rate that is kept: upwards from 1 000/s, or downwards where that is missed already."""
    best = tried(served, RATE, seconds)
    while not best.is_kept and best.rate > STEP:
        best = tried(served, best.rate - STEP, seconds)
    while best.is_kept and RATE <= best.rate < RATE_MAX:
        found = tried(served, best.rate + STEP, seconds)
        if not found.is_kept:
            break
        best = found
    return best


def tried(served: Served, rate: float, seconds: float) -> Sustained:
    """Submits at a rate; one that is missed gets a second chance, as the machine may have been busy."""
    found = sustained(served, rate, seconds)
    if found.is_kept:
        return found
    sleep(0.5)
    return sustained(served, rate, seconds)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a server made of a load: requests a second, processor time of one in µs, share of the rate of `plain`."""

    rate: float
    cpu_us: float
    share: float


@contextmanager
def empty(name: str, bundle: bytes) -> Iterator[tuple[Served, bytes]]:
    """An empty handler of `benchmarks.http` in a process of its own, and what it is asked."""
    listens = http.listening()
    bare = get_context("fork").Process(target=http.serve, args=(bundle, name, listens), daemon=True)
    bare.start()
    assert bare.pid is not None
    try:
        yield Served(bare.pid, listens.getsockname()[1], ""), http.message(None)
    finally:
        bare.kill()


def evaluated(served: Served, bundle: bytes, seconds: float) -> tuple[Asked, Asked, Asked]:
    """The empty handler on plain uvicorn and on our server, and evaluate: in turns, so that all have a busy machine."""
    body = json.dumps({"request": http.ALLOWED}).encode()
    asked = posted("/v1/policy/evaluate", body, served.token)
    found: list[list[tuple[float, float]]] = [[], [], []]
    with empty("plain", bundle) as plain, empty("empty", bundle) as ours:
        sleep(WARM_S)
        for _ in range(ROUNDS):
            for (target, sent), into in zip((plain, ours, (served, asked)), found, strict=True):
                before_s = target.cpu_s()
                count, taken_s = uvloop.run(http.load(target.port, sent, seconds))
                into.append((count / taken_s, (target.cpu_s() - before_s) / count * 1e6))
    first, second, third = (_asked(those, found[0]) for those in found)
    return first, second, third


def _asked(those: list[tuple[float, float]], plain: list[tuple[float, float]]) -> Asked:
    rate, cpu_us = (statistics.median(part) for part in zip(*those, strict=True))
    share = statistics.median(one[0] / other[0] for one, other in zip(those, plain, strict=True))
    return Asked(rate, cpu_us, share)


def load_rows(seconds: float = 10.0) -> Iterator[Row]:
    """Every figure."""
    bundle = http.compiled()
    with serving(bundle) as served:
        sustained(served, 200, WARM_S)
        yield from latency_rows(f"{RATE:,}/s".replace(",", " "), sustained(served, RATE, seconds))
        yield from latency_rows("at the highest rate kept", highest(served, seconds / 2))
    with serving(bundle) as served:
        plain, ours, evaluate = evaluated(served, bundle, max(0.5, seconds / 5))
    yield row("evaluate, 32 connections", evaluate.rate, "requests/s")
    yield row("an empty Starlette handler on plain uvicorn, the same", plain.rate, "requests/s")
    yield row("an empty Starlette handler on our server, the same", ours.rate, "requests/s")
    yield row(EVALUATE_SHARE, evaluate.share * 100, "%")
    yield row("evaluate beside the one on our server", evaluate.rate / ours.rate * 100, "%")
    yield row("processor time of an evaluate", evaluate.cpu_us, "µs")
    yield row("processor time of the empty handler on plain uvicorn", plain.cpu_us, "µs")
    yield row("processor time of the empty handler on our server", ours.cpu_us, "µs")
    lookup_us = http.lookup_us(bundle)
    yield row("the decision itself, dict in", lookup_us, "µs")
    yield row("the decision's share of an evaluate", lookup_us / evaluate.cpu_us * 100, "%")
    yield row("load of the machine meanwhile (1 min)", os.getloadavg()[0], "")


def latency_rows(label: str, found: Sustained) -> Iterator[Row]:
    """The figures of one rate."""
    yield row(f"durable submits, {label}", found.sustained, "requests/s")
    for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
        yield row(f"durable submits, {label}, {name}", found.quantile(share), "ms")
    yield row(f"durable submits, {label}, processor time of one", found.cpu_us, "µs")


def row(form: str, value: float, unit: str) -> Row:
    """A figure."""
    return Row(CONTROL_PLANE, RULES, SUBJECT, form, value, unit)


def main() -> None:
    """Print the rows."""
    print(f"load {os.getloadavg()[0]:.1f}")
    for one in load_rows(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0):
        print(f"{one.value:12.4g} {one.unit:12} {one.form}", flush=True)


if __name__ == "__main__":
    main()
