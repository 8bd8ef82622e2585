"""Approvals: what waits for people, and what they said.

What always holds: an approval is a record of the service about one job, its hash and one policy; nobody approves what
they or anybody in the chain asked for; each role that the rule names is given by another person; a grant that comes
twice is one grant; an approval lets at most one dispatch through.  A grant counts until the job is dispatched, and
only as long as its giver is not suspended and the token that it was given with is not revoked.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any

from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.ending import FAILURE, end_unhad, taken_away
from govlang.runtime.control.flights import Granted
from govlang.runtime.control.gates import question_of
from govlang.runtime.control.job import Approval, Flight, Job
from govlang.runtime.control.job_machine import Gate, JobState, Move
from govlang.runtime.control.sight import not_found
from govlang.runtime.control.turn import new_id, suspension
from govlang.runtime.decision import Decision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from govlang.runtime.control.judge import Question
    from govlang.runtime.control.tokens import Caller
    from govlang.runtime.control.turn import Turn
    from govlang.runtime.control.verdict import Verdict


def request_approval(turn: Turn, job: Job, verdict: Verdict) -> tuple[Approval, str]:
    """Ask the people whom a verdict names; the approval, and the one-time token that the job carries."""
    token = secrets.token_hex(16)
    expires_ms = verdict.expires_ms or int(turn.settings.approval_expires_s * 1000)
    approval = Approval(
        approval_id=new_id("apr"),
        job_id=job.job_id,
        job_hash=job.job_hash,
        roles=verdict.roles,
        granted={},
        policy_snapshot=verdict.policy_snapshot,
        params_hash=verdict.params_hash,
        token_hash=_hash(token),
        state="open",
        agent=job.agent,
        reason=verdict.reason,
        created_ms=turn.now_ms,
        expires_ms=turn.now_ms + expires_ms,
    )
    turn.has_written = True
    turn.session.put_approval(approval)
    turn.metrics.approval_requested(verdict.rule_id)
    return approval, token


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


# --- what people say -----------------------------------------------------------------------------


def approve(turn: Turn, caller: Caller, approval_id: str, body: Mapping[str, Any]) -> Answer:
    """Give a role's approval; with the last one the job goes back into the queue."""
    approval = turn.session.approval(approval_id)
    refusal = _refusal(turn, caller, approval, body)
    if refusal is not None or approval is None:
        return refusal or _unknown(approval_id)
    approval = _withdrawn(turn, approval)
    if caller.subject in approval.granted.values() or approval.state in ("granted", "consumed"):
        return _answer(turn, approval)
    role = _role(caller, approval, body.get("role"))
    if role is None:
        return problem(
            "forbidden",
            f"the approval needs {_listed(approval.missing)}, for which the caller does not approve",
            field="role",
            expected=f"one of {_listed(approval.missing)}",
        )
    return _grant(turn, caller, approval, role, str(body.get("reason") or ""))


def _refusal(
    turn: Turn, caller: Caller, approval: Approval | None, body: Mapping[str, Any]
) -> Answer | None:
    """Why a word about an approval counts for nothing, None if it counts."""
    if approval is None:
        return None
    suspended = suspension(turn, caller)
    if suspended is not None:
        return suspended
    job = turn.session.job(approval.job_id)
    if job is None or not job.is_whole or job.job_hash != approval.job_hash:
        return problem(
            "conflict",
            "the job is not the one that the approval is about",
            field="approval_id",
            expected="an approval whose job is as it was when the approval was asked for",
        )
    if caller.subject in job.askers:
        return problem(
            "own_approval", f"`{caller.subject}` asked for this job, another person must approve it"
        )
    if body["job_hash"] != approval.job_hash:
        return problem(
            "conflict",
            "the hash is not that of the job; look at the job again",
            field="job_hash",
            expected="`job_hash` of `GET /v1/approvals/{id}`, once all that it covers was looked at",
        )
    waits = job.state is JobState.APPROVAL_REQUIRED and job.approval_id == approval.approval_id
    is_over = approval.state in ("rejected", "expired") or (
        approval.state == "open" and (turn.now_ms >= approval.expires_ms or not waits)
    )
    if is_over:
        return problem(
            "approval_closed",
            "the approval has expired, was rejected, or is not needed any more",
            expected="an approval that is open, as `GET /v1/approvals?state=open` lists them",
            approval_id=approval.approval_id,
        )
    return None


