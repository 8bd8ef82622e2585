"""What both gates share: the question about a job, the answer where the check is silent, and what each effect means.

What always holds: what the policy cannot read is never let through, whatever the enforcement or the fail mode says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from govlang.native.errors import TableError
from govlang.runtime.control.judge import RELEASED, RESERVED, SETTLED, Question
from govlang.runtime.control.settings import Enforcement, FailMode
from govlang.runtime.control.values import revive
from govlang.runtime.control.verdict import CheckUnavailableError, Verdict, fail_open
from govlang.runtime.decision import Decision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from govlang.runtime.control.job import Job
    from govlang.runtime.control.turn import Turn


@dataclass(frozen=True, slots=True)
class Asked:
    """What a policy check elsewhere answered before the turn began: a verdict, or why there is none."""

    verdict: Verdict | None = None
    unavailable: str = ""
    approved: tuple[str, ...] = ()
    """The roles that it was told had approved."""
    undo: Verdict | None = None
    """What it said of the undo."""


def question_of(turn: Turn, job: Job, approved: tuple[str, ...] = ()) -> Question:
    """What is asked about a job that was stored, when all of it was known to be valid."""
    request = revive(turn.judge.policy.fields, job.intent.request)
    return Question(request, job.agent, job.delegation, approved, job.reserved)


def answer_of(turn: Turn, question: Question, asked: Asked | None) -> Verdict:
    """The verdict of the policy check: of the one elsewhere, where there is one, else of the table here; a question.

    Raises:
        CheckUnavailableError: it gives none, and the fail mode is closed.
    """
    try:
        return _told(turn, question, asked)
    except CheckUnavailableError as error:
        if turn.settings.policy_check_fail_mode is not FailMode.OPEN:
            raise
        policy = turn.judge.policy
        why = f"{turn.settings.policy_check_fail_open_reason} ({error.why})"
        return unread(turn, question) or fail_open(policy.snapshot, policy.params_hash, why)


def unread(turn: Turn, question: Question) -> Verdict | None:
    """The verdict of the table here if it cannot read what is asked, whoever else decides; None if it can.

    Raises:
        CheckUnavailableError: the host does not say what it knows, so nobody can tell.
    """
    found = turn.judge.ask(question, turn.now_ms)
    return found if found.is_invalid else None


def _told(turn: Turn, question: Question, asked: Asked | None) -> Verdict:
    if asked is None:
        return turn.judge.ask(question, turn.now_ms)
    if asked.verdict is None:
        raise CheckUnavailableError(asked.unavailable)
    return asked.verdict


def enforced(turn: Turn, topic: str, verdict: Verdict) -> tuple[Verdict, bool]:
    """The verdict that counts for a topic, and whether the policy's own was only recorded (shadow)."""
    if (
        verdict.permits
        or verdict.is_invalid
        or turn.settings.enforcement_of(topic) is Enforcement.ENFORCE
    ):
        return verdict, False
    return replace(verdict, decision=Decision.ALLOW, obligations=()), True


def reservation(turn: Turn, job: Job) -> tuple[dict[str, str], list[dict[str, object]]]:
    """What a job reserves, and the step that says so; both empty where the policy reserves nothing."""
    judge = turn.judge
    amounts = {name: str(job.intent.request.get(name, "0")) for name in judge.reserved_names}
    if not amounts:
        return {}, []
    steps = feed(turn, RESERVED, job.agent, amounts)
    return amounts if steps else {}, steps


def feed(
    turn: Turn, event: str, agent: str, fields: Mapping[str, object]
) -> list[dict[str, object]]:
    """Tell the policy of an event of the runtime, if it knows it; the steps that were taken in.

    One that it does not take changes nothing, and stands in the ledger as `untold`.
    """
    if not turn.judge.knows(event):
        return []
    step = turn.judge.step(event, agent, fields, turn.now_ms)
    try:
        turn.judge.observe(step)
    except TableError as error:
        # Another policy was published meanwhile, or nobody knows a field: work ends all the same, and it is on record.
        details = {"event": event, "code": error.code}
        turn.chronicle.tell(turn, "untold", agent=agent, details=details)
        return []
    turn.has_written = True
    return [step]


def settlement(turn: Turn, job: Job, used: Mapping[str, str] | None) -> list[dict[str, object]]:
    """Settle what a job reserved: what was used goes into the windows, the rest is free again.

    `used` None: nothing was done.  A field of which nobody says what was used counts as used whole.
    """
    names = turn.judge.reserved_names
    if not job.reserved or not names:
        return []
    held = {name: job.reserved.get(name, "0") for name in names}
    if not job.committed or used is None:
        return feed(turn, RELEASED, job.agent, held)
    spent = {name: used.get(name, amount) for name, amount in held.items()}
    more = {name: _less(spent[name], held[name]) for name in names}
    rest = {name: _less(held[name], spent[name]) for name in names}
    steps = feed(turn, RESERVED, job.agent, more) if any(v != "0" for v in more.values()) else []
    steps += feed(turn, SETTLED, job.agent, spent)
    return steps + feed(turn, RELEASED, job.agent, rest)


def _less(amount: str, other: str) -> str:
    """Amount - other, at least 0, as text."""
    found = Decimal(amount) - Decimal(other)
    return str(found) if found > 0 else "0"
