"""Questions about the last sample of a history: reached, excluded, or open.

In: terms over the row of a sample, and a check on a row that was reached.  Out: a row with the samples that
lead there, the proof that there are none, or no answer.

What always holds: `Absent` says that an unsatisfiable query covers every history (of any length and times,
any keys); `Found` was computed by the reference step.  Shorter histories are asked for first; a long one
repeats one sample as often as some cell counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Final

import z3

from govlang.compiler import ir
from govlang.compiler.interpret import Environment
from govlang.compiler.step import State
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.limits import Due, Solvers
from govlang.verifier.solve import Absent, Answer, Found, Open
from govlang.verifier.time.cone import Cone
from govlang.verifier.time.invariants import Known
from govlang.verifier.time.moment import Moment, Taken
from govlang.verifier.time.pattern import Pattern
from govlang.verifier.time.relation import Relation, cell_scopes
from govlang.verifier.time.summands import most_added
from govlang.verifier.time.traces import Reached, Taking, run, samples_of
from govlang.verifier.time.unroll import History

SHORT: Final = ((1,), (1, 1), (1, 1, 1))
"""Histories that are tried from the start."""

LONG: Final = 130
"""How often one sample is repeated at most."""

PLACES_MAX: Final = 30
"""Reached states from which longer histories go on."""

PLACES_SHARE: Final = 0.06
"""The part of what one question may cost that is spent on reaching places beside those of random histories."""

WAY_SHARE: Final = 0.02
"""The same, of one way from one place."""

UNITS_A_CELL: Final = 1_000
"""What it costs to write out one sample, a cell."""

Asked = Callable[[Moment, Taken], list[Term]]
"""What is asked of the last sample."""

Shows = Callable[[Reached], bool]
"""Whether a row that was reached is what was asked for."""


@dataclass
class _Shape:
    """A solver that knows of all histories of one shape."""

    history: History
    solver: Any


@dataclass
class Search:
    """Asks for histories of one policy."""

    policy: ir.Policy
    wide: ir.Policy
    time: ir.Time
    last: Encoder
    known: Known
    solvers: Solvers
    pool: list[Reached] = field(default_factory=list)
    often: Callable[[], Sequence[Reached]] = tuple
    """What is reached by samples that come very often."""
    pattern: Pattern | None = None
    met: Sequence[Reached] = ()
    """What random histories have reached."""
    take: Taking = field(kw_only=True)
    aims: Sequence[ir.BoolExpr] = ()  # what should be seen once, beside what `goals` says
    _places: list[Reached] | None = None
    _shapes: dict[tuple[int, tuple[int, ...], bool], _Shape] = field(default_factory=dict)
    _steps: dict[int, tuple[Relation, Cone]] = field(default_factory=dict)

    def find(self, asked: Asked, shows: Shows, most: int = LONG) -> Answer:
        """A history whose last sample is as asked."""
        due = self.solvers.due()
        if not self.known.ranges_hold:
            return Open("it is not proved that the cells stay in their ranges")
        for steps, shapes in ((1, SHORT[:2]), (2, SHORT[2:])):
            if self._excluded(steps, asked):
                return Absent()
            for counts in shapes:
                found = self._reached(-1, counts, asked, shows, due)
                if found is not None:
                    return Found(found)
        if most > len(SHORT):
            found = self._from_places(asked, shows, due)
            found = found or next(filter(shows, self.often()), None)
            found = found or self._back(asked, shows, due)
            if found is not None:
                return Found(found)
        late = "" if due.left else " in the time for it"
        return Open(f"no history was found{late} that shows it, and it is not excluded")

    # --- long histories --------------------------------------------------------------------------

    def _from_places(self, asked: Asked, shows: Shows, due: Due) -> Reached | None:
        """A history that goes on from one of the places; places are looked for when first needed."""
        if self._places is None:
            self._places = []
            self._begin()
            self._explore()
            due = self.solvers.due()
        for counts in self._onward:
            for place in range(-1, len(self._places)):
                found = self._reached(place, counts, asked, shows, due)
                if found is not None:
                    return found
        return None

    def _back(self, asked: Asked, shows: Shows, due: Due) -> Reached | None:
        """A short history in which the clock goes back, though nothing reads that."""
        if self._reads_faults:
            return None
        for counts in SHORT[1:]:
            found = self._reached(-1, counts, asked, shows, due, back=True)
            if found is not None:
                return found
        return None

    @cached_property
    def _reads_faults(self) -> bool:
        return any(one.name == ir.CLOCK_FAULT for one in self.time.reads)

    def _begin(self) -> None:
        """Take from random histories the shortest for each goal."""
        assert self._places is not None
        met = sorted(self.met, key=lambda one: len(one.samples))
        for goal in self.goals():
            here = (one for one in met if self._is_true(goal, one))
            found = None if any(self._is_true(goal, p) for p in self._places) else next(here, None)
            if found is not None and len(self._places) < PLACES_MAX:
                self._places.append(found)

    def _explore(self) -> None:
        """Reach every state of a machine, and make every test of a cell true, from what was reached."""
        assert self._places is not None
        due = self.solvers.due(PLACES_SHARE)
        left = [
            goal
            for goal in self.goals()
            if not any(self._is_true(goal, place) for place in self._places)
            and not self._excluded(1, partial(_only, self.last.condition(goal)))
        ]
        tried: set[tuple[int, int]] = set()
        while left and len(self._places) < PLACES_MAX and due.left:
            found = self._one_more(left, tried, due)
            if found is None:
                return
            self._places.append(found)
            left = [goal for goal in left if not self._is_true(goal, found)]

    def _one_more(
        self, left: Sequence[ir.BoolExpr], tried: set[tuple[int, int]], due: Due
    ) -> Reached | None:
        assert self._places is not None
        for place in reversed(range(-1, len(self._places))):
            for goal in left:
                if (place, id(goal)) in tried:
                    continue
                tried.add((place, id(goal)))
                asked = partial(_only, self.last.condition(goal))
                shows = partial(self._is_true, goal)
                for counts in self._onward:
                    most = min(due.left, int(self.solvers.units * WAY_SHARE))
                    found = self._reached(place, counts, asked, shows, due, most=most)
                    if found is not None:
                        return found
        return None

    def _is_true(self, goal: ir.BoolExpr, reached: Reached) -> bool:
        env = Environment(self.wide, reached.params, reached.values)
        return ir.fields_read(goal) <= set(reached.values) and env.holds(goal)

    def goals(self) -> Iterator[ir.BoolExpr]:
        """The states of machines and the tests of single cells, of which each should be seen once."""
        yield from self.aims
        for cell in self.time.cells:
            if cell.field.members and cell.cap is None:
                for value in range(len(cell.field.members)):
                    yield ir.InRanges(cell.name, ((value, value),))
        names = {cell.name for cell in self.time.cells if not cell.brief}
        atoms = dict.fromkeys(a for c in self._conditions() for a in ir.atoms(c))
        for atom in atoms:
            if isinstance(atom, ir.InRanges) and atom.name in names:
                yield atom

    def _conditions(self) -> Iterator[ir.BoolExpr]:
        yield from (one.condition for one in self.wide.rules)
        yield from (one.condition for one in self.policy.properties)
        yield from (one.condition for one in self.time.updates)

    @cached_property
    def _onward(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of what comes behind a place: few samples, or one as often as some cell counts."""
        often = [shape for n in self.counts() for shape in ((n, 1), (n, n), (n, 1, 1))]
        return ((1,), (1, 1), *often, (1, 1, 1))

    def counts(self) -> list[int]:
        """How often something must happen for some cell that is read to say so."""
        read = {name for c in self._conditions() for name in ir.fields_read(c)}
        adding = {u.cell for u in self.time.updates if isinstance(u.value, ir.Arith | ir.Choose)}
        found: set[int] = set()
        for cell in self.time.cells:
            stem, _, last = cell.name.rpartition(".")
            if cell.name in read and stem.endswith(".age") and last.isdigit():
                found.add(int(last))
            elif cell.name in adding and not cell.field.members and 2 < cell.field.hi <= LONG:
                found.add(cell.field.hi - 1)
        return sorted(n for n in found | self._summands() if n <= LONG)

    def _summands(self) -> set[int]:
        """How many of what is added pass a number that a sum is compared with."""
        tops = {one.name: one.hi for one in self.wide.fields}
        most = {one.cell: n for one in self.time.updates if (n := most_added(one, tops)) > 0}
        found = set()
        for condition in self._conditions():
            for atom in ir.atoms(condition):
                if not isinstance(atom, ir.Compare):
                    continue
                parts = [*ir.int_parts(atom.left), *ir.int_parts(atom.right)]
                names = [one.name for one in parts if isinstance(one, ir.FieldValue)]
                added = max((most[name] for name in names if name in most), default=0)
                bounds = [one.value for one in parts if isinstance(one, ir.IntConst)]
                for bound in bounds if added else ():
                    found |= {n for n in (bound // added, bound // added + 1) if n > 1}
        return found

    # --- proofs ----------------------------------------------------------------------------------

    def _excluded(self, steps: int, asked: Asked) -> bool:
        """Whether no sample from a state that satisfies what is known is as asked.

        Two are of one instance; its first sample, which none goes before, is asked for by itself.
        """
        if steps == 1:
            return self._is_absent(1, asked)
        if len(cell_scopes(self.time)) > 1:
            return False
        first = self._relation(1)[0].first()
        return self._is_absent(steps, asked) and self._is_absent(1, asked, first)

    def _is_absent(self, steps: int, asked: Asked, more: Sequence[Term] = ()) -> bool:
        """Whether some samples exclude what is asked: as far as it reads itself, or all that this depends on."""
        relation, cone = self._relation(steps)
        terms = [*asked(relation.moments[-1], relation.taken[-1])]
        return any(
            self.solvers.ask(self.solvers.fresh([*part(terms), *terms, *more])) == z3.unsat
            for part in (cone.near, cone.whole)
        )

    def depends(self, terms: Sequence[Term]) -> list[Term]:
        """What holds of the last sample and concerns some terms."""
        return self._relation(1)[1].whole(terms)

    def _relation(self, steps: int) -> tuple[Relation, Cone]:
        if steps not in self._steps:
            earlier = [Encoder(self.last.columns, f"~{steps}.{i}") for i in range(steps - 1)]
            encoders = (*earlier, self.last)
            relation = Relation(self.wide, self.time, encoders, lambda _: (), self.pattern)
            seen = [(relation.moments[-1].column(n), t) for n, t in relation.taken[-1].seen.items()]
            facts = self.known.of(relation.cells)
            self._steps[steps] = relation, Cone(relation.laws, facts, seen, relation.hubs())
        return self._steps[steps]

    # --- histories -------------------------------------------------------------------------------

    def _reached(
        self,
        place: int,
        counts: tuple[int, ...],
        asked: Asked,
        shows: Shows,
        due: Due,
        *,
        back: bool = False,
        most: int | None = None,
    ) -> Reached | None:
        """A history of a shape that goes on from a place (-1: from the start); None if none is known."""
        if not due.left:
            return None
        shape = self._shape(place, counts, back=back or self._reads_faults)
        history, solver = shape.history, shape.solver
        solver.push()
        try:
            solver.add(*asked(history.moments[-1], history.taken[-1]))
            if self.solvers.ask(solver, most=due.left if most is None else most) != z3.sat:
                return None
            found = samples_of(history, solver.model())
        finally:
            solver.pop()
        if not isinstance(found, tuple):
            return None
        before = self._places[place].samples if self._places and place >= 0 else ()
        samples = (*before, *found[0])
        reached = run(self.take, found[1], samples)
        if reached is None or not shows(reached):
            return None
        self.pool.append(reached)
        return reached

    def _shape(self, place: int, counts: tuple[int, ...], *, back: bool) -> _Shape:
        if (place, counts, back) not in self._shapes:
            start, params = State(), {}
            if place >= 0:
                assert self._places is not None
                start = self._places[place].after
                params = dict(self._places[place].params)
            history = History(self.wide, self.time, self.last, counts, start, back, self.pattern)
            columns = self.last.columns
            fixed = [self.last.variables[columns.param[n]] == v for n, v in params.items()]
            solver = self.solvers.fresh([*history.laws, *history.view(), *fixed])
            self._shapes[place, counts, back] = _Shape(history, solver)
        return self._shapes[place, counts, back]


def _only(term: Term, _moment: Moment, _taken: Taken) -> list[Term]:
    return [term]
