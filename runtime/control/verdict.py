"""What a gate was answered: a decision and all that follows from it, from the table here or a policy check elsewhere.

What always holds: a verdict of which anything is missing or cannot be read permits nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from govlang.native.errors import CodedError
from govlang.runtime.control.fields import UNREAD, Fault
from govlang.runtime.control.job_machine import Gate
from govlang.runtime.decision import DECISIONS, Decision, as_json

INVALID: Final = "invalid_request"
FAIL_OPEN: Final = "fail_open"
UNAVAILABLE: Final = "policy_unavailable"

Obligation = Mapping[str, Any]

_GATES: Final = {
    Decision.ALLOW: Gate.ALLOW,
    Decision.LIMIT: Gate.LIMIT,
    Decision.THROTTLE: Gate.THROTTLE,
    Decision.REQUIRE_HUMAN: Gate.HUMAN,
    Decision.DENY: Gate.DENY,
}


class CheckUnavailableError(CodedError):
    """The policy check gives no answer, or none that can be read."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "GOV614",
            f"the policy check {why}",
            "see `POLICY_CHECK_URL` and `POLICY_CHECK_FAIL_MODE`",
        )
        self.why = why


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision, before and after approvals count, with its obligations."""

    decision: Decision
    rule_id: str
    reason: str
    obligations: tuple[Obligation, ...]
    matched: tuple[str, ...]
    policy_snapshot: str
    params_hash: str
    before: Decision
    """The decision before approvals count; what evidence calls `decision`."""
    before_rule: str
    of: str = ""
    """The agent of the chain whose limits decided, where it is not the job's own."""
    is_fail_open: bool = False
    deadline_ms: int | None = None
    runtime: Mapping[str, Any] = field(default_factory=dict)
    """The values that the host set."""
    fault: Fault = UNREAD
    """What the policy could not read, where `is_invalid`."""

    @property
    def permits(self) -> bool:
        """Whether what was asked may be done now."""
        return self.decision in (Decision.ALLOW, Decision.LIMIT)

    @property
    def gate(self) -> Gate:
        """What the job machine is told."""
        return Gate.FAIL_OPEN if self.is_fail_open else _GATES[self.decision]

    @property
    def is_invalid(self) -> bool:
        """Whether the policy could not read the request."""
        return self.rule_id == INVALID

    @property
    def why_unread(self) -> str:
        """Why the policy could not read the request, and whose fault it is."""
        from_host = self.fault.field.startswith("runtime.")
        return f"{self.reason}: the host sets it" if from_host else self.reason

    @property
    def retry_s(self) -> float:
        """After how long to ask again, in seconds; one second where no rule says."""
        return float(self._first("retry_ms", 1000)) / 1000

    @property
    def roles(self) -> tuple[str, ...]:
        """Who must approve."""
        return tuple(self._first("require", ()))

    @property
    def expires_ms(self) -> int | None:
        """For how long an approval is good, if a rule says."""
        found: int | None = self._first("expires_ms", None)
        return found

    @property
    def remedy(self) -> str | None:
        """What the caller may do instead."""
        found: str | None = self._first("remedy", None)
        return found

    @property
    def actions(self) -> frozenset[str]:
        """The actions that whoever carries it out must be able to do."""
        return frozenset(one["do"] for one in self.obligations if "do" in one)

    def _first(self, name: str, otherwise: Any) -> Any:
        return next((one[name] for one in self.obligations if name in one), otherwise)

    def to_dict(self) -> dict[str, Any]:
        """The decision as the contract writes it."""
        return {
            "decision": self.decision.value,
            "rule_id": self.rule_id,
            "reason": self.reason,
            "obligations": [as_json(dict(one)) for one in self.obligations],
            "matched": list(self.matched),
            "policy_snapshot": self.policy_snapshot,
            "params_hash": self.params_hash,
        }


def strictest(verdicts: Iterable[Verdict]) -> Verdict:
    """The strictest verdict; of equal ones the first, with the obligations of all that permit no less."""
    found = list(verdicts)
    if len(found) == 1:
        return found[0]
    worst = max(found, key=lambda one: DECISIONS.index(one.decision))
    if not worst.permits:
        return worst
    kept: list[Obligation] = []
    for one in found:
        kept += [duty for duty in one.obligations if duty not in kept]
    return replace(worst, obligations=tuple(kept))


def fail_open(snapshot: str, params_hash: str, why: str) -> Verdict:
    """The verdict of a check that gives no answer, where the fail mode says open."""
    return Verdict(
        Decision.ALLOW,
        FAIL_OPEN,
        why,
        (),
        (),
        snapshot,
        params_hash,
        Decision.ALLOW,
        FAIL_OPEN,
        is_fail_open=True,
    )


def limited(
    request: Mapping[str, Any], obligations: Iterable[Obligation]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The request with the limits on its fields applied, and the limits on what is no field of it (outputs)."""
    shown = dict(request)
    outputs: dict[str, Any] = {}
    for one in obligations:
        name = one.get("limit")
        if name is None:
            continue
        if isinstance(shown.get(name), int | float | Decimal) and not isinstance(shown[name], bool):
            shown[name] = _within(shown[name], one)
        else:
            before = outputs.get(name, {})
            outputs[name] = _narrower(before, one)
    return as_json(shown), as_json(outputs)


def _within(value: Any, limit: Obligation) -> Any:
    held = min(Decimal(str(value)), Decimal(str(limit["to"])))
    held = max(held, Decimal(str(limit["from"]))) if "from" in limit else held
    return value if held == value else int(held) if held == held.to_integral_value() else held


def _narrower(before: Mapping[str, Any], limit: Obligation) -> dict[str, Any]:
    found = {name: limit[name] for name in ("from", "to") if name in limit}
    if "to" in before:
        found["to"] = min(before["to"], found["to"])
    if "from" in before:
        found["from"] = max(before["from"], found.get("from", before["from"]))
    return found
