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
from time import monotonic
from typing import Any, Final

import z3

from govlang.compiler import ir
from govlang.compiler.interpret import Environment
from govlang.compiler.step import State
from govlang.verifier.columns import Point
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.smtlib import Watch, ask
from govlang.verifier.solve import SEED, Absent, Answer, Claim, Found, Open, Session
from govlang.verifier.time.invariants import Known
from govlang.verifier.time.moment import Moment, Taken, Whose
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

RECENT: Final = 30
"""Rows reached last that are tried before the solver is asked."""

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
    timeout_ms: int
    watch: Watch | None = None
    pool: list[Reached] = field(default_factory=list)
    often: Callable[[], Sequence[Reached]] = tuple
    """What is reached by samples that come very often."""
    queries: int = 0
    take: Taking = field(kw_only=True)
    whose: Whose = field(kw_only=True)
    aims: Sequence[ir.BoolExpr] = ()  # what should be seen once, beside what `goals` says
    _places: list[Reached] | None = None
    _shapes: dict[tuple[int, tuple[int, ...], bool], _Shape] = field(default_factory=dict)
    _steps: dict[int, tuple[Relation, Any]] = field(default_factory=dict)

    def find(self, asked: Asked, shows: Shows, most: int = LONG) -> Answer:
        """A history whose last sample is as asked."""
        deadline = monotonic() + self.timeout_ms / 1000
        if not self.known.ranges_hold:
            return Open("it is not proved that the cells stay in their ranges")
        for steps, shapes in ((1, SHORT[:2]), (2, SHORT[2:])):
            if self._excluded(steps, asked):
                return Absent()
            for counts in shapes:
                found = self._reached(-1, counts, asked, shows, deadline)
                if found is not None:
                    return Found(found)
        if most > len(SHORT):
            found = next(filter(shows, self.often()), None)
            found = found or self._from_places(asked, shows, deadline)
            found = found or self._back(asked, shows, deadline)
            if found is not None:
                return Found(found)
        late = " in the time for it" if monotonic() > deadline else ""
        return Open(f"no history was found{late} that shows it, and it is not excluded")

    # --- long histories --------------------------------------------------------------------------

    def _from_places(self, asked: Asked, shows: Shows, deadline: float) -> Reached | None:
        """A history that goes on from one of the places; places are looked for when first needed."""
        if self._places is None:
            self._places = []
            self._explore()
            deadline = monotonic() + self.timeout_ms / 1000
        for counts in self._onward:
            for place in range(-1, len(self._places)):
                found = self._reached(place, counts, asked, shows, deadline)
                if found is not None:
                    return found
        return None

    def _back(self, asked: Asked, shows: Shows, deadline: float) -> Reached | None:
        """A short history in which the clock goes back, though nothing reads that."""
        if self._reads_faults:
            return None
        for counts in SHORT[1:]:
            found = self._reached(-1, counts, asked, shows, deadline, back=True)
            if found is not None:
                return found
        return None

    @cached_property
    def _reads_faults(self) -> bool:
        return any(one.name == ir.CLOCK_FAULT for one in self.time.reads)

    def _explore(self) -> None:
        """Reach every state of a machine, and make every test of a cell true, from what was reached."""
        assert self._places is not None
        deadline = monotonic() + self.timeout_ms / 1000
        left = list(self.goals())
        tried: set[tuple[int, int]] = set()
        while left and len(self._places) < PLACES_MAX and monotonic() < deadline:
            found = self._one_more(left, tried, deadline)
            if found is None:
                return
            self._places.append(found)
            left = [goal for goal in left if not self._is_true(goal, found)]

    def _one_more(
        self, left: Sequence[ir.BoolExpr], tried: set[tuple[int, int]], deadline: float
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
                    found = self._reached(place, counts, asked, shows, deadline)
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
        if steps > 1 and len(cell_scopes(self.time)) > 1:
            return False
        relation, solver = self._relation(steps)
        solver.push()
        try:
            solver.add(*asked(relation.moments[-1], relation.taken[-1]))
            verdict = self._check(solver)
        finally:
            solver.pop()
        return bool(verdict == z3.unsat) and (steps == 1 or self._excluded(1, self._first(asked)))

    def _first(self, asked: Asked) -> Asked:
        first = self.last_sample().first()
        return lambda moment, taken: [*asked(moment, taken), *first]

    def last_sample(self) -> Relation:
        """One sample from any state that satisfies what is known of states."""
        return self._relation(1)[0]

    def _relation(self, steps: int) -> tuple[Relation, Any]:
        if steps not in self._steps:
            earlier = [Encoder(self.last.columns, f"~{steps}.{i}") for i in range(steps - 1)]
            encoders = (*earlier, self.last)
            relation = Relation(self.wide, self.time, encoders, self.known.of, self.whose)
            solver = self._solver([*relation.laws, *relation.view()])
            self._steps[steps] = relation, solver
        return self._steps[steps]

    # --- histories -------------------------------------------------------------------------------

    def _reached(
        self,
        place: int,
        counts: tuple[int, ...],
        asked: Asked,
        shows: Shows,
        deadline: float,
        *,
        back: bool = False,
    ) -> Reached | None:
        """A history of a shape that goes on from a place (-1: from the start); None if none is known."""
        left_ms = int((deadline - monotonic()) * 1000)
        if left_ms <= 0:
            return None
        shape = self._shape(place, counts, back=back or self._reads_faults)
        history, solver = shape.history, shape.solver
        solver.set("timeout", left_ms)
        solver.push()
        try:
            solver.add(*asked(history.moments[-1], history.taken[-1]))
            if self._check(solver) != z3.sat:
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
            history = History(self.wide, self.time, self.last, counts, start, back, self.whose)
            columns = self.last.columns
            fixed = [self.last.variables[columns.param[n]] == v for n, v in params.items()]
            solver = self._solver([*history.laws, *history.view(), *fixed])
            self._shapes[place, counts, back] = _Shape(history, solver)
        return self._shapes[place, counts, back]

    def _solver(self, terms: Sequence[Term]) -> Any:
        solver = z3.SimpleSolver()
        solver.set("timeout", self.timeout_ms)
        solver.set("random_seed", SEED)
        solver.add(*terms)
        return solver

    def _check(self, solver: Any) -> Any:
        self.queries += 1
        return ask(solver, (), self.watch)


class Reachable(Session):
    """A session over requests in reachable states."""

    def __init__(self, search: Search, timeout_s: float, watch: Watch | None) -> None:
        super().__init__(search.last, timeout_s, watch=watch)
        self.search = search
        self._terms: dict[str, Term] = {}

    def name(self, key: str, term: Term) -> Term:
        """A literal that stands for a term in every later question."""
        literal = super().name(key, term)
        self._terms[str(literal)] = term
        return literal

    def find(self, terms: Sequence[Term], claim: Claim) -> Answer:
        """A request in a reachable state that satisfies all terms, confirmed by `claim`."""
        for reached in self.search.pool[-RECENT:]:
            if _asks(reached) and claim(reached) and self._satisfies(reached, terms):
                return Found(reached)
        free = self.satisfiable_anywhere(terms)
        if free is False:
            return Absent()
        return self.search.find(
            lambda _m, _t: [*self.encoder.lemmas, *terms], lambda r: _asks(r) and claim(r)
        )

    def find_named(self, literals: Sequence[Term], claim: Claim) -> Answer:
        """As `find`, for literals made by `name`."""
        return self.find([self._terms[str(one)] for one in literals], claim)

    def satisfiable(self, terms: Sequence[Term]) -> bool | Open:
        """Whether the terms hold together; True also where no history was found and none is excluded."""
        free = self.satisfiable_anywhere(terms)
        if free is not True:
            return free
        asked = [*self.encoder.lemmas, *terms]
        answer = self.search.find(lambda _m, _t: asked, _asks, most=3)
        return not isinstance(answer, Absent)

    def satisfiable_anywhere(self, terms: Sequence[Term]) -> bool | Open:
        """Whether the terms hold together in a state that satisfies what is known of states."""
        return super().satisfiable([*self.encoder.lemmas, *terms])

    def core(self, fixed: Sequence[Term], soft: Sequence[Term]) -> list[int] | None:
        """As of single requests, where the last sample of a history makes the contradiction."""
        relation = self.search.last_sample()
        laws = [*relation.laws, *relation.view(), *self.encoder.lemmas]
        return super().core([*laws, *fixed], soft)

    def _satisfies(self, reached: Reached, terms: Sequence[Term]) -> bool:
        """Whether a row satisfies terms over the columns."""
        if not terms:
            return True
        row = self.columns.row(reached)
        fixed = [
            (v, z3.BoolVal(bool(n)) if z3.is_bool(v) else z3.IntVal(n))
            for v, n in zip(self.encoder.variables, row, strict=True)
        ]
        return all(z3.is_true(z3.simplify(z3.substitute(t, *fixed))) for t in terms)


def _only(term: Term, _moment: Moment, _taken: Taken) -> list[Term]:
    return [term]


def _asks(point: Point) -> bool:
    """Whether the last sample is a request that was decided by the rules."""
    if not isinstance(point, Reached):
        return False
    last = point.outcomes[-1]
    return last is not None and last.rule_id not in ("clock_fault", "invalid_request")
