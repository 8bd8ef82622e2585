"""Proofs that no history ends as asked.

In: facts that hold in every state that can be reached, and terms over the last sample.  Out: whether they
exclude each other.

What always holds: what is excluded no history reaches (of any length and times, any keys).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import z3

from govlang.compiler import ir
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.limits import Solvers
from govlang.verifier.time.cone import Cone
from govlang.verifier.time.invariants import Known
from govlang.verifier.time.moment import Moment, Taken
from govlang.verifier.time.pattern import Pattern
from govlang.verifier.time.relation import Relation, cell_scopes

Asked = Callable[[Moment, Taken], list[Term]]
"""What is asked of the last sample."""


@dataclass
class Exclusion:
    """Asks one sample, or two, from any state that satisfies what is known."""

    wide: ir.Policy
    time: ir.Time
    last: Encoder
    known: Known
    solvers: Solvers
    pattern: Pattern
    _steps: dict[int, tuple[Relation, Cone]] = field(default_factory=dict)

    def holds(self, steps: int, asked: Asked) -> bool:
        """Whether no sample from a state that satisfies what is known is as asked.

        Two are of one instance; its first sample, which none goes before, is asked for by itself.
        """
        if steps == 1:
            return self._is_absent(1, asked)
        if len(cell_scopes(self.time)) > 1:
            return False
        first = self.samples(1)[0].first()
        return self._is_absent(steps, asked) and self._is_absent(1, asked, first)

    def _is_absent(self, steps: int, asked: Asked, more: Sequence[Term] = ()) -> bool:
        """Whether some samples exclude what is asked: as far as it reads itself, or all that this depends on."""
        relation, cone = self.samples(steps)
        terms = [*asked(relation.moments[-1], relation.taken[-1])]
        return any(
            self.solvers.ask(self.solvers.fresh([*part(terms), *terms, *more])) == z3.unsat
            for part in (cone.near, cone.whole)
        )

    def depends(self, terms: Sequence[Term]) -> list[Term]:
        """What holds of the last sample and concerns some terms."""
        return self.samples(1)[1].whole(terms)

    def samples(self, steps: int) -> tuple[Relation, Cone]:
        """The last samples of a history, and what of their laws a question concerns."""
        if steps not in self._steps:
            earlier = [Encoder(self.last.columns, f"~{steps}.{i}") for i in range(steps - 1)]
            encoders = (*earlier, self.last)
            relation = Relation(self.wide, self.time, encoders, lambda _: (), self.pattern)
            seen = [(relation.moments[-1].column(n), t) for n, t in relation.taken[-1].seen.items()]
            facts = self.known.of(relation.cells)
            self._steps[steps] = relation, Cone(relation.laws, facts, seen, relation.hubs())
        return self._steps[steps]
