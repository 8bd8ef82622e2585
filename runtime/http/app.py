"""The application: the table of routes in, a Starlette app out.

What always holds: a caller is known and has the role before its body is read, and is known still when it has come; a
body is checked before the service sees it; whatever goes wrong is answered with problem+json.  The hot path is plain
ASGI, without middleware of our own.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from inspect import isawaitable
from time import perf_counter, time_ns
from types import MappingProxyType
from typing import Any, Final, Protocol, cast

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute
from starlette.types import Receive, Scope, Send

from govlang.native.request import legible
from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.settings import Settings
from govlang.runtime.control.tokens import Caller, Role, TokenBook
from govlang.runtime.http.arrival import Bounds, read_bytes
from govlang.runtime.http.auth import Auth
from govlang.runtime.http.headers import Headers, check_content_type, idempotency_key, pick
from govlang.runtime.http.logs import service_log
from govlang.runtime.http.metrics import Metrics
from govlang.runtime.http.open_routes import open_routes
from govlang.runtime.http.openapi import PATTERNS
from govlang.runtime.http.rate import Rates
from govlang.runtime.http.reading import checked, read_query, read_strictly
from govlang.runtime.http.refusal import ClientGoneError, RefusedError, refused
from govlang.runtime.http.route import NOBODY, Ask, Route
from govlang.runtime.http.routes import ROUTES
from govlang.runtime.http.sending import PROBLEM, body_of, send_answer
from govlang.runtime.http.service import Service
from govlang.runtime.http.traces import NO_TRACES, Traces

PATH_PATTERNS: Final = {name: re.compile(pattern) for name, pattern in PATTERNS.items()}
"""What a part of a path looks like; anything else is not found."""


JSON: Final = b"application/json"
BYTES: Final = b"application/octet-stream"
AT_ONCE_MAX: Final = 65_536
"""The longest body, in bytes, that is read by the event loop itself."""

STRANGER: Final = Caller("", NOBODY, frozenset(), frozenset(), "")
"""Whoever asks an open route."""


Reading = Callable[[Service, Ask], Answer]
"""What a route does that only reads."""


class Watch(Protocol):
    """Who is told of every request."""

    def requested(self, route: str, method: str, status: int, seconds: float) -> None: ...


class Log(Protocol):
    """Where it is written down (structlog)."""

    def error(self, event: str, **members: Any) -> Any: ...
    def info(self, event: str, **members: Any) -> Any: ...


@dataclass(slots=True)
class Stop:
    """Whether the service is stopping; `begin` once, before the server stops to listen."""

    service: Service
    began: bool = False

    def begin(self) -> None:
        """Be unready, and release whoever waits for a job."""
        self.began = True
        self.service.stop_waiting()


@dataclass(frozen=True, slots=True)
class Gate:
    """All that a request passes on its way to the service."""

    service: Service
    auth: Auth
    rates: Rates
    bounds: Bounds
    values_max: int
    reader: Executor
    """Where long bodies are read, one after another: meanwhile others are answered."""
    watch: Watch
    log: Log
    traces: Traces
    stop: Stop

    async def answer(self, route: Route, scope: Scope, receive: Receive) -> Answer | None:
        """The answer to a request; None if nobody waits for it."""
        try:
            with self.traces.request(route.name, scope):
                return await self._answered(route, scope, receive)
        except RefusedError as refusal:
            return refusal.answer
        except ClientGoneError:
            return None
        except Exception as error:  # noqa: BLE001  # the client gets an answer and the log the cause
            return self._failed(route.name, error)

    def written(self, route: str, answer: Answer) -> tuple[Answer, bytes]:
        """An answer with the bytes of its body; one that JSON cannot hold is a failure like any other."""
        try:
            return answer, body_of(answer)
        except Exception as error:  # noqa: BLE001  # as above
            failed = self._failed(route, error)
            return failed, body_of(failed)

    def _failed(self, route: str, error: Exception) -> Answer:
        self.log.error("request failed", route=route, exc_info=error)
        return problem("internal_error", "the service failed; the log says why")

    async def _answered(self, route: Route, scope: Scope, receive: Receive) -> Answer:
        headers = pick(scope["headers"])
        caller = self._caller(route, headers, scope.get("client"))
        path = scope.get("path_params", {})
        for name, value in path.items():
            if not PATH_PATTERNS[name].fullmatch(value):
                raise refused(
                    "not_found",
                    f"`{legible(value, 60)}` is no `{name}`",
                    field=name,
                    expected=PATH_PATTERNS[name].pattern,
                )
        query = read_query(route.query, scope["query_string"]) if route.roles else {}
        key = idempotency_key(headers) if route.takes_key else ""
        raw, body = await self._body(route, caller, headers, receive)
        self._check_members(route, body, caller)
        ask = Ask(caller, path, query, body, raw, key)
        if route.in_thread:
            return await asyncio.to_thread(cast("Reading", route.act), self.service, ask)
        answer = route.act(self.service, ask)
        if not isawaitable(answer):
            return answer
        if route.waits and body.get("wait_s"):
            return await _while_there(answer, receive)
        return await answer

    def _caller(self, route: Route, headers: Headers, client: Any) -> Caller:
        if not route.roles:
            return STRANGER
        caller = self.auth.caller(headers, client)
        if route.roles.isdisjoint(caller.roles):
            self.log.info("forbidden", route=route.name, token_id=caller.token_id)
            raise _forbidden(route.roles)
        wait_s = self.rates.wait_s(caller.token_id, route.load)
        if wait_s:
            raise refused(
                "rate_limited",
                f"more than {self.rates.rate_per_s:g} requests a second of this kind",
                field="Authorization",
                expected=f"at most {self.rates.rate_per_s:g}/s, {self.rates.burst} at once",
                retry_after_s=round(wait_s, 3),
            )
        return caller

    async def _body(
        self, route: Route, caller: Caller, headers: Headers, receive: Receive
    ) -> tuple[bytes, dict[str, Any]]:
        if not route.has_body:
            return b"", {}
        check_content_type(headers, BYTES if route.takes_bytes else JSON)
        raw, is_late = await read_bytes(receive, headers, self.bounds)
        if is_late:
            self.auth.check_still(caller)
        if route.body is None:
            return raw, {}
        if len(raw) <= AT_ONCE_MAX:
            return raw, self._checked(route.body, raw)
        loop = asyncio.get_running_loop()
        return raw, await loop.run_in_executor(self.reader, self._checked, route.body, raw)

    def _checked(self, model: type[BaseModel], raw: bytes) -> dict[str, Any]:
        return checked(model, read_strictly(raw, self.values_max), "body")

    def _check_members(self, route: Route, body: Mapping[str, Any], caller: Caller) -> None:
        """Members that only some may give."""
        name = route.only_operator
        if name and body.get(name) and Role.OPERATOR not in caller.roles:
            raise refused(
                "forbidden",
                f"`{name}` is what the host knows, not the caller",
                field=name,
                expected="left out, but by the role operator",
            )


def _forbidden(roles: frozenset[Role]) -> RefusedError:
    wanted = " or ".join(sorted(roles))
    return refused("forbidden", f"this needs the role {wanted}", field="role", expected=wanted)


async def _while_there(asked: Awaitable[Answer], receive: Receive) -> Answer:
    """The answer, given up as soon as the client has left, so that no job goes to nobody."""
    work = asyncio.ensure_future(asked)
    left = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait((work, left), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientGoneError
        return work.result()
    finally:
        work.cancel()
        left.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Path:
    """All methods of one path, an ASGI app."""

    def __init__(self, gate: Gate, routes: Iterable[Route]) -> None:
        self.gate = gate
        self.routes = {route.method: route for route in routes}
        if "GET" in self.routes:
            self.routes["HEAD"] = self.routes["GET"]
        self.allow = ", ".join(sorted({*self.routes, "OPTIONS"}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        method = scope["method"]
        route = self.routes.get(method)
        answer = (
            self._other(method) if route is None else await self.gate.answer(route, scope, receive)
        )
        if answer is None:
            return
        name = "none" if route is None else route.name
        answer, body = self.gate.written(name, answer)
        await send_answer(send, answer, body, head=method == "HEAD")
        seconds = perf_counter() - began
        self.gate.watch.requested(name, method if route else "other", answer.status, seconds)

    def _other(self, method: str) -> Answer:
        headers = {"allow": self.allow}
        if method == "OPTIONS":
            return Answer(204, None, headers)
        refusal = problem(
            "method_not_allowed", "the path has other methods", field="method", expected=self.allow
        )
        return Answer(refusal.status, refusal.body, headers)


class Application(Starlette):
    """Starlette, but that a path without variables goes straight to its routes.

    What it goes past are only the middleware that answers what nobody caught, which `Gate` does itself, and the search.
    """

    direct: Mapping[str, Path] = MappingProxyType({})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = self.direct.get(scope["path"]) if scope["type"] == "http" else None
        if path is None:
            await super().__call__(scope, receive, send)
        else:
            await path(scope, receive, send)


def _matched(path: str) -> str:
    """A path as Starlette matches it: only an agent's name may hold `/`, which it gets decoded from `%2F`.

    What follows the name, `/suspend`, is its own segment, so that no two routes match.
    """
    return path.replace("{agent}", "{agent:path}")


async def _not_found(request: Request, error: Exception) -> Response:
    """The answer to a path that no route has."""
    del error
    path = legible(request.url.path, 200)
    answer = problem("not_found", f"there is no `{path}`", field="path", expected="a path of /docs")
    return Response(
        b"" if request.method == "HEAD" else body_of(answer),
        answer.status,
        media_type=PROBLEM.decode(),
        headers={"cache-control": "no-store", "x-content-type-options": "nosniff"},
    )


def now_ms() -> int:
    """The clock on the wall, ms since 1970."""
    return time_ns() // 1_000_000


def build_app(
    service: Service,
    settings: Settings,
    book: TokenBook,
    *,
    metrics: Metrics | None = None,
    log: Log | None = None,
    traces: Traces = NO_TRACES,
    dev: bool = False,
    clock_ms: Callable[[], int] = now_ms,
) -> Starlette:
    """The application over a service; `app.state.stop.begin()` when it is to end, `app.state.head_s` is for its server.

    `book`: the tokens, which control keeps as the store has them.  `dev`: whoever calls over the loopback without
    a token holds every role.  `clock_ms`: ms since 1970, by which tokens expire.
    """
    metrics = metrics or Metrics()
    gate = Gate(
        service,
        Auth(book, clock_ms, dev),
        Rates(settings.rate_per_s, settings.rate_burst),
        Bounds(settings.body_limit_bytes, settings.body_timeout_s),
        settings.body_values_max,
        ThreadPoolExecutor(1, thread_name_prefix="gov-read"),
        metrics,
        log or service_log(),
        traces,
        Stop(service),
    )
    shown = open_routes(gate.stop, metrics, ROUTES, metrics_open=settings.metrics_open)
    routes = (*ROUTES, *shown)
    app = _application(gate, routes)
    app.state.stop = gate.stop
    app.state.head_s = settings.head_timeout_s
    app.state.routes = routes
    return app


def _application(gate: Gate, routes: Iterable[Route]) -> Application:
    by_path: dict[str, list[Route]] = {}
    for route in routes:
        by_path.setdefault(route.path, []).append(route)
    paths = {path: Path(gate, those) for path, those in by_path.items()}
    app = Application(
        routes=[StarletteRoute(_matched(path), one) for path, one in paths.items()],
        exception_handlers={404: _not_found},
    )
    app.direct = {path: one for path, one in paths.items() if "{" not in path}
    app.router.redirect_slashes = False
    return app
