"""Histories in which one sample comes very often, run on the reference step.

In: a policy over time, rows that were met, and how short histories are asked for.  Out: rows that such
histories reach, each with its samples, that differ in what is asked of them.

What always holds: what comes out was computed by the reference step from the empty state; the work is bounded.
That nothing comes out proves nothing.  The solver unrolls a repeated sample, which takes long where rings or
counters are long; here a sample is repeated from states that differ in what conditions ask of them, until
nothing changes any more, and then each of the others comes once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from govlang.compiler import ir
from govlang.compiler.interpret import Environment
from govlang.verifier.encode import Term
from govlang.verifier.solve import Answer, Found
from govlang.verifier.time.moment import Moment, Taken
from govlang.verifier.time.traces import Reached, Sample, Taking, key_of, of_key

TIMES_MAX: Final = 1_000
"""How often a sample is repeated: as often as an exact count goes."""

OFTEN: Final = 20
"""As often as that the solver repeats a sample soon enough."""

WORK_MAX: Final = 2_000_000
"""Cells and updates that are computed."""

PLACES_MAX: Final = 40
"""States from which samples are repeated."""

Asked = Callable[[Moment, Taken], list[Term]]
Shows = Callable[[Reached], bool]
Shown = tuple[tuple[bool, ...], str]


@dataclass
class Repetition:
    """Repeats samples on the reference step."""

    policy: ir.Policy
    wide: ir.Policy
    """Its flat form."""
    goals: Sequence[ir.BoolExpr]
    """What is asked of cells."""
    met: Sequence[Reached]
    find: Callable[[Asked, Shows], Answer]
    """Looks for a short history whose last sample is as asked."""
    take: Taking
    _left: int = WORK_MAX
    _seen: set[Shown] = field(default_factory=set)

    def __post_init__(self) -> None:
        assert self.policy.time is not None
        self.time = self.policy.time

    def rows(self) -> Iterator[Reached]:
        """What is reached by one sample that comes very often; nothing where none has to."""
        permits = {one.permit for one in self.time.samples}
        counting = (cell for cell in self.time.cells if cell.name not in permits)
        if max(map(_times, counting), default=0) <= OFTEN:
            return
        moving = list(self._moving())
        rows = [*moving, *sorted(self.met, key=lambda one: len(one.samples))]
        places = list(self._unlike(rows))[:PLACES_MAX]
        samples = list(_kinds(rows))
        self._seen.clear()
        for place in places:
            for sample in samples:
                yield from self._unlike(self._onward(place, sample, samples))
                if self._left < 0:
                    return

    def _moving(self) -> Iterator[Reached]:
        """For each counter that no row has moved, a short history that does."""
        for cell in self.time.cells:
            counts = cell.cap is None and _times(cell) > OFTEN
            if counts and not any(_moves(one, cell) for one in self.met):
                answer = self.find(partial(_moving, cell), partial(_moves, cell=cell))
                if isinstance(answer, Found) and isinstance(answer.point, Reached):
                    yield answer.point

    def _onward(
        self, place: Reached, sample: Sample, others: Sequence[Sample]
    ) -> Iterator[Reached]:
        """From a place on, one sample until nothing changes, then each of the others."""
        here = place
        for _ in range(TIMES_MAX):
            there = self._step(here, sample)
            if there is None or self._left < 0:
                break
            yield there
            if there.after == here.after:
                break
            here = there
        for one in others:
            behind = self._step(here, one)
            if behind is not None:
                yield behind

    def _step(self, place: Reached, sample: Sample) -> Reached | None:
        """One more sample of the same key, at the same time; None if it is not taken."""
        self._left -= len(self.time.cells) + len(self.time.updates)
        own = of_key(self.time.key, sample, place.samples[-1].at_ms, key_of(self.time, place.after))
        watched = self.take(place.params, place.after, own)
        if not watched.seen:
            return None
        samples, outcomes = (*place.samples, own), (*place.outcomes, watched.outcome)
        return Reached(watched.seen, place.params, samples, outcomes, watched.moving, watched.after)

    def _unlike(self, rows: Iterable[Reached]) -> Iterator[Reached]:
        """The rows that differ in what is asked of cells, or in the rule that decides."""
        for one in rows:
            env = Environment(self.wide, one.params, one.values)
            known = one.values.keys()
            tests = tuple(ir.fields_read(g) <= known and env.holds(g) for g in self.goals)
            outcome = one.outcomes[-1]
            shown = tests, "" if outcome is None else outcome.rule_id
            if shown not in self._seen:
                self._seen.add(shown)
                yield one


def _times(cell: ir.Cell) -> int:
    """How often something has to happen until a cell counts no further."""
    stem, _, last = cell.name.rpartition(".")
    if cell.cap is not None:
        return int(last) if stem.endswith(".age") and last.isdigit() else 0
    return 0 if cell.field.members else cell.field.hi


def _moving(cell: ir.Cell, moment: Moment, taken: Taken) -> list[Term]:
    return [taken.after[cell.name] > taken.seen[cell.name], moment.addresses(cell.scope)]


def _moves(reached: Reached, cell: ir.Cell) -> bool:
    """Whether the last sample moves a cell up."""
    seen = reached.values.get(cell.name)
    kept = [
        one.cells[cell.name] for one in reached.after.instances.values() if cell.name in one.cells
    ]
    return isinstance(seen, int) and len(kept) == 1 and kept[0] > seen


def _kinds(rows: Sequence[Reached]) -> Iterator[Sample]:
    """One sample of each kind, and of each rule that decides."""
    seen: set[str] = set()
    for one in rows:
        outcome = one.outcomes[-1]
        sample = one.samples[-1]
        kind = getattr(sample, "name", "") if outcome is None else f"by {outcome.rule_id}"
        if kind not in seen:
            seen.add(kind)
            yield sample
