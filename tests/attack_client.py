"""A caller of the real service that holds every answer against the OpenAPI document; over ASGI, with tokens."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from asgi_call import Reply, _run, scope_of
from control_plane import EFFECTS, OPERATOR, Plane, bundle_of, folder, run
from http_document import conforms
from http_samples import ALL

from govlang.runtime.control.settings import Settings
from govlang.runtime.http.app import build_app

ROUTES = {route.name: route for route in ALL}
ROLES = ("agent", "approver", "worker", "auditor", "operator")
FAR_S = 86_400


class Door:
    """The routes over a plane; `tokens`: a token by name, of `agent`, `worker` … as they are made."""

    def __init__(self, plane: Plane, **settings: Any) -> None:
        self.plane = plane
        self.app = build_app(
            plane.service,
            Settings(**settings),
            plane.service.book,
            clock_ms=plane.clock,
        )
        self.tokens: dict[str, str] = {}
        self.ids: dict[str, str] = {}
        self.keys = 0

    async def token(self, name: str, *roles: str, agent: str | None = None, **more: Any) -> str:
        """A new token, kept under a name."""
        body = {"roles": list(roles), "agent": agent, "ttl_s": FAR_S, **more}
        made = (await self.plane.service.create_token(OPERATOR, body)).body
        assert isinstance(made, dict)
        self.tokens[name], self.ids[name] = made["token"], made["id"]
        return self.tokens[name]

    async def every_role(self) -> None:
        """A token of each role, called as the role; the agent is `a1`, the approver may be `lead`."""
        for role in ROLES:
            agent = "a1" if role == "agent" else None
            await self.token(role, role, agent=agent, approves=["lead", "owner"], pools=["*"])

    async def __call__(
        self,
        name: str,
        body: Any = None,
        *,
        as_: str | None = "operator",
        query: str = "",
        key: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
        pieces: list[bytes] | None = None,
        leaves: bool = False,
        **path: str,
    ) -> Reply:
        """One request of a route; the answer is one of those that the document lists."""
        route = ROUTES[name]
        self.keys += 1
        kind = "application/octet-stream" if route.takes_bytes else "application/json"
        sent = [("content-type", kind), ("idempotency-key", key or f"door-{self.keys}")]
        if as_ is not None:
            sent.append(("authorization", "Bearer " + self.tokens.get(as_, as_)))
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        target = route.path.format(**path) + query
        scope = scope_of(route.method, target, [*sent, *headers], "192.0.2.1")
        reply = await _run(self.app, scope, pieces or [raw], leaves)
        if reply.status:
            conforms(route, reply)
        return reply

    async def submit(self, topic: str = "allow.x", who: str = "agent", **more: Any) -> Reply:
        """A job of `a1`."""
        request = {"agent": "a1", "topic": topic, "amount": 1}
        key = more.pop("key", None)
        return await self(
            "submit",
            {"request": request, "payload": {"n": 1}, "pool": "p", **more},
            as_=who,
            key=key,
        )

    async def leased(self, who: str = "worker", pool: str = "p") -> dict[str, Any]:
        """A job that a worker has."""
        jobs = (await self("lease", {"worker": "w", "max": 1}, as_=who, pool=pool)).json["jobs"]
        found: dict[str, Any] = jobs[0]
        return found


def attack(scenario: Callable[[Door], Awaitable[None]], **settings: Any) -> None:
    """Play an attack on a new service."""

    async def whole() -> None:
        with folder() as place:
            async with Plane(place, bundle_of(EFFECTS), settings) as plane:
                door = Door(plane, **settings)
                await door.every_role()
                await scenario(door)

    run(whole)


def traces(door: Door) -> tuple[int, dict[str, int]]:
    """What there is to be changed: how many records, and jobs by state."""
    return door.plane.service.office.chronicle.head.count, door.plane.service.rows.counts()
