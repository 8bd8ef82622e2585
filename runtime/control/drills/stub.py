"""A policy check for drills: a mood in, answers of that mood over HTTP on loopback out.

Healthy, it decides as a policy does; `slow`, it answers when the drill's clock has gone on for longer than the breaker
bears; `hanging`, never; `failing`, with 500; `gone`, nothing listens.  What always holds: it listens on loopback only,
and counts every call that reaches it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from govlang.runtime.policy import Policy

HOST: Final = "127.0.0.1"
SLOW_S: Final = 2.1
"""How long a slow answer takes, by the drill's clock; the breaker bears 2 s."""


class Mood(StrEnum):
    """How the check behaves."""

    HEALTHY = "healthy"
    SLOW = "slow"
    HANGING = "hanging"
    FAILING = "failing"
    GONE = "gone"


class Stub:
    """A policy check whose mood the drill sets."""

    def __init__(self, policy: Policy, pass_s: Callable[[float], None]) -> None:
        """`pass_s` lets time pass on the drill's clock."""
        self.mood = Mood.HEALTHY
        self.calls = 0
        self.held: asyncio.Event | None = None
        """While set, healthy answers wait for it: so that several calls are out at once."""
        self._policy = policy
        self._pass_s = pass_s
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._moved = asyncio.Event()
        """Set when the mood ends, so that calls that hang do."""
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/v1/policy/evaluate"

    async def listen(self) -> None:
        """Listen, at the same port as before."""
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Be gone: connections end, and new ones are refused."""
        self._moved.set()
        if self._server is not None:
            self._server.close()
            for writer in list(self._open):
                writer.close()
            await self._server.wait_closed()
            self._server = None

    async def become(self, mood: Mood) -> None:
        """Behave otherwise from now on."""
        self._moved.set()
        self._moved = asyncio.Event()
        if mood is Mood.GONE:
            await self.close()
        elif self._server is None:
            await self.listen()
        self.mood = mood

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            body = await _body(reader)
            self.calls += 1
            answer = await self._answer(body)
            if answer is not None:
                writer.write(answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass  # whoever asked has gone
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, body: dict[str, Any]) -> bytes | None:
        match self.mood:
            case Mood.FAILING:
                return _http(500, {"title": "the check has failed"})
            case Mood.HANGING:
                await self._moved.wait()
                return None
            case Mood.SLOW:
                self._pass_s(SLOW_S)
            case _:
                if self.held is not None:
                    await self.held.wait()
        outcome = self._policy.decide(body["request"], now_ms=0, runtime=body["runtime"])
        return _http(200, outcome.to_dict())


async def _body(reader: asyncio.StreamReader) -> dict[str, Any]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    lengths = [
        line.split(":")[1] for line in head.split("\r\n") if line.startswith("content-length:")
    ]
    read: dict[str, Any] = json.loads(await reader.readexactly(int(lengths[0])))
    return read


def _http(status: int, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n"
    return f"{head}content-length: {len(content)}\r\n\r\n".encode() + content
