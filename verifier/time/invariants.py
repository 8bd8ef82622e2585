"""Facts about the cells of one instance that hold behind every sample.

In: a policy over time.  Out: the largest part of what the shapes of its cells suggest that is inductive
(Houdini; Flanagan and Leino, 2001), and which of them hold for the cells that rules see, too.

What always holds: a fact that comes out holds of the initial cells, and one query proved that whatever
sample comes, all of them together keep it.  Facts speak of cells of one scope, as samples of other keys
come between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import z3

from govlang.compiler import ir
from govlang.compiler.step import State
from govlang.verifier.columns import Columns
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.smtlib import Watch, ask
from govlang.verifier.time.moment import Terms, Whose
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
    timeout_ms: int,
    watch: Watch | None = None,
    states: Iterable[State] = (),
    onward: Onward = lambda _: (),
    whose: Whose | None = None,
    more: Iterable[Fact] = (),
) -> Known:
    """The facts of a policy that are inductive.

    Those that `states` refute are not even tried; `onward` says of cells what some samples make of them;
    `more` are facts that may hold beside those that the shapes of cells suggest.
    """
    encoder = Encoder(columns, "!")
    relation = Relation(policy, time, (encoder,), lambda _: (), whose)
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
    kept = _inductive(relation, facts, timeout_ms, watch, onward)
    seen = _seen(relation, kept, timeout_ms, watch)
    wanted = sum(f.plain for f in facts)
    ranges = all(sum(f.plain for f in found) == wanted for found in (kept, seen))
    return Known(tuple(kept), tuple(seen), ranges)


# --- proofs ----------------------------------------------------------------------------------------


def _solver(relation: Relation, timeout_ms: int) -> Any:
    solver = z3.SolverFor("QF_LIA")
    solver.set("timeout", timeout_ms)
    solver.set("random_seed", 0)
    solver.add(*relation.laws)
    return solver


def _inductive(
    relation: Relation,
    facts: Sequence[Fact],
    timeout_ms: int,
    watch: Watch | None,
    onward: Onward,
) -> list[Fact]:
    """The largest part that a sample keeps.

    Cells from which a sample leads out of a fact, though all that are left hold of them, rule it out; so of
    the solver's counterexamples other samples are tried, too.
    """
    solver = _solver(relation, timeout_ms)
    names = [z3.Bool(f"fact{i}") for i in range(len(facts))]
    for name, fact in zip(names, facts, strict=True):
        solver.add(z3.Implies(name, fact.of(relation.cells)))
    after = _named(solver, [fact.of(relation.taken[0].after) for fact in facts], "after")
    alive = list(range(len(facts)))
    while alive:
        left = _surviving(solver, [names[i] for i in alive], {i: after[i] for i in alive}, watch)
        if len(left) == len(alive):
            break
        cells = _numbers(solver, relation)
        if cells is not None and all(facts[i].holds(cells) for i in alive):
            for after_cells in onward(cells):
                left = [i for i in left if facts[i].holds(after_cells)]
        alive = left
    return [facts[i] for i in alive]


def _numbers(solver: Any, relation: Relation) -> Numbers | None:
    """The cells of the last model; None if the solver has none."""
    try:
        model = solver.model()
    except z3.Z3Exception:
        return None
    return {
        name: model.eval(term, model_completion=True).as_long()
        for name, term in relation.cells.items()
    }


def _seen(
    relation: Relation, facts: Sequence[Fact], timeout_ms: int, watch: Watch | None
) -> list[Fact]:
    solver = _solver(relation, timeout_ms)
    solver.add(*(fact.of(relation.cells) for fact in facts))
    terms = dict(enumerate(_named(solver, [f.of(relation.taken[0].seen) for f in facts], "seen")))
    while terms:
        left = _surviving(solver, [], terms, watch)
        if len(left) == len(terms):
            break
        terms = {i: terms[i] for i in left}
    return [facts[i] for i in terms]


def _named(solver: Any, terms: Sequence[Term], word: str) -> list[Term]:
    """A literal for each term, whose value a model has at hand."""
    names = [z3.Bool(f"{word}{i}") for i in range(len(terms))]
    solver.add(*(name == term for name, term in zip(names, terms, strict=True)))
    return names


def _surviving(
    solver: Any, assumed: Sequence[Term], names: Mapping[int, Term], watch: Watch | None
) -> list[int]:
    """The facts that a countermodel leaves true; all of them if it is proved that there is none."""
    wrong = z3.Bool(f"wrong in {len(names)}")
    solver.add(z3.Implies(wrong, z3.Or([z3.Not(name) for name in names.values()])))
    verdict = ask(solver, [*assumed, wrong], watch)
    if verdict == z3.unsat:
        return list(names)
    if verdict == z3.sat:
        model = solver.model()
        left = [i for i, name in names.items() if not z3.is_false(model[name])]
        if len(left) < len(names):
            return left
    return [i for i, n in names.items() if ask(solver, [*assumed, z3.Not(n)], watch) == z3.unsat]


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
