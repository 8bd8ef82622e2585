"""A control plane that has one thing of each kind and says what it was asked; for tests of the HTTP part."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.applications import Starlette

from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.settings import Settings
from govlang.runtime.control.tokens import (
    EVERY_ROLE,
    Parsed,
    Role,
    StoredToken,
    TokenBook,
    hash_secret,
    token_text,
)
from govlang.runtime.http.app import build_app
from govlang.runtime.http.logs import service_log
from govlang.runtime.http.metrics import Metrics

NOW_MS = 1_700_000_000_000
HASH = "sha256:" + "0" * 64
JOB_ID = "run_1:step@1"
APPROVAL_ID = "apr_1"
LEASE_ID = "lease_1"
TOKEN_ID = "tok_" + "0" * 16
DECISION = {
    "decision": "allow",
    "rule_id": "ordinary_work",
    "reason": None,
    "obligations": [{"do": "log"}],
    "matched": ["ordinary_work"],
    "policy_snapshot": HASH,
    "params_hash": HASH,
}
JOB = {
    "job_id": JOB_ID,
    "run_id": "run_1",
    "step": "step",
    "attempt": 1,
    "state": "scheduled",
    "agent": "a1",
    "pool": "ops",
    "topic": "infra.delete",
    "created_ms": NOW_MS,
    "updated_ms": NOW_MS,
    "delegation": [],
    "parent_job_id": None,
    "approval_id": None,
    "tries": 0,
    "due_ms": None,
    "decision": DECISION,
    "reason": None,
    "output": {"freed": [1.5, None]},
}
SUBMITTED = {
    "job_id": JOB_ID,
    "run_id": "run_1",
    "state": "scheduled",
    "decision": DECISION,
    "approval_id": None,
}
APPROVAL = {
    "approval_id": APPROVAL_ID,
    "job_id": JOB_ID,
    "agent": "a1",
    "roles": ["sre-oncall"],
    "granted": [],
    "created_ms": NOW_MS,
    "expires_ms": NOW_MS,
    "state": "open",
    "reason": None,
    "run_id": "run_1",
    "step": "step",
    "topic": "infra.delete",
    "pool": "ops",
    "delegation": ["a0"],
    "parent_job_id": None,
    "decision": DECISION,
    "request": {"agent": "a1"},
    "payload": {"n": [0.5]},
    "undo": {"request": {"agent": "a1"}, "payload": None, "pool": "ops"},
    "whole": True,
    "job_hash": HASH,
}
GRANTED = {
    "approval_id": APPROVAL_ID,
    "job_id": JOB_ID,
    "state": "approved",
    "granted": ["sre-oncall"],
    "missing": [],
}
POLICY = {
    "policy": "p",
    "version": "1.0.0",
    "snapshot": HASH,
    "params_hash": HASH,
    "proof_hash": HASH,
    "published_ms": NOW_MS,
    "previous": None,
    "fields": [
        {
            "name": "agent",
            "kind": "key",
            "origin": "request",
            "optional": False,
            "private": False,
            "unit": None,
            "min": None,
            "max": None,
            "step": None,
            "rounding": None,
            "members": None,
            "max_bytes": 256,
            "default": None,
        }
    ],
}
LEASED = {
    "job_id": JOB_ID,
    "lease_id": LEASE_ID,
    "lease_s": 30.0,
    "agent": "a1",
    "request": {"agent": "a1"},
    "payload": None,
    "obligations": [],
    "limits": {},
    "delegation": [],
}
TOKEN = {
    "id": TOKEN_ID,
    "roles": ["agent"],
    "agent": "a1",
    "approves": [],
    "pools": [],
    "events": [],
    "created_ms": NOW_MS,
    "expires_ms": NOW_MS,
    "revoked_ms": None,
}


class FakeService:
    """Every method notes how it was called in `calls` and gives an answer of the right shape."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.released = asyncio.Event()
        self.gives: Answer | Exception | None = None

    def note(self, answer: Answer, *call: Any) -> Answer:
        self.calls.append(call)
        if isinstance(self.gives, Exception):
            raise self.gives
        return self.gives or answer

    def known(self, name: str, wanted: str, answer: Answer, *call: Any) -> Answer:
        """The answer, if it is about the one thing that there is."""
        if name != wanted:
            return problem("not_found", f"there is no `{name}`")
        return self.note(answer, *call)

    async def submit(self, caller, body, key) -> Answer:
        return self.note(Answer(202, SUBMITTED), "submit", caller, body, key)

    async def cancel(self, caller, job_id, reason) -> Answer:
        return self.known(job_id, JOB_ID, Answer(200, JOB), "cancel", caller, job_id, reason)

    async def phase(self, caller, run_id, body) -> Answer:
        return self.note(Answer(201, {"seq": 1}), "phase", caller, run_id, body)

    async def retry(self, caller, job_id) -> Answer:
        return self.known(job_id, JOB_ID, Answer(202, SUBMITTED), "retry", caller, job_id)

    async def lease(self, caller, pool, body) -> Answer:
        if body["wait_s"] and pool == "idle":
            self.note(Answer(200, None), "wait", caller)
            try:
                await asyncio.wait_for(self.released.wait(), body["wait_s"])
            except TimeoutError:
                pass
            except asyncio.CancelledError:
                self.note(Answer(200, None), "cancelled")
                raise
            return Answer(200, {"jobs": []})
        return self.note(Answer(200, {"jobs": [LEASED]}), "lease", caller, pool, body)

    async def heartbeat(self, caller, lease_id, body) -> Answer:
        alive = {"state": "running", "cancel": False, "lease_s": 30.0}
        if lease_id != LEASE_ID:
            return problem("lease_lost", "the lease has ended")
        return self.note(Answer(200, alive), "heartbeat", caller, lease_id, body)

    async def result(self, caller, lease_id, body) -> Answer:
        if lease_id != LEASE_ID:
            return problem("lease_lost", "the lease has ended")
        ended = {"job_id": JOB_ID, "state": "succeeded"}
        return self.note(Answer(200, ended), "result", caller, lease_id, body)

    def job(self, caller, job_id) -> Answer:
        return self.known(job_id, JOB_ID, Answer(200, JOB), "job", caller, job_id)

    def timeline(self, caller, run_id, first) -> Answer:
        shown = {"run_id": "run_1", "next": None, "records": [{"seq": 1}]}
        return self.known(run_id, "run_1", Answer(200, shown), "timeline", caller, run_id, first)

    def letters(self, caller, after) -> Answer:
        letter = {"job_id": JOB_ID, "state": "failed", "reason": None, "at_ms": NOW_MS}
        found = {"letters": [letter], "more": f"{NOW_MS}.{JOB_ID}"}
        return self.note(Answer(200, found), "letters", caller, after)

    async def approve(self, caller, approval_id, body) -> Answer:
        answer = Answer(200, GRANTED)
        return self.known(approval_id, APPROVAL_ID, answer, "approve", caller, approval_id, body)

    async def reject(self, caller, approval_id, body) -> Answer:
        answer = Answer(200, GRANTED)
        return self.known(approval_id, APPROVAL_ID, answer, "reject", caller, approval_id, body)

    async def evaluate(self, caller, body, *, record) -> Answer:
        return self.note(Answer(200, DECISION), "evaluate", caller, body, record)

    async def simulate(self, caller, body) -> Answer:
        made = {"decisions": [DECISION for _ in body["requests"]]}
        return self.note(Answer(200, made), "simulate", caller, body)

    async def explain(self, caller, body) -> Answer:
        return self.note(
            Answer(200, {"decision": DECISION, "explanation": None}), "explain", caller, body
        )

    async def publish(self, caller, bundle, *, allow_looser, reason) -> Answer:
        if not bundle.startswith(b"PK"):
            return problem("bad_bundle", "it is no bundle")
        made = Answer(200, {**POLICY, "anew": []})
        return self.note(made, "publish", caller, bundle, allow_looser, reason)

    async def rollback(self, caller, reason, *, allow_looser) -> Answer:
        made = Answer(200, {**POLICY, "anew": []})
        return self.note(made, "rollback", caller, reason, allow_looser)

    async def observe(self, caller, step) -> Answer:
        made = {"seq": 1, "next_deadline_ms": None, "cancelled": []}
        return self.note(Answer(202, made), "observe", caller, step)

    def approvals(self, caller, state, after) -> Answer:
        found = {"approvals": [APPROVAL], "more": None}
        return self.note(Answer(200, found), "approvals", caller, state, after)

    def approval(self, caller, approval_id) -> Answer:
        return self.known(
            approval_id, APPROVAL_ID, Answer(200, APPROVAL), "approval", caller, approval_id
        )

    def policy(self, caller) -> Answer:
        return self.note(Answer(200, POLICY), "policy", caller)

    async def suspend(self, caller, agent, reason) -> Answer:
        made = {"agent": agent, "suspended": True, "cancelled": [JOB_ID]}
        return self.note(Answer(200, made), "suspend", caller, agent, reason)

    async def reinstate(self, caller, agent, reason) -> Answer:
        made = {"agent": agent, "suspended": False, "cancelled": []}
        return self.note(Answer(200, made), "reinstate", caller, agent, reason)

    async def force_open(self, caller, dependency, reason) -> Answer:
        made = {"dependency": dependency, "state": "forced"}
        return self.note(Answer(200, made), "force_open", caller, dependency, reason)

    async def release(self, caller, dependency, reason) -> Answer:
        made = {"dependency": dependency, "state": "closed"}
        return self.note(Answer(200, made), "release", caller, dependency, reason)

    async def create_token(self, caller, body) -> Answer:
        made = {"token": "gov_…", "id": TOKEN_ID, "expires_ms": NOW_MS}
        return self.note(Answer(201, made), "create_token", caller, body)

    async def revoke_token(self, caller, token_id) -> Answer:
        return self.known(token_id, TOKEN_ID, Answer(200, TOKEN), "revoke_token", caller, token_id)

    def tokens(self, caller) -> Answer:
        return self.note(Answer(200, {"tokens": [TOKEN]}), "tokens", caller)

    def checkpoint(self, caller) -> Answer:
        return self.note(Answer(200, "origin\n1\nhash\n\n— origin sig\n"), "checkpoint", caller)

    def records(self, caller, first, last) -> Answer:
        return self.note(Answer(200, {"records": [{"seq": 1}]}), "records", caller, first, last)

    def proof(self, caller, query) -> Answer:
        made = {**query, "hashes": ["0" * 64]}
        return self.note(Answer(200, made), "proof", caller, dict(query))

    def health(self) -> Answer:
        return self.note(Answer(200, {"status": "ok", "checks": {}}), "health")

    def ready(self) -> Answer:
        return self.note(Answer(200, {"status": "ok", "checks": {"writer": "ok"}}), "ready")

    def stop_waiting(self) -> None:
        self.released.set()


