"""Facts about the cells of one instance that hold behind every sample.

In: a policy over time.  Out: the largest part of what the shapes of its cells suggest that is inductive
(Houdini; Flanagan and Leino, 2001), and which of them hold for the cells that rules see, too.

What always holds: a fact that comes out holds of the initial cells, and one query proved that whatever
sample comes, all of them together keep it.  Facts speak of cells of one scope, as samples of other keys
come between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import z3

from govlang.compiler import ir
from govlang.compiler.step import State
from govlang.verifier.columns import Columns
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.limits import Solvers
from govlang.verifier.time.bounds import bounded
from govlang.verifier.time.cone import Indexed, Variables, variables
from govlang.verifier.time.moment import Terms
from govlang.verifier.time.pattern import Pattern
from govlang.verifier.time.relation import Relation
from govlang.verifier.time.suggestions import Fact, Numbers, candidates

Onward = Callable[[Numbers], Iterable[Numbers]]


@dataclass(frozen=True)
class Known:
    """What was proved: of the cells that are kept, and of those that the rules see."""

    kept: tuple[Fact, ...]
    seen: tuple[Fact, ...]
    ranges_hold: bool

    def of(self, cells: Terms) -> list[Term]:
        """What is known of kept cells."""
        return [fact.of(cells) for fact in self.kept]


def find_invariants(
    policy: ir.Policy,
    time: ir.Time,
    columns: Columns,
    solvers: Solvers,
    states: Iterable[State] = (),
    onward: Onward = lambda _: (),
    pattern: Pattern | None = None,
    more: Iterable[Fact] = (),
) -> Known:
    """The facts of a policy that are inductive.

    Those that `states` refute are not even tried; `onward` says of cells what some samples make of them;
    `more` are facts that may hold beside those that the shapes of cells suggest.
    """
    encoder = Encoder(columns, "!")
    relation = Relation(policy, time, (encoder,), lambda _: (), pattern)
    facts = [
        fact
        for scope in sorted({cell.scope for cell in time.cells})
        for fact in _standing(
            time,
            scope,
            (
                *candidates(policy, time, scope, encoder),
                *(one for one in more if one.scope == scope),
            ),
            states,
        )
    ]
    taken, cells = relation.taken[0], bounded(policy, time)
    step = _Step(relation, facts, taken.after, solvers)
    kept = _inductive(facts, step, onward, _bounded(facts, cells))
    same = {i for i, one in enumerate(kept) if one.of(taken.seen).eq(one.of(taken.after))}
    sure = same | _bounded(kept, cells).keys()
    seen = _seen(kept, _Step(relation, kept, taken.seen, solvers), sure)
    wanted = sum(f.plain for f in facts)
    ranges = all(sum(f.plain for f in found) == wanted for found in (kept, seen))
    return Known(tuple(kept), tuple(seen), ranges)


# --- proofs ----------------------------------------------------------------------------------------


def _bounded(
    facts: Sequence[Fact], cells: Mapping[str, frozenset[str]]
) -> dict[int, frozenset[int]]:
    """The ranges that interval arithmetic proves, each with those because of which it holds."""
    places = {fact.inside: i for i, fact in enumerate(facts) if fact.plain}
    return {
        places[name]: frozenset(places[one] for one in read)
        for name, read in cells.items()
        if name in places and read <= places.keys()
    }


def _inductive(
    facts: Sequence[Fact], step: _Step, onward: Onward, bounded: Mapping[int, frozenset[int]]
) -> list[Fact]:
    """The largest part that a sample keeps.

    Cells from which a sample leads out of a fact, though all that are left hold of them, rule it out; so of
    the solver's counterexamples other samples are tried, too.
    """
    alive = set(range(len(facts)))
    proofs = {**bounded, **_proved_near(step, alive - bounded.keys(), alive)}
    while left := alive - proofs.keys():
        for part in step.parts(left, near=False):
            while members := part.members & alive:
                found = part.asked(members, alive)
                if isinstance(found, frozenset):
                    proofs |= dict.fromkeys(members, found)
                    break
                alive -= found.wrong
                for cells in _after(step, found, [facts[k] for k in alive], onward):
                    alive = {k for k in alive if facts[k].holds(cells)}
        proofs = {i: used for i, used in proofs.items() if i in alive and used <= alive}
    return [facts[i] for i in sorted(alive)]


def _proved_near(
    step: _Step, asked: AbstractSet[int], alive: AbstractSet[int]
) -> dict[int, frozenset[int]]:
    """For facts that what they read themselves is enough to prove: the facts because of which they hold."""
    proofs: dict[int, frozenset[int]] = {}
    for part in step.parts(asked, near=True):
        left = part.members
        while left:
            found = part.asked(left, alive)
            if isinstance(found, frozenset):
                proofs |= dict.fromkeys(left, found)
                break
            left -= found.wrong
    return proofs


def _after(
    step: _Step, broken: _Broken, facts: Sequence[Fact], onward: Onward
) -> Iterator[Numbers]:
    """Cells that a sample leads to from some that have all facts that are left."""
    model = broken.model
    if model is None or not _holds(model, step.every_law):
        return
    before = _numbers(model, step.relation.cells)
    if all(fact.holds(before) for fact in facts):
        yield _numbers(model, step.found)
        yield from onward(before)


def _seen(facts: Sequence[Fact], step: _Step, known: AbstractSet[int]) -> list[Fact]:
    """The facts that hold of the cells that rules see, if all of them hold of those that are kept."""
    alive = set(range(len(facts)))
    proved = known | _proved_near(step, alive - known, alive).keys()
    for part in step.parts(alive - proved, near=False):
        left = part.members
        while left:
            found = part.asked(left, alive)
            if isinstance(found, frozenset):
                proved |= left
                break
            left -= found.wrong
    return [fact for i, fact in enumerate(facts) if i in proved]


@dataclass(frozen=True)
class _Broken:
    """Facts that do not hold behind some sample, and the solver's model of it (none where it gave up)."""

    wrong: frozenset[int]
    model: Any = None


