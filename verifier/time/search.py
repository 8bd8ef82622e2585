"""Questions about the last sample of a history: reached, excluded, or open.

In: terms over the row of a sample, and a check on a row that was reached.  Out: a row with the samples that
lead there, the proof that there are none, or no answer.

What always holds: `Absent` was proved of every history (`exclusion.py`); `Found` was computed by the reference
step.  Shorter histories are asked for first; a long one goes on from a place, a state that was reached before,
and may repeat one sample as often as some cell counts (`goals.py`).
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
from govlang.verifier.time.exclusion import Asked, Exclusion
from govlang.verifier.time.goals import LONG, Goals
from govlang.verifier.time.invariants import Known
from govlang.verifier.time.moment import Moment, Taken
from govlang.verifier.time.pattern import Pattern
from govlang.verifier.time.traces import Reached, Taking, key_of, renamed, run, samples_of
from govlang.verifier.time.unroll import History

SHORT: Final = ((1,), (1, 1), (1, 1, 1))
"""Histories that are tried from the start."""

PLACES_MAX: Final = 30
"""Reached states from which longer histories go on."""

PLACES_SHARE: Final = 0.06
"""The part of what one question may cost that is spent on reaching places beside those of random histories."""

WAY_SHARE: Final = 0.02
"""The same, of one way from one place."""

KEYS_MAX: Final = 12
"""Keys of which places are made for one question, beside those that histories were found for."""

SMALLER: Final = (
    "no history was found that shows it, and it is not excluded: make the counts and sums on the way there"
    " smaller, or shorten that way; histories of few samples, or with one that comes often, are looked for"
)
LATE: Final = (
    "no history was found in the time for it that shows it, and it is not excluded: give it more with"
    " `--timeout S`, or split the policy into smaller ones"
)
"""Why a question stays open, and what to do about it."""

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

    wide: ir.Policy
    """The policy over single samples, with its cells as fields (`flat.py`)."""
    time: ir.Time
    last: Encoder
    known: Known
    solvers: Solvers
    pattern: Pattern
    take: Taking
    goals: Goals
    pool: list[Reached]
    """What was reached; every history that is found is added."""
    often: Callable[[], Sequence[Reached]]
    """What is reached by samples that come very often."""
    met: Sequence[Reached]
    """What random histories have reached."""
    _places: list[Reached] = field(default_factory=list)
    _looked: bool = False
    _found: int = 0
    """How many of the places were looked for; behind them come those made of other keys."""
    _renamed: dict[str, list[int]] = field(default_factory=dict)
    _shapes: dict[tuple[int, tuple[int, ...], bool], _Shape] = field(default_factory=dict)

    @cached_property
    def exclusion(self) -> Exclusion:
        """What says that no history ends as asked."""
        return Exclusion(self.wide, self.time, self.last, self.known, self.solvers, self.pattern)

    def find(self, asked: Asked, shows: Shows, most: int = LONG) -> Answer:
        """A history whose last sample is as asked."""
        due = self.solvers.due()
        if not self.known.ranges_hold:
            return Open("it is not proved that the cells stay in their ranges")
        for steps, shapes in ((1, SHORT[:2]), (2, SHORT[2:])):
            if self.exclusion.holds(steps, asked):
                return Absent()
            for counts in shapes:
                found = self._reached(-1, counts, asked, shows, due)
                if found is not None:
                    return Found(found)
        if most > len(SHORT):
            found = self._from_places(asked, shows, due)
            found = found or next(filter(shows, self.often()), None)
            found = found or self._back(asked, shows, due)
            found = found or self._from_other_keys(asked, shows, due)
            if found is not None:
                return Found(found)
        return Open(SMALLER if due.left else LATE)

    # --- long histories --------------------------------------------------------------------------

    def _from_places(self, asked: Asked, shows: Shows, due: Due) -> Reached | None:
        """A history that goes on from one of the places; places are looked for when first needed."""
        if not self._looked:
            self._looked = True
            self._begin()
            self._explore()
            due = self.solvers.due()
            self._found = len(self._places)
        for counts in self.goals.onward:
            for place in range(-1, self._found):
                found = self._reached(place, counts, asked, shows, due)
                if found is not None:
                    return found
        return None

    def _from_other_keys(self, asked: Asked, shows: Shows, due: Due) -> Reached | None:
        """A history that goes on from a place made of another key, of which what is asked may be true."""
        for key in self._keys(asked):
            if not due.left:
                break
            for counts in SHORT:
                for place in self._places_of(key):
                    found = self._reached(place, counts, asked, shows, due)
                    if found is not None:
                        return found
        return None

    def _keys(self, asked: Asked) -> Iterator[str]:
        """Keys that conditions tell apart, of which what is asked is not excluded."""
        columns, name = self.last.columns, self.time.key or ""
        numbers = columns.classes.get(name, ())
        if all(columns.domain(number) == ((0, 0),) for number in numbers):
            return
        relation, cone = self.exclusion.samples(1)
        terms = [*asked(relation.moments[-1], relation.taken[-1])]
        own = [self.last.variables[number] for number in numbers]
        allowed = [
            self.last.inside(v, columns.domain(n)) for v, n in zip(own, numbers, strict=True)
        ]
        solver = self.solvers.fresh([*cone.whole(terms), *terms, *allowed])
        for _ in range(KEYS_MAX):
            if self.solvers.ask(solver) != z3.sat:
                return
            model = solver.model()
            row = [int(model.eval(one, model_completion=True).as_long()) for one in own]
            yield from (t.decode() for t in columns.texts.choices(name, row, search=True).texts[:1])
            solver.add(z3.Or([one != value for one, value in zip(own, row, strict=True)]))

    def _places_of(self, key: str) -> Sequence[int]:
        """The places of other keys, each reached by the same samples of this one."""
        if key not in self._renamed:
            known = {None, key}
            others = [
                p for p in self._places[: self._found] if key_of(self.time, p.after) not in known
            ]
            made = (renamed(self.take, self.time, one, key) for one in others)
            few = [one for one in made if one is not None]
            self._renamed[key] = list(range(len(self._places), len(self._places) + len(few)))
            self._places += few
        return self._renamed[key]

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
        met = sorted(self.met, key=lambda one: len(one.samples))
        for goal in self.goals.once():
            here = (one for one in met if self._is_true(goal, one))
            found = None if any(self._is_true(goal, p) for p in self._places) else next(here, None)
            if found is not None and len(self._places) < PLACES_MAX:
                self._places.append(found)

    def _explore(self) -> None:
        """Reach every state of a machine, and make every test of a cell true, from what was reached."""
        due = self.solvers.due(PLACES_SHARE)
        left = [
            goal
            for goal in self.goals.once()
            if not any(self._is_true(goal, place) for place in self._places)
            and not self.exclusion.holds(1, partial(_only, self.last.condition(goal)))
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
        for place in reversed(range(-1, len(self._places))):
            for goal in left:
                if (place, id(goal)) in tried:
                    continue
                tried.add((place, id(goal)))
                asked = partial(_only, self.last.condition(goal))
                shows = partial(self._is_true, goal)
                for counts in self.goals.onward:
                    most = min(due.left, int(self.solvers.units * WAY_SHARE))
                    found = self._reached(place, counts, asked, shows, due, most=most)
                    if found is not None:
                        return found
        return None

    def _is_true(self, goal: ir.BoolExpr, reached: Reached) -> bool:
        env = Environment(self.wide, reached.params, reached.values)
        return ir.fields_read(goal) <= set(reached.values) and env.holds(goal)

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
        before = self._places[place].samples if place >= 0 else ()
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
