"""The intake: the body of a submit in, the job that it asks for out, or why nobody is asked about it.

What always holds: an agent speaks for itself, in runs of its own, on behalf of work that it has in hand; of what is
refused here nothing is stored.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from govlang.runtime.control.answer import Answer, for_another, problem
from govlang.runtime.control.job import IN_FLIGHT, Intent, Job, hash_job
from govlang.runtime.control.job_machine import JobState
from govlang.runtime.control.tokens import DEV, Role
from govlang.runtime.control.values import compact
from govlang.runtime.evidence.record import written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from govlang.runtime.control.tokens import Caller
    from govlang.runtime.control.turn import Turn

REQUEST_MAX: Final = 16_384
"""The largest request, in bytes of JSON."""


class Refused(Exception):  # noqa: N818  # no error: an answer on its way out
    """The request is refused before the gate; nothing is stored of it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def read_job(turn: Turn, caller: Caller, body: Mapping[str, Any]) -> Job:
    """The job that a body asks for, not yet stored.

    Raises:
        Refused: it names a run, a parent or an agent that the caller cannot speak for.
    """
    request = written(body["request"])
    check_size(request, "request")
    parent = _parent(turn, caller, body.get("parent_job_id"))
    agent = _agent(turn, caller, request)
    named_run = body.get("run_id") or (parent.run_id if parent else None)
    _check_run(turn, caller, named_run, agent, parent)
    intent = _intent(body, request)
    topic = request.get("topic")
    topic = topic if isinstance(topic, str) else ""
    run_id = named_run or f"run_{turn.now_ms:011x}{secrets.token_hex(4)}"
    step = body.get("step") or _step(topic)
    attempt = 1 if named_run is None else 1 + turn.session.attempts(run_id, step)
    delegation = _chain(parent, agent)
    return Job(
        job_id=f"{run_id}:{step}@{attempt}",
        run_id=run_id,
        step=step,
        attempt=attempt,
        agent=agent,
        topic=topic,
        intent=intent,
        job_hash=hash_job(intent, agent, run_id, step, delegation),
        state=JobState.PENDING,
        created_ms=turn.now_ms,
        updated_ms=turn.now_ms,
        caller=agent if caller.token_id == DEV.token_id else caller.subject,
        parent_job_id=parent.job_id if parent else None,
        delegation=delegation,
        due_ms=turn.now_ms,
    )


def _intent(body: Mapping[str, Any], request: dict[str, Any]) -> Intent:
    undo = body.get("undo")
    if undo is not None:
        check_size(undo["request"], "undo.request")
        undo = {**undo, "request": written(undo["request"])}
    return Intent(request, body.get("payload"), body["pool"], undo)


def check_size(value: Any, field: str) -> None:
    """A record holds the whole request, and must fit a tile of the ledger.

    Raises:
        Refused: it is too long.
    """
    size = len(compact(value).encode())
    if size > REQUEST_MAX:
        raise Refused(
            problem(
                "invalid_body",
                f"`{field}` has {size} bytes",
                field=field,
                expected=f"at most {REQUEST_MAX} bytes; large values belong into `payload`",
            )
        )


def _step(topic: str) -> str:
    last = topic.rsplit(".", 1)[-1]
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in last)
    return kept[:100] or "step"


def _agent(turn: Turn, caller: Caller, request: Mapping[str, Any]) -> str:
    """Whose request it is: the agent that it names, which must be the caller's own."""
    name = turn.judge.agent_field
    named = request.get(name) if name is not None else None
    if not isinstance(named, str):
        return caller.subject
    if named != caller.subject and Role.OPERATOR not in caller.roles:
        raise Refused(for_another(caller.subject, str(name), named))
    return named


def _parent(turn: Turn, caller: Caller, parent_id: str | None) -> Job | None:
    """The job on whose behalf this one is: the caller's own, or one that a worker of the caller has."""
    if parent_id is None:
        return None
    parent = turn.session.job(parent_id)
    own = parent is not None and (
        caller.subject in (parent.agent, parent.worker_agent) or Role.OPERATOR in caller.roles
    )
    if parent is None or not own:
        raise Refused(
            problem(
                "forbidden",
                f"there is no job `{parent_id}` of yours, and none that was handed to you",
                field="parent_job_id",
                expected="a job of your own, or one that your worker has leased",
            )
        )
    if parent.state not in IN_FLIGHT:
        raise Refused(
            problem(
                "illegal_state",
                f"`{parent_id}` is {parent.state.value}: only work that is in flight delegates",
                field="parent_job_id",
                expected="a job that is dispatched or running",
            )
        )
    return parent


def _chain(parent: Job | None, agent: str) -> tuple[str, ...]:
    if parent is None:
        return ()
    chain = (*parent.delegation, parent.agent)
    return chain if parent.agent != agent else parent.delegation


def _check_run(
    turn: Turn, caller: Caller, run_id: str | None, agent: str, parent: Job | None
) -> None:
    """A run belongs to the agents that take part in it."""
    if run_id is None or (parent is not None and parent.run_id == run_id):
        return
    taking_part = turn.session.agents_of_run(run_id)
    if taking_part and agent not in taking_part and Role.OPERATOR not in caller.roles:
        raise Refused(
            problem(
                "forbidden",
                f"run `{run_id}` belongs to other agents",
                field="run_id",
                expected="a run of your own, or a `parent_job_id` in it",
            )
        )
