"""Asking another policy: cases in, rulings out; and what that policy remembers, fed as the ledger says.

What always holds: a case is asked as the gates ask (judge.py): without its approvals, and of everybody who handed the
job on, of whom the strictest answer counts; what was committed then is committed now, and steps come with their own
times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from govlang.native.errors import TableError
from govlang.native.request import APPROVED
from govlang.runtime.control.judge import RESERVED, agent_field, revived_step
from govlang.runtime.control.replay.case import Case, Ruling
from govlang.runtime.control.values import revive
from govlang.runtime.decision import DECISIONS, Outcome
from govlang.runtime.policy import Policy


class Answered(NamedTuple):
    """A ruling, and the reason that the policy gives; None where nobody has asked for it."""

    ruling: Ruling
    reason: str | None


class Asker:
    """A policy that is asked anew, one case after another."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._hosted = [one.name for one in policy.fields if one.origin == "runtime"]
        self._agent_field = agent_field(policy)
        self._samples = (
            {} if policy.memory is None else {one.name: one for one in policy.memory.samples}
        )

    def ask(self, case: Case) -> Answered:
        """What the policy says of a case before approvals count; writes nothing."""
        found = [self._asked(case, case.agent)]
        if case.delegation and self._agent_field is not None:
            others = dict.fromkeys(one for one in case.delegation if one != case.agent)
            found += [self._asked(case, other, is_other=True) for other in others]
        worst = max(found, key=lambda one: DECISIONS.index(one.decision))
        return Answered(Ruling(worst.decision, worst.rule_id), worst.reason)

    def _asked(self, case: Case, agent: str, *, is_other: bool = False) -> Outcome:
        request = revive(self.policy.fields, case.request)
        if is_other and self._agent_field is not None:
            request[self._agent_field] = agent
        runtime = self.runtime(case)
        runtime.pop(APPROVED, None)
        outcome: Outcome = self.policy.decide(request, now_ms=case.at_ms, runtime=runtime)
        return outcome

    def runtime(self, case: Case) -> dict[str, Any]:
        """The host's part: as recorded; what the policy before did not ask for, as the record's chain says."""
        chain = case.delegation
        known: dict[str, Any] = {
            "delegator": chain[-1] if chain else None,
            "origin": chain[0] if chain else case.agent or None,
            "depth": len(chain),
        }
        known |= {name: "0" for name in self._hosted if name.startswith(f"{RESERVED}_")}
        known |= case.runtime
        wanted = {n: known[n] for n in self._hosted if known.get(n) is not None}
        return revive(self.policy.fields, wanted)

    def commit(self, case: Case) -> str | None:
        """Remember a case as it was carried out; why not, where the policy cannot."""
        request = revive(self.policy.fields, case.request)
        outcome = self.policy.commit(request, now_ms=case.at_ms, runtime=self.runtime(case))
        if outcome.rule_id in ("invalid_request", "state_full"):
            return f"a request was not remembered: {outcome.rule_id}"
        return None

    def feed(self, steps: Sequence[Mapping[str, Any]]) -> list[str]:
        """Tell what happened; why the policy did not take what it did not."""
        refused = []
        for step in steps:
            try:
                self.policy.observe(revived_step(self._samples, step))
            except TableError as error:
                refused.append(error.message)
        return refused

    def pause(self, at_ms: int) -> None:
        """Let a time pass of which nobody knows how long it was."""
        state = self.policy.save(now_ms=at_ms)
        self.policy.restore(state, downtime_ms=None, now_ms=at_ms)
