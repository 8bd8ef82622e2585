"""Calls an ASGI application without a server: a request's parts in, status, headers and body out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote


@dataclass(frozen=True)
class Reply:
    """What came back; `status` 0: nothing."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The problem's code; it must be one, whole."""
        assert self.headers["content-type"] == "application/problem+json"
        shown = self.json
        assert shown["status"] == self.status
        assert shown["type"] == "urn:govlang:problem:" + shown["code"]
        return str(shown["code"])


def scope_of(
    method: str, target: str, headers: Iterable[tuple[str, str]], client: str | None
) -> dict[str, Any]:
    """The ASGI scope of a request."""
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
        ],
        "client": (client, 1) if client else None,
        "server": ("127.0.0.1", 80),
        "state": {},
    }


def call(
    app: Any,
    method: str,
    target: str,
    *,
    headers: dict[str, str] | list[tuple[str, str]] | None = None,
    body: bytes | list[bytes] | None = None,
    plain: Any = None,
    client: str | None = "192.0.2.1",
    leaves: bool = False,
) -> Reply:
    """One request.  `plain` is sent as JSON; a list of bytes in pieces; `leaves`: the client goes before the last."""
    given = list(headers.items() if isinstance(headers, dict) else headers or ())
    if plain is not None:
        body = json.dumps(plain).encode()
        given.append(("content-type", "application/json"))
    pieces = body if isinstance(body, list) else [body or b""]
    return asyncio.run(_run(app, scope_of(method, target, given, client), pieces, leaves))


async def _run(app: Any, scope: dict[str, Any], pieces: list[bytes], leaves: bool) -> Reply:
    waiting = list(pieces)
    sent: list[dict[str, Any]] = []
    done = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if leaves and len(waiting) <= 1:
            return {"type": "http.disconnect"}
        if waiting:
            piece = waiting.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(waiting)}
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            done.set()

    await app(scope, receive, send)
    if not sent:
        return Reply(0, {}, b"")
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Reply(sent[0]["status"], headers, b"".join(one.get("body", b"") for one in sent[1:]))
