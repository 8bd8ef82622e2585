"""One good request of every route, over the things that `fake_service.py` knows."""

from __future__ import annotations

from typing import Any, NamedTuple

from fake_service import APPROVAL_ID, HASH, JOB_ID, LEASE_ID, TOKEN_ID

from govlang.runtime.http.open_routes import open_routes
from govlang.runtime.http.route import Route
from govlang.runtime.http.routes import ROUTES


class Sample(NamedTuple):
    """What is sent: the path's own part, a query, a body."""

    body: Any = None
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()


WHY = {"reason": "a drill"}
REQUEST = {"agent": "a1", "topic": "infra.delete", "risk": 0.25}
PATHS = {
    "job_id": JOB_ID,
    "run_id": "run_1",
    "approval_id": APPROVAL_ID,
    "lease_id": LEASE_ID,
    "token_id": TOKEN_ID,
    "pool": "ops",
    "dependency": "vm-api",
    "agent": "a1",
}
SAMPLES = {
    "evaluate": Sample({"request": REQUEST}),
    "submit": Sample(
        {"request": REQUEST, "payload": {"vm": "v1"}, "pool": "ops"},
        headers=(("idempotency-key", "k1"),),
    ),
    "cancel": Sample(WHY),
    "phase": Sample({"phase": "plan", "evidence": {"tests": 3}, "justification": "all green"}),
    "approve": Sample({"job_hash": HASH, "role": "sre-oncall"}),
    "reject": Sample({"job_hash": HASH}),
    "approvals": Sample(query="state=open"),
    "lease": Sample({"worker": "w1", "max": 2, "wait_s": 0.5}),
    "heartbeat": Sample({"started": True}),
    "result": Sample({"outcome": "succeeded", "output": [1.5], "used": {"tokens": 3.5}}),
    "event": Sample({"event": "restart", "key": "d7", "fields": {"n": 1}}),
    "signal": Sample({"signal": "battery", "value": 17.5, "key": {"drone": "d7"}}),
    "simulate": Sample({"requests": [{"request": REQUEST}, {"request": {}, "runtime": {"h": 1}}]}),
    "explain": Sample({"request": REQUEST}),
    "publish": Sample(b"PK", "allow_looser=true&reason=a+drill"),
    "rollback": Sample(WHY),
    "suspend": Sample(WHY),
    "reinstate": Sample(WHY),
    "force_open": Sample(WHY),
    "release": Sample(WHY),
    "create_token": Sample({"roles": ["agent"], "agent": "a1", "ttl_s": 60}),
    "records": Sample(query="first=1&last=5"),
    "proof": Sample(query="seq=1&size=2"),
}


class Nothing:
    """Stands for what the open routes show."""

    began = False

    def exposition(self) -> str:
        return ""


OPEN = open_routes(Nothing(), Nothing(), ROUTES, metrics_open=True)
ALL = (*ROUTES, *OPEN)


def target(route: Route) -> str:
    """The path of a route's sample, with its query."""
    query = SAMPLES.get(route.name, Sample()).query
    return route.path.format(**PATHS) + ("?" + query if query else "")


def sent(route: Route) -> dict[str, Any]:
    """The keyword arguments of `call` for a route's sample, without the token."""
    sample = SAMPLES.get(route.name, Sample())
    headers = list(sample.headers)
    if isinstance(sample.body, bytes):
        headers.append(("content-type", "application/octet-stream"))
        return {"headers": headers, "body": sample.body}
    return {"headers": headers, "plain": sample.body}
