"""Revocation: authority that is lost while work is in flight.

What always holds: a sample after which a request that was permitted would be denied revokes the work in flight that
rests on it, in the
same transaction; so it does of whoever handed work on; what was revoked is cancelled, its undo is owed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from govlang.native.errors import TableError
from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.approvals import approver_roles
from govlang.runtime.control.cancel import cancel_in_flight
from govlang.runtime.control.gates import question_of
from govlang.runtime.control.judge import key_of
from govlang.runtime.control.values import compact
from govlang.runtime.decision import Decision
from govlang.runtime.evidence.record import written

if TYPE_CHECKING:
    from govlang.runtime.control.job import Job
    from govlang.runtime.control.judge import Question
    from govlang.runtime.control.turn import Turn


@contextmanager
def watch(turn: Turn, agent: str | None, but: str = "") -> Iterator[None]:
    """Cancel the work in flight of an agent (None: of all) that would be denied after what happens inside, and was
    not before.
    """
    flying = [job for job in turn.session.in_flight_of(agent) if job.job_id != but]
    flying = [job for job in flying if job.undo_of is None and not _is_denied(turn, job)]
    yield
    for job in flying:
        verdict = turn.judge.ask(_question(turn, job), turn.now_ms)
        if verdict.decision is Decision.DENY:
            of = f" (as `{verdict.of}`)" if verdict.of else ""
            why = f"revoked by `{verdict.rule_id}`{of}: {verdict.reason}"
            cancel_in_flight(turn, job, why, is_revoked=True)


def _question(turn: Turn, job: Job) -> Question:
    return question_of(turn, job, approver_roles(turn, job))


def _is_denied(turn: Turn, job: Job) -> bool:
    found = turn.judge.ask(_question(turn, job), turn.now_ms)
    return found.decision is Decision.DENY


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
        turn.metrics.revocation_detected("event", late / 1000)
    return Answer(
        202, {"seq": seq, "next_deadline_ms": deadline, "cancelled": list(turn.cancelled)}
    )


def _shown(told: Mapping[str, Any]) -> dict[str, Any]:
    """A step as records have it."""
    return {name: written(value) if name in VALUES else value for name, value in told.items()}


VALUES: Final = frozenset({"fields", "value"})
"""The members of a step whose numbers stand in records as texts."""

STEP_MAX: Final = 16_384
"""The longest step that is taken in, in bytes of JSON: a record holds it whole."""

RUNTIME_EVENTS: Final = frozenset(
    {"dispatched", "allowed", "success", "failure", "cancelled", "reserved", "settled", "released"}
)
"""Events that only the runtime tells: a caller that could would lift limits."""


def _field(error: TableError, step: Mapping[str, Any]) -> str:
    named = error.message.split("`")
    fields = step.get("fields", {})
    return f"fields.{named[1]}" if len(named) > 2 and named[1] in fields else "event"


def tick(turn: Turn, most: int) -> int:
    """Let time pass for up to so many keys that want it; how many there were."""
    due = turn.judge.due(turn.now_ms, most)
    for key in due:
        step = turn.judge.tick(key, turn.now_ms)
        turn.has_written = True
        before = len(turn.cancelled)
        with watch(turn, key or None):
            turn.judge.observe(step)
            turn.chronicle.tell(turn, "tick", agent=key, steps=[step])
        if len(turn.cancelled) > before:
            turn.metrics.revocation_detected("expiry", 0)
    return len(due)
