"""The policy and the people who approve: one method a route."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from govlang.native.container import pack
from govlang.native.errors import CodedError
from govlang.runtime.bundle import read_bundle
from govlang.runtime.control import approvals, asked, publishing, revocation
from govlang.runtime.control.active import params_of
from govlang.runtime.control.answer import Answer, for_another, problem
from govlang.runtime.control.children import BusyError, gov
from govlang.runtime.control.desk import Desk, answer_to
from govlang.runtime.control.gates import Asked, answer_of
from govlang.runtime.control.intake import Refused, check_size
from govlang.runtime.control.job import Intent, Job
from govlang.runtime.control.job_machine import JobState
from govlang.runtime.control.judge import Question
from govlang.runtime.control.sight import not_found
from govlang.runtime.control.tokens import Role
from govlang.runtime.control.verdict import INVALID, CheckUnavailableError, Verdict
from govlang.runtime.decision import as_json
from govlang.runtime.evidence.record import written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from govlang.runtime.bundle import Bundle
    from govlang.runtime.control.judge import Judge
    from govlang.runtime.control.tokens import Caller
    from govlang.runtime.control.turn import Turn

PAUSE: Final = 10
"""After so many decisions of a simulation others have their turn."""
EXPLAIN_S: Final = 30
"""How long the search for what would be allowed may take, in seconds."""

Body = dict[str, Any]


def _unheard(bundle: Bundle) -> None:
    del bundle


class Decisions(Desk):
    """What approvers, operators and auditors do with decisions and policies."""

    # --- people ----------------------------------------------------------------------------------

    async def approve(self, caller: Caller, approval_id: str, body: Body) -> Answer:
        """Give an approval."""
        return await self.run(lambda turn: approvals.approve(turn, caller, approval_id, body))

    async def reject(self, caller: Caller, approval_id: str, body: Body) -> Answer:
        """Refuse one."""

        def act(turn: Turn) -> Answer:
            about = turn.session.approval(approval_id)
            with revocation.watch_end(turn, about) if about else nullcontext():
                return approvals.reject(turn, caller, approval_id, body)

        return await self.run(act)

    def approvals(self, caller: Caller, state: str | None, after: str | None = None) -> Answer:
        """The approvals of a state (None: all), with what they are about; a page of them, `more` leads to the next."""
        del caller
        rows, fields = self.rows, self.judge.policy.fields
        found = rows.approvals(state, asked.LISTED_MAX + 1, asked.place_of(after))
        page = found[: asked.LISTED_MAX]
        rest = len(found) > len(page)
        return Answer(
            200,
            {
                "approvals": [asked.shown(rows, fields, one, asked.SHOWN_MAX) for one in page],
                "more": asked.after(page[-1].created_ms, page[-1].approval_id) if rest else None,
            },
        )

    def approval(self, caller: Caller, approval_id: str) -> Answer:
        """An approval with all that its job's hash covers."""
        del caller
        rows = self.rows
        found = rows.approval(approval_id)
        if found is None:
            return not_found("approval", approval_id)
        return Answer(200, asked.shown(rows, self.judge.policy.fields, found))

    # --- questions -------------------------------------------------------------------------------

    async def evaluate(self, caller: Caller, body: Body, *, record: bool) -> Answer:
        """What would be decided of a request; with `record` the question stands in the ledger."""
        if not record and self.check is None and not body.get("runtime"):
            return self._evaluated(caller, body)
        question = self._question(caller, body)
        if isinstance(question, Answer):
            return question
        if record or self.check is not None:
            said = await self.check.ask(self.judge, question) if self.check else None
            return await self.run(lambda turn: _recorded(turn, question, said, record=record))
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
            if outcome.rule_id == INVALID:
                return _answer(judge.ask(Question(request, agent), now_ms))
            return Answer(200, judge.told(outcome))
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
                "forbidden",
                "only an operator says what the runtime knows",
                field="runtime",
                expected="left out, but by the role operator",
            )
        return Question(request, agent)

    def _agent(self, caller: Caller, request: Mapping[str, Any]) -> str | Answer:
        """Whose request it is; an agent asks for itself only."""
        name = self.judge.agent_field
        named = request.get(name) if name is not None else None
        agent = named if isinstance(named, str) else caller.subject
        if agent != caller.subject and Role.OPERATOR not in caller.roles:
            return for_another(caller.subject, str(name), agent)
        return agent

    def _ask(self, question: Question, body: Body) -> Verdict:
        """The answer of the active policy now; it takes no turn, as the policy takes one sample at a time itself."""
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
        try:
            with self.children.place():
                nearest = await _explained(self.judge.bundle, question)
        except BusyError as error:
            return answer_to(error)
        return Answer(200, {"decision": decided, "explanation": nearest})

    # --- policies --------------------------------------------------------------------------------

    def policy(self, caller: Caller) -> Answer:
        """The active policy."""
        del caller
        rows = self.rows
        body = publishing.described(self.judge, rows.get("published_ms"), rows.get("previous"))
        return Answer(200, body)

    async def publish(
        self,
        caller: Caller,
        bundle: bytes,
        *,
        allow_looser: bool,
        reason: str,
        params: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Put another policy in place, if it adds up and is nowhere looser, or an operator says why it may be.

        `params` are set anew, the others are kept.
        """
        weighed = await self.weigh(bundle, allow_looser=allow_looser, reason=reason, params=params)
        return self.ended(caller) or await self.put_in_place(caller.subject, weighed)

    async def weigh(
        self,
        bundle: bytes,
        *,
        allow_looser: bool,
        reason: str,
        params: Mapping[str, Any] | None = None,
        is_back: bool = False,
        comparing: Callable[[Bundle], None] = _unheard,
    ) -> publishing.Weighed | Answer:
        """Hold a bundle against the active policy; changes nothing, and can be done before `start`.

        `comparing` hears of it before a proof is searched for, which takes seconds.
        """
        found = publishing.opened(bundle, self.office.settings)
        if isinstance(found, Answer):
            return found
        active = self.judge
        other = publishing.unlike(active, found.manifest.policy)
        if other is not None:
            return other
        if allow_looser and not reason.strip():
            return problem(
                "invalid_body",
                "`allow_looser` needs a `reason`",
                field="reason",
                expected="why the policy may be looser, in a line",
            )
        offer = publishing.Offer(bundle, params or {})
        try:
            why = None if allow_looser else await self._why_looser(active, found, offer, comparing)
        except BusyError as error:
            return answer_to(error)
        except CodedError as error:
            return problem("bad_bundle", error.message, field="body", expected=error.help)
        told = f"allowed to be looser: {reason}" if allow_looser else reason
        told = f"rolled back: {told}" if is_back else told
        return publishing.Weighed(offer, found, active, told, why, is_back)

    def unfit(self, weighed: publishing.Weighed) -> Answer | None:
        """Why what was weighed cannot be served here at all; None: it can."""
        office = self.office
        kept = params_of(self.rows)
        found = publishing.fit(weighed.offer, office.loading, kept, office.settings, self.judge)
        return found if isinstance(found, Answer) else None

    async def put_in_place(self, by: str, weighed: publishing.Weighed | Answer) -> Answer:
        """Publish what was weighed, or say why not."""
        if isinstance(weighed, Answer):
            return weighed
        act, loading = publishing.put_in_place, self.office.loading
        return await self.run(lambda turn: act(turn, loading, weighed, by))

    async def _why_looser(
        self,
        active: Judge,
        found: Bundle,
        offer: publishing.Offer,
        comparing: Callable[[Bundle], None],
    ) -> publishing.Looser | None:
        if self._sets_anew(offer):
            return publishing.UNPROVED
        if found.snapshot != active.policy.snapshot:
            comparing(found)
        is_signed = self.office.settings.require_signature is not None
        return await publishing.why_looser(
            active, found, offer.raw, self.children, is_signed=is_signed
        )

    def _sets_anew(self, offer: publishing.Offer) -> bool:
        return offer.sets_anew(self.office.loading, params_of(self.rows))

    def differs(self, bundle: bytes | None, params: Mapping[str, Any]) -> bool:
        """Whether a bundle (None: the active one), in its meaning or its signature, or parameters are not active.

        Raises:
            CodedError: one of them does not add up.
        """
        active = self.judge
        if bundle is not None:
            found = read_bundle(bundle)
            parts = (found.parts.get("signature"), active.bundle.parts.get("signature"))
            if found.snapshot != active.policy.snapshot or parts[0] != parts[1]:
                return True
        return self._sets_anew(publishing.Offer(self.active_bundle(), params))

    def active_bundle(self) -> bytes:
        """The bytes of the active policy's bundle."""
        return pack(dict(self.judge.bundle.parts))

    async def rollback(self, caller: Caller, reason: str, *, allow_looser: bool = False) -> Answer:
        """Go back to the policy before, along those that were published; to a looser one only if that is allowed."""
        raw = publishing.bundle_before(self.rows)
        if isinstance(raw, Answer):
            return raw
        weighed = await self.weigh(raw, allow_looser=allow_looser, reason=reason, is_back=True)
        return self.ended(caller) or await self.put_in_place(caller.subject, weighed)

    async def observe(self, caller: Caller, step: Body) -> Answer:
        """Take in an event or a signal; `at_ms` says when it happened, the policy takes it as of now."""
        happened = step.get("at_ms")
        told = {
            name: value for name, value in step.items() if value is not None and name != "at_ms"
        }
        return await self.run(lambda turn: revocation.observe(turn, caller, told, happened))


def _answer(found: Verdict) -> Answer:
    if not found.is_invalid:
        return Answer(200, found.to_dict())
    field, expected = found.fault
    return problem(
        "invalid_request", found.why_unread, field=field, expected=expected, rule_id=INVALID
    )


def _recorded(turn: Turn, question: Question, said: Asked | None, *, record: bool) -> Answer:
    try:
        check_size(written(dict(question.request)), "request")
        verdict = answer_of(turn, question, said)
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
        words = ("explain", str(path), "--input", "-", "--format", "json")
        ended = await gov(words, EXPLAIN_S, json.dumps(request).encode())
    try:
        return None if ended is None else json.loads(ended.printed)
    except ValueError:
        return None
