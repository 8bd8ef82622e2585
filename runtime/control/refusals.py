"""What the submit gate answers to a job that does not go on, and the evidence that it leaves.

In: a turn, a job that is not stored, why.  Out: the refusal.

What always holds: each refusal is on the record, and nothing else of the job is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.verdict import UNAVAILABLE, CheckUnavailableError, Verdict

if TYPE_CHECKING:
    from govlang.runtime.control.job import Job
    from govlang.runtime.control.turn import Turn

FULL_RETRY_S: Final = 5
"""After how long to ask again when there are too many live jobs, in seconds."""


def closed(turn: Turn, job: Job) -> Answer | None:
    """Whether it may not be asked at all: an agent of the chain is suspended, or the chain is too long."""
    suspended = turn.suspended
    barred = next((one for one in (job.agent, *job.delegation) if one in suspended), None)
    if barred is not None:
        why = f"`{barred}` is suspended: {suspended[barred]}"
        turn.chronicle.refuse(turn, "submit_refused", job, "suspended", why)
        return problem(
            "denied",
            why,
            field="request" if barred == job.agent else "parent_job_id",
            expected="an agent that is not suspended, as `reinstate` makes it",
            rule_id="suspended",
            reason=suspended[barred],
        )
    most = turn.settings.delegation_depth_max
    if len(job.delegation) > most:
        why = f"it was handed on {len(job.delegation)} times, at most {most} are allowed"
        turn.chronicle.refuse(turn, "submit_refused", job, "delegation_depth", why)
        return problem(
            "denied",
            why,
            field="parent_job_id",
            expected=f"a job that was handed on less than {most} times",
            rule_id="delegation_depth",
        )
    return None


def full(turn: Turn, job: Job) -> Answer | None:
    """The refusal of a job for which there is no room, though the policy lets it go."""
    most, all_most = turn.settings.live_jobs_agent_max, turn.settings.live_jobs_max
    if turn.live[job.agent] >= most:
        code, rule = "rate_limited", "live_jobs_agent_max"
        why = f"`{job.agent}` has {most} live jobs, as many as one agent may have"
    elif len(turn.machine) >= all_most:
        code, rule = "storage_unavailable", "live_jobs_max"
        why = f"there are {all_most} live jobs, as many as there may be"
    else:
        return None
    turn.chronicle.refuse(turn, "submit_refused", job, rule, why)
    return problem(
        code,
        why,
        field="request",
        expected="fewer jobs that have not ended",
        rule_id=rule,
        retry_after_s=FULL_RETRY_S,
    )


def unavailable(turn: Turn, job: Job, error: CheckUnavailableError) -> Answer:
    """The check gives no answer, and the fail mode is closed."""
    turn.chronicle.refuse(turn, "submit_refused", job, UNAVAILABLE, error.why)
    return problem("policy_unavailable", error.message, rule_id=UNAVAILABLE, retry_after_s=1)


def invalid(turn: Turn, job: Job, verdict: Verdict) -> Answer:
    """The policy cannot read the request; the field is named."""
    turn.chronicle.decide(turn, "invalid", job, verdict)
    return problem(
        "invalid_request",
        verdict.why_unread,
        field=verdict.fault.field,
        expected=verdict.fault.expected,
        rule_id=verdict.rule_id,
    )


def denied(turn: Turn, job: Job, verdict: Verdict, field: str | None = None) -> Answer:
    """The policy denies it; `field` where it is not the request itself that is denied."""
    details = None if field is None else {"field": field}
    turn.chronicle.decide(turn, "submit_refused", job, verdict, details=details)
    of = f" (as `{verdict.of}`, on whose behalf it is)" if verdict.of else ""
    return problem(
        "denied",
        (verdict.reason or f"denied by `{verdict.rule_id}`") + of,
        field=field,
        expected=verdict.fault.expected
        if verdict.is_invalid
        else verdict.remedy or f"a request that `{verdict.rule_id}` does not deny",
        rule_id=verdict.rule_id,
        reason=verdict.reason,
        remedy=verdict.remedy,
        decision=verdict.to_dict(),
    )
