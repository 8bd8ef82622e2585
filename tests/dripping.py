"""A policy check that is slow for real: it listens on loopback, and its whole answer comes a byte at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

PAUSE_S = 0.01
"""Between two bytes: far less than a read may take, so that only a deadline for all of it ends the wait."""


@asynccontextmanager
async def dripping(answer: dict[str, Any]) -> AsyncIterator[str]:
    """The URL of a check that gives this answer, in some seconds."""
    content = json.dumps(answer).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    serving: set[asyncio.Task[Any]] = set()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head.encode())
            for one in content:
                writer.write(bytes([one]))
                await writer.drain()
                await asyncio.sleep(PAUSE_S)
        except (OSError, asyncio.IncompleteReadError):
            pass  # whoever asked has gone
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/policy/evaluate"
    finally:
        server.close()
        await asyncio.gather(*serving)
