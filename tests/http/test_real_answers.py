"""The control plane itself behind the routes: whatever it answers is what the document says."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from asgi_call import Reply, _run, scope_of
from control_plane import EFFECTS, Plane, bundle_of, folder
from http_document import conforms
from http_samples import ALL

from govlang.runtime.control.settings import Settings
from govlang.runtime.http.app import build_app
from govlang.runtime.http.metrics import Metrics

ROUTES = {route.name: route for route in ALL}


class Asking:
    """Requests to a plane over the loopback in --dev; each reply is held against the document."""

    def __init__(self, plane: Plane) -> None:
        book = plane.service.book
        self.app = build_app(plane.service, Settings(), book, dev=True, clock_ms=plane.clock)
        self.keys = 0

    async def __call__(self, name: str, body: Any = None, query: str = "", **path: str) -> Reply:
        self.keys += 1
        route = ROUTES[name]
        kind = "application/octet-stream" if route.takes_bytes else "application/json"
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = [
            ("host", "localhost"),
            ("content-type", kind),
            ("idempotency-key", f"k{self.keys}"),
        ]
        target = route.path.format(**path) + query
        reply = await _run(
            self.app, scope_of(route.method, target, headers, "127.0.0.1"), [raw], leaves=False
        )
        conforms(route, reply)
        return reply

    async def job(self, topic: str, **more: Any) -> Reply:
        request = {"agent": "a1", "topic": topic, "amount": 1.5}
        return await self(
            "submit", {"request": request, "payload": {"n": 0.5}, "pool": "p", **more}
        )


async def gates(ask: Asking) -> None:
    statuses = {
        topic: (await ask.job(topic + ".x")).status
        for topic in ("allow", "limit", "throttle", "human", "both", "notify", "deny", "nothing")
    }
    assert statuses == {
        "allow": 202,
        "limit": 202,
        "throttle": 429,
        "human": 202,
        "both": 202,
        "notify": 202,
        "deny": 403,
        "nothing": 403,
    }
    undo = {"request": {"agent": "a1", "topic": "allow.y", "amount": 1}, "pool": "p"}
    assert (await ask.job("allow.x", undo=undo)).status == 202
    assert (await ask("submit", {"request": {"agent": 3}, "pool": "p"})).code == "invalid_request"
    assert (await ask("evaluate", {"request": {}})).status in {200, 422}
    for query in ("", "?record=true"):
        question = {"request": {"agent": "a1", "topic": "deny.x", "amount": 1}}
        assert (await ask("evaluate", question, query)).json["decision"] == "deny"
    assert (await ask("simulate", {"requests": [question, question]})).status == 200


async def people(ask: Asking) -> None:
    found = (await ask("approvals", query="?state=open")).json["approvals"]
    assert len(found) == 2
    for one, word in zip(found, ("approve", "reject"), strict=True):
        for job_hash in ("sha256:" + "0" * 64, one["job_hash"], one["job_hash"]):
            await ask(word, {"job_hash": job_hash}, approval_id=one["approval_id"])
    for state in ("open", "granted", "consumed", "rejected", "expired"):
        assert (await ask("approvals", query="?state=" + state)).status == 200
    assert (
        await ask("approve", {"job_hash": found[0]["job_hash"]}, approval_id="apr_0")
    ).code == "not_found"


async def work(ask: Asking) -> None:
    leased = (await ask("lease", {"worker": "w", "max": 9, "wait_s": 0.1}, pool="p")).json["jobs"]
    assert leased
    buried = len((await ask("letters")).json["letters"])
    for one, outcome in zip(leased, ("succeeded", "failed", "again"), strict=False):
        lease = {"lease_id": one["lease_id"]}
        await ask("heartbeat", {}, **lease)
        assert (await ask("heartbeat", {"started": True}, **lease)).status == 200
        result = {"outcome": outcome, "output": {"n": 0.25}, "error": "x"}
        said = await ask("result", result, **lease)
        assert said.status == 200, outcome
        again = await ask("result", result, **lease)
        if outcome != "again":
            assert (again.status, again.body) == (200, said.body), outcome
        assert (await ask("result", {"outcome": "failed", "error": "other"}, **lease)).status == 409
        job = {"job_id": one["job_id"]}
        assert (await ask("job", **job)).status == 200
        letters = (await ask("letters")).json["letters"]
        assert (len(letters) == buried + 1) == (outcome == "failed")
        buried = len(letters)
        await ask("retry", **job)
        await ask("cancel", {"reason": "x"}, **job)
        await ask("timeline", run_id=one["job_id"].partition(":")[0])
    assert (await ask("heartbeat", {}, lease_id="lease_0")).code == "lease_lost"
    assert (await ask("job", job_id="no:such@1")).code == "not_found"
    phase = {"phase": "plan", "evidence": {"n": 0.5}, "justification": "all green"}
    run_id = leased[0]["job_id"].partition(":")[0]
    assert (await ask("phase", phase, run_id=run_id)).status == 201
    await ask("event", {"event": "none", "key": "a1"})
    await ask("signal", {"signal": "none", "value": 0.5})


async def operations(ask: Asking, bundle: bytes) -> None:
    assert (await ask("policy")).status == 200
    assert (await ask("publish", b"nothing")).code == "bad_bundle"
    assert (await ask("publish", bundle, "?reason=again")).status == 200
    await ask("rollback", {"reason": "x"})
    for name in ("suspend", "reinstate"):
        assert (await ask(name, {"reason": "x"}, agent="a1")).status == 200
    for name in ("force_open", "release"):
        assert (await ask(name, {"reason": "x"}, dependency="policy_check")).status == 200
        assert (await ask(name, {"reason": "x"}, dependency="vm")).code == "not_found"
    for roles in (
        {"roles": ["worker"], "events": ["ci_pass"]},
        {"roles": ["agent", "approver"], "agent": "a1", "pools": ["p"]},
    ):
        made = (await ask("create_token", {**roles, "ttl_s": 60})).json
        assert (await ask("revoke_token", token_id=made["id"])).status == 200
    assert len((await ask("tokens")).json["tokens"]) == 2
    assert (await ask("revoke_token", token_id="tok_" + "0")).code == "not_found"


async def evidence(ask: Asking) -> None:
    await ask("checkpoint")
    assert (await ask("records", query="?first=1&last=3")).status == 200
    for query in ("?seq=1&size=2", "?from=1&to=2", "?seq=9&size=2", "?from=1&to=999999"):
        await ask("proof", query=query)
    for name in ("health", "ready", "metrics", "openapi", "docs"):
        assert (await ask(name)).status == 200


def test_what_the_control_plane_answers_is_what_the_document_says() -> None:
    async def whole() -> None:
        with folder() as place:
            bundle = bundle_of(EFFECTS)
            async with Plane(place, bundle, parts={"meter": Metrics()}) as plane:
                ask = Asking(plane)
                await gates(ask)
                await people(ask)
                await work(ask)
                await operations(ask, bundle)
                await evidence(ask)

    asyncio.run(whole())
