"""Questions about requests, asked of the states that histories lead to.

In: terms over the row of a request, and a check on a row that was reached.  Out: as a session over single requests
answers, with rows that were reached.

What always holds: what is found was computed by the reference step; what is absent no history leads to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import z3

from govlang.verifier.columns import Point
from govlang.verifier.encode import Term
from govlang.verifier.smtlib import Watch
from govlang.verifier.solve import Absent, Answer, Claim, Found, Open, Session
from govlang.verifier.time.search import Search
from govlang.verifier.time.traces import Reached

RECENT: Final = 30
"""Rows reached last that are tried before the solver is asked."""


class Reachable(Session):
    """A session over requests in reachable states."""

    def __init__(
        self, search: Search, timeout_s: float, watch: Watch | None, requests: Sequence[Term]
    ) -> None:
        """`requests`: that the last sample is a request that rules answer."""
        super().__init__(search.last, timeout_s, watch=watch)
        self.search, self.requests = search, requests
        self._terms: dict[str, Term] = {}

    def name(self, key: str, term: Term) -> Term:
        """A literal that stands for a term in every later question."""
        literal = super().name(key, term)
        self._terms[str(literal)] = term
        return literal

    def find(self, terms: Sequence[Term], claim: Claim) -> Answer:
        """A request in a reachable state that satisfies all terms, confirmed by `claim`."""
        for reached in self.search.pool[-RECENT:]:
            if _asks(reached) and claim(reached) and self._satisfies(reached, terms):
                return Found(reached)
        free = self.satisfiable_anywhere(terms)
        if free is False:
            return Absent()
        asked = [*self.requests, *terms]
        return self.search.find(lambda _m, _t: asked, lambda r: _asks(r) and claim(r))

    def find_named(self, literals: Sequence[Term], claim: Claim) -> Answer:
        """As `find`, for literals made by `name`."""
        return self.find([self._terms[str(one)] for one in literals], claim)

    def satisfiable(self, terms: Sequence[Term]) -> bool | Open:
        """Whether the terms hold together; True also where no history was found and none is excluded."""
        free = self.satisfiable_anywhere(terms)
        if free is not True:
            return free
        asked = [*self.requests, *terms]
        answer = self.search.find(lambda _m, _t: asked, _asks, most=3)
        return not isinstance(answer, Absent)

    def satisfiable_anywhere(self, terms: Sequence[Term]) -> bool | Open:
        """Whether the terms hold together in a state that satisfies what is known of states."""
        return super().satisfiable(terms)

    def core(self, fixed: Sequence[Term], soft: Sequence[Term]) -> list[int] | None:
        """As of single requests, where the last sample of a history makes the contradiction."""
        asked = [*self.requests, *fixed]
        return super().core([*self.search.exclusion.depends([*asked, *soft]), *asked], soft)

    def _satisfies(self, reached: Reached, terms: Sequence[Term]) -> bool:
        """Whether a row satisfies terms over the columns."""
        if not terms:
            return True
        row = self.columns.row(reached)
        fixed = [
            (v, z3.BoolVal(bool(n)) if z3.is_bool(v) else z3.IntVal(n))
            for v, n in zip(self.encoder.variables, row, strict=True)
        ]
        return all(z3.is_true(z3.simplify(z3.substitute(t, *fixed))) for t in terms)


def _asks(point: Point) -> bool:
    """Whether the last sample is a request that was decided by the rules."""
    if not isinstance(point, Reached):
        return False
    last = point.outcomes[-1]
    return last is not None and last.rule_id not in ("clock_fault", "invalid_request")
