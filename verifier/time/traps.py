"""Sets of states that no sample leaves, and in which a property never holds.

In: a context, the cells of a state, what is asked of a sample at which the property holds.  Out: for a state
a set around it, as a condition on cells.

What always holds: a set was proved closed under every sample of every key, and free of samples as asked, from
all states in it that satisfy what is known of states.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import z3

from govlang.compiler import ir
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.time.context import TimeContext
from govlang.verifier.time.moment import Moment, Taken, Terms
from govlang.verifier.time.relation import Relation, cell_scopes

SETS_MAX: Final = 64
"""Combinations of machine states in a closed set."""

Inside = Callable[[Terms], Term]
"""Whether cells are those of a state in a set."""


@dataclass(frozen=True)
class Traps:
    """Where the sets are looked for."""

    context: TimeContext
    cells: Terms
    goal: Callable[[Moment, Taken], Sequence[Term]]
    params: Sequence[Term]
    """What holds of the parameters."""
    texts: Mapping[str, Mapping[int, Term]]
    """By scope and column: the class of its key, where conditions test that."""
    whose: frozenset[str]
    """The scopes of which the samples of the goal carry our key."""

    def around(self, model: Any) -> Inside | None:
        """A set of states with a given one in it that no sample leaves, and in which P never holds."""
        machines = [c for c in self.context.time.cells if c.field.members and c.cap is None]
        first = tuple(int(model.eval(self.cells[c.name]).as_long()) for c in machines)
        found = self._closure(machines, first, model)
        if found is None:
            return self._cube(model)

        def inside(cells: Terms) -> Term:
            rows = [
                z3.And([cells[c.name] == v for c, v in zip(machines, row, strict=True)])
                for row in found
            ]
            return z3.Or(rows)

        return inside

    def classes(self, model: Any) -> dict[int, int]:
        """By column: the class of our keys in a model."""
        every = {n: term for own in self.texts.values() for n, term in own.items()}
        return {n: int(model.eval(t, model_completion=True).as_long()) for n, t in every.items()}

    def _ours(self, moment: Moment, scopes: Collection[str], model: Any) -> list[Term]:
        """A request has our keys of some scopes, so texts of their classes."""
        known = self.classes(model)
        numbers = [n for scope in scopes for n in self.texts.get(scope, ())]
        return [
            z3.Implies(moment.is_request, moment.encoder.variables[n] == known[n]) for n in numbers
        ]

    def _cube(self, model: Any) -> Inside | None:
        """What is true of a state and stays true whatever comes, if P is false while it is."""
        context = self.context
        if len(cell_scopes(context.time)) > 1:
            return None  # samples of other keys would change a part of it
        encoder = Encoder(context.judge.columns, "!c")
        relation = Relation(
            context.policy, context.time, (encoder,), context.known.of, context.pattern
        )
        atoms = [
            goal for goal in context.search.goals.once() if ir.fields_read(goal) <= set(self.cells)
        ]

        def literal(atom: ir.BoolExpr, cells: Terms) -> Term:
            return encoder.over(cells).condition(atom)

        signed = [
            atom
            if z3.is_true(model.eval(literal(atom, self.cells), model_completion=True))
            else ir.negation(atom)
            for atom in atoms
        ]
        ours = self._ours(relation.moments[0], cell_scopes(context.time), model)
        solver = self._solver([*relation.laws, *self.params, *ours])
        while signed:
            before = [literal(atom, relation.cells) for atom in signed]
            after = [literal(atom, relation.taken[0].after) for atom in signed]
            verdict = self._ask(solver, [*_named(solver, before), z3.Not(z3.And(after))])
            if verdict != z3.sat:
                break
            step = solver.model()
            kept = [z3.is_true(step.eval(t, model_completion=True)) for t in after]
            signed = [atom for atom, keeps in zip(signed, kept, strict=True) if keeps]
        else:
            return None
        goal = [
            *self.goal(relation.moments[0], relation.taken[0]),
            *self._ours(relation.moments[0], self.whose, model),
        ]
        before = [literal(atom, relation.cells) for atom in signed]
        if verdict != z3.unsat or self._ask(solver, _named(solver, [*before, *goal])) != z3.unsat:
            return None
        return lambda cells: z3.And([literal(atom, cells) for atom in signed])

    def _closure(
        self, machines: Sequence[ir.Cell], first: tuple[int, ...], model: Any
    ) -> set[tuple[int, ...]] | None:
        """The machine states that samples lead to from some; None if P holds in one, or it is open."""
        found, left = {first}, [first]
        context = self.context
        encoder = Encoder(context.judge.columns, "!!")
        relation = Relation(
            context.policy, context.time, (encoder,), context.known.of, context.pattern
        )
        solver = self._solver([*relation.laws, *self.params])
        moment = relation.moments[0]
        own = self._ours(moment, self.whose, model)
        goal = z3.And([*self.goal(moment, relation.taken[0]), *own])
        while left:
            stands = dict(zip((c.name for c in machines), left.pop(), strict=True))
            here = [relation.cells[name] == value for name, value in stands.items()]
            if self._ask(solver, _named(solver, [*here, goal])) != z3.unsat:
                return None
            for some in _moved(machines):
                ours = self._ours(moment, {c.scope for c in some}, model)
                rows = self._behind(solver, relation, some, stands, ours)
                if rows is None or len(found) > SETS_MAX:
                    return None
                left += rows - found
                found |= rows
        return found

    def _behind(
        self,
        solver: Any,
        relation: Relation,
        moved: Sequence[ir.Cell],
        stands: Mapping[str, int],
        ours: Sequence[Term],
    ) -> set[tuple[int, ...]] | None:
        """The states that a sample leads to which moves some of the machines; None if that is open."""
        after = [relation.taken[0].after[c.name] for c in moved]
        found: set[tuple[int, ...]] = set()
        solver.push()
        solver.add(*ours)
        solver.add(*(relation.cells[c.name] == stands[c.name] for c in moved))
        solver.add(*(relation.moments[0].addresses(c.scope) for c in moved))
        while moved and (verdict := self._ask(solver)) == z3.sat and len(found) <= SETS_MAX:
            model = solver.model()
            values = [int(model.eval(t, model_completion=True).as_long()) for t in after]
            to = dict(zip((c.name for c in moved), values, strict=True))
            found.add(tuple({**stands, **to}.values()))
            solver.add(z3.Or([t != v for t, v in zip(after, values, strict=True)]))
        solver.pop()
        return found if not moved or verdict == z3.unsat else None

    def _solver(self, terms: Sequence[Term]) -> Any:
        return self.context.search.solvers.fresh(terms)

    def _ask(self, solver: Any, literals: Sequence[Term] = ()) -> Any:
        return self.context.search.solvers.ask(solver, literals)


def _moved(machines: Sequence[ir.Cell]) -> Iterator[Sequence[ir.Cell]]:
    """What a sample may move: what is shared, and what is kept by those of its keys that are ours."""
    own = sorted({c.scope for c in machines} - {ir.SHARED})
    for count in range(len(own) + 1):
        for some in combinations(own, count):
            yield [c for c in machines if c.scope in {ir.SHARED, *some}]


def _named(solver: Any, terms: Sequence[Term]) -> list[Term]:
    """Literals that stand for terms."""
    names = [z3.FreshBool("t") for _ in terms]
    solver.add(*(z3.Implies(n, t) for n, t in zip(names, terms, strict=True)))
    return names
