"""Revocation: authority that is lost while work is in flight.

What always holds: a sample after which a request that was permitted would be denied revokes the work in flight that
rests on it, in the
same transaction; so it does of whoever handed work on; what was revoked is cancelled, its undo is owed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from govlang.native.errors import TableError
from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.approvals import approver_roles
from govlang.runtime.control.cancel import cancel_in_flight
from govlang.runtime.control.gates import question_of
from govlang.runtime.control.job import IN_FLIGHT
from govlang.runtime.control.judge import RUNTIME_EVENTS, key_of
from govlang.runtime.control.values import compact
from govlang.runtime.control.verdict import CheckUnavailableError
from govlang.runtime.decision import Decision
from govlang.runtime.evidence.record import written

if TYPE_CHECKING:
    from govlang.runtime.control.job import Job
    from govlang.runtime.control.turn import Turn
    from govlang.runtime.control.verdict import Verdict


@contextmanager
def watch(turn: Turn, agent: str | None, but: str = "") -> Iterator[None]:
    """Cancel the work in flight of an agent (None: of all) that would be denied after what happens inside, and was
    not before.
    """
    if turn.judge.policy.memory is None:  # nothing that happens changes what it decides
        yield
        return
    flying = [job for job in _permitted(turn, agent, turn.now_ms) if job.job_id != but]
    yield
    _cancel_denied(turn, flying)


def _permitted(turn: Turn, agent: str | None, at_ms: int) -> list[Job]:
    """The work in flight of an agent that is not denied at a time; an undo is nobody's to revoke."""
    flying = [job for job in turn.session.in_flight_of(agent) if job.undo_of is None]
    return [job for job in flying if _denial(turn, job, at_ms) is None]


def _cancel_denied(turn: Turn, flying: Iterable[Job]) -> None:
    lost: dict[str, str] = {}
    for job in flying:
        verdict = _denial(turn, job, turn.now_ms)
        if verdict is not None:
            of = f" (as `{verdict.of}`)" if verdict.of else ""
            lost[job.job_id] = f"revoked by `{verdict.rule_id}`{of}: {verdict.reason}"
    if lost:
        revoke(turn, lost)


def revoke(turn: Turn, lost: Mapping[str, str]) -> None:
    """Cancel work in flight, by job with the reason; and whatever the policy denies because that work has ended."""
    found = {job_id: turn.session.job(job_id) for job_id in lost}
    flying = [job for job in found.values() if job is not None and job.state in IN_FLIGHT]
    with ExitStack() as watched:
        for agent in dict.fromkeys(job.agent for job in flying):
            watched.enter_context(watch(turn, agent))
        for job in flying:
            cancel_in_flight(turn, job, lost[job.job_id], is_revoked=True)


def _denial(turn: Turn, job: Job, at_ms: int) -> Verdict | None:
    """The verdict by which work in flight is denied at a time; None: none, or the host does not say what it knows."""
    try:
        found = turn.judge.ask(question_of(turn, job, approver_roles(turn, job)), at_ms)
    except CheckUnavailableError:
        return None
    return found if found.decision is Decision.DENY else None


def observe(turn: Turn, by: str, step: Mapping[str, Any], happened_ms: int | None) -> Answer:
    """Take in an event or a signal of the policy, and revoke what it revokes."""
    told = {**step, "at_ms": turn.now_ms}
    name = str(step.get("event", step.get("signal", "")))
    if name in RUNTIME_EVENTS:
        return problem(
            "invalid_request",
            f"`{name}` is told by the service itself",
            field="event",
            expected="an event of the policy",
        )
    if happened_ms is not None and happened_ms > turn.now_ms + AHEAD_MS:
        return problem(
            "invalid_body",
            "it is said to have happened in the future",
            field="at_ms",
            expected=f"at most {turn.now_ms + AHEAD_MS}, a minute ahead of this service",
        )
    if len(compact(told).encode()) > STEP_MAX:
        return problem("invalid_body", "the step is too long", expected=f"at most {STEP_MAX} bytes")
    late = 0 if happened_ms is None else max(0, turn.now_ms - happened_ms)
    with watch(turn, key_of(step) or None):
        try:
            deadline = turn.judge.take(told)
        except TableError as error:
            field = _field(error, step)
            return problem("invalid_request", error.message, field=field, expected=error.help)
        turn.has_written = True
        seq = turn.chronicle.tell(
            turn,
            "signal" if "signal" in step else "event",
            agent=key_of(step),
            approver=by,
            steps=[_shown(told)],
            details={"detected_after_ms": late},
        )
    if turn.cancelled:
        by_hand = name.endswith(".revoked")  # the event of a contract that only somebody sends
        turn.metrics.revocation_detected("operator" if by_hand else "event", late / 1000)
    return Answer(
        202, {"seq": seq, "next_deadline_ms": deadline, "cancelled": list(turn.cancelled)}
    )


def _shown(told: Mapping[str, Any]) -> dict[str, Any]:
    """A step as records have it."""
    return {name: written(value) if name in VALUES else value for name, value in told.items()}


VALUES: Final = frozenset({"fields", "value"})
"""The members of a step whose numbers stand in records as texts."""

AHEAD_MS: Final = 60_000
"""How far the clock of whoever reports something may be ahead of the service's, in ms."""

STEP_MAX: Final = 16_384
"""The longest step that is taken in, in bytes of JSON: a record holds it whole."""


def _field(error: TableError, step: Mapping[str, Any]) -> str:
    named = error.message.split("`")
    fields = step.get("fields", {})
    return f"fields.{named[1]}" if len(named) > 2 and named[1] in fields else "event"


def tick(turn: Turn) -> None:
    """Let time pass for the keys whose deadlines are over, before anything else of the turn is asked or told.

    What was permitted until its deadline and is denied now has expired: it is cancelled.  INVARIANT: no sample is later
    than a deadline that is due, as every turn begins so; what held just before the deadline can be asked, therefore.
    """
    due = turn.judge.due(turn.now_ms)
    if not due:
        return
    flying = {
        job.job_id: job
        for key, at_ms in due.items()
        for job in _permitted(turn, key or None, at_ms - 1)
    }
    for key, at_ms in due.items():
        step = turn.judge.tick(key, turn.now_ms)
        turn.has_written = True
        turn.judge.observe(step)
        late = {"detected_after_ms": turn.now_ms - at_ms}
        turn.chronicle.tell(turn, "tick", agent=key, steps=[step], details=late)
    before = len(turn.cancelled)
    _cancel_denied(turn, flying.values())
    if len(turn.cancelled) > before:
        turn.metrics.revocation_detected("expiry", (turn.now_ms - min(due.values())) / 1000)
