"""The routes of the gateway that the tests use, on a port of the loopback."""
# ruff: noqa: ARG002  # every route is called alike

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import uvicorn
from fake_gateway import FakeGateway, ProblemError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route


@dataclass
class Routes:
    """The routes of a gateway, which a test may exchange for another."""

    gateway: FakeGateway = field(default_factory=FakeGateway)

    def app(self) -> Starlette:
        post, get = ["POST"], ["GET"]
        table = [
            ("/v1/jobs", self.submit, post),
            ("/v1/jobs/{id}", self.job, get),
            ("/v1/jobs/{id}/cancel", self.cancel, post),
            ("/v1/runs/{id}/phases", self.phase, post),
            ("/v1/runs/{id}/timeline", self.timeline, get),
            ("/v1/approvals", self.approvals, get),
            ("/v1/approvals/{id}", self.approval, get),
            ("/v1/approvals/{id}/{word:str}", self.answer, post),
            ("/v1/pools/{id}/lease", self.lease, post),
            ("/v1/leases/{id}/heartbeat", self.heartbeat, post),
            ("/v1/leases/{id}/result", self.result, post),
            ("/v1/dlq", self.dlq, get),
            ("/v1/dlq/{id}/retry", self.retry, post),
            ("/v1/policy", self.policy, get),
            ("/v1/policy/{word}", self.policy_word, post),
            ("/v1/events", self.observe, post),
            ("/v1/signals", self.observe, post),
            ("/v1/agents/{id}/{word}", self.suspend, post),
            ("/v1/breakers/{id}/{word}", self.breaker, post),
            ("/v1/tokens", self.list_tokens, get),
            ("/v1/tokens", self.create_token, post),
            ("/v1/tokens/{id}/revoke", self.revoke_token, post),
            ("/v1/evidence/{word}", self.evidence, get),
            ("/healthz", self.probe, get),
            ("/readyz", self.probe, get),
            ("/metrics", self.metrics, get),
        ]
        routes = [Route(path, self.guarded(call), methods=how) for path, call, how in table]
        return Starlette(routes=routes)

    def guarded(self, call: Any) -> Any:
        async def endpoint(request: Request) -> Response:
            raw = await request.body()
            is_json = request.headers.get("Content-Type") == "application/json"
            body = json.loads(raw) if raw and is_json else raw or None
            self.gateway.calls.append(
                (request.method, request.url.path, dict(request.headers), body)
            )
            try:
                self.authenticate(request)
                found = call(request, body)
                found = await found if asyncio.iscoroutine(found) else found
            except ProblemError as error:
                headers = {}
                if "retry_after_s" in error.body:
                    headers["Retry-After"] = str(error.body["retry_after_s"])
                return JSONResponse(error.body, error.status, headers)
            if isinstance(found, str):
                return PlainTextResponse(found)
            status, answer = found if isinstance(found, tuple) else (200, found)
            return JSONResponse(answer, status)

        return endpoint

    def authenticate(self, request: Request) -> None:
        """Anybody who shows no token is the anonymous caller of --dev."""
        shown = request.headers.get("Authorization")
        if shown is not None and shown.removeprefix("Bearer ") not in self.gateway.tokens:
            raise ProblemError(401, "unauthenticated", "the token is not known")
        if shown is not None and "/lease" in request.url.path:
            roles = self.gateway.tokens[shown.removeprefix("Bearer ")]["roles"]
            if "worker" not in roles:
                raise ProblemError(403, "forbidden", "this needs the role `worker`")

    def submit(self, request: Request, body: Any) -> Any:
        return self.gateway.submit(body, request.headers.get("Idempotency-Key"))

    def job(self, request: Request, body: Any) -> Any:
        return self.gateway.kept(request.path_params["id"]).job

    def cancel(self, request: Request, body: Any) -> Any:
        return self.gateway.cancel(request.path_params["id"], body["reason"])

    def phase(self, request: Request, body: Any) -> Any:
        assert set(body) == {"phase", "evidence", "justification"}
        return 201, {"seq": 7}

    def timeline(self, request: Request, body: Any) -> Any:
        first = int(request.query_params.get("first", "1"))
        records = [{"seq": seq} for seq in (1, 2, 7)]
        return {
            "run_id": request.path_params["id"],
            "next": {1: 2, 2: 7}.get(first),
            "records": [one for one in records if one["seq"] >= first][:1],
        }

    def approvals(self, request: Request, body: Any) -> Any:
        state = request.query_params.get("state")
        every = self.gateway.approvals.values()
        found = [one for one in every if state in {None, one["state"]}]
        after = request.query_params.get("after")
        if after is not None:
            found = found[int(after) :]
        start = int(after or 0)
        return {"approvals": found[:2], "more": str(start + 2) if found[2:] else None}

    def approval(self, request: Request, body: Any) -> Any:
        found = self.gateway.approvals[request.path_params["id"]]
        return found | {"payload": self.gateway.jobs[found["job_id"]].payload, "whole": True}

    def answer(self, request: Request, body: Any) -> Any:
        return self.gateway.answer(request.path_params["id"], body, request.path_params["word"])

    async def lease(self, request: Request, body: Any) -> Any:
        assert set(body) == {"worker", "max", "wait_s", "actions"}
        until, gateway = time.monotonic() + body["wait_s"], self.gateway
        while True:
            found = (
                []
                if await request.is_disconnected()
                else gateway.leases(request.path_params["id"], body["max"])
            )
            if found or time.monotonic() >= until or gateway is not self.gateway:
                return {"jobs": found}
            await asyncio.sleep(0.01)

    def heartbeat(self, request: Request, body: Any) -> Any:
        return self.gateway.beat(request.path_params["id"], started=body["started"])

    def result(self, request: Request, body: Any) -> Any:
        return self.gateway.end(request.path_params["id"], body)

    def dlq(self, request: Request, body: Any) -> Any:
        return {"letters": self.gateway.letters}

    def retry(self, request: Request, body: Any) -> Any:
        kept = self.gateway.kept(request.path_params["id"])
        again = {
            "request": kept.request,
            "payload": kept.payload,
            "pool": kept.job["pool"],
            "run_id": kept.job["run_id"],
            "step": kept.job["step"],
        }
        return self.gateway.submit(again, uuid4().hex)

    def policy(self, request: Request, body: Any) -> Any:
        return {
            "policy": "ops",
            "version": "1.0.0",
            "snapshot": self.gateway.policy.snapshot,
            "params_hash": self.gateway.policy.params_hash,
            "proof_hash": None,
            "published_ms": 1,
            "previous": None,
            "fields": [],
        }

    def policy_word(self, request: Request, body: Any) -> Any:
        decide = self.gateway.policy.decide
        match request.path_params["word"]:
            case "evaluate":
                return decide(body["request"]).to_dict()
            case "simulate":
                return {"decisions": [decide(o["request"]).to_dict() for o in body["requests"]]}
            case "explain":
                return {**decide(body["request"]).to_dict(), "nearest": None}
            case "publish":
                assert isinstance(body, bytes)
                return {**self.policy(request, None), "anew": ["cell"]}
            case _:
                assert set(body) == {"reason"}
                return {**self.policy(request, None), "anew": []}

    def observe(self, request: Request, body: Any) -> Any:
        is_signal = request.url.path.endswith("/signals")
        assert ("signal" in body) == is_signal
        return 202, {"seq": 9, "next_deadline_ms": None, "cancelled": ["r:s@1"]}

    def suspend(self, request: Request, body: Any) -> Any:
        is_on = request.path_params["word"] == "suspend"
        return {"agent": request.path_params["id"], "suspended": is_on, "cancelled": []}

    def breaker(self, request: Request, body: Any) -> Any:
        states = {"force-open": "forced", "release": "open"}
        state = states[request.path_params["word"]]
        return {"dependency": request.path_params["id"], "state": state}

    def list_tokens(self, request: Request, body: Any) -> Any:
        return {"tokens": [{"id": one["id"]} for one in self.gateway.tokens.values()]}

    def create_token(self, request: Request, body: Any) -> Any:
        text, own = f"gov_{uuid4().hex}", f"tok_{uuid4().hex}"
        self.gateway.tokens[text] = {"id": own, "roles": body["roles"]}
        return 201, {"token": text, "id": own, "expires_ms": body["ttl_s"] * 1000}

    def revoke_token(self, request: Request, body: Any) -> Any:
        own = request.path_params["id"]
        every = self.gateway.tokens
        self.gateway.tokens = {t: one for t, one in every.items() if one["id"] != own}
        return {"id": own}

    def evidence(self, request: Request, body: Any) -> Any:
        match request.path_params["word"]:
            case "checkpoint":
                return "govlang\n3\nAAAA\n"
            case "records":
                return {"records": [{"seq": int(request.query_params["first"])}]}
            case _:
                return {"path": [], **request.query_params}

    def probe(self, request: Request, body: Any) -> Any:
        return {"status": "ok"}

    def metrics(self, request: Request, body: Any) -> Any:
        return "gov_jobs 1\n"


class _Server(uvicorn.Server):
    def install_signal_handlers(self) -> None: ...


@contextmanager
def serving(routes: Routes) -> Iterator[str]:
    """The URL of routes that answer."""
    config = uvicorn.Config(routes.app(), port=0, log_level="error", lifespan="off", loop="asyncio")
    server = _Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.force_exit = server.should_exit = True
        thread.join()
