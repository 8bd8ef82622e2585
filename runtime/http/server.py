"""Runs the application: uvicorn on uvloop and httptools, and an end in order.

On SIGINT or SIGTERM: /readyz says 503 and leases that wait are released; for `drain_s` more, requests are taken, so
that a load balancer notices; then the socket closes and what is in flight is finished.  A second signal ends it sooner.
"""

from __future__ import annotations

import asyncio
from functools import partial
from socket import socket
from types import FrameType
from typing import Final, cast

import uvicorn
from starlette.applications import Starlette

from govlang.runtime.http.protocol import StrictProtocol

IN_FLIGHT_S: Final = 30
"""So long may a request take that was in flight."""


class DrainingServer(uvicorn.Server):
    """A server that says that it is about to stop before it does."""

    def __init__(self, config: uvicorn.Config, app: Starlette, drain_s: float) -> None:
        super().__init__(config)
        self._app = app
        self._drain_s = drain_s
        self._draining = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[socket] | None = None) -> None:
        """Serve until a signal, or `drain`, ends it."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; uvicorn calls it from the signal's handler."""
        if self._draining:
            super().handle_exit(sig, frame)
            return
        self._draining = True
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self.drain)

    def drain(self) -> None:
        """Be unready now, and stop in `drain_s`."""
        self._app.state.stop.begin()
        asyncio.get_running_loop().call_later(self._drain_s, self._exit)

    def _exit(self) -> None:
        self.should_exit = True


def server(app: Starlette, host: str, port: int, *, drain_s: float = 1.0) -> DrainingServer:
    """A server of `app`, whose `state.head_s` bounds its connections.

    `await server.serve()` runs it, also inside a loop that runs already.

    Sockets that listen already are given to `serve` (uvicorn takes a bare descriptor for a Unix socket, which
    leaves out TCP_NODELAY and costs 40 ms a request).
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=cast("type[asyncio.Protocol]", partial(StrictProtocol, head_s=app.state.head_s)),
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        backlog=2048,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=IN_FLIGHT_S,
    )
    return DrainingServer(config, app, drain_s)