def _is_void(turn: Turn, approval: Approval, role: str) -> bool:
    """Whether a grant counts no more: its giver is suspended, or its token was revoked.

    A token that has expired since was good when it was used, and nobody has said that it was in the wrong hands.
    """
    token = turn.session.token(approval.tokens.get(role, ""))
    return approval.granted[role] in turn.suspended or (
        token is not None and token.revoked_ms is not None
    )


def _withdrawn(turn: Turn, approval: Approval) -> Approval:
    """An approval without the grants that count no more; roles that are still asked for can be given by others."""
    void = [role for role in approval.granted if _is_void(turn, approval, role)]
    if approval.state != "open" or not void:
        return approval
    job = turn.session.job(approval.job_id)
    for role in void:
        details = {"approval_id": approval.approval_id, "role": role}
        turn.chronicle.tell(
            turn, "grant_withdrawn", job, approver=approval.granted[role], details=details
        )
    left = {role: by for role, by in approval.granted.items() if role not in void}
    kept = approval.with_(granted=left)
    turn.session.put_approval(kept)
    return kept


def _unknown(approval_id: str) -> Answer:
    return not_found("approval", approval_id)


def _role(caller: Caller, approval: Approval, named: str | None) -> str | None:
    """The role that the caller gives: the one it names, else the first that is missing."""
    may = [r for r in approval.missing if caller.approves is None or r in caller.approves]
    return next((role for role in may if named in (None, role)), None)


def _listed(roles: tuple[str, ...]) -> str:
    return " and ".join(f"`{role}`" for role in roles) or "nobody"


def _grant(turn: Turn, caller: Caller, approval: Approval, role: str, reason: str) -> Answer:
    granted = {**approval.granted, role: caller.subject}
    tokens = {**approval.tokens, role: caller.token_id}
    given = approval.with_(granted=granted, tokens=tokens)
    if not given.missing:
        given = given.with_(state="granted")
    turn.has_written = True
    turn.session.put_approval(given)
    job = turn.session.job(approval.job_id)
    assert job is not None
    details = {
        "approval_id": approval.approval_id,
        "role": role,
        "reason": reason,
        "missing": list(given.missing),
    }
    turn.chronicle.tell(turn, "approved", job, approver=caller.subject, details=details)
    if given.state == "granted":
        _ended(turn, job, approval, "approved")
        turn.offer(turn.move(job, Move.APPROVE, Gate.APPROVED, due_ms=turn.now_ms))
    return _answer(turn, given)


def _ended(turn: Turn, job: Job, approval: Approval, outcome: str) -> None:
    rule = str((job.decision or {}).get("rule_id", ""))
    turn.metrics.approval_ended(rule, outcome, (turn.now_ms - approval.created_ms) / 1000)


def _answer(turn: Turn, approval: Approval) -> Answer:
    job = turn.session.job(approval.job_id)
    return Answer(
        200,
        {
            "approval_id": approval.approval_id,
            "job_id": approval.job_id,
            "state": job.state.value if job else "",
            "granted": sorted(approval.granted),
            "missing": list(approval.missing),
        },
    )


def reject(turn: Turn, caller: Caller, approval_id: str, body: Mapping[str, Any]) -> Answer:
    """Refuse a job that waits; it is denied."""
    approval = turn.session.approval(approval_id)
    refusal = _refusal(turn, caller, approval, body)
    if refusal is not None or approval is None:
        return refusal or _unknown(approval_id)
    if _role(caller, approval.with_(granted={}), body.get("role")) is None:
        return problem(
            "forbidden",
            "the caller approves for none of the roles",
            field="role",
            expected=f"one of {_listed(approval.roles)}",
        )
    if approval.state != "open":
        return problem(
            "approval_closed",
            f"the approval is {approval.state}",
            expected="an approval that nobody has answered",
            approval_id=approval_id,
        )
    job = turn.session.job(approval.job_id)
    assert job is not None
    reason = str(body.get("reason") or "rejected")
    closed = approval.with_(state="rejected")
    turn.has_written = True
    turn.session.put_approval(closed)
    _ended(turn, job, approval, "rejected")
    _close(turn, job, Move.REFUSE, Gate.REJECTED, "rejected", reason, caller.subject)
    return _answer(turn, closed)


