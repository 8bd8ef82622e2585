"""Jobs, from the request to the result: one method a route."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from govlang.runtime.control import asked, cancel, dispatch, results, submit
from govlang.runtime.control.answer import Answer, answer_lines, problem
from govlang.runtime.control.approvals import approved_roles
from govlang.runtime.control.desk import Desk, answer_to
from govlang.runtime.control.gates import Asked, question_of
from govlang.runtime.control.job import NEXT, Job
from govlang.runtime.control.retiring import absent, forgotten
from govlang.runtime.control.revocation import watch_end
from govlang.runtime.control.sight import not_found, sees
from govlang.runtime.control.store import KeptAnswer, Letter
from govlang.runtime.control.tokens import DEV, Role, Unknown
from govlang.runtime.control.turn import suspension
from govlang.runtime.control.values import compact, fingerprint, revive
from govlang.runtime.control.verdict import CheckUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from govlang.runtime.control.judge import Question
    from govlang.runtime.control.tokens import Caller
    from govlang.runtime.control.turn import Turn

log: Final = logging.getLogger("govlang.control")

PHASE_MAX: Final = 16_384
"""The longest evidence of a phase, in bytes of JSON: a record holds it whole."""

LISTED_MAX: Final = 1000
"""So many letters, or records of a run, are listed at once."""

Body = dict[str, Any]


class Jobs(Desk):
    """What agents and workers do."""

    async def submit(self, caller: Caller, body: Body, key: str) -> Answer:
        """Ask whether a job may be done, and store it if it may."""
        asked = None
        if self.check is not None:
            found = await self.run(lambda turn: submit.question(turn, caller, body, key))
            if isinstance(found, Answer):
                return found
            asked = found if isinstance(found, Asked) else await self.check.ask(self.judge, found)
            ended = self.ended(caller)
            if ended is not None:
                return ended
        return await self.run(submit.Submission(caller, body, key, asked))

    async def cancel(self, caller: Caller, job_id: str, reason: str) -> Answer:
        """End a job before it is done."""

        def act(turn: Turn) -> Answer:
            job = turn.session.job(job_id)
            if job is None:
                return absent(turn.session, caller, "job", job_id, turn.settings.retention_days)
            if not (caller.subject == job.agent or Role.OPERATOR in caller.roles):
                return not_found("job", job_id)
            with watch_end(turn, job):
                found = cancel.cancel(turn, caller, job, reason)
            return found if isinstance(found, Answer) else Answer(200, told(found))

        return await self.run(act)

    async def phase(self, caller: Caller, run_id: str, body: Body) -> Answer:
        """Record that a run enters a phase, with the evidence and the justification that its agent gives."""

        def act(turn: Turn) -> Answer:
            agents = turn.session.agents_of_run(run_id)
            if not (caller.subject in agents or (agents and Role.OPERATOR in caller.roles)):
                return not_found("run", run_id)
            if len(compact(body).encode()) > PHASE_MAX:
                return problem(
                    "invalid_body",
                    "the evidence is too long",
                    field="evidence",
                    expected=f"at most {PHASE_MAX} bytes; name large evidence by its hash",
                )
            details = {"phase": body["phase"], "justification": body["justification"]}
            seq = turn.chronicle.tell(
                turn,
                "phase",
                agent=caller.subject,
                run_id=run_id,
                details={**details, "run_id": run_id},
                values=body.get("evidence") or {},
                is_shown=True,
            )
            return Answer(201, {"seq": seq})

        return await self.run(act)

    async def retry(self, caller: Caller, job_id: str) -> Answer:
        """Submit a dead letter once more, as the next attempt of its step, through the gate."""
        asked = None
        if self.check is not None:
            found = await self.run(lambda turn: _retried(turn, caller, job_id))
            if isinstance(found, Answer):
                return found
            asked = await self.check.ask(self.judge, found) if found else None
        ended = self.ended(caller)
        if ended is not None:
            return ended
        return await self.run(lambda turn: _retry(turn, caller, job_id, asked))

    # --- workers ---------------------------------------------------------------------------------

    async def lease(self, caller: Caller, pool: str, body: Body) -> Answer:
        """Hand jobs to a worker; waits up to `wait_s` for the first."""
        barred = _barred(caller, pool)
        if barred is not None:
            return barred
        deadline = asyncio.get_running_loop().time() + body.get("wait_s", 0)
        while True:
            answer = await self._leased(caller, pool, body)
            left_s = deadline - asyncio.get_running_loop().time()
            if not isinstance(answer.body, dict) or answer.body.get("jobs") or answer.status != 200:
                return answer
            if left_s <= 0 or not await self._wait(pool, left_s):
                return answer
            ended = self.ended(caller)
            if ended is not None:
                return ended

    async def _leased(self, caller: Caller, pool: str, body: Body) -> Answer:
        """What there is now; a job at which the gate fails is put off, and the others go on without it."""
        asked = await self._ask_about(pool, body)
        if isinstance(asked, Answer):
            return asked
        failed: set[str] = set()

        def act(turn: Turn) -> Answer:
            barred = _ended_token(turn, caller) or suspension(turn, caller)
            return barred or dispatch.lease(turn, caller, pool, body, asked, failed)

        while True:
            try:
                return await self.carry_out(act)
            except dispatch.JobError as error:
                log.exception("the gate failed at a job")
                failed.add(error.job_id)
                await self._put_off(error.job_id, error.why)
            except Exception as error:  # noqa: BLE001  # as `run`
                return answer_to(error)

    async def _put_off(self, job_id: str, why: str) -> None:
        try:
            await self.carry_out(lambda turn: dispatch.put_off(turn, job_id, why))
        except Exception:
            log.exception("a job at which the gate failed could not be put off")

    async def _wait(self, pool: str, left_s: float) -> bool:
        """Until there may be work: somebody says so, or a job that was put off is due; False: nobody waits any more."""
        nap_s = min(left_s, NAP_S)
        woken = await self.bus.wait(pool, nap_s)
        return not self.bus.is_closed and (woken or left_s > nap_s)

    async def _ask_about(self, pool: str, body: Body) -> Mapping[str, Asked] | Answer | None:
        """What the check elsewhere says of the jobs that wait; None where the table here is asked."""
        if self.check is None:
            return None
        found = await self.run(lambda turn: _questions(turn, pool, body))
        if isinstance(found, Answer):
            return found
        check = self.check

        async def said(about: Question | Asked) -> Asked:
            return about if isinstance(about, Asked) else await check.ask(self.judge, about)

        answers = await asyncio.gather(*(said(one) for one in found.values()))
        return dict(zip(found, answers, strict=True))

    async def heartbeat(self, caller: Caller, lease_id: str, body: Body) -> Answer:
        """Hear that a worker lives, or begins."""
        return await self.run(lambda turn: results.heartbeat(turn, caller, lease_id, body))

    async def result(self, caller: Caller, lease_id: str, body: Body) -> Answer:
        """Hear what came of a job."""
        return await self.run(lambda turn: results.result(turn, caller, lease_id, body))

    # --- reading ---------------------------------------------------------------------------------

    def job(self, caller: Caller, job_id: str) -> Answer:
        """A job, for its agent, an auditor or an operator."""
        found = self.rows.job(job_id)
        if found is None:
            return absent(self.rows, caller, "job", job_id, self.office.settings.retention_days)
        if not sees(caller, {found.agent, *found.delegation}):
            return not_found("job", job_id)
        return Answer(200, told(found))

    def timeline(self, caller: Caller, run_id: str, first: int = 1) -> Answer:
        """What happened in a run, in order, from record `first` on; `next` is where the rest begins, None: nowhere."""
        if not sees(caller, frozenset(self.rows.agents_of_run(run_id))):
            return not_found("run", run_id)
        lines = self.rows.lines_of_run(run_id, LISTED_MAX + 1, first)
        if not lines and first == 1:
            return not_found("run", run_id)
        rest = json.loads(lines[LISTED_MAX])["seq"] if len(lines) > LISTED_MAX else None
        return answer_lines({"run_id": run_id, "next": rest}, "records", lines[:LISTED_MAX])

    def letters(self, caller: Caller, after: str | None = None) -> Answer:
        """The dead letters that nobody has retried; a page of them, `more` leads to the next."""
        del caller
        found = self.rows.letters(LISTED_MAX + 1, asked.place_of(after))
        page = found[:LISTED_MAX]
        more = asked.after(page[-1].at_ms, page[-1].job_id) if len(found) > len(page) else None
        return Answer(200, {"letters": [_letter(one) for one in page], "more": more})


NAP_S: Final = 1.0
"""How long a waiting lease sleeps before it looks for jobs that have become due."""


def _barred(caller: Caller, pool: str) -> Answer | None:
    """The refusal of a worker whose token does not name the pool."""
    if caller.pools is None or pool in caller.pools:
        return None
    others = "is for other pools than" if caller.pools else "names no pool, and so not"
    return problem(
        "forbidden",
        f"the token {others} `{pool}`",
        field="pool",
        expected="a token that names the pool, or `*` (`gov token create --role worker --pool`)",
    )


def told(job: Job) -> Body:
    """A job as `GET /v1/jobs/{id}` tells it."""
    output = job.output.get("output") if isinstance(job.output, dict) else None
    return {
        "job_id": job.job_id,
        "run_id": job.run_id,
        "step": job.step,
        "attempt": job.attempt,
        "state": job.state.value,
        "agent": job.agent,
        "pool": job.intent.pool,
        "topic": job.topic,
        "created_ms": job.created_ms,
        "updated_ms": job.updated_ms,
        "delegation": list(job.delegation),
        "parent_job_id": job.parent_job_id,
        "approval_id": job.approval_id,
        "tries": job.tries,
        "due_ms": job.due_ms,
        "decision": job.decision,
        "reason": job.reason,
        "output": output,
    }


def _ended_token(turn: Turn, caller: Caller) -> Answer | None:
    """The refusal of a worker whose token has ended since it began to wait, which may be half a minute ago."""
    token = turn.session.token(caller.token_id)
    if token is None or (token.revoked_ms is None and turn.now_ms < token.expires_ms):
        return None
    why = Unknown.EXPIRED if token.revoked_ms is None else Unknown.REVOKED
    return problem("unauthenticated", why.value, field="Authorization")


def _letter(one: Letter) -> Body:
    return {"job_id": one.job_id, "state": one.state, "reason": one.reason, "at_ms": one.at_ms}


def _questions(turn: Turn, pool: str, body: Body) -> dict[str, Question | Asked]:
    """What is to be asked about the jobs that wait, by what names each as it is now; or why nothing can be."""
    actions = frozenset(body.get("actions", ()))
    return {
        dispatch.asked_key(turn, job): _asking(turn, job)
        for job in turn.session.waiting(pool, turn.now_ms, 2 * body["max"], actions)
        if job.undo_of is None
    }


def _asking(turn: Turn, job: Job) -> Question | Asked:
    try:
        return question_of(turn, job, approved_roles(turn, job))
    except CheckUnavailableError as error:
        return Asked(unavailable=error.why)


def _retried(turn: Turn, caller: Caller, job_id: str) -> Question | Answer | None:
    """What a check elsewhere is to be asked before a dead letter is retried; None: nothing."""
    job = turn.session.job(job_id)
    if job is None:
        return absent(turn.session, caller, "dead letter", job_id, turn.settings.retention_days)
    if job.is_forgotten:
        return forgotten(job_id)
    if job.undo_of is not None:
        return None
    undo = job.intent.undo
    fields = turn.judge.policy.fields
    back = None if undo is None else revive(fields, undo["request"])
    return replace(question_of(turn, _anew(turn, caller, job)), undo=back)


def _anew(turn: Turn, caller: Caller, job: Job) -> Job:
    """The next attempt of a job; whoever retries it has asked for it, too."""
    callers = job.caller.split(NEXT)
    if caller.token_id != DEV.token_id and caller.subject not in callers:
        callers.append(caller.subject)
    attempt = 1 + turn.session.attempts(job.run_id, job.step)
    return Job(
        job_id=f"{job.run_id}:{job.step}@{attempt}",
        run_id=job.run_id,
        step=job.step,
        attempt=attempt,
        agent=job.agent,
        topic=job.topic,
        intent=job.intent,
        job_hash=job.job_hash,
        state=submit.PENDING,
        created_ms=turn.now_ms,
        updated_ms=turn.now_ms,
        caller=NEXT.join(callers),
        parent_job_id=job.parent_job_id,
        delegation=job.delegation,
        due_ms=turn.now_ms,
        undo_of=job.undo_of,
    )


def _retry(turn: Turn, caller: Caller, job_id: str, asked: Asked | None = None) -> Answer:
    letter, job = turn.session.letter(job_id), turn.session.job(job_id)
    if letter is None or job is None:
        return absent(turn.session, caller, "dead letter", job_id, turn.settings.retention_days)
    key = f"dlq {job_id}"
    earlier = turn.session.answer(RETRIES, key)
    if earlier is not None and earlier.body_hash:
        return Answer(earlier.status, earlier.body)
    if letter.retried_as is not None:
        return problem(
            "conflict",
            f"it was retried as `{letter.retried_as}`",
            field="job_id",
            expected="a letter that nobody has retried",
            job_id=job_id,
        )
    if job.is_forgotten:
        return forgotten(job_id)
    anew = _anew(turn, caller, job)
    answer = (
        submit.admit(turn, anew, asked) if anew.undo_of is None else submit.admit_undo(turn, anew)
    )
    if answer.status == 202:
        turn.chronicle.tell(
            turn, "retried", job, approver=caller.subject, details={"as": anew.job_id}
        )
        turn.session.put_letter(
            Letter(job_id, letter.state, letter.reason, letter.at_ms, anew.job_id)
        )
        kept = KeptAnswer(fingerprint(key), 202, answer.body)  # type: ignore[arg-type]
        turn.session.put_answer(RETRIES, key, kept, turn.now_ms)
    return answer


RETRIES: Final = "\x00dlq"
"""The caller under which answers to retries are kept; no token is called so."""
