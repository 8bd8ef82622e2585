"""What the shapes of cells suggest of them: guesses, of which induction keeps what is true.

In: a policy over time.  Out: facts about the cells of one scope, as words, as terms and as tests of numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise, permutations
from typing import Final

import z3

from govlang.compiler import ir
from govlang.compiler.interpret import Environment
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.parts import describe
from govlang.verifier.time.moment import Terms

PAIRS_MAX: Final = 20
"""Growing cells of a scope of which every two are compared; of more only those of one operator."""

STATES_MAX: Final = 8
"""Growing cells, and counters, of which every two are compared in each state of a machine."""

ATOMS_MAX: Final = 400
"""Facts about what holds in a state of a machine, of one scope."""

Numbers = Mapping[str, int]
"""The values of cells."""


@dataclass(frozen=True)
class Fact:
    """Something about cells: in words, and as a term over them."""

    text: str
    of: Callable[[Terms], Term]
    holds: Callable[[Numbers], bool]
    """Whether cells have it that are numbers."""
    inside: str = ""
    """The cell, if it only says that one lies in its range."""
    scope: str = ir.SHARED
    """Where its cells are kept; only read of facts that do not come from here."""

    @property
    def plain(self) -> bool:
        """Whether it only says that a cell lies in its range."""
        return bool(self.inside)


def candidates(policy: ir.Policy, time: ir.Time, scope: str, encoder: Encoder) -> Iterator[Fact]:
    """What may be true of the cells of a scope."""
    own = [c for c in time.cells if c.scope == scope and not c.brief]
    yield from map(_in_range, own)
    yield from _orders(own, _counters(time, own))
    yield from _same_panes(own)
    yield from _causes(time, own)
    yield from _states(policy, time, own, encoder)
    yield from _claims(policy, own, encoder)


def _in_range(cell: ir.Cell) -> Fact:
    name, lo, hi = cell.name, cell.field.lo, cell.field.hi
    return Fact(
        f"`{name}` is in {lo}..{hi}",
        lambda s: z3.And(s[name] >= lo, s[name] <= hi),
        lambda s: lo <= s[name] <= hi,
        inside=name,
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


def kin(a: ir.Cell, b: ir.Cell) -> Iterator[Fact]:
    """What may be true of two cells of one scope that two versions define in ways that differ a little.

    Counters that stop where a decision makes them stop stand one below where they could.
    """
    top = min(a.field.hi, b.field.hi)
    tops = (top, top - 1) if a.cap is None and not a.field.members and top > 1 else (top,)
    same = (_same_up_to(a.name, b.name, one) for one in tops)
    orders = [_order(a, b), _order(b, a)] if (a.cap is None) == (b.cap is None) else []
    yield from (replace(one, scope=a.scope) for one in (*same, *orders))


def _same_up_to(first: str, second: str, top: int) -> Fact:
    return Fact(
        f"`{first}` equals `{second}` up to {top}",
        lambda s: z3.Or(s[first] == s[second], z3.And(s[first] >= top, s[second] >= top)),
        lambda s: s[first] == s[second] or min(s[first], s[second]) >= top,
    )


def _equal(a: ir.Cell, b: ir.Cell) -> Fact:
    first, second = a.name, b.name
    return Fact(
        f"`{first}` equals `{second}`",
        lambda s: s[first] == s[second],
        lambda s: s[first] == s[second],
    )


def _causes(time: ir.Time, cells: Sequence[ir.Cell]) -> Iterator[Fact]:
    """One of the events that lead into a state of a machine happened since it is in it."""
    named = {cell.name: cell for cell in cells}
    ages = {
        (one.condition.name, one.condition.ranges): named[one.cell]
        for one in time.updates
        if isinstance(one.condition, ir.InRanges)
        and one.value == ir.IntConst(0)
        and one.cell in named
        and named[one.cell].cap is not None
    }
    for cell in cells:
        own = named.get(f"{cell.name}.age")
        if not cell.field.members or own is None:
            continue
        for value, shown in enumerate(cell.field.members):
            entries = [
                _events(one.condition)
                for one in time.updates
                if one.cell == cell.name and one.value == ir.IntConst(value)
            ]
            causes = {key for entry in entries for key in entry}
            if all(entries) and len(causes) > 1 and causes <= ages.keys() and value != cell.initial:
                yield _one_of(
                    cell, value, shown, [_order(ages[key], own) for key in sorted(causes)]
                )


def _events(condition: ir.BoolExpr) -> list[tuple[str, ir.Ranges]]:
    """The events of which a transition needs one; none if it needs something else."""
    parts = condition.operands if isinstance(condition, ir.And) else (condition,)
    return [
        (ir.SAMPLE, ((number, number),))
        for part in parts
        if isinstance(part, ir.InRanges) and part.name == ir.SAMPLE
        for lo, hi in part.ranges
        for number in range(lo, hi + 1)
    ]


def _one_of(cell: ir.Cell, value: int, shown: str, orders: Sequence[Fact]) -> Fact:
    name = cell.name
    listed = " or ".join(one.text for one in orders)
    return Fact(
        f"while `{name}` is {shown}: {listed}",
        lambda s: z3.Or([s[name] != value, *(one.of(s) for one in orders)]),
        lambda s: s[name] != value or any(one.holds(s) for one in orders),
    )


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

    def holds(cells: Numbers) -> bool:
        x, y = cells[first], cells[second]
        none = (x < 0 and a.field.lo < 0) or (y < 0 and b.field.lo < 0)
        return none or x <= y or y >= cap

    return Fact(f"`{first}` {less} `{second}`", of, holds)


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
    return Fact(
        f"`{name}` is never {shown}", lambda s: s[name] != value, lambda s: s[name] != value
    )


def _order_in(cell: ir.Cell, value: int, shown: str, order: Fact) -> Fact:
    name = cell.name
    return Fact(
        f"while `{name}` is {shown}: {order.text}",
        lambda s: z3.Or(s[name] != value, order.of(s)),
        lambda s: s[name] != value or order.holds(s),
    )


def _implied(
    cell: ir.Cell, value: int, shown: str, atom: ir.BoolExpr, encoder: Encoder, *, wanted: bool
) -> Fact:
    name = cell.name

    def of(cells: Terms) -> Term:
        holds = encoder.over(cells).condition(atom)
        return z3.Or(cells[name] != value, holds if wanted else z3.Not(holds))

    def true(cells: Numbers) -> bool:
        env = Environment(encoder.columns.policy, {}, cells)
        return cells[name] != value or env.holds(atom) is wanted

    said = describe(atom)
    return Fact(f"while `{name}` is {shown}: {said if wanted else f'not ({said})'}", of, true)


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
            true = partial(_is_true, encoder, one.condition)
            yield Fact(f"`{one.name}`", partial(_holds, encoder, one.condition), true)


def _holds(encoder: Encoder, condition: ir.BoolExpr, cells: Terms) -> Term:
    return encoder.over(cells).condition(condition)


def _is_true(encoder: Encoder, condition: ir.BoolExpr, cells: Numbers) -> bool:
    return Environment(encoder.columns.policy, {}, cells).holds(condition)


def _params(condition: ir.BoolExpr) -> bool:
    parts = (
        part
        for atom in ir.atoms(condition)
        if isinstance(atom, ir.Compare)
        for side in (atom.left, atom.right)
        for part in ir.int_parts(side)
    )
    return any(isinstance(part, ir.ParamValue) for part in parts)