class _Step:
    """Whether cells that come of one sample have facts, if all facts hold of those before it."""

    def __init__(
        self, relation: Relation, facts: Sequence[Fact], found: Terms, solvers: Solvers
    ) -> None:
        self.relation, self.solvers, self.found = relation, solvers, found
        self.held = [fact.of(relation.cells) for fact in facts]
        self.wrong = [z3.Not(fact.of(found)) for fact in facts]
        self.every_law = z3.And(relation.laws)
        self._hubs = frozenset(one.get_id() for one in relation.hubs())
        self._read = [variables(term) - self._hubs for term in self.wrong]
        self._laws = Indexed(relation.laws, self._hubs)
        self._facts = Indexed(self.held, self._hubs)

    def parts(self, asked: AbstractSet[int], *, near: bool) -> Iterator[_Part]:
        """Facts with what they depend on: on what they read themselves, or directly or not."""
        alike: dict[tuple[frozenset[int], Variables], set[int]] = {}
        for i in sorted(asked):
            own = self._read[i]
            if near:
                places, wanted = self._facts.within(own), own
            else:
                places, wanted = self._facts.bound(own)
            alike.setdefault((frozenset(places), wanted), set()).add(i)
        for (facts, wanted), members in alike.items():
            yield _Part(self, frozenset(members), facts, self._laws.bound(wanted)[0])


class _Part:
    """A solver that knows what some facts depend on."""

    def __init__(
        self, step: _Step, members: frozenset[int], facts: AbstractSet[int], laws: Sequence[int]
    ) -> None:
        self.members, self._step = members, step
        self._held = {k: z3.Bool(f"fact{k}") for k in sorted(facts)}
        self._wrong = {i: z3.Bool(f"wrong{i}") for i in sorted(members)}
        self._solver = step.solvers.fresh([step.relation.laws[k] for k in laws])
        self._solver.add(*(z3.Implies(name, step.held[k]) for k, name in self._held.items()))
        self._solver.add(*(z3.Implies(name, step.wrong[i]) for i, name in self._wrong.items()))

    def asked(self, members: AbstractSet[int], alive: AbstractSet[int]) -> frozenset[int] | _Broken:
        """The facts because of which some hold of what comes; else a sample after which one does not."""
        literals = [name for k, name in self._held.items() if k in alive]
        found = self._together(members, literals)
        if found is not None:
            return found
        for i in sorted(members):
            one = self._together({i}, literals)
            if not isinstance(one, frozenset):
                return one or _Broken(frozenset((i,)))
        return frozenset(k for k in self._held if k in alive)

    def _together(
        self, members: AbstractSet[int], literals: Sequence[Term]
    ) -> frozenset[int] | _Broken | None:
        """As `asked`; None if the solver gives up."""
        step, some = self._step, z3.Bool("wrong in " + " ".join(map(str, sorted(members))))
        self._solver.add(z3.Implies(some, z3.Or([self._wrong[i] for i in sorted(members)])))
        verdict = step.solvers.ask(self._solver, [*literals, some])
        if verdict == z3.unsat:
            used = {one.get_id() for one in self._solver.unsat_core()}
            return frozenset(k for k, name in self._held.items() if name.get_id() in used)
        if verdict == z3.unknown:
            return None
        model = self._solver.model()
        wrong = frozenset(i for i in members if _holds(model, step.wrong[i]))
        return _Broken(wrong, model)


def _holds(model: Any, term: Term) -> bool:
    return bool(z3.is_true(model.eval(term, model_completion=True)))


def _numbers(model: Any, cells: Terms) -> Numbers:
    """The cells of a model."""
    return {n: model.eval(t, model_completion=True).as_long() for n, t in cells.items()}


def _standing(
    time: ir.Time, scope: str, facts: Iterable[Fact], states: Iterable[State]
) -> list[Fact]:
    """The facts that hold of the initial cells and of those of some states."""
    start = {c.name: c.initial for c in time.cells if c.scope == scope and not c.brief}
    left = [fact for fact in facts if fact.holds(start)]
    met: set[tuple[int, ...]] = set()
    for state in states:
        for (own, _), instance in state.instances.items():
            values = tuple(instance.cells.values())
            if own == scope and values not in met:
                met.add(values)
                left = [fact for fact in left if fact.holds(instance.cells)]
    return left
