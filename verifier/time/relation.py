"""One or two samples from any state that satisfies what is known of states.

In: facts about the cells of an instance.  Out: terms over the last sample; what they exclude no history
reaches.

What always holds: every sample of every history is among these: times between the samples of different
instances are free of one another, faults of the clock are free.  Two samples are of one instance, so they
are only made where the policy keeps its cells in one scope, and the first sample of an instance is not the
second of two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import z3

from govlang.compiler import ir
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.time.moment import Moment, Taken, Terms, grow
from govlang.verifier.time.pattern import Pattern

Facts = Callable[[Terms], Iterable[Term]]
"""What is known of the cells that an instance keeps."""


@dataclass
class Relation:
    """The last samples of a history, one for each of `encoders`."""

    policy: ir.Policy
    time: ir.Time
    encoders: tuple[Encoder, ...]
    facts: Facts
    pattern: Pattern | None = None
    cells: dict[str, Term] = field(init=False)
    passed: list[dict[str, Term]] = field(init=False)
    """By sample and scope: the ms since the last sample of the instance."""
    moments: list[Moment] = field(init=False)
    taken: list[Taken] = field(init=False)
    laws: list[Term] = field(init=False)

    def __post_init__(self) -> None:
        mark = f"#{len(self.encoders)}"
        pattern = self.pattern or Pattern(self.policy, self.time, self.encoders[0].columns)
        self.passed, self.moments, self.taken = [], [], []
        self.cells = {
            c.name: z3.IntVal(c.initial) if c.brief else z3.Int(f"s{mark}:{i}")
            for i, c in enumerate(self.time.cells)
        }
        self.laws = list(self.facts(self.cells))
        before: Terms = self.cells
        for number, encoder in enumerate(self.encoders):
            moment = Moment(self.policy, self.time, encoder, f"{mark}.{number}")
            self.laws += pattern.laws(moment)
            scopes = sorted(cell_scopes(self.time) | {ir.SHARED, self.time.key or ir.SHARED})
            self.passed.append({scope: z3.Int(f"dt{mark}.{number}:{scope}") for scope in scopes})
            self.laws += [ms >= 0 for ms in self.passed[-1].values()]
            self.laws += self._gap(moment, before)
            taken = pattern.take(moment, self._grown(before))
            self.laws += taken.laws
            if number + 1 < len(self.encoders):
                self.laws += [moment.addresses(scope) for scope in cell_scopes(self.time)]
            self.moments.append(moment)
            self.taken.append(taken)
            before = taken.after

    def _gap(self, moment: Moment, cells: Terms) -> list[Term]:
        """The `gap` that is read is the time by which the cells of the key grow; before its first sample endless."""
        if all(one.name != ir.GAP for one in self.time.reads):
            return []
        own = self.time.key or ir.SHARED
        ms, gap = self.passed[-1][own], moment.column(ir.GAP)
        kept = [c for c in self.time.cells if c.scope == own and not c.brief]
        first = [ms == 0, gap == ir.GAP_MAX, *(cells[c.name] == c.initial for c in kept)]
        known = gap == z3.If(ms > ir.GAP_MAX, z3.IntVal(ir.GAP_MAX), ms)
        unseen = gap == ir.GAP_MAX
        return [z3.If(moment.addresses(own), z3.Or(known, z3.And(first)), unseen)]

    def _grown(self, cells: Terms) -> Terms:
        grown = {}
        for cell in self.time.cells:
            start = z3.IntVal(cell.initial)
            ms = self.passed[-1][cell.scope]
            grown[cell.name] = start if cell.brief else grow(cell, cells[cell.name], ms)
        return grown

    def first(self) -> list[Term]:
        """The one sample is the first one of the instances that it addresses."""
        start = [self.cells[c.name] == c.initial for c in self.time.cells if not c.brief]
        start += [ms == 0 for ms in self.passed[0].values()]
        if cell_scopes(self.time) <= {ir.SHARED, self.time.key}:
            start.append(self.moments[0].column(ir.GAP) == ir.GAP_MAX)
        return start

    def hubs(self) -> list[Term]:
        """What all columns and cells depend on: what sort of sample it is, and the time before it."""
        kinds = [moment.kind for moment in self.moments]
        return [*kinds, *(ms for passed in self.passed for ms in passed.values())]

    def view(self) -> list[Term]:
        """The cells of the last encoder are those that the rules see at the last sample."""
        return [self.moments[-1].column(name) == term for name, term in self.taken[-1].seen.items()]


def cell_scopes(time: ir.Time) -> frozenset[str]:
    """Where a policy keeps cells."""
    return frozenset(cell.scope for cell in time.cells)
