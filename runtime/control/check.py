"""A policy check elsewhere: questions out over HTTP, verdicts in; anything but a whole answer in time is none.

What always holds: it is asked outside every transaction, with no lock held; after three answers that failed or came
late
the breaker keeps it unasked for half a minute; a word that is not understood is not an answer.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import httpx

from govlang.native.request import legible
from govlang.runtime.control.breaker import Breaker, BreakerOpenError
from govlang.runtime.control.gates import Asked
from govlang.runtime.control.judge import Judge, Question
from govlang.runtime.control.verdict import INVALID, CheckUnavailableError, Verdict, strictest
from govlang.runtime.decision import Decision, as_json
from govlang.runtime.evidence.record import written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from govlang.runtime.control.settings import Settings
    from govlang.runtime.policy import Policy

DEPENDENCY: Final = "policy_check"
"""What the breaker calls it."""
ANSWER_MAX: Final = 1 << 20
READ: Final = (httpx.codes.OK, httpx.codes.UNPROCESSABLE_ENTITY)
"""The statuses of its answers: a decision, or that the request cannot be read."""


class RemoteCheck:
    """Asks another service (`POST /v1/policy/evaluate`)."""

    def __init__(
        self,
        settings: Settings,
        breaker: Breaker,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        token = settings.policy_check_token
        headers = {"authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        self._url = str(settings.policy_check_url)
        self._breaker = breaker
        self._client = httpx.AsyncClient(
            timeout=settings.policy_check_timeout_s,
            headers=headers,
            transport=transport,
            trust_env=False,
        )

    async def ask(self, judge: Judge, question: Question) -> Asked:
        """What it says of a question, of everybody in the chain; or why it says nothing."""
        agents = dict.fromkeys((question.agent, *question.delegation))
        try:
            found = [await self._one(judge, question, agent) for agent in agents]
        except CheckUnavailableError as error:
            return Asked(unavailable=error.why)
        return Asked(strictest(found))

    async def _one(self, judge: Judge, question: Question, agent: str) -> Verdict:
        request = dict(question.request)
        runtime = judge.runtime(question, request)
        if judge.agent_field is not None and judge.agent_field in request:
            request[judge.agent_field] = agent
        body = json.dumps(as_json({"request": request, "runtime": runtime}), default=float)
        try:
            call = self._breaker.admit(DEPENDENCY)
        except BreakerOpenError as error:
            raise CheckUnavailableError(f"is not asked: {error.message}") from None
        try:
            status, answer = await self._send(body)
            read = _read if status == httpx.codes.OK else _read_refusal
            of = "" if agent == question.agent else agent
            verdict = read(answer, runtime, of, judge.policy)
        except CheckUnavailableError:
            call.failed()
            raise
        except BaseException:
            call.abandoned()
            raise
        call.succeeded()
        return verdict

    async def _send(self, body: str) -> tuple[int, bytes]:
        try:
            answer = await self._client.post(
                self._url, content=body, headers={"content-type": "application/json"}
            )
        except httpx.TimeoutException:
            raise CheckUnavailableError("did not answer in time") from None
        except httpx.HTTPError as error:
            raise CheckUnavailableError(f"cannot be reached: {type(error).__name__}") from None
        if answer.status_code not in READ:
            raise CheckUnavailableError(f"answered with status {answer.status_code}")
        if len(answer.content) > ANSWER_MAX:
            raise CheckUnavailableError("answered with too much")
        return answer.status_code, answer.content

    async def close(self) -> None:
        await self._client.aclose()


def _read(content: bytes, runtime: Mapping[str, Any], of: str, here: Policy) -> Verdict:
    """The verdict that an answer is."""
    del here
    try:
        plain = json.loads(content)
        decision = Decision(plain["decision"])
        obligations = tuple(dict(one) for one in plain["obligations"])
        return Verdict(
            decision=decision,
            rule_id=_text(plain["rule_id"]),
            reason=_text(plain["reason"]),
            obligations=obligations,
            matched=tuple(_text(one) for one in plain["matched"]),
            policy_snapshot=_text(plain["policy_snapshot"]),
            params_hash=_text(plain["params_hash"]),
            before=decision,
            before_rule=_text(plain["rule_id"]),
            of=of,
            runtime=written(runtime),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CheckUnavailableError("gave an answer that cannot be read") from None


def _read_refusal(content: bytes, runtime: Mapping[str, Any], of: str, here: Policy) -> Verdict:
    """The verdict on a request that the check elsewhere cannot read: it is an answer, and no fault of its.

    A refusal names no policy, so the record names the one here.
    """
    try:
        plain = json.loads(content)
        if plain["code"] != INVALID:
            raise CheckUnavailableError(f"refuses to answer: `{legible(str(plain['code']), 60)}`")
        why = _text(plain["detail"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CheckUnavailableError("gave an answer that cannot be read") from None
    return Verdict(
        decision=Decision.DENY,
        rule_id=INVALID,
        reason=why,
        obligations=(),
        matched=(),
        policy_snapshot=here.snapshot,
        params_hash=here.params_hash,
        before=Decision.DENY,
        before_rule=INVALID,
        of=of,
        runtime=written(runtime),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
