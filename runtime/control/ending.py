"""What the policy is told of the end of a job, whoever has it by then.

In: a job that ends, and the event of its end.  Out: the steps that were taken in.  What always holds: work that was
handed out ends once for the policy, whichever way it does; of work that never was, and of an undo, it hears nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from govlang.runtime.control.gates import feed, settlement
from govlang.runtime.control.judge import DISPATCHED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from govlang.runtime.control.job import Job
    from govlang.runtime.control.turn import Turn

SUCCESS: Final = "success"
FAILURE: Final = "failure"
CANCELLED: Final = "cancelled"


def taken_away(turn: Turn) -> str:
    """The event of work that somebody or the policy took away: `failure` where it declares no `cancelled`.

    Work that was handed out and brought no result must be told, or an agent that cancels what is about to fail is
    never counted, and a breaker waits for its probe for ever (language: work that ends without a result is reported).
    """
    return CANCELLED if turn.judge.knows(CANCELLED) else FAILURE


def carried(turn: Turn, job: Job, event: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the event of an end: what the worker gave, else what the request says under the same name."""
    if not turn.judge.knows(event):
        return {}
    known = {**job.intent.request, **given}
    return {
        name: known[name] for name in turn.judge.fields_of(event) if known.get(name) is not None
    }


def end_steps(
    turn: Turn,
    job: Job,
    event: str,
    fields: Mapping[str, Any],
    used: Mapping[str, str] | None,
) -> list[dict[str, object]]:
    """Tell that work that a worker has has ended: its end, and what becomes of its reservation (`used`: settlement).

    An undo was not told as `dispatched`, and is not told as ended.
    """
    steps: list[dict[str, object]] = []
    if job.undo_of is None:
        steps += feed(turn, event, job.agent, fields)
    return steps + settlement(turn, job, used)


def end_unhad(turn: Turn, job: Job, event: str) -> list[dict[str, object]]:
    """Tell that work that no worker has has ended: its end, if one had it before, and that nothing was used.

    The request of a job that is not what was decided on is nobody's word, so its fields are not told.
    """
    if not _is_open(turn, job):
        return settlement(turn, job, None)
    fields = carried(turn, job, event, {}) if job.is_whole else {}
    return end_steps(turn, job, event, fields, None)


def _is_open(turn: Turn, job: Job) -> bool:
    """Whether the policy has heard that a job began, and not that it ended.

    One that hears nothing of beginnings hears of the end of all that was handed out.  One that does permits an end for
    each beginning (`after dispatched`), so that the end of a job whose beginning went to another policy, which was
    active then, would be taken for that of another job.
    """
    return not job.reported or (job.was_handed_out and not turn.judge.knows(DISPATCHED))
