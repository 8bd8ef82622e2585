"""Guarded calls decided in process, by a `Policy`.

In: a request.  Out: what the policy lets through; the events `dispatched`, `success` and `failure`, and the ends of
reservations, told to the policy where it declares them.

What always holds: a policy that raises denies; so does one that does not take in `dispatched`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Protocol

from govlang.client.duties import Duties, Obligation, read_duties
from govlang.client.errors import ApprovalRequired, Denied, GovError, Throttled
from govlang.client.permit import Permit
from govlang.client.road import LOG, Admitted, Check, remedy_of
from govlang.native.errors import CodedError

ALLOWING: Final = frozenset(("allow", "limit"))


class Decides(Protocol):
    """What a guard needs of `govlang.Policy`."""

    @property
    def memory(self) -> Any: ...

    @property
    def commit(self) -> Callable[..., Any]: ...

    @property
    def observe(self) -> Callable[[Mapping[str, Any]], Any]: ...


@dataclass(frozen=True, slots=True)
class InProcess:
    """A policy in this process; `runtime` gives the fields that only the host knows (`approved` among them).

    `clock_ms`: the time of every sample; left out, the policy reads the host's clock.
    """

    policy: Decides
    runtime: Callable[[], Mapping[str, Any]] | None = None
    clock_ms: Callable[[], int] | None = None

    def admit(
        self,
        request: Mapping[str, Any],
        payload: Any,
        check: Check,
        actions: Collection[str],
        given_up: threading.Event,
    ) -> Admitted:
        """Commit the request; raises GovError unless it may run."""
        del payload, actions, given_up  # a gateway's
        try:
            runtime = None if self.runtime is None else self.runtime()
            outcome = self.policy.commit(dict(request), now_ms=self._now_ms(), runtime=runtime)
        except Exception as error:
            raise Denied(
                "policy_failed", 0, f"the policy could not be asked: {type(error).__name__}"
            ) from error
        if outcome.decision not in ALLOWING:
            raise refusal(outcome.to_dict(), outcome.obligations)
        found = _Local(self, request, str(outcome.decision), outcome.rule_id)
        try:
            found.duties = read_duties(outcome.obligations)
            check(found.duties)
        except GovError as error:
            found.withdraw(error.detail)
            raise
        return found

    def _now_ms(self) -> int | None:
        """A policy that remembers reads the clock itself, in the order in which it decides."""
        if self.clock_ms is not None:
            return self.clock_ms()
        return time.time_ns() // 1_000_000 if self.policy.memory is None else None

    def events(self) -> dict[str, Any]:
        """The events that the policy declares, by name."""
        if self.policy.memory is None:
            return {}
        return {one.name: one for one in self.policy.memory.samples if not one.is_signal}

    def tell(self, name: str, request: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Report an event, if the policy declares it; its fields are of `values`, or else those of the request."""
        event = self.events().get(name)
        if event is None:
            return
        step: dict[str, Any] = {"event": name}
        memory = self.policy.memory
        if memory.key != 0 and not event.is_shared:
            step["key"] = request.get(memory.scopes[memory.key].name)
        known = {**request, **values}
        fields = {one.name: known[one.name] for one in event.fields if one.name in known}
        if fields:
            step["fields"] = fields
        if self.clock_ms is not None:
            step["at_ms"] = self.clock_ms()
        self.policy.observe(step)


def refusal(decision: Mapping[str, Any], obligations: Collection[Obligation]) -> GovError:
    """The exception of an outcome that does not allow."""
    word, rule = decision["decision"], decision["rule_id"]
    because = f": {decision['reason']}" if decision.get("reason") else ""
    members: dict[str, Any] = {
        "rule_id": rule,
        "reason": decision.get("reason"),
        "decision": decision,
    }
    remedy = remedy_of(obligations)
    if remedy is not None:
        members["remedy"] = remedy
    match word:
        case "throttle":
            retry = next((one["retry_ms"] for one in obligations if "retry_ms" in one), None)
            members |= {} if retry is None else {"retry_after_s": retry / 1000}
            return Throttled("throttled", 0, f"throttled by `{rule}`{because}", members)
        case "require_human":
            why = f"`{rule}` requires a person{because}"
            return ApprovalRequired("approval_required", 0, why, members)
        case _:
            return Denied("denied", 0, f"denied by `{rule}`{because}", members)


@dataclass(slots=True)
class _Local:
    """A call that the policy let through."""

    road: InProcess
    request: Mapping[str, Any]
    decision: str
    rule_id: str | None
    duties: Duties = field(default_factory=lambda: Duties({}, ()))
    job_id: str | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """Tell the policy `dispatched`."""
        try:
            self.road.tell("dispatched", self.request, {})
        except CodedError as error:
            self.withdraw("it was not dispatched")
            why = f"the policy does not take in `dispatched`: {error.message}"
            raise Denied("policy_failed", 0, why) from error

    def withdraw(self, why: str) -> None:
        """Give back what was reserved."""
        del why
        self._report("released", {})

    def succeed(self, permit: Permit) -> None:
        """Tell the policy `success`, and what was used."""
        self._settle(permit.used)
        self._report("success", permit.fields)

    def fail(self, permit: Permit, error: BaseException) -> None:
        """Tell the policy `failure`; what was reserved counts as used unless the permit says otherwise."""
        del error
        self._settle(permit.used)
        self._report("failure", permit.fields)

    def _settle(self, used: Mapping[str, Any]) -> None:
        event = self.road.events().get("settled")
        if event is None:
            return
        asked = {one.name: Decimal(str(self.request[one.name])) for one in event.fields}
        spent = {name: Decimal(str(used.get(name, most))) for name, most in asked.items()}
        more = {name: max(spent[name] - most, Decimal(0)) for name, most in asked.items()}
        if any(more.values()):
            self._report("reserved", more)
        self._report("settled", spent)
        rest = {name: max(most - spent[name], Decimal(0)) for name, most in asked.items()}
        if any(rest.values()):
            self._report("released", rest)

    def _report(self, name: str, values: Mapping[str, Any]) -> None:
        try:
            self.road.tell(name, self.request, values)
        except Exception as error:  # noqa: BLE001  # the work is done: what is left is to say so
            LOG.warning("the policy did not take in `%s`: %s", name, type(error).__name__)
