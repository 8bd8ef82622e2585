"""The policy and the people who approve: one method a route."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from govlang.native.container import pack
from govlang.native.errors import CodedError
from govlang.runtime.control import approvals, publishing, revocation
from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.desk import Desk, answer_to
from govlang.runtime.control.gates import Asked, answer_of
from govlang.runtime.control.job import Approval, Intent, Job
from govlang.runtime.control.job_machine import JobState
from govlang.runtime.control.judge import Question
from govlang.runtime.control.submit import Refused, check_size
from govlang.runtime.control.tokens import Role
from govlang.runtime.control.values import revive
from govlang.runtime.control.verdict import INVALID, CheckUnavailableError, Verdict
from govlang.runtime.decision import as_json
from govlang.runtime.evidence.record import written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from govlang.runtime.bundle import Bundle
    from govlang.runtime.control.tokens import Caller
    from govlang.runtime.control.turn import Turn
    from govlang.runtime.decision import Outcome

LISTED_MAX: Final = 1000
PAUSE: Final = 10
"""After so many decisions of a simulation others have their turn."""
EXPLAIN_S: Final = 30
"""How long the search for what would be allowed may take, in seconds."""

Body = dict[str, Any]


class Decisions(Desk):
    """What approvers, operators and auditors do with decisions and policies."""

    # --- people ----------------------------------------------------------------------------------

    async def approve(self, caller: Caller, approval_id: str, body: Body) -> Answer:
        """Give an approval."""
        return await self.run(lambda turn: approvals.approve(turn, caller, approval_id, body))

    async def reject(self, caller: Caller, approval_id: str, body: Body) -> Answer:
        """Refuse one."""
        return await self.run(lambda turn: approvals.reject(turn, caller, approval_id, body))

    def approvals(self, caller: Caller, state: str | None) -> Answer:
        """The approvals of a state (None: all), with what they are about."""
        del caller
        found = self.rows.approvals(state, LISTED_MAX)
        return Answer(200, {"approvals": [self._listed(one) for one in found]})

    def _listed(self, one: Approval) -> Body:
        request = self.rows.request(one.job_id)
        fields = self.judge.policy.fields
        return {
            "approval_id": one.approval_id,
            "job_id": one.job_id,
            "agent": one.agent,
            "roles": list(one.roles),
            "granted": sorted(one.granted),
            "expires_ms": one.expires_ms,
            "state": one.state,
            "reason": one.reason,
            "request": as_json(revive(fields, request or {})),
            "job_hash": one.job_hash,
        }

    # --- questions -------------------------------------------------------------------------------

    async def evaluate(self, caller: Caller, body: Body, *, record: bool) -> Answer:
        """What would be decided of a request; with `record` the question stands in the ledger."""
        if not record and self.check is None and not body.get("runtime"):
            return self._evaluated(caller, body)
        question = self._question(caller, body)
        if isinstance(question, Answer):
            return question
        if record or self.check is not None:
            asked = await self.check.ask(self.judge, question) if self.check else None
            return await self.run(lambda turn: _recorded(turn, question, asked, record=record))
        try:
            verdict = self._ask(question, body)
        except CodedError as error:
            return answer_to(error)
        return _answer(verdict)

    def _evaluated(self, caller: Caller, body: Body) -> Answer:
        """The same, of nothing but the policy here: the shortest way."""
        judge = self.judge
        request = body["request"]
        agent = self._agent(caller, request)
        if isinstance(agent, Answer):
            return agent
        now_ms = body.get("now_ms") or self.office.clock()
        try:
            outcome = judge.outcome(request, agent, now_ms)
            return (
                _answer(outcome) if outcome.rule_id == INVALID else Answer(200, judge.told(outcome))
            )
        except CodedError as error:
            return answer_to(error)

    def _question(self, caller: Caller, body: Body) -> Question | Answer:
        """The question of a body."""
        request = body["request"]
        agent = self._agent(caller, request)
        if isinstance(agent, Answer):
            return agent
        if body.get("runtime") and Role.OPERATOR not in caller.roles:
            return problem(
                "forbidden", "only an operator says what the runtime knows", field="runtime"
            )
        return Question(request, agent)

    def _agent(self, caller: Caller, request: Mapping[str, Any]) -> str | Answer:
        """Whose request it is; an agent asks for itself only."""
        name = self.judge.agent_field
        named = request.get(name) if name is not None else None
        agent = named if isinstance(named, str) else caller.subject
        if agent != caller.subject and Role.OPERATOR not in caller.roles:
            return problem(
                "forbidden",
                f"the token speaks for `{caller.subject}`, the request names `{agent}`",
                field=f"request.{name}",
                expected=f"`{caller.subject}`",
            )
        return agent

    def _ask(self, question: Question, body: Body) -> Verdict:
        """The answer of the active policy now: reading it takes no turn, as the policy is one sample at a time
        itself.
        """
        now_ms = body.get("now_ms") or self.office.clock()
        judge = self.judge
        given = body.get("runtime")
        return judge.ask_with(question, given, now_ms) if given else judge.ask(question, now_ms)

    async def simulate(self, caller: Caller, body: Body) -> Answer:
        """What would be decided of many requests, each as if it were the only one."""
        decisions = []
        for number, one in enumerate(body["requests"]):
            question = self._question(caller, {**one, "runtime": None})
            if isinstance(question, Answer):
                return question
            try:
                decisions.append(self._ask(question, one).to_dict())
            except CheckUnavailableError as error:
                return answer_to(error)
            if number % PAUSE == 0:
                await asyncio.sleep(0)
        return Answer(200, {"decisions": decisions})

    async def explain(self, caller: Caller, body: Body) -> Answer:
        """A decision with what fired, and the nearest request that would be allowed, found by the solver in a child
        process.
        """
        question = self._question(caller, body)
        if isinstance(question, Answer):
            return question
        if importlib.util.find_spec("z3") is None:
            return problem("not_installed", "install `govlang[verify]` to have decisions explained")
        try:
            decided = self._ask(question, body).to_dict()
        except CheckUnavailableError as error:
            return answer_to(error)
        nearest = await _explained(self.judge.bundle, question)
        return Answer(200, {"decision": decided, "explanation": nearest})

    # --- policies --------------------------------------------------------------------------------

    def policy(self, caller: Caller) -> Answer:
        """The active policy."""
        del caller
        rows = self.rows
        body = publishing.described(self.judge, rows.get("published_ms"), rows.get("previous"))
        return Answer(200, body)

    async def publish(
        self, caller: Caller, bundle: bytes, *, allow_looser: bool, reason: str
    ) -> Answer:
        """Put another policy in place, if it adds up and is nowhere looser, or an operator says why it may be."""
        found = publishing.opened(bundle, self.office.settings)
        if isinstance(found, Answer):
            return found
        active = self.judge
        if allow_looser and not reason.strip():
            return problem("invalid_body", "`allow_looser` needs a `reason`", field="reason")
        why = None
        if not allow_looser:
            is_signed = self.office.settings.require_signature is not None
            why = await publishing.why_looser(active, found, bundle, is_signed=is_signed)
        if why is not None:
            return await self.run(lambda turn: publishing.refused(turn, found, caller.subject, why))
        told = f"allowed to be looser: {reason}" if allow_looser else reason
        return await self.run(
            lambda turn: publishing.put_in_place(
                turn, self.office.loading, bundle, active.policy.snapshot, caller.subject, told
            )
        )

    async def rollback(self, caller: Caller, reason: str) -> Answer:
        """Go back to the policy before."""
        return await self.run(
            lambda turn: publishing.roll_back(turn, self.office.loading, caller.subject, reason)
        )

    async def observe(self, caller: Caller, step: Body) -> Answer:
        """Take in an event or a signal; `at_ms` says when it happened, the policy takes it as of now."""
        happened = step.get("at_ms")
        told = {
            name: value for name, value in step.items() if value is not None and name != "at_ms"
        }
        return await self.run(lambda turn: revocation.observe(turn, caller.subject, told, happened))


def _answer(found: Verdict | Outcome) -> Answer:
    if found.rule_id != INVALID:
        return Answer(200, found.to_dict())
    named = found.reason.split("`")
    field = f"request.{named[1]}" if len(named) > 2 else "request"
    return problem("invalid_request", found.reason, field=field, rule_id=INVALID)


def _recorded(turn: Turn, question: Question, asked: Asked | None, *, record: bool) -> Answer:
    try:
        check_size(written(dict(question.request)), "request")
        verdict = answer_of(turn, question, asked)
    except CheckUnavailableError as error:
        return problem("policy_unavailable", error.message, retry_after_s=1)
    except Refused as refused:
        return refused.answer
    if record:
        turn.chronicle.decide(turn, "evaluated", _asked_job(turn, question), verdict)
    return _answer(verdict)


def _asked_job(turn: Turn, question: Question) -> Job:
    """What stands for a job where there is only a question."""
    topic = question.request.get("topic")
    return Job(
        job_id="",
        run_id="",
        step="",
        attempt=0,
        agent=question.agent,
        topic=topic if isinstance(topic, str) else "",
        intent=Intent(written(dict(question.request)), None, ""),
        job_hash="",
        state=JobState.PENDING,
        created_ms=turn.now_ms,
        updated_ms=turn.now_ms,
    )


async def _explained(bundle: Bundle, question: Question) -> Any:
    """What `gov explain --format json` says of a request; None where it finds nothing in time."""
    request = as_json(dict(question.request))
    with tempfile.TemporaryDirectory(prefix="gov-explain-") as folder:
        path = Path(folder) / "active.govb"
        path.write_bytes(pack(dict(bundle.parts)))
        command = ("-m", "govlang.cli", "explain", str(path), "--input", "-", "--format", "json")
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            out, _ = await asyncio.wait_for(
                child.communicate(json.dumps(request).encode()), EXPLAIN_S
            )
            return json.loads(out)
        except (TimeoutError, ValueError):
            if child.returncode is None:
                child.kill()
                await child.wait()
            return None
