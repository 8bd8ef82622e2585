"""What operators and auditors do, and whether all is well: one method a route."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from govlang.native.errors import CodedError
from govlang.runtime.control.answer import Answer, answer_lines, problem
from govlang.runtime.control.breaker import Breaker
from govlang.runtime.control.check import DEPENDENCY
from govlang.runtime.control.desk import Desk
from govlang.runtime.control.revocation import revoke
from govlang.runtime.control.sight import not_found
from govlang.runtime.control.tokens import (
    Caller,
    Role,
    StoredToken,
    hash_secret,
    named_pools,
    new_token,
    read_pools,
    token_text,
)

if TYPE_CHECKING:
    from govlang.runtime.control.archive import Archive
    from govlang.runtime.control.store import Session
    from govlang.runtime.control.turn import Turn

RECORDS_MAX: Final = 1000
FORCED: Final = "forced"

Body = dict[str, Any]


class Operations(Desk):
    """Agents, breakers, tokens, evidence, health."""

    archive: Archive
    breaker: Breaker

    async def suspend(self, caller: Caller, agent: str, reason: str) -> Answer:
        """Deny an agent everything from now on, and cancel what is in flight for it."""

        def act(turn: Turn) -> Answer:
            turn.has_written = True
            turn.session.suspend(agent, reason, turn.now_ms)
            turn.suspended[agent] = reason
            turn.chronicle.tell(
                turn,
                "agent_suspended",
                agent=agent,
                approver=caller.subject,
                details={"reason": reason},
            )
            why = f"`{agent}` was suspended: {reason}"
            revoke(turn, {one.job_id: why for one in turn.flights.of((agent,))})
            if turn.cancelled:
                turn.metrics.revocation_detected("operator", 0)
            return Answer(
                200, {"agent": agent, "suspended": True, "cancelled": list(turn.cancelled)}
            )

        return await self.run(act)

    async def reinstate(self, caller: Caller, agent: str, reason: str) -> Answer:
        """Let the policy decide about an agent again."""

        def act(turn: Turn) -> Answer:
            turn.has_written = True
            turn.session.reinstate(agent)
            turn.suspended.pop(agent, None)
            details = {"reason": reason}
            turn.chronicle.tell(
                turn, "agent_reinstated", agent=agent, approver=caller.subject, details=details
            )
            return Answer(200, {"agent": agent, "suspended": False, "cancelled": []})

        return await self.run(act)

    async def force_open(self, caller: Caller, dependency: str, reason: str) -> Answer:
        """Hold a breaker open."""
        return await self._move(caller, dependency, reason, is_forced=True)

    async def release(self, caller: Caller, dependency: str, reason: str) -> Answer:
        """Let a breaker go."""
        return await self._move(caller, dependency, reason, is_forced=False)

    async def _move(
        self, caller: Caller, dependency: str, reason: str, *, is_forced: bool
    ) -> Answer:
        if dependency != DEPENDENCY:  # else whoever mistyped it believed that it is held open
            why = f"this service calls nothing by the name `{dependency}`"
            return problem("not_found", why, field="dependency", expected=f"`{DEPENDENCY}`")
        try:
            self.breaker.make_room(dependency)
        except CodedError as error:
            return problem("invalid_body", error.message, field="dependency", expected=error.help)
        event = "breaker_forced" if is_forced else "breaker_released"

        def act(turn: Turn) -> Answer:
            held = forced(turn.session)
            before = "forced" if dependency in held else self.breaker.state(dependency)
            state = "forced" if is_forced else "open" if before == "forced" else before
            details = {"dependency": dependency, "reason": reason, "state": state}
            turn.chronicle.tell(turn, event, approver=caller.subject, details=details)
            others = [one for one in held if one != dependency]
            kept = [*others, dependency] if is_forced else others
            turn.session.set(FORCED, json.dumps(kept))
            return Answer(200, {"dependency": dependency, "state": state})

        answer = await self.run(act)
        if (
            answer.status == 200
        ):  # INVARIANT: it moves once that is on the disk, and never otherwise
            (self.breaker.force_open if is_forced else self.breaker.release)(dependency)
            self.office.metrics.breaker(dependency, self.breaker.state(dependency))
        return answer

    # --- tokens ----------------------------------------------------------------------------------

    async def create_token(self, caller: Caller, body: Body) -> Answer:
        """A new token; its text is told this once."""
        made = await self.run(lambda turn: create_token(turn, caller.subject, body))
        return self._known(made)

    async def revoke_token(self, caller: Caller, token_id: str) -> Answer:
        """Whoever shows the token from now on is nobody."""
        return self._known(
            await self.run(lambda turn: revoke_token(turn, token_id, caller.subject))
        )

    def _known(self, answer: Answer) -> Answer:
        """Have the book of tokens hold what was stored."""
        if isinstance(answer.body, dict) and answer.status < 300:
            stored = self.rows.token(answer.body["id"])
            if stored is not None:
                self.book.put(stored)
        return answer

    def tokens(self, caller: Caller) -> Answer:
        """Every token, without its secret."""
        del caller
        return Answer(200, {"tokens": [_token(one) for one in self.rows.tokens()]})

    # --- evidence --------------------------------------------------------------------------------

    def checkpoint(self, caller: Caller) -> Answer:
        """The newest checkpoint, a signed note."""
        del caller
        note = self.archive.checkpoint()
        if note is None:
            return problem(
                "not_found",
                "there is no checkpoint yet",
                expected="a ledger that was signed once (`GOV_CHECKPOINT_S`)",
            )
        return Answer(200, note.decode())

    def records(self, caller: Caller, first: int, last: int | None) -> Answer:
        """Records as they stand in the ledger."""
        del caller
        top = min(last or first + RECORDS_MAX - 1, first + RECORDS_MAX - 1)
        return answer_lines({}, "records", self.rows.lines(first, top))

    def proof(self, caller: Caller, query: Mapping[str, int]) -> Answer:
        """That a record is in a tree of the ledger, or that one tree is the beginning of another."""
        del caller
        try:
            return Answer(200, self.archive.proof(query))
        except CodedError as error:
            return problem("invalid_body", error.message, field="seq", expected=error.help)

    # --- health ----------------------------------------------------------------------------------

    def health(self) -> Answer:
        """The process answers."""
        return Answer(200, {"status": "ok"})

    def ready(self) -> Answer:
        """The policy is loaded, the last commit reached the disk, nothing is stopping."""
        late = self.office.head_error
        if late is not None or not self.writer.is_alive:
            why = late or str(self.writer.last_error or "the service is stopping")
            return problem("not_ready", why)
        return Answer(200, {"status": "ready", "policy": self.judge.policy.snapshot})


def forced(session: Session) -> list[str]:
    """The dependencies whose breakers were forced open: they are so after a restart, too."""
    found: list[str] = json.loads(session.get(FORCED) or "[]")
    return found


def create_token(turn: Turn, by: str, body: Body) -> Answer:
    """Store a new token; the answer holds its text, which is kept nowhere."""
    parsed = new_token()
    stored = StoredToken(
        id=parsed.token_id,
        secret_hash=hash_secret(parsed.secret),
        roles=frozenset(Role(role) for role in body["roles"]),
        agent=body.get("agent"),
        approves=frozenset(body.get("approves") or ()),
        pools=read_pools(body.get("pools")),
        created_ms=turn.now_ms,
        expires_ms=turn.now_ms + int(body["ttl_s"]) * 1000,
        events=frozenset(body.get("events") or ()),
    )
    turn.has_written = True
    turn.session.put_token(stored)
    shown = _token(stored)
    turn.chronicle.tell(turn, "token_created", approver=by, details=shown)
    return Answer(
        201,
        {"token": token_text(parsed), "id": stored.id, "expires_ms": stored.expires_ms},
    )


def revoke_token(turn: Turn, token_id: str, by: str) -> Answer:
    """Make a token worthless."""
    token = turn.session.token(token_id)
    if token is None:
        return not_found("token", token_id)
    gone = replace(token, revoked_ms=token.revoked_ms or turn.now_ms)
    turn.has_written = True
    turn.session.put_token(gone)
    turn.chronicle.tell(turn, "token_revoked", approver=by, details={"id": token_id})
    return Answer(200, _token(gone))


def _token(one: StoredToken) -> Body:
    return {
        "id": one.id,
        "roles": sorted(str(role) for role in one.roles),
        "agent": one.agent,
        "approves": None if one.approves is None else sorted(one.approves),
        "pools": named_pools(one.pools),
        "created_ms": one.created_ms,
        "expires_ms": one.expires_ms,
        "revoked_ms": one.revoked_ms,
        "events": sorted(one.events),
    }
