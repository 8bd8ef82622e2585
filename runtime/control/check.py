"""A policy check elsewhere: questions out over HTTP, verdicts in; anything but a whole answer in time is none.

What always holds: it is asked outside every transaction, with no lock held; all that is asked about one question has
one deadline; after three answers that failed or came late the breaker keeps it unasked for half a minute; a word that
is not understood is not an answer (told.py).
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import httpx

from govlang.runtime.control.breaker import Breaker, BreakerOpenError
from govlang.runtime.control.gates import Asked
from govlang.runtime.control.judge import Judge, Question
from govlang.runtime.control.told import refusal_of, verdict_of
from govlang.runtime.control.verdict import CheckUnavailableError, Verdict, strictest
from govlang.runtime.decision import as_json

if TYPE_CHECKING:
    from govlang.runtime.control.settings import Settings

log: Final = logging.getLogger("govlang.control")

DEPENDENCY: Final = "policy_check"
"""What the breaker calls it."""
ANSWER_MAX: Final = 1 << 20
LATE: Final = "did not answer in time"
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
        self._timeout_s = settings.policy_check_timeout_s
        self._client = httpx.AsyncClient(
            timeout=self._timeout_s,
            headers=headers,
            transport=transport,
            trust_env=False,
        )

    async def ask(self, judge: Judge, question: Question) -> Asked:
        """What it says of a question, of everybody in the chain; or why it says nothing."""
        agents = dict.fromkeys((question.agent, *question.delegation))
        try:
            # One after another: of a half-open breaker few calls are let through at once.
            async with asyncio.timeout(self._timeout_s):
                found = strictest([await self._about(judge, question, one) for one in agents])
                undo = None
                if question.undo is not None:
                    back = replace(question, request=question.undo)
                    undo = strictest([await self._about(judge, back, one) for one in agents])
        except TimeoutError:
            return Asked(unavailable=LATE)
        except CheckUnavailableError as error:
            return Asked(unavailable=error.why)
        except Exception as error:
            log.exception("the policy check could not be asked")
            return Asked(unavailable=f"could not be asked: {type(error).__name__}")
        return Asked(found, approved=question.approved, undo=undo)

    async def _about(self, judge: Judge, question: Question, agent: str) -> Verdict:
        """What it says of one of the chain; and what it says without the approval, which is what evidence tells."""
        found = await self._one(judge, question, agent)
        if not question.approved:
            return found
        before = await self._one(judge, replace(question, approved=()), agent)
        return replace(found, before=before.decision, before_rule=before.rule_id)

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
            read = verdict_of if status == httpx.codes.OK else refusal_of
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
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        asking = self._client.stream("POST", self._url, content=body, headers=headers)
        try:
            async with asking as answer:
                return await _read(answer)
        except httpx.TimeoutException:
            raise CheckUnavailableError(LATE) from None
        except httpx.HTTPError as error:
            raise CheckUnavailableError(f"cannot be reached: {type(error).__name__}") from None

    async def close(self) -> None:
        await self._client.aclose()


async def _read(answer: httpx.Response) -> tuple[int, bytes]:
    """The status and the body of an answer, of which no more is read than it may have."""
    if answer.status_code not in READ:
        raise CheckUnavailableError(f"answered with status {answer.status_code}")
    body = bytearray()
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > ANSWER_MAX:
            raise CheckUnavailableError("answered with too much")
    return answer.status_code, bytes(body)
