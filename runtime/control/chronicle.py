"""The chronicle: what happens in a turn in, records of the ledger out, in the same transaction.

A line is what the JSONL ledger would hold (runtime/evidence): canonical JSON, each naming the hash of the one before.
What always holds: fed again in order (`committed` requests, then `steps`), the records give the policy's memory as it
was; private values stand in the ledger only as salted hashes, themselves in a table of their own, whose rows may be
deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from govlang.native.digest import digest
from govlang.runtime.control.values import compact
from govlang.runtime.evidence.ledger import GENESIS, Head, chain_line
from govlang.runtime.evidence.record import (
    Basis,
    Circumstances,
    Column,
    More,
    event_body,
    has_private,
    new_salt,
    record_body,
    salted,
)
from govlang.runtime.evidence.record import Verdict as Recorded

if TYPE_CHECKING:
    from govlang.runtime.control.job import Job
    from govlang.runtime.control.judge import Judge
    from govlang.runtime.control.turn import Turn
    from govlang.runtime.control.verdict import Verdict

Steps = Sequence[Mapping[str, Any]]

NO_STEPS: Final[Steps] = ()

JOB_HASH: Final = "job_hash"
"""The member of the details that holds the hash of a job (job.py)."""


class Chronicle:
    """Writes records; `head` is the last one, on the disk once the turn is committed."""

    def __init__(self, head: Head | None = None) -> None:
        self.head = head or Head()

    def decide(
        self,
        turn: Turn,
        event: str,
        job: Job,
        verdict: Verdict,
        *,
        committed: bool = False,
        steps: Steps = NO_STEPS,
        approver: str = "",
        shadow: bool = False,
        details: Mapping[str, Any] | None = None,
    ) -> int:
        """Record a decision about a job; its number."""
        fields = turn.judge.policy.fields
        salt = new_salt()
        private = _private(fields, job, verdict.runtime)
        more = More(
            inputs=True,
            committed=committed,
            steps=steps,
            enforcement="shadow" if shadow else None,
            details=_told(details, verdict, salt if private else None),
        )
        body = record_body(
            fields,
            job.intent.request,
            verdict.runtime,
            Recorded(
                verdict.before.value,
                verdict.before_rule,
                approval_granted=verdict.before != verdict.decision and verdict.permits,
            ),
            self._basis_of(turn.judge, verdict),
            self._circumstances(turn, event, job, approver),
            salt,
            more,
        )
        return self._add(turn, body, job, salt, private)

    def refuse(self, turn: Turn, event: str, job: Job, rule_id: str, reason: str) -> int:
        """Record that a job was denied by what is no rule of the policy."""
        policy = turn.judge.policy
        salt = new_salt()
        body = record_body(
            policy.fields,
            job.intent.request,
            {},
            Recorded("deny", rule_id, approval_granted=False),
            self._basis(turn.judge),
            self._circumstances(turn, event, job, ""),
            salt,
            More(inputs=True, details={"reason": reason}),
        )
        return self._add(turn, body, job, salt, _private(policy.fields, job, {}))

    def tell(
        self,
        turn: Turn,
        event: str,
        job: Job | None = None,
        *,
        agent: str = "",
        run_id: str = "",
        approver: str = "",
        steps: Steps = NO_STEPS,
        details: Mapping[str, Any] | None = None,
        values: Mapping[str, Any] | None = None,
        is_shown: bool = False,
    ) -> int:
        """Record what is no decision; its number.

        `values` is what it was about: `input_hash` is its hash, with `is_shown` it stands in the record as `input`.
        """
        who = (
            Circumstances(turn.now_ms, "", event, agent=agent, approver=approver)
            if job is None
            else self._circumstances(turn, event, job, approver)
        )
        body = event_body(
            who,
            self._basis(turn.judge),
            topic=job.topic if job else "",
            input_values=values,
            more=More(inputs=is_shown, steps=steps, details=details),
        )
        return self._add(turn, body, job, b"", {}, run_id)

    def _circumstances(self, turn: Turn, event: str, job: Job, approver: str) -> Circumstances:
        return Circumstances(
            turn.now_ms,
            job.job_id,
            event,
            agent=job.agent,
            approver=approver,
            delegation=job.delegation,
        )

    def _basis_of(self, judge: Judge, verdict: Verdict) -> Basis:
        """What a verdict rests on; what is proved of a policy elsewhere is not known here."""
        is_ours = verdict.policy_snapshot == judge.policy.snapshot
        proof_hash = judge.proof_hash if is_ours else ""
        return Basis(verdict.policy_snapshot, verdict.params_hash, proof_hash)

    def _basis(self, judge: Judge) -> Basis:
        return Basis(judge.policy.snapshot, judge.policy.params_hash, judge.proof_hash)

    def _add(
        self,
        turn: Turn,
        body: dict[str, Any],
        job: Job | None,
        salt: bytes,
        private: Mapping[str, Any],
        run_id: str = "",
    ) -> int:
        line, head = chain_line(body, self.head)
        turn.has_written = True
        turn.session.add_line(
            head.count, line, job.run_id if job else run_id, job.job_id if job else ""
        )
        if private:
            turn.session.add_secret(head.count, salt, compact(private))
        self.head = head
        return head.count


def _private(fields: Sequence[Column], job: Job, runtime: Mapping[str, Any]) -> dict[str, Any]:
    """The private values of a record, kept beside its salt; empty for a policy that has no private field."""
    if not has_private(fields):
        return {}
    named = {f.name for f in fields if f.private}
    request = job.intent.request
    return {
        "input": {n: v for n, v in request.items() if n in named},
        "runtime": {n: v for n, v in runtime.items() if n in named},
    }


def _told(
    details: Mapping[str, Any] | None, verdict: Verdict, salt: bytes | None
) -> Mapping[str, Any] | None:
    """What a record says beside the decision.

    The hash of a job covers its private values, so it stands there under the record's salt, as they do: bare, whoever
    guesses them could see that they are right.
    """
    if verdict.of:
        details = {**(details or {}), "as_agent": verdict.of}
    if salt is None or details is None or JOB_HASH not in details:
        return details
    return {**details, JOB_HASH: salted(salt, JOB_HASH, details[JOB_HASH])}


def head_of(tail: tuple[int, bytes] | None) -> Head:
    """The head that the last line of a ledger makes."""
    return Head(0, GENESIS) if tail is None else Head(tail[0], digest(bytes(tail[1])))
