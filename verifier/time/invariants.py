"""Facts about the cells of one instance that hold behind every sample.

In: a policy over time.  Out: the largest part of what the shapes of its cells suggest that is inductive
(Houdini; Flanagan and Leino, 2001), and which of them hold for the cells that rules see, too.

What always holds: a fact that comes out holds of the initial cells, and one query proved that whatever
sample comes, all of them together keep it.  Facts speak of cells of one scope, as samples of other keys
come between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, permutations
from typing import Any, Final

import z3

from govlang.compiler import ir
from govlang.verifier.columns import Columns
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.parts import describe
from govlang.verifier.smtlib import Watch, ask
from govlang.verifier.time.moment import Terms
from govlang.verifier.time.relation import Relation

PAIRS_MAX: Final = 20
"""Growing cells of a scope of which every two are compared; of more only those of one operator."""

STATES_MAX: Final = 8
"""Growing cells, and counters, of which every two are compared in each state of a machine."""

ATOMS_MAX: Final = 400
"""Facts about what holds in a state of a machine, of one scope."""


@dataclass(frozen=True)
class Fact:
    """Something about cells: in words, and as a term over them."""

    text: str
    of: Callable[[Terms], Term]
    plain: bool = False
    """Whether it only says that a cell lies in its range."""


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
) -> Known:
    """The facts of a policy that are inductive."""
    encoder = Encoder(columns, "!")
    relation = Relation(policy, time, (encoder,), lambda _: ())
    start = {c.name: z3.IntVal(c.initial) for c in time.cells}
    facts = [f for f in _candidates(policy, time, encoder) if z3.is_true(z3.simplify(f.of(start)))]
    kept = _inductive(relation, facts, timeout_ms, watch)
    seen = _seen(relation, kept, timeout_ms, watch)
    wanted = sum(f.plain for f in facts)
    ranges = all(sum(f.plain for f in found) == wanted for found in (kept, seen))
    return Known(tuple(kept), tuple(seen), ranges)


# --- proofs ----------------------------------------------------------------------------------------


def _solver(relation: Relation, timeout_ms: int) -> Any:
    solver = z3.SimpleSolver()
    solver.set("timeout", timeout_ms)
    solver.set("random_seed", 0)
    solver.add(*relation.laws)
    return solver


def _inductive(
    relation: Relation, facts: Sequence[Fact], timeout_ms: int, watch: Watch | None
) -> list[Fact]:
    """The largest part that a sample keeps."""
    solver = _solver(relation, timeout_ms)
    names = [z3.Bool(f"fact{i}") for i in range(len(facts))]
    for name, fact in zip(names, facts, strict=True):
        solver.add(z3.Implies(name, fact.of(relation.cells)))
    after = [fact.of(relation.taken[0].after) for fact in facts]
    alive = list(range(len(facts)))
    while alive:
        left = _surviving(solver, [names[i] for i in alive], {i: after[i] for i in alive}, watch)
        if len(left) == len(alive):
            break
        alive = left
    return [facts[i] for i in alive]


def _seen(
    relation: Relation, facts: Sequence[Fact], timeout_ms: int, watch: Watch | None
) -> list[Fact]:
    solver = _solver(relation, timeout_ms)
    solver.add(*(fact.of(relation.cells) for fact in facts))
    terms = {i: fact.of(relation.taken[0].seen) for i, fact in enumerate(facts)}
    while terms:
        left = _surviving(solver, [], terms, watch)
        if len(left) == len(terms):
            break
        terms = {i: terms[i] for i in left}
    return [facts[i] for i in terms]


def _surviving(
    solver: Any, assumed: Sequence[Term], terms: Mapping[int, Term], watch: Watch | None
) -> list[int]:
    """The terms that a countermodel leaves true; all of them if it is proved that there is none."""
    wrong = z3.Or([z3.Not(term) for term in terms.values()])
    verdict = ask(solver, [*assumed, wrong], watch)
    if verdict == z3.unsat:
        return list(terms)
    if verdict == z3.sat:
        model = solver.model()
        left = [i for i, t in terms.items() if z3.is_true(model.eval(t, model_completion=True))]
        if len(left) < len(terms):
            return left
    return [i for i, t in terms.items() if ask(solver, [*assumed, z3.Not(t)], watch) == z3.unsat]


# --- what shapes suggest ---------------------------------------------------------------------------


def _candidates(policy: ir.Policy, time: ir.Time, encoder: Encoder) -> Iterator[Fact]:
    for cell in time.cells:
        if not cell.brief:
            yield _in_range(cell)
    for scope in sorted({cell.scope for cell in time.cells}):
        own = [c for c in time.cells if c.scope == scope and not c.brief]
        yield from _orders(own, _counters(time, own))
        yield from _same_panes(own)
        yield from _states(policy, time, own, encoder)
        yield from _claims(policy, own, encoder)


def _in_range(cell: ir.Cell) -> Fact:
    name, lo, hi = cell.name, cell.field.lo, cell.field.hi
    return Fact(
        f"`{name}` is in {lo}..{hi}", lambda s: z3.And(s[name] >= lo, s[name] <= hi), plain=True
    )


def _orders(cells: Sequence[ir.Cell], counters: Sequence[ir.Cell]) -> Iterator[Fact]:
    """Of two growing cells one is never behind the other; of two counters one never counts more."""
    growing = [c for c in cells if c.cap is not None]
    last: dict[str, ir.Cell] = {}
    for cell in growing:
        stem = _stem(cell.name)
        if stem in last:
            yield _order(last[stem], cell)
        last[stem] = cell
    for a, b in (*permutations(_ends(growing), 2), *permutations(counters, 2)):
        yield _order(a, b)


def _same_panes(cells: Sequence[ir.Cell]) -> Iterator[Fact]:
    """Two sums with as many panes of one length keep the same, if they add the same."""
    phases = [c for c in cells if c.name.endswith(".phase")]
    by_stem = {c.name.removesuffix(".phase"): c for c in phases}
    for (one, first), (other, second) in pairwise(by_stem.items()):
        ours = [c for c in cells if c.name.rpartition(".")[0] == one]
        named = {c.name: c for c in cells}
        theirs = [named.get(c.name.replace(one, other, 1)) for c in ours]
        if first.cap == second.cap and None not in theirs:
            yield from (_equal(a, b) for a, b in zip(ours, theirs, strict=True) if b is not None)


def _equal(a: ir.Cell, b: ir.Cell) -> Fact:
    first, second = a.name, b.name
    return Fact(f"`{first}` equals `{second}`", lambda s: s[first] == s[second])


def _counters(time: ir.Time, cells: Sequence[ir.Cell]) -> list[ir.Cell]:
    """The cells that count, as far as every two can be compared."""
    counting = {one.cell for one in time.updates if one.value == _one_more(one.cell)}
    found = [cell for cell in cells if cell.name in counting]
    return found if len(found) <= STATES_MAX else []


def _one_more(name: str) -> ir.IntExpr:
    return ir.Arith(ir.ArithOp.ADD, ir.FieldValue(name), ir.IntConst(1))


def _ends(growing: Sequence[ir.Cell]) -> list[ir.Cell]:
    """The first and the last age of each operator, as far as every two can be compared."""
    by_stem: dict[str, list[ir.Cell]] = {}
    for cell in growing:
        by_stem.setdefault(_stem(cell.name), []).append(cell)
    ends = [c for own in by_stem.values() for c in dict.fromkeys((own[0], own[-1]))]
    return ends if len(ends) <= PAIRS_MAX else []


def _stem(name: str) -> str:
    for part in (".age", ".near", ".far", ".held"):
        name = name.split(part, maxsplit=1)[0]
    return name


def _order(a: ir.Cell, b: ir.Cell) -> Fact:
    first, second = a.name, b.name
    cap = b.field.hi if b.cap is None else b.cap
    less = "counts no more than" if b.cap is None else "is no longer ago than"

    def of(cells: Terms) -> Term:
        x, y = cells[first], cells[second]
        term = z3.Or(x <= y, y >= cap)
        none = [v < 0 for v, c in ((x, a), (y, b)) if c.field.lo < 0]
        return z3.Or([*none, term])

    return Fact(f"`{first}` {less} `{second}`", of)


def _states(
    policy: ir.Policy, time: ir.Time, cells: Sequence[ir.Cell], encoder: Encoder
) -> Iterator[Fact]:
    """What is true in each state of a machine, and of each bit."""
    names = {c.name for c in cells}
    atoms = _atoms(policy, time, names)
    few = [c for c in cells if c.cap is None and c.field.hi - c.field.lo < 8]
    growing, counters = _ends([c for c in cells if c.cap is not None]), _counters(time, cells)
    growing = growing if len(growing) <= STATES_MAX else []
    count = 0
    for cell in few:
        for value in range(cell.field.lo, cell.field.hi + 1):
            shown = cell.field.members[value] if cell.field.members else f"{value}"
            yield _never(cell, value, shown)
            for atom in atoms:
                if ir.fields_read(atom) == {cell.name} or count >= ATOMS_MAX:
                    continue
                count += 1
                yield _implied(cell, value, shown, atom, encoder, wanted=True)
                yield _implied(cell, value, shown, atom, encoder, wanted=False)
            if cell.field.members:
                for a, b in (*permutations(growing, 2), *permutations(counters, 2)):
                    yield _order_in(cell, value, shown, _order(a, b))


def _never(cell: ir.Cell, value: int, shown: str) -> Fact:
    name = cell.name
    return Fact(f"`{name}` is never {shown}", lambda s: s[name] != value)


def _order_in(cell: ir.Cell, value: int, shown: str, order: Fact) -> Fact:
    name = cell.name
    return Fact(
        f"while `{name}` is {shown}: {order.text}",
        lambda s: z3.Or(s[name] != value, order.of(s)),
    )


def _implied(
    cell: ir.Cell, value: int, shown: str, atom: ir.BoolExpr, encoder: Encoder, *, wanted: bool
) -> Fact:
    name = cell.name

    def of(cells: Terms) -> Term:
        holds = encoder.over(cells).condition(atom)
        return z3.Or(cells[name] != value, holds if wanted else z3.Not(holds))

    said = describe(atom)
    return Fact(f"while `{name}` is {shown}: {said if wanted else f'not ({said})'}", of)


def _atoms(policy: ir.Policy, time: ir.Time, names: set[str]) -> list[ir.BoolExpr]:
    conditions = [
        *(one.condition for one in policy.properties),
        *(one.condition for one in policy.rules),
        *(one.condition for one in time.updates),
    ]
    found: dict[ir.BoolExpr, None] = {}
    for condition in conditions:
        for atom in ir.atoms(condition):
            read = ir.fields_read(atom)
            if isinstance(atom, ir.InRanges) and read and read <= names:
                found[atom] = None
    return list(found)


def _claims(policy: ir.Policy, cells: Sequence[ir.Cell], encoder: Encoder) -> Iterator[Fact]:
    """Properties that speak of nothing but these cells."""
    names = {c.name for c in cells}
    for one in policy.properties:
        read = ir.fields_read(one.condition)
        plain = not one.mentions_decision and not one.possible and not _params(one.condition)
        if plain and read and read <= names:
            yield Fact(f"`{one.name}`", partial(_holds, encoder, one.condition))


def _holds(encoder: Encoder, condition: ir.BoolExpr, cells: Terms) -> Term:
    return encoder.over(cells).condition(condition)


def _params(condition: ir.BoolExpr) -> bool:
    parts = (
        part
        for atom in ir.atoms(condition)
        if isinstance(atom, ir.Compare)
        for side in (atom.left, atom.right)
        for part in ir.int_parts(side)
    )
    return any(isinstance(part, ir.ParamValue) for part in parts)
