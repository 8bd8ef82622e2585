"""Some samples one after another, from the state in which nothing has happened yet, or from a given one.

In: how often each sample is repeated.  Out: terms over the variables of the samples; a model of them is a
history, for which `traces.py` finds texts.

What always holds: every sample has its own time and, in each scope, its own key; cells are looked up by
that key; times go back only where `back` lets them.  A sample that is repeated m
times stands for m equal ones at one time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import z3

from govlang.compiler import ir
from govlang.compiler.step import State
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.outcome import any_of
from govlang.verifier.time.moment import Moment, Taken, Terms, grow
from govlang.verifier.time.pattern import Pattern

LAST_MS: Final = 253_402_300_799_999
"""The end of the year 9999, behind which there are no times."""


@dataclass
class History:
    """Samples in order, each repeated `counts[i]` times; the last one is that of the question."""

    policy: ir.Policy
    """The flat policy."""
    time: ir.Time
    last: Encoder
    counts: tuple[int, ...]
    start: State = field(default_factory=State)
    """What has happened before them; its cells may be terms."""
    back: bool = False
    """Whether the clock may go back."""
    pattern: Pattern | None = None
    classes: Mapping[int, Term] = field(default_factory=dict)
    """By column: the class of the keys of what has happened before, where that is left open."""
    texts: dict[tuple[str, int], str] = field(init=False)
    """The keys of what has happened before, by scope and number."""
    moments: list[Moment] = field(init=False)
    taken: list[Taken] = field(init=False)
    laws: list[Term] = field(init=False)

    def __post_init__(self) -> None:
        of = len(self.counts)
        columns = self.last.columns
        self._pattern = self.pattern or Pattern(self.policy, self.time, columns)
        encoders = [Encoder(columns, f"@{of}.{i}") for i in range(of - 1)]
        self.moments = [
            Moment(self.policy, self.time, encoder, f"@{of}.{i}")
            for i, encoder in enumerate([*encoders, self.last])
        ]
        keyed = sorted(address for address in self.start.instances if address[0] != ir.SHARED)
        self.texts = {(scope, i): text for i, (scope, text) in enumerate(keyed)}
        begins = not self.back and not self.start.instances
        self.taken, self.laws = [], [self.moments[0].at == 0] if begins else []
        for number in range(of):
            self._add(number)
        self.laws += self._same_texts()

    # --- one more --------------------------------------------------------------------------------

    def _add(self, number: int) -> None:
        moment = self.moments[number]
        self.laws += [*self._pattern.laws(moment), *self._ordered(number)]
        scopes = {cell.scope for cell in self.time.cells} | {ir.SHARED, self.time.key or ir.SHARED}
        grown: dict[str, Term] = {}
        gone = {}
        for scope in sorted(scopes):
            known, since, cells = self._found(number, scope)
            gone[scope] = known, moment.at - since
            ms = z3.If(moment.at > since, moment.at - since, 0) if self.back else gone[scope][1]
            for cell in self.time.cells:
                if cell.scope == scope:
                    own = cell.brief or cell.name not in cells
                    start = z3.IntVal(cell.initial)
                    grown[cell.name] = (
                        start if own else z3.If(known, grow(cell, cells[cell.name], ms), start)
                    )
        self._clock(moment, gone)
        self._take(number, grown)

    def _take(self, number: int, grown: Terms) -> None:
        moment, cells = self.moments[number], grown
        brief = {c.name: z3.IntVal(c.initial) for c in self.time.cells if c.brief}
        if self.counts[number] > 1:
            behind, law = self._pattern.repeated(moment, cells, self.counts[number] - 1)
            self.laws.append(law)
            cells = {**behind, **brief}
        taken = self._pattern.take(moment, cells, again=self.counts[number] > 1)
        self.laws += taken.laws
        self.taken.append(taken)

    def _found(self, number: int, scope: str) -> tuple[Term, Term, dict[str, Term]]:
        """Whether the instance has had a sample, when the last one was, and its cells behind that."""
        moment = self.moments[number]
        names = [c.name for c in self.time.cells if c.scope == scope]
        known: Term = z3.BoolVal(False)
        since: Term = moment.at
        cells: dict[str, Term] = {}
        for address, instance in self.start.instances.items():
            if address[0] != scope:
                continue
            here = z3.BoolVal(True)
            if scope != ir.SHARED:
                here = moment.keys[scope] == self._number(*address)
            known = any_of((known, here))
            since = z3.If(here, instance.at_ms, since)
            for name in names:
                if name in instance.cells:
                    value: Term = instance.cells[name]
                    value = z3.IntVal(value) if isinstance(value, int) else value
                    cells[name] = z3.If(here, value, cells[name]) if name in cells else value
        for other, taken in zip(self.moments[:number], self.taken, strict=True):
            here = other.addresses(scope)
            if scope != ir.SHARED:
                here = z3.And(here, other.keys[scope] == moment.keys[scope])
            known = any_of((known, here))
            since = z3.If(here, other.at, since)
            for name in names:
                own = taken.after[name]
                cells[name] = z3.If(here, own, cells[name]) if name in cells else own
        return known, since, cells

    def _number(self, scope: str, text: str) -> int:
        return next(n for (own, n), known in self.texts.items() if (own, known) == (scope, text))

    def _ordered(self, number: int) -> list[Term]:
        moment = self.moments[number]
        earliest = max((one.at_ms for one in self.start.instances.values()), default=0)
        found = [moment.at >= (0 if self.back else earliest), moment.at <= LAST_MS]
        if number and not self.back:
            found.append(moment.at >= self.moments[number - 1].at)
        for key in moment.keys.values():
            found += [key >= 0, key <= number + len(self.texts)]
        return found

    def _clock(self, moment: Moment, gone: dict[str, tuple[Term, Term]]) -> None:
        """What the clock says of a sample."""
        own = self.time.key or ir.SHARED
        back = [
            z3.And(moment.addresses(scope), known, ms < 0) for scope, (known, ms) in gone.items()
        ]
        fault = any_of(back) if self.back else z3.BoolVal(False)
        self.laws.append(moment.fault == fault)
        known, ms = gone[own]
        most = z3.IntVal(ir.GAP_MAX)
        shown = z3.If(ms < 0, z3.IntVal(0), z3.If(ms > ir.GAP_MAX, most, ms))
        gap = z3.If(z3.And(moment.addresses(own), known), shown, most)
        self.laws.append(moment.column(ir.GAP) == gap)

    def _same_texts(self) -> list[Term]:
        """Requests with one key have one text for it, so the same classes."""
        columns = self.last.columns
        found = []
        for scope in self.moments[0].keys:
            for number in columns.classes.get(scope, ()):
                for i, a in enumerate(self.moments):
                    for b in self.moments[:i]:
                        same = z3.And(a.is_request, b.is_request, a.keys[scope] == b.keys[scope])
                        own = a.encoder.variables[number] == b.encoder.variables[number]
                        found.append(z3.Implies(same, own))
        for (scope, key), text in self.texts.items():
            classes = columns.texts.class_of(scope, text.encode())
            for number, one in zip(columns.classes.get(scope, ()), classes, strict=True):
                for moment in self.moments:
                    same = z3.And(moment.is_request, moment.keys[scope] == key)
                    own = moment.encoder.variables[number] == self.classes.get(number, one)
                    found.append(z3.Implies(same, own))
        return found

    # --- the last one ----------------------------------------------------------------------------

    def view(self) -> list[Term]:
        """The cells of the last encoder are those that the rules see at the last sample."""
        return [self.moments[-1].column(name) == term for name, term in self.taken[-1].seen.items()]
