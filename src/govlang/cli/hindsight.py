"""What led to a request: the steps of a trace in, on the reference step, the state before the request out.

What always holds: the state is the one that the rules see at the request.  Beside it stands what no state keeps and
an explanation wants to say: which cells have ever left their initial value, and for how long machines stand so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from govlang.cli.clock import clock_values
from govlang.compiler import ir
from govlang.compiler.interpret import Params, Value
from govlang.compiler.requests import read_report, read_sample
from govlang.compiler.step import (
    Address,
    InvalidRequest,
    Request,
    Sample,
    State,
    Tick,
    addresses,
    initial_state,
    watch,
)
from govlang.compiler.transitions import machines

_Place = tuple[str, Address]
"""A cell of an instance."""


def sample_of(policy: ir.Policy, step: Mapping[str, Any]) -> Sample:
    """The sample that a step of a trace is.

    Raises:
        InvalidFieldError: it is a report that the policy cannot take.
    """
    at_ms, key = step["at_ms"], step.get("key")
    if "request" in step:
        runtime = clock_values(policy, at_ms) | dict(step.get("runtime", {}))
        return read_sample(policy, step["request"], runtime, at_ms)
    whose = next(iter(key.values()), None) if isinstance(key, Mapping) else key
    if "event" in step:
        return read_report(policy, step["event"], whose, step.get("fields", {}), at_ms)
    if "signal" in step:
        return read_report(policy, step["signal"], whose, {step["signal"]: step["value"]}, at_ms)
    return Tick(at_ms, whose)


@dataclass(slots=True)
class Hindsight:
    """The state after some samples of a policy over time, and what it does not say by itself."""

    policy: ir.Policy
    time: ir.Time
    params: Params
    state: State = field(init=False)
    _machines: tuple[ir.Cell, ...] = field(init=False)
    _moved: set[_Place] = field(default_factory=set)
    _stood_ms: dict[_Place, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = initial_state(self.policy)
        self._machines = tuple(machines(self.time))

    def take(self, sample: Sample) -> None:
        """One more sample; one that is refused changes nothing."""
        if isinstance(sample, InvalidRequest):
            return
        after = watch(self.policy, self.params, self.state, sample).after
        for address in addresses(self.time, sample).items():
            if after is not self.state:
                self._note(after, address)
        self.state = after

    def seen(self, request: Request) -> Mapping[str, Value]:
        """The columns as the rules see them at a request that comes now."""
        return watch(self.policy, self.params, self.state, request).seen

    def has_moved(self, cell: str, request: Request) -> bool:
        """Whether a cell that a request reads has ever left its initial value before."""
        return any(place in self._moved for place in self._places(cell, request))

    def stood_ms(self, machine: ir.Cell, request: Request) -> int | None:
        """For how long a machine stands as a request sees it; None: it always has."""
        for place in self._places(machine.name, request):
            instance = self.state.instances.get(place[1])
            was = machine.initial if instance is None else instance.cells[machine.name]
            if self.seen(request)[machine.name] != was:
                return 0
            if instance is not None and place in self._stood_ms:
                return self._stood_ms[place] + max(0, request.at_ms - instance.at_ms)
        return None

    def _places(self, cell: str, request: Request) -> Iterator[_Place]:
        scope = self.time.cell(cell).scope
        own = addresses(self.time, request)
        if scope in own:
            yield cell, (scope, own[scope])

    def _note(self, after: State, address: Address) -> None:
        now, before = after.instances[address], self.state.instances.get(address)
        for cell in self.time.cells:
            if cell.scope == address[0] and not cell.brief and now.cells[cell.name] != cell.initial:
                self._moved.add((cell.name, address))
        for machine in (one for one in self._machines if one.scope == address[0]):
            place = machine.name, address
            was = machine.initial if before is None else before.cells[machine.name]
            if now.cells[machine.name] != was:
                self._stood_ms[place] = 0
            elif before is not None and place in self._stood_ms:
                self._stood_ms[place] += max(0, now.at_ms - before.at_ms)
