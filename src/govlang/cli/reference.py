"""A policy that remembers, run sample by sample on the reference step.

In: trace steps as hosts write them (contract: "A trace step").  Out: outcomes, and what machines are.
Time is not compiled in this version of the tools; this is the language itself, slow and exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from govlang.cli.clock import clock_values
from govlang.cli.formats.exact_json import json_text
from govlang.cli.requests import read_object
from govlang.compiler import ir
from govlang.compiler.core import core_json, snapshot
from govlang.compiler.interpret import Outcome, default_params, invalid_outcome
from govlang.compiler.requests import read_report, read_sample
from govlang.compiler.step import Report, State, Tick, initial_state, step
from govlang.native.errors import CodedError
from govlang.native.request import InvalidFieldError, read_value
from govlang.runtime.decision import Decision
from govlang.runtime.policy import hash_params


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a request, in the form of `runtime.decision.Outcome`."""

    outcome: Outcome
    policy_snapshot: str
    params_hash: str

    @property
    def decision(self) -> Decision:
        """The effect."""
        return Decision(self.outcome.decision.word)

    @property
    def rule_id(self) -> str:
        """The rule that decided."""
        return self.outcome.rule_id

    @property
    def reason(self) -> str:
        """Why."""
        return self.outcome.reason

    @property
    def matched(self) -> tuple[str, ...]:
        """Every rule that fired."""
        return self.outcome.matched

    def to_dict(self) -> dict[str, Any]:
        """The outcome in the order and the names of `gov decide --format json`."""
        return {
            "decision": self.decision.value,
            "rule_id": self.rule_id,
            "reason": self.reason,
            "obligations": list(self.outcome.obligations),
            "matched": list(self.matched),
            "policy_snapshot": self.policy_snapshot,
            "params_hash": self.params_hash,
        }


@dataclass(slots=True)
class Reference:
    """One policy with its parameters (in JSON form) and its state."""

    policy: ir.Policy
    given: Mapping[str, Any]
    state: State = field(init=False)
    params: dict[str, int] = field(init=False)
    names: tuple[str, str] = field(init=False)

    def __post_init__(self) -> None:
        kinds = {param.field.name: param.field for param in self.policy.params}
        self.params = default_params(self.policy)
        for name, value in self.given.items():
            try:
                read = read_value(kinds[name], value)
            except InvalidFieldError as error:
                raise CodedError(
                    "GOV706", f"parameter {error}", "give a value of its range"
                ) from None
            assert isinstance(read, int), "no parameter is a text"
            self.params[name] = read
        self.state = initial_state(self.policy)
        self.names = snapshot(core_json(self.policy)), hash_params(self.params)

    @property
    def key(self) -> str | None:
        """The field of a request whose state it reads."""
        return self.policy.time.key if self.policy.time else None

    def decide(
        self, request: Mapping[str, Any], *, now_ms: int, runtime: Mapping[str, Any] | None = None
    ) -> Answer:
        """The outcome that `commit` would give; a question, which changes nothing."""
        return self._taken(request, now_ms, runtime)[1]

    def decide_json(
        self, text: str, *, now_ms: int, runtime: Mapping[str, Any] | None = None
    ) -> Answer:
        """`decide` of a request in JSON, numbers taken as they are written."""
        try:
            request = read_object(text, "the request")
        except CodedError as error:
            return Answer(invalid_outcome(None, str(error)), *self.names)
        return self.decide(request, now_ms=now_ms, runtime=runtime)

    def commit(
        self, request: Mapping[str, Any], *, now_ms: int, runtime: Mapping[str, Any] | None = None
    ) -> Answer:
        """Decide, and write what the decision changes."""
        self.state, answer = self._taken(request, now_ms, runtime)
        return answer

    def _taken(
        self, request: Mapping[str, Any], at_ms: int, runtime: Mapping[str, Any] | None
    ) -> tuple[State, Answer]:
        hosted = clock_values(self.policy, at_ms) | dict(runtime or {})
        sample = read_sample(self.policy, request, hosted, at_ms)
        state, outcome = step(self.policy, self.params, self.state, sample)
        assert outcome is not None
        return state, Answer(outcome, *self.names)

    def observe(self, trace_step: Mapping[str, Any]) -> None:
        """Take in a step of a trace that is no request.

        Raises:
            CodedError: GOV709, it is none that the policy knows.
        """
        at_ms, key = trace_step["at_ms"], trace_step.get("key")
        if isinstance(key, Mapping):
            key = key.get(self.key) if self.key else None
        match trace_step:
            case {"event": str(name)}:
                self.report(name, key, trace_step.get("fields", {}), at_ms)
            case {"signal": str(name), "value": value}:
                self.report(name, key, {name: value}, at_ms)
            case {"tick": _}:
                self.report(None, key, {}, at_ms)
            case _:
                raise CodedError(
                    "GOV709",
                    f"`{json_text(dict(trace_step))[:80]}` is no step of a trace",
                    "write `request`, `event` with `fields`, `signal` with `value`, or `tick`",
                )

    def report(
        self, name: str | None, key: str | None, values: Mapping[str, Any], at_ms: int
    ) -> None:
        """Take in an event, a signal or (`name` None) a tick.

        Raises:
            CodedError: GOV709, the policy has no such event, or a value does not fit.
        """
        try:
            sample: Report | Tick = (
                Tick(at_ms, key)
                if name is None
                else read_report(self.policy, name, key, values, at_ms)
            )
        except InvalidFieldError as error:
            raise CodedError(
                "GOV709", str(error), "`gov explain --state` lists what it takes"
            ) from None
        self.state, _ = step(self.policy, self.params, self.state, sample)

    def state_of(self, machine: str, key: str | None) -> str:
        """The state of a machine for a key."""
        assert self.policy.time is not None
        cell = self.policy.time.cell(machine)
        address = (cell.scope, "" if cell.scope == ir.SHARED else key or "")
        instance = self.state.instances.get(address)
        value = cell.initial if instance is None else instance.cells[machine]
        return cell.field.members[value]
