"""Revocation: authority that is lost while work is in flight.

What always holds: a sample after which a request that was permitted would be denied revokes the work in flight that
rests on it, in the same transaction; so it does of whoever handed work on; what was revoked is cancelled, its undo is
owed.  Another policy is as such a sample, but that what it revokes is cancelled in the turns that follow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final

from govlang.native.errors import TableError
from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.approvals import granted_to, standing_roles
from govlang.runtime.control.cancel import cancel_in_flight
from govlang.runtime.control.flights import Lost, lost_name, unasked_name, written_lost
from govlang.runtime.control.gates import enforced
from govlang.runtime.control.job import IN_FLIGHT
from govlang.runtime.control.judge import RELEASED, RESERVED, RUNTIME_EVENTS, SETTLED, key_of
from govlang.runtime.control.settings import FailMode
from govlang.runtime.control.telling import may_not_tell
from govlang.runtime.control.turn import suspension
from govlang.runtime.control.values import compact
from govlang.runtime.control.verdict import CheckUnavailableError, Verdict
from govlang.runtime.evidence.record import written

if TYPE_CHECKING:
    from govlang.runtime.control.flights import Watched
    from govlang.runtime.control.job import Approval, Job
    from govlang.runtime.control.tokens import Caller
    from govlang.runtime.control.turn import Turn


SHARED: Final = ""
"""The scope of what is kept once for all (influence.py)."""

SETTLES: Final = (RESERVED, SETTLED, RELEASED)
"""What the end of a job tells of its reservation."""

ENDS: Final = ("failure", "cancelled", *SETTLES)
"""What the policy is told when a job ends without a result."""

AGAIN_MS: Final = 1000
"""After how long a flight about which nobody could say anything is asked about again, in ms."""


@contextmanager
def watch(
    turn: Turn,
    agents: Collection[str] | None,
    events: Iterable[str],
    fields: Mapping[str, Any] | None = None,
    but: str = "",
) -> Iterator[None]:
    """Cancel the work in flight that would be denied after what happens inside, and was not before.

    What happens is one of `events` at most once each, of these agents (None: of no agent), with these fields (None:
    nobody knows); only work that it can reach is asked about (influence.py).  `but` is the job that ends by it.
    """
    reached = [one for one in _reached(turn, agents, events, fields) if one.job_id != but]
    flying = _permitted(turn, reached, turn.now_ms)
    yield
    _cancel_denied(turn, flying)


def watch_end(turn: Turn, of: Job | Approval) -> AbstractContextManager[None]:
    """`watch` what is told if a job ends without a result, or the one of an approval."""
    return watch(turn, (of.agent,), ENDS, but=of.job_id)


def _reached(
    turn: Turn,
    agents: Collection[str] | None,
    events: Iterable[str],
    fields: Mapping[str, Any] | None,
) -> list[Watched]:
    """The work in flight that shares with an event what the event changes."""
    scopes = turn.judge.reach(events)
    memory = turn.judge.policy.memory
    if not scopes or memory is None:
        return []
    if agents is None or SHARED in scopes:
        return turn.flights.all()
    own = turn.flights.of(agents) if memory.key_name in scopes else []
    others = scopes - {memory.key_name}
    if not others:
        return own
    known = {one.job_id for one in own}
    found = (one for one in turn.flights.all() if one.job_id not in known)
    return own + [one for one in found if any(_shares(one, name, fields) for name in others)]


def _shares(one: Watched, name: str, fields: Mapping[str, Any] | None) -> bool:
    """Whether an event with these fields is about the same value of a field as a request."""
    if fields is None:
        return True
    told, asked = fields.get(name), one.flight.request.get(name)
    return told is not None and not (
        isinstance(told, str) and isinstance(asked, str) and told != asked
    )


def _permitted(turn: Turn, flights: Iterable[Watched], at_ms: int) -> list[Watched]:
    """What is not denied at a time, as far as anybody can say; and what was to be asked about anyway."""
    return [
        one
        for one in flights
        if one.unasked_ms is not None or not isinstance(_denial(turn, one, at_ms), Verdict)
    ]


def _cancel_denied(turn: Turn, flying: Iterable[Watched]) -> None:
    """Cancel what is denied now."""
    lost: dict[str, str] = {}
    for one in flying:
        why = _lost(turn, one) if one in turn.flights else None  # what happened may have ended it
        if why is not None:
            lost[one.job_id] = why
    if lost:
        revoke(turn, lost)


def _lost(turn: Turn, one: Watched) -> str | None:
    """Why a flight is cancelled; None: it is not, or nobody can say yet, and it is asked about again.

    Nobody can say for ever: after `GOV_UNASKED_S` it is cancelled, unless the fail mode is open.
    """
    found = _denial(turn, one, turn.now_ms)
    if isinstance(found, str):
        waited_s = 0.0 if one.unasked_ms is None else (turn.now_ms - one.unasked_ms) / 1000
        is_closed = turn.settings.policy_check_fail_mode is FailMode.CLOSED
        if one.unasked_ms is not None and is_closed and waited_s >= turn.settings.unasked_s:
            return f"revoked: for {waited_s:g} s the policy check {found}"
        _owe(turn, one, found)
    elif found is not None:
        return _why(found)
    elif one.unasked_ms is not None:
        _answered(turn, one)
    return None


def _why(verdict: Verdict) -> str:
    of = f" (as `{verdict.of}`)" if verdict.of else ""
    return f"revoked by `{verdict.rule_id}`{of}: {verdict.reason}"


def revoke(turn: Turn, lost: Mapping[str, str]) -> None:
    """Cancel work in flight, by job with the reason; and whatever the policy denies because that work has ended."""
    found = {job_id: turn.session.job(job_id) for job_id in lost}
    flying = [job for job in found.values() if job is not None and job.state in IN_FLIGHT]
    with watch(turn, {job.agent for job in flying}, ENDS):
        for job in flying:
            cancel_in_flight(turn, job, lost[job.job_id], is_revoked=True)


def _denial(turn: Turn, one: Watched, at_ms: int) -> Verdict | str | None:
    """The verdict by which a flight is denied at a time; None: it is not; a text: why nobody can say.

    The same is asked once in a moment.
    """
    granted = one.granted = one.granted or granted_to(turn, one.flight)
    judge = turn.judge
    answers = turn.flights.answers(turn, judge, judge.changes)
    asked = (one.mark, granted, at_ms)
    if asked not in answers:
        try:
            roles = standing_roles(turn, granted, lambda: one.question(judge, ()), at_ms)
            answers[asked] = _enforced(turn, one, judge.denial(one.question(judge, roles), at_ms))
        except CheckUnavailableError as error:
            return error.why
    return answers[asked]


def _enforced(turn: Turn, one: Watched, found: Verdict | None) -> Verdict | None:
    """A denial that counts: where decisions are only recorded, work goes on as new work is let go."""
    if found is None:
        return None
    topic = one.flight.request.get("topic")
    counted, _ = enforced(turn, topic if isinstance(topic, str) else "", found)
    return None if counted.permits else counted


# --- what nobody can be asked about ----------------------------------------------------------------


def _owe(turn: Turn, one: Watched, why: str) -> None:
    """Keep that something may have revoked a flight, and that it is to be asked about again; it is on record."""
    if one.unasked_ms is None:
        turn.has_written = True
        turn.session.set(unasked_name(one.job_id), str(turn.now_ms))
        turn.chronicle.tell(
            turn,
            "unasked",
            turn.session.job(one.job_id),
            details={"why": f"the policy check {why}"},
        )
    since_ms = turn.now_ms if one.unasked_ms is None else one.unasked_ms
    turn.flights.owe(one, since_ms, turn.now_ms + AGAIN_MS)


def _answered(turn: Turn, one: Watched) -> None:
    """Nothing has revoked it, as is known now."""
    since_ms = one.unasked_ms or turn.now_ms
    turn.has_written = True
    turn.session.set(unasked_name(one.job_id), None)
    turn.flights.settle(one)
    turn.chronicle.tell(
        turn,
        "asked_again",
        turn.session.job(one.job_id),
        details={"asked_after_ms": turn.now_ms - since_ms},
    )


def ask_again(turn: Turn, most: int) -> int:
    """Ask about flights about which nobody could say whether they may go on; how many."""
    owed = turn.flights.owed(turn.now_ms, most)
    first_ms = min((one.unasked_ms or turn.now_ms for one in owed), default=turn.now_ms)
    before = len(turn.cancelled)
    _cancel_denied(turn, owed)
    if len(turn.cancelled) > before:
        turn.metrics.revocation_detected("event", (turn.now_ms - first_ms) / 1000)
    return len(owed)


# --- another policy ------------------------------------------------------------------------------


@contextmanager
def watch_exchange(turn: Turn) -> Iterator[None]:
    """Find the work in flight that is denied by the policy that is put in place inside, and was not by the one before.

    That it is lost is kept in the same transaction; `revoke_lost` cancels it in turns of its own, as it may be much.
    Where a check elsewhere decides, the policy here says nothing of work in flight.
    """
    decides = turn.settings.policy_check_url is None
    flying = _permitted(turn, turn.flights.all(), turn.now_ms) if decides else []
    yield
    for one in flying:
        why = _lost(turn, one)
        if why is not None:
            lost = Lost(turn.now_ms, why)
            turn.session.set(lost_name(one.job_id), written_lost(lost))
            turn.flights.lose(one, lost)


def revoke_lost(turn: Turn, most: int) -> int:
    """Cancel work in flight that a policy denies which was put in place; how many."""
    found = turn.flights.lost(most)
    if found:
        late_ms = turn.now_ms - min(lost.since_ms for _, lost in found)
        details = {"jobs": len(found), "detected_after_ms": late_ms}
        turn.chronicle.tell(turn, "policy_revokes", details=details)
        turn.metrics.revocation_detected("policy", late_ms / 1000)
        revoke(turn, {one.job_id: lost.why for one, lost in found})
    return len(found)


# --- what happens --------------------------------------------------------------------------------


def observe(turn: Turn, caller: Caller, step: Mapping[str, Any], happened_ms: int | None) -> Answer:
    """Take in an event or a signal of the policy, and revoke what it revokes."""
    told = {**step, "at_ms": turn.now_ms}
    name = str(step.get("event", step.get("signal", "")))
    refusal = suspension(turn, caller) or may_not_tell(caller, name)
    if refusal is not None:
        return refusal
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
    key = key_of(step)
    with watch(turn, {key} if key else None, (name,), step.get("fields", {})):
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
            approver=caller.subject,
            steps=[_shown(told)],
            details={"detected_after_ms": late},
        )
    if turn.cancelled:
        by_hand = name.endswith(".revoked")  # the event of a contract that only an operator sends
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
    due = turn.judge.deadlines.due(turn.now_ms)
    if not due:
        return
    flying = _expiring(turn, due)
    for key, at_ms in due.items():
        step = turn.judge.tick(key, turn.now_ms)
        turn.has_written = True
        turn.judge.observe(step)
        late = {"detected_after_ms": turn.now_ms - at_ms}
        turn.chronicle.tell(turn, "tick", agent=key, steps=[step], details=late)
    before = len(turn.cancelled)
    _cancel_denied(turn, flying)
    if len(turn.cancelled) > before:
        turn.metrics.revocation_detected("expiry", (turn.now_ms - min(due.values())) / 1000)


def _expiring(turn: Turn, due: Mapping[str, int]) -> list[Watched]:
    """The work in flight that was permitted until a deadline that is due.

    What is kept once for all, or by another field than the agent, can expire for those who have no deadline themselves.
    """
    influence, memory = turn.judge.influence, turn.judge.policy.memory
    if influence is None or memory is None or not influence.of_time:
        return []
    found: dict[str, Watched] = {}
    for key, at_ms in due.items():
        own = _permitted(turn, turn.flights.of((key,)), at_ms - 1)
        found |= {one.job_id: one for one in own}
    if influence.of_time - {memory.key_name}:
        others = [one for one in turn.flights.all() if one.job_id not in found]
        theirs = _permitted(turn, others, min(due.values()) - 1)
        found |= {one.job_id: one for one in theirs}
    return list(found.values())
