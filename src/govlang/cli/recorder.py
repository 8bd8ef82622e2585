"""Puts decisions on the record: outcomes in, ledger records out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from govlang.runtime.decision import Outcome
from govlang.runtime.evidence.ledger import Ledger
from govlang.runtime.evidence.record import (
    APPROVED,
    Basis,
    Circumstances,
    More,
    Verdict,
    has_private,
    new_salt,
    record_body,
)
from govlang.runtime.policy import Policy


class Recorder:
    """A ledger open for the decisions of one policy; a context manager."""

    def __init__(
        self, place: Path, policy: Policy, proof_hash: str, job: str, agent: str, approver: str
    ) -> None:
        self._ledger = Ledger(place)
        self._policy = policy
        self._proof_hash = proof_hash
        self._who = (job, agent, approver)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ledger.close()

    def unapproved(
        self, request: Mapping[str, Any], runtime: Mapping[str, Any], now_ms: int
    ) -> Outcome | None:
        """What a request would be answered without its approvals, None if it has none.

        Asked before the request is committed, so that it is about the same state.
        """
        if not runtime.get(APPROVED):
            return None
        bare = {**runtime, APPROVED: []}
        outcome: Outcome = self._policy.decide(dict(request), now_ms=now_ms, runtime=bare)
        return outcome

    def record(
        self,
        outcome: Outcome,
        unapproved: Outcome | None,
        request: Mapping[str, Any],
        runtime: Mapping[str, Any],
        now_ms: int,
    ) -> None:
        """Append the record of one decision; it is on disk when this returns."""
        policy = self._policy
        job, agent, approver = self._who
        salt = new_salt()
        body = record_body(
            policy.fields,
            request,
            runtime,
            _verdict(outcome, unapproved),
            Basis(policy.snapshot, policy.params_hash, self._proof_hash),
            Circumstances(now_ms, job, agent=agent, approver=approver),
            salt,
            More(inputs=True, committed=True),
        )
        self._ledger.append(body, salt if has_private(policy.fields) else None)


def _verdict(outcome: Outcome, unapproved: Outcome | None) -> Verdict:
    """The decision before approvals count, and whether they changed it."""
    before = outcome if unapproved is None else unapproved
    granted = before.decision.value == "require_human" and before.decision != outcome.decision
    return Verdict(before.decision.value, before.rule_id, approval_granted=granted)
