"""Faults on the way between a client and a gateway: what is sent may be lost, or its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

Fault = Callable[[httpx.Request], httpx.Response | Exception | None]
"""Instead of sending a request: an answer, an exception; None: send it."""


@dataclass
class Faults:
    """What goes wrong, one fault a request that it fits, in order; `seen` are all requests by method and path."""

    planned: list[tuple[str, str, httpx.Response | Exception]] = field(default_factory=list)
    seen: list[httpx.Request] = field(default_factory=list)

    def lose(self, part: str, times: int = 1, error: Exception | None = None) -> None:
        """Lose requests whose path holds a text."""
        fault = error or httpx.ConnectError("lost")
        self.planned += [("before", part, fault)] * times

    def lose_answer(self, part: str, times: int = 1) -> None:
        """Lose the answer to such requests: the gateway has got them."""
        self.planned += [("behind", part, httpx.ReadTimeout("lost"))] * times

    def answer(self, part: str, status: int, body: object, **headers: str) -> None:
        """Answer such a request with something else."""
        response = httpx.Response(status, json=body, headers=headers)
        self.planned.append(("before", part, response))

    def due(self, request: httpx.Request) -> tuple[str, httpx.Response | Exception] | None:
        """What goes wrong with a request."""
        self.seen.append(request)
        for one in self.planned:
            when, part, fault = one
            if part in request.url.path:
                self.planned.remove(one)
                return when, fault
        return None

    def paths(self, part: str = "") -> list[str]:
        """The paths that were asked for."""
        return [one.url.path for one in self.seen if part in one.url.path]


@dataclass
class FaultyTransport(httpx.BaseTransport):
    """A transport with faults."""

    faults: Faults
    inner: httpx.HTTPTransport = field(default_factory=lambda: httpx.HTTPTransport(verify=False))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        match self.faults.due(request):
            case None:
                return self.inner.handle_request(request)
            case "behind", Exception() as error:
                self.inner.handle_request(request).read()
                raise error
            case _, Exception() as error:
                raise error
            case _, httpx.Response() as response:
                return response
        raise AssertionError

    def close(self) -> None:
        self.inner.close()


@dataclass
class FaultyAsyncTransport(httpx.AsyncBaseTransport):
    """The same for asyncio."""

    faults: Faults
    inner: httpx.AsyncHTTPTransport = field(
        default_factory=lambda: httpx.AsyncHTTPTransport(verify=False)
    )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        match self.faults.due(request):
            case None:
                return await self.inner.handle_async_request(request)
            case "behind", Exception() as error:
                await (await self.inner.handle_async_request(request)).aread()
                raise error
            case _, Exception() as error:
                raise error
            case _, httpx.Response() as response:
                return response
        raise AssertionError

    async def aclose(self) -> None:
        await self.inner.aclose()