TOKENS = {
    role: Parsed(f"tok_{index:016x}", f"{index:064x}")
    for index, role in enumerate((*Role, "every"), 1)
}
"""A token for each role, and one that holds `every` role."""


def bearer(role: str) -> dict[str, str]:
    """The header of the token of a role."""
    return {"authorization": "Bearer " + token_text(TOKENS[role])}


def token_book() -> TokenBook:
    """The book with all of them."""
    book = TokenBook()
    for role, parsed in TOKENS.items():
        roles = EVERY_ROLE if role == "every" else frozenset({Role(role)})
        book.put(
            StoredToken(
                parsed.token_id,
                hash_secret(parsed.secret),
                roles,
                "a1",
                None,
                None,
                created_ms=NOW_MS,
                expires_ms=NOW_MS + 1000,
            )
        )
    return book


def fake_app(service: FakeService | None = None, *, stream=None, **settings: Any) -> Starlette:
    """The application over a fake; `stream`: where the log goes."""
    dev, book = settings.pop("dev", False), settings.pop("book", None)
    return build_app(
        service or FakeService(),
        Settings(**settings),
        book or token_book(),
        metrics=Metrics(),
        log=service_log("info", stream=stream) if stream else None,
        dev=dev,
        clock_ms=lambda: NOW_MS,
    )
