"""A state of which an artefact over time tells its host what is not so: tried, never just claimed.

In: an artefact whose `state_ok` or `next_deadline` could not be proved.  Out: a state and the time on which it
answers something else than docs/edge.md says; or nothing, if no try shows any.

What always holds: the decoded function was run on them, and the real engine where there is one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from random import Random
from typing import Final

from govlang.compiler import ir
from govlang.verifier.translation import machine_run
from govlang.verifier.translation.edge_expected import Answer
from govlang.verifier.translation.edge_interface import Home, Interface
from govlang.verifier.translation.edge_time import NEVER, NOW, UNKNOWN, Scope
from govlang.verifier.translation.machine import Artefact
from govlang.verifier.translation.machine_run import UndefinedError
from govlang.verifier.translation.proof import EdgeRefutation
from govlang.verifier.translation.solve import Candidate
from govlang.verifier.translation.time_deadline import Points
from govlang.verifier.translation.time_machine_witness import (
    TimedRun,
    TimedWitnesses,
    Way,
    is_inside,
)

ASKED: Final = ("state_ok", "next_deadline")
"""What a host asks of a state."""

DEADLINE: Final = "out.deadline"
NO_SAMPLE: Final = -1
"""The kind where a host only asks about the state."""


class AskedWitnesses(TimedWitnesses):
    """Looks for states of which the answers differ."""

    def __init__(
        self,
        policy: ir.Policy,
        interface: Interface,
        artefact: Artefact,
        run: TimedRun | None,
        points: Mapping[str, Points],
    ) -> None:
        super().__init__(policy, interface, artefact, None if run is None else _only_told(run))
        self.ahead = points

    def of_failed(self, failed: Collection[str]) -> EdgeRefutation | None:
        """What shows that one of these answers is wrong, if a try does."""
        asked = (Way(name, NO_SAMPLE, writes=False) for name in ASKED if name in failed)
        found = (self.probed(way.name, way) for way in asked)
        return next((one for one in found if one is not None), None)

    # --- what must come ----------------------------------------------------------------------------

    def _stray(self, variables: Mapping[str, int]) -> int | None:
        """The first variable outside its domain of those that are asked for: the state, and the time for a deadline."""
        for number, one in enumerate(self.interface.variables):
            timed = one.name == NOW and self.way.name == "next_deadline"
            if (timed or one.home is Home.STATE) and not is_inside(one, variables[one.name]):
                return number
        return None

    def _left(self, variables: Mapping[str, int], answer: int, cells: dict[str, int]) -> Answer:
        del variables, cells
        return answer, {}

    def _expected(self, candidate: Candidate, variables: Mapping[str, int]) -> Answer:
        del candidate
        if self.way.name == "state_ok":
            return 0, {}
        waits = [ms for scope in self.interface.scopes for ms in self._waits(scope, variables)]
        return 0, {DEADLINE: variables[NOW] + min(waits) if waits else UNKNOWN}

    def _waits(self, scope: Scope, variables: Mapping[str, int]) -> Iterator[int]:
        """How long it takes each cell of a scope, and the gap, to their next points."""
        at = variables[scope.at]
        if at == NEVER:
            return
        since = max(0, variables[NOW] - at)
        for cell in scope.cells:
            value = variables[scope.variable(cell)]
            if cell.cap is not None and value >= 0:
                grown = min(cell.cap, value + since)
                yield from _until(self.ahead.get(cell.name), cell.cap, grown)
        if scope is self.interface.scopes[-1]:
            yield from _until(self.ahead.get(ir.GAP), ir.GAP_MAX, min(since, ir.GAP_MAX))

    # --- what comes --------------------------------------------------------------------------------

    def _decoded(self, variables: Mapping[str, int]) -> Answer | None:
        function = self.own.state_ok if self.way.name == "state_ok" else self.own.next_deadline
        try:
            return machine_run.run(function, variables)
        except UndefinedError:
            return None

    def random(self, rng: Random) -> Candidate:
        """Any state; each of its cells is often at an end of its range."""
        found = super().random(rng)
        ends = {
            scope.variable(cell): rng.choice((cell.field.lo, cell.field.hi))
            for scope in self.interface.scopes
            for cell in scope.cells
            if rng.random() < 0.2
        }
        return replace(found, values={**found.values, **ends})


def _until(points: Points | None, cap: int, value: int) -> Iterator[int]:
    """How long it takes a value that grows to its next point."""
    if points is None:
        return
    if points.whole:
        yield from (1,) if value < cap else ()
        return
    yield from (point - value for point in points.at if max(0, value) < point <= cap)


def _only_told(run: TimedRun) -> TimedRun:
    """The engine's answer with nothing beside what it tells by it."""

    def asked(variables: Mapping[str, int], function: str) -> Answer | None:
        found = run(variables, function)
        if found is None:
            return None
        returned, cells = found
        tells = function == "next_deadline" and returned == 0
        return returned, {DEADLINE: cells[DEADLINE]} if tells else {}

    return asked
