"""What a sample does, as terms made once: every other sample is those terms with its own columns and cells.

In: a policy over time and the columns of its flat form.  Out: for a sample, and the cells that it finds, what
`Moment.laws` and `Moment.take` come to.

What always holds: these are the terms that would have been written out for that sample, with its variables in
the place of the pattern's; simplified ones mean the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import z3

from govlang.compiler import ir
from govlang.verifier.columns import ColumnKind, Columns
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.time.moment import Moment, Taken, Terms, Whose

Pairs = list[tuple[Term, Term]]


class _Many:
    """Many terms as one, so that what they share is gone through once."""

    def __init__(self, terms: Sequence[Term], variables: frozenset[int] | None = None) -> None:
        """`variables`: the numbers of all that these terms may have, if that is known."""
        distinct = {term.get_id(): term for term in terms}
        places = {number: i for i, number in enumerate(distinct)}
        self.places = [places[term.get_id()] for term in terms]
        sorts = [term.sort() for term in distinct.values()]
        whole = z3.Function(f"many{len(sorts)}", *sorts, z3.BoolSort())
        self.whole = whole(*distinct.values())
        if variables is None:
            variables = frozenset(term.get_id() for term in _variables(self.whole))
        self.variables = variables

    def put(self, pairs: Pairs, *, plain: bool = False) -> list[Term]:
        """The terms with others in the place of some variables."""
        due = [pair for pair in pairs if pair[0].get_id() in self.variables]
        found = z3.substitute(self.whole, *due)
        own = (z3.simplify(found) if plain else found).children()
        return [own[i] for i in self.places]


@dataclass
class Pattern:
    """The terms of one sample of a policy, over variables of its own."""

    policy: ir.Policy
    time: ir.Time
    columns: Columns
    whose: Whose | None = None
    """Whose decision the updates of a cell read; None: the policy's own."""
    _moment: Moment = field(init=False)
    _cells: dict[str, Term] = field(init=False)
    _takes: dict[bool, tuple[Taken, _Many]] = field(default_factory=dict)
    _repeated: dict[tuple[int, bool], _Many] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._moment = Moment(self.policy, self.time, Encoder(self.columns, "'"), "'", self.whose)
        self._cells = {c.name: z3.Int(f"cell'{i}") for i, c in enumerate(self.time.cells)}

    def laws(self, moment: Moment) -> list[Term]:
        """What a sample satisfies, whatever the state."""
        return self._laws.put(self._own(moment))

    @cached_property
    def _laws(self) -> _Many:
        return _Many(list(self._moment.laws()))

    def take(self, moment: Moment, grown: Terms, *, again: bool = False) -> Taken:
        """A sample on cells that have grown by the time since the last one, as `Moment.take` has it."""
        if again not in self._takes:
            own = self._moment.take(self._cells, again=again)
            self._takes[again] = own, _Many(list(_terms(own)))
        shape, many = self._takes[again]
        return _filled(shape, iter(many.put([*self._own(moment), *self._found(grown)])))

    def repeated(self, moment: Moment, grown: Terms, count: int) -> tuple[Terms, Term]:
        """The cells behind `count` equal samples at one time, and what makes each of them one that is taken."""
        own = [*self._own(moment), *self._found(grown)]
        *cells, law = self._often(count).put(own, plain=True)
        return dict(zip(self._cells, cells, strict=True)), law

    def _often(self, count: int) -> _Many:
        """Some equal samples, the first of which may come a time after the one before it."""
        return self._kept(count, first=True)

    def _kept(self, count: int, *, first: bool) -> _Many:
        if (count, first) not in self._repeated:
            self._repeated[count, first] = self._made(count, first=first)
        return self._repeated[count, first]

    def _made(self, count: int, *, first: bool) -> _Many:
        """By halves, so that a hundred are made in some ten steps."""
        if count == 1:
            return self._one(again=not first)
        if first:
            return self._joined(self._kept(1, first=True), self._kept(count - 1, first=False))
        half = self._kept(count // 2, first=False)
        both = self._joined(half, half)
        return self._joined(both, self._kept(1, first=False)) if count % 2 else both

    def _one(self, *, again: bool) -> _Many:
        taken = self._moment.take(self._cells, again=again)
        return _Many([*(taken.after[name] for name in self._cells), z3.And(taken.laws)])

    def _joined(self, first: _Many, second: _Many) -> _Many:
        """Some samples behind others."""
        *cells, law = first.put([], plain=True)
        found = dict(zip(self._cells, cells, strict=True))
        brief = {c.name: z3.IntVal(c.initial) for c in self.time.cells if c.brief}
        *cells, other = second.put(self._found(found | brief), plain=True)
        return _Many([*cells, z3.And(law, other)], first.variables | second.variables)

    def _found(self, cells: Terms) -> Pairs:
        """The cells before a sample in the place of the pattern's."""
        return [(self._cells[name], term) for name, term in cells.items()]

    def _own(self, moment: Moment) -> Pairs:
        """The columns of a sample in the place of the pattern's."""
        columns = self.columns.columns
        pairs = zip(self._moment.encoder.variables, moment.encoder.variables, strict=True)
        return [p for p, c in zip(pairs, columns, strict=True) if c.kind is not ColumnKind.PARAM]


def _terms(taken: Taken) -> Iterator[Term]:
    yield from taken.seen.values()
    yield from taken.after.values()
    for cells in taken.before.values():
        yield from cells.values()
    yield from taken.laws


def _filled(shape: Taken, terms: Iterator[Term]) -> Taken:
    """A sample of the same shape with terms in the order of `_terms`."""

    def cells(own: Mapping[str, Term]) -> Terms:
        return {name: next(terms) for name in own}

    seen, after = cells(shape.seen), cells(shape.after)
    before = {stage: cells(own) for stage, own in shape.before.items()}
    return Taken(seen, after, before, tuple(terms))


def _variables(term: Term) -> Iterator[Term]:
    """The variables of a term."""
    met: set[int] = set()
    stack = [term]
    while stack:
        one = stack.pop()
        if one.get_id() in met:
            continue
        met.add(one.get_id())
        if z3.is_const(one):
            yield one
        stack += one.children()