def expire(turn: Turn, approval: Approval) -> None:
    """Close an approval whose time is over; a job that still waits for it has timed out."""
    turn.has_written = True
    turn.session.put_approval(approval.with_(state="expired"))
    job = turn.session.job(approval.job_id)
    if (
        job is not None
        and job.state is JobState.APPROVAL_REQUIRED
        and job.approval_id == approval.approval_id
    ):
        why = "nobody approved it in time"
        _ended(turn, job, approval, "expired")
        _close(turn, job, Move.TIME_OUT, Gate.NONE, "approval_expired", why, "")


def withdraw(turn: Turn, job: Job) -> None:
    """Close what was asked about a job that is cancelled: nobody needs to answer any more."""
    approval = turn.session.approval(job.approval_id) if job.approval_id else None
    if approval is not None and approval.state in ("open", "granted"):
        turn.has_written = True
        turn.session.put_approval(approval.with_(state="expired"))
        if approval.state == "open":
            _ended(turn, job, approval, "cancelled")


def _close(
    turn: Turn, job: Job, move: Move, gate: Gate, event: str, reason: str, approver: str
) -> None:
    steps = end_unhad(turn, job, FAILURE if move is Move.TIME_OUT else taken_away(turn))
    details = {"approval_id": job.approval_id, "reason": reason}
    turn.chronicle.tell(turn, event, job, approver=approver, steps=steps, details=details)
    turn.bury(turn.move(job, move, gate, reason=reason), reason)


# --- the replay guard ----------------------------------------------------------------------------


def approved_roles(turn: Turn, job: Job) -> tuple[str, ...]:
    """The roles that an approval gives this very job now; none where anything of it does not match.

    It must be granted, in time, about this hash, carry the job's one-time token, and rest on the policy of now; under
    another policy only if that asks for no one else (architecture: a re-check as the first requester).
    """
    if job.approval_id is None or job.approval_token is None:
        return ()
    approval = turn.session.approval(job.approval_id)
    if approval is None or approval.state != "granted" or turn.now_ms >= approval.expires_ms:
        return ()
    if approval.job_id != job.job_id or approval.job_hash != job.job_hash:
        return ()
    if approval.token_hash != _hash(job.approval_token):
        return ()
    if any(_is_void(turn, approval, role) for role in approval.granted):
        return ()
    granted = _granted(approval)
    return standing_roles(turn, granted, lambda: question_of(turn, job), turn.now_ms)


def use_up(turn: Turn, job: Job) -> None:
    """Consume the approval of a job that is dispatched now.

    Raises:
        RuntimeError: it cannot be used (any more), though `approved_roles` said so in this very turn.
    """
    turn.has_written = True
    if not turn.session.consume_approval(job.approval_id or "", _hash(job.approval_token or "")):
        raise RuntimeError(f"the approval of {job.job_id} was used twice")


def approver_of(turn: Turn, job: Job) -> str:
    """Who approved, for the record."""
    approval = turn.session.approval(job.approval_id) if job.approval_id else None
    return ", ".join(sorted(set(approval.granted.values()))) if approval else ""


def granted_to(turn: Turn, job: Flight) -> Granted:
    """The roles that approved a job that was dispatched with them."""
    approval = turn.session.approval(job.approval_id) if job.approval_id else None
    return _granted(approval) if approval and approval.state == "consumed" else Granted()


def _granted(approval: Approval) -> Granted:
    policy = (approval.policy_snapshot, approval.params_hash)
    return Granted(tuple(sorted(approval.granted)), policy)


def standing_roles(
    turn: Turn, granted: Granted, question: Callable[[], Question], at_ms: int
) -> tuple[str, ...]:
    """The roles of those granted that count under the policy of now: all of them, or none.

    None where it is another policy, which asks for somebody else, too; `question` is what it is asked with nothing
    approved.
    """
    policy = turn.judge.policy
    if not granted.roles or (policy.snapshot, policy.params_hash) == granted.policy:
        return granted.roles
    anew = turn.judge.ask(question(), at_ms)
    if anew.decision is Decision.REQUIRE_HUMAN and not set(anew.roles) <= set(granted.roles):
        return ()
    return granted.roles
