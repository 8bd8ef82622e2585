"""A gateway for the tests of its clients: the HTTP table of the control plane over a real policy, kept in memory.

It decides at submission, keeps approvals, leases, starts, ends and cancels jobs; it has no dispatch gate and keeps no
evidence.  What tests do to it goes through HTTP, so that a real gateway can stand in its place.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from gateway_policy import ops_policy

from govlang.runtime.policy import Policy

OVER = {"succeeded", "failed", "cancelled", "timed_out", "denied"}


class ProblemError(Exception):
    def __init__(self, status: int, code: str, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.body = {
            "type": f"urn:govlang:problem:{code}",
            "title": code,
            "status": status,
            "detail": detail,
            "code": code,
            **members,
        }


@dataclass
class Kept:
    """What the gateway keeps of a job."""

    job: dict[str, Any]
    request: dict[str, Any]
    payload: Any
    obligations: list[dict[str, Any]]
    lease: str | None = None
    until: float = 0.0
    result: Any = None
    hash: str = ""


@dataclass
class FakeGateway:
    """The state behind the routes; `lease_s` is how long a lease holds."""

    lease_s: float = 30.0
    policy: Policy = field(default_factory=ops_policy)
    jobs: dict[str, Kept] = field(default_factory=dict)
    approvals: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, tuple[bytes, int, dict[str, Any]]] = field(default_factory=dict)
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    letters: list[dict[str, Any]] = field(default_factory=list)
    suspended: set[str] = field(default_factory=set)

    # --- jobs -----------------------------------------------------------------------------------

    def submit(self, body: dict[str, Any], key: str | None) -> tuple[int, dict[str, Any]]:
        if key is None:
            raise ProblemError(422, "idempotency_key_missing", "give an Idempotency-Key")
        text = json.dumps(body, sort_keys=True).encode()
        if key in self.answers:
            known, status, answer = self.answers[key]
            if known != text:
                raise ProblemError(409, "idempotency_conflict", "the key had another body")
            return status, answer
        answer = self._submitted(body, text)
        self.answers[key] = (text, 202, answer)
        return 202, answer

    def _submitted(self, body: dict[str, Any], text: bytes) -> dict[str, Any]:
        request = body["request"]
        outcome = self.policy.commit(request)
        decision = outcome.to_dict()
        word = decision["decision"]
        if outcome.rule_id == "invalid_request":
            raise ProblemError(422, "invalid_request", decision["reason"], field="request")
        if word == "deny":
            told = {"rule_id": outcome.rule_id, "reason": outcome.reason, "decision": decision}
            raise ProblemError(403, "denied", f"denied by {outcome.rule_id}", **told)
        if word == "throttle":
            raise ProblemError(429, "throttled", "wait", retry_after_s=30, decision=decision)
        run_id = body.get("run_id") or f"run_{uuid4().hex[:12]}"
        step = body.get("step") or request["topic"].split(".")[-1]
        attempt = 1 + sum(k.startswith(f"{run_id}:{step}@") for k in self.jobs)
        job_id = f"{run_id}:{step}@{attempt}"
        approval_id = f"apr_{uuid4().hex}" if word == "require_human" else None
        now = time.time_ns() // 1_000_000
        job = {
            "job_id": job_id,
            "run_id": run_id,
            "step": step,
            "attempt": attempt,
            "state": "approval_required" if approval_id else "scheduled",
            "agent": request["agent"],
            "pool": body["pool"],
            "topic": request["topic"],
            "created_ms": now,
            "updated_ms": now,
            "delegation": [],
            "parent_job_id": body.get("parent_job_id"),
            "approval_id": approval_id,
            "tries": 0,
            "due_ms": None,
            "decision": decision,
            "reason": outcome.reason,
            "output": None,
        }
        limited = dict(request)
        for one in decision["obligations"]:
            if one.get("limit") in limited:
                limited[one["limit"]] = min(limited[one["limit"]], one["to"])
        name = "sha256:" + hashlib.sha256(text).hexdigest()
        kept = Kept(job, limited, body.get("payload"), decision["obligations"], hash=name)
        self.jobs[job_id] = kept
        if approval_id is not None:
            self._ask(approval_id, kept)
        kinds = ("job_id", "run_id", "state", "decision", "approval_id")
        return {name: job[name] for name in kinds}

    def _ask(self, approval_id: str, kept: Kept) -> None:
        (roles,) = (one["require"] for one in kept.obligations if "require" in one)
        self.approvals[approval_id] = {
            "approval_id": approval_id,
            "job_id": kept.job["job_id"],
            "agent": kept.job["agent"],
            "roles": roles,
            "granted": [],
            "expires_ms": kept.job["created_ms"] + 900_000,
            "state": "open",
            "reason": kept.job["reason"],
            "request": kept.request,
            "job_hash": kept.hash,
        }

    def answer(self, approval_id: str, body: dict[str, Any], word: str) -> dict[str, Any]:
        one = self.approvals.get(approval_id)
        if one is None:
            raise ProblemError(404, "not_found", "there is no such approval")
        if body["job_hash"] != one["job_hash"]:
            raise ProblemError(409, "conflict", "the hash is not that of the job")
        if one["state"] != "open" and (one["state"], word) != ("approved", "approve"):
            raise ProblemError(409, "approval_closed", f"the approval is {one['state']}")
        kept = self.jobs[one["job_id"]]
        if one["state"] == "open":
            one["state"] = "approved" if word == "approve" else "rejected"
            kept.job["state"] = "scheduled" if word == "approve" else "denied"
            if word == "approve":
                one["granted"] = list(one["roles"])
                kept.obligations = []
            else:
                kept.job["reason"] = body.get("reason")
        return {
            "approval_id": approval_id,
            "job_id": one["job_id"],
            "state": one["state"],
            "granted": one["granted"],
            "missing": [] if word == "approve" else one["roles"],
        }

    def kept(self, job_id: str) -> Kept:
        if job_id not in self.jobs:
            raise ProblemError(404, "not_found", "there is no such job")
        self.reconcile()
        return self.jobs[job_id]

    def cancel(self, job_id: str, reason: str) -> dict[str, Any]:
        kept = self.kept(job_id)
        if kept.job["state"] in OVER:
            raise ProblemError(409, "illegal_state", f"the job is {kept.job['state']}")
        kept.job |= {"state": "cancelled", "reason": reason}
        return kept.job

    # --- leases ---------------------------------------------------------------------------------

    def reconcile(self) -> None:
        for kept in self.jobs.values():
            if kept.lease and time.monotonic() >= kept.until:
                match kept.job["state"]:
                    case "dispatched":
                        kept.job["state"], kept.lease = "retrying", None
                    case "running":
                        kept.job["state"] = "timed_out"
                        self._bury(kept, "the lease ran out")

    def _bury(self, kept: Kept, why: str) -> None:
        own = {"job_id": kept.job["job_id"], "state": kept.job["state"]}
        self.letters.append({**own, "reason": why, "at_ms": time.time_ns() // 1_000_000})

    def leases(self, pool: str, most: int) -> list[dict[str, Any]]:
        self.reconcile()
        found = []
        for kept in self.jobs.values():
            fits = kept.job["pool"] == pool and kept.job["state"] in {"scheduled", "retrying"}
            if fits and len(found) < most:
                kept.job["state"] = "dispatched"
                kept.lease = f"lease_{uuid4().hex}"
                kept.until = time.monotonic() + self.lease_s
                found.append(self._leased(kept))
        return found

    def _leased(self, kept: Kept) -> dict[str, Any]:
        limits = {one["limit"]: one["to"] for one in kept.obligations if "limit" in one}
        return {
            "job_id": kept.job["job_id"],
            "lease_id": kept.lease,
            "lease_s": self.lease_s,
            "agent": kept.job["agent"],
            "request": kept.request,
            "payload": kept.payload,
            "obligations": kept.obligations,
            "limits": {k: v for k, v in limits.items() if k not in kept.request},
            "delegation": [],
        }

    def held(self, lease_id: str) -> Kept:
        self.reconcile()
        found = [one for one in self.jobs.values() if one.lease == lease_id]
        if not found or found[0].job["state"] == "timed_out":
            raise ProblemError(409, "lease_lost", "the lease has ended")
        return found[0]

    def beat(self, lease_id: str, *, started: bool) -> dict[str, Any]:
        kept = self.held(lease_id)
        if started and kept.job["state"] == "dispatched":
            kept.job["state"] = "running"
        kept.until = time.monotonic() + self.lease_s
        is_cancelled = kept.job["state"] == "cancelled"
        return {"state": kept.job["state"], "cancel": is_cancelled, "lease_s": self.lease_s}

    def end(self, lease_id: str, body: dict[str, Any]) -> dict[str, Any]:
        kept = next((one for one in self.jobs.values() if one.lease == lease_id), None)
        if kept is not None and kept.result == body:
            return {"job_id": kept.job["job_id"], "state": kept.job["state"]}
        kept = self.held(lease_id)
        if kept.job["state"] != "running":
            raise ProblemError(409, "illegal_state", f"the job is {kept.job['state']}")
        kept.result = body
        outcome = body["outcome"]
        kept.job |= {
            "state": "retrying" if outcome == "again" else outcome,
            "output": body["output"],
            "reason": body.get("error"),
            "tries": kept.job["tries"] + 1,
        }
        if outcome == "failed":
            self._bury(kept, str(body.get("error")))
        return {"job_id": kept.job["job_id"], "state": kept.job["state"]}
