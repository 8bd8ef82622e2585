"""The proof of the updates: in every stage each cell becomes what the policy makes of it.

In: the updates of policy and table.  Out: the stages and cells in which they differ or may do so, and what leaves
the range of its cell.

What always holds: the words of a stage may be any that their columns can hold, whatever is reachable; so what is
proved here holds of every state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import z3

from govlang.compiler import ir
from govlang.verifier.translation.drift import Drift, drift, leaves_of
from govlang.verifier.translation.search import Doubt
from govlang.verifier.translation.solve import Answer
from govlang.verifier.translation.source import Moment
from govlang.verifier.translation.time_decode import Cell, Memory
from govlang.verifier.translation.time_moments import Moments
from govlang.verifier.translation.tree import FALSE, TRUE, Domain, Tree

Case = tuple[Tree, Tree]
"""When a cell is set, and to what."""

Place = tuple[int, str]
"""A stage and a cell."""


def moment_of(stage: int) -> Moment:
    """The moment of a stage."""
    return Moment.CLOSE if stage == ir.Stage.CLOSE else Moment.UPDATE


@dataclass
class Updates:
    """The updates of both sides by stage and cell, in order; of those of one place the first that applies counts."""

    moments: Moments
    time: ir.Time
    memory: Memory
    doubts: list[Doubt] = field(default_factory=list)

    @cached_property
    def ours(self) -> Mapping[Place, Sequence[Case]]:
        """The updates of the policy."""
        found: dict[Place, list[Case]] = {}
        for one in self.time.updates:
            layout = self.moments.layout(moment_of(one.stage))
            case = layout.condition(one.condition), layout.integer(one.value)
            found.setdefault((int(one.stage), one.cell), []).append(case)
        return {place: reached(cases) for place, cases in found.items()}

    @cached_property
    def theirs(self) -> Mapping[Place, Sequence[Case]]:
        """The updates of the table."""
        found: dict[Place, list[Case]] = {}
        for one in self.memory.updates:
            moment, parts = moment_of(one.stage), []
            layout = self.moments.layout(moment)
            if one.kind is not None:
                kinds = layout.value[ir.SAMPLE]
                parts.append(layout.domain.inside(kinds, ((one.kind, one.kind),)))
            if one.condition is not None:
                program = self.moments.program(one.condition, moment)
                parts.append(layout.domain.truth(program))
            value = layout.domain.integer(self.moments.program(one.value, moment))
            case = layout.domain.conj(parts), value
            name = self.memory.cells[one.cell].name
            found.setdefault((one.stage, name), []).append(case)
        return {place: reached(cases) for place, cases in found.items()}

    # --- equal -----------------------------------------------------------------------------------

    def differing(self) -> Iterator[str]:
        """The updates that are not proved equal, each with a doubt."""
        for place in sorted(self.ours.keys() | self.theirs.keys()):
            one, other = self.ours.get(place, ()), self.theirs.get(place, ())
            if one != other and not self._same(place, one, other):
                yield self.doubts[-1].what

    def _same(self, place: Place, one: Sequence[Case], other: Sequence[Case]) -> bool:
        moment = moment_of(place[0])
        layout = self.moments.layout(moment)
        own: Tree = ("load", layout.value[place[1]])
        held = [
            (condition, self._held(value, place[1], layout.domain)) for condition, value in other
        ]
        ours, theirs = (moved(own, cases, layout.domain) for cases in (one, held))
        if ours == theirs:
            return True
        ask = partial(self.moments.solver, moment)

        def claims() -> list[Any]:
            return [ask().differ_as_integers(ours, theirs)]

        if ask().answer(claims()) is Answer.NONE:
            return True
        what = f"the update of cell `{place[1]}` in stage {place[0]}"
        self.doubts.append(Doubt(what, None, claims, ask))
        return False

    def _held(self, value: Tree, name: str, domain: Domain) -> Tree:
        """What the engine makes of a value: one outside the range of its cell becomes the nearer end."""
        cell = next(cell for cell in self.memory.cells if cell.name == name)
        if domain.spans[cell.column] is None or _is_within(value, TRUE, cell, domain):
            return value
        below = domain.arithmetic("least", value, ("const", cell.hi))
        return domain.arithmetic("greatest", below, ("const", cell.lo))

    # --- ranges ----------------------------------------------------------------------------------

    def leaving(self) -> Iterator[str]:
        """The cells that an update may set to a value outside their range."""
        cells = {cell.name: cell for cell in self.memory.cells}
        for (stage, name), cases in self.ours.items():
            moment = moment_of(stage)
            domain, before = self.moments.layout(moment).domain, TRUE
            for condition, value in cases:
                here = domain.conj([before, condition])
                before = domain.conj([before, domain.neg(condition)])
                if not self._stays(moment, here, value, cells[name]):
                    yield f"the range of cell `{name}` in stage {stage}"

    def _stays(self, moment: Moment, here: Tree, value: Tree, cell: Cell) -> bool:
        domain = self.moments.layout(moment).domain
        if here == FALSE or _is_within(value, here, cell, domain):
            return True
        solver = self.moments.solver(moment)
        found = solver.integer(value)
        outside = z3.Or(found < cell.lo, found > cell.hi)
        return solver.answer([solver.condition(here), outside]) is Answer.NONE


def reached(cases: Sequence[Case]) -> tuple[Case, ...]:
    """The cases up to the first that always applies, without those that never do."""
    found = []
    for case in cases:
        if case[0] != FALSE:
            found.append(case)
        if case[0] == TRUE:
            break
    return tuple(found)


def moved(own: Tree, cases: Sequence[Case], domain: Domain) -> Tree:
    """What a cell is behind a stage: the value of the first case that applies, else what it was."""
    found = own
    for condition, value in reversed(cases):
        found = domain.chosen(condition, value, found)
    return found


def _is_within(value: Tree, here: Tree, cell: Cell, domain: Domain) -> bool:
    """Whether intervals tell that a value lies in the range of a cell where a condition holds."""
    parts = here[1:] if here[0] == "and" else (here,)
    known = {part[1]: part[2] for part in parts if part[0] == "in"}

    def words(column: int) -> Drift:
        spans = known.get(column, domain.spans[column])
        if spans is not None:
            return Drift(spans[0][0], spans[-1][1], fixed=True)
        members = domain.members[column]
        return Drift(ir.INT64_MIN if members > 63 else 0, (1 << min(members, 63)) - 1, fixed=True)

    found = [drift(leaf, words) for leaf in leaves_of(value)]
    return all(cell.lo <= one.lo and one.hi <= cell.hi for one in found)
