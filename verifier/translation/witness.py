"""A request that shows what is wrong with a table: tried, never just claimed.

In: what could not be proved.  Out: a request (with parameters) on which the interpreter and the
table, by its step rule, give different outcomes; or none, if no try shows one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from govlang.compiler import ir
from govlang.compiler.requests import write_request
from govlang.verifier.translation.outcome import Difference, TableReader, difference
from govlang.verifier.translation.proof import Refutation
from govlang.verifier.translation.records import Mismatch
from govlang.verifier.translation.search import TableSearch
from govlang.verifier.translation.solve import Candidate

_RANDOM: Final = 400
_SEED: Final = 20240229


class Witnesses(TableSearch[Difference]):
    """Looks for a request that shows a difference of a table."""

    def __init__(self, policy: ir.Policy, table: TableReader) -> None:
        super().__init__(policy)
        self.table = table

    def try_values(self, candidate: Candidate) -> Difference | None:
        """Whether one request shows a difference."""
        request, runtime = write_request(self.policy, candidate.values)
        return difference(self.policy, self.table, request, runtime, candidate.params)

    def refuted(self, what: str, found: Difference) -> Refutation:
        """The request with both outcomes."""
        return Refutation(
            what, found.request, found.runtime, found.params, found.expected, found.found
        )

    # --- by probing ------------------------------------------------------------------------------

    def by_probing(self, mismatches: Sequence[Mismatch]) -> Difference | None:
        """Requests at the edges of the fields in question, then any."""
        rng = random.Random(_SEED)  # noqa: S311 - a search, not a secret
        names = {m.field for m in mismatches if m.field}
        bases = [self.random(rng) for _ in range(12)]
        for candidate in bases:
            request, runtime = write_request(self.policy, candidate.values)
            for name in names:
                for probe in self._probes(name, request, runtime):
                    found = difference(self.policy, self.table, *probe, candidate.params)
                    if found is not None:
                        return found
        return self.first(self.random(rng) for _ in range(_RANDOM))

    def _probes(
        self, name: str, request: Mapping[str, Any], runtime: Mapping[str, Any]
    ) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """A request with one field left out, moved to the other side, or at an edge."""
        one = next((f for f in self.policy.fields if f.name == name), None)
        bare = (
            {k: v for k, v in request.items() if k != name},
            {k: v for k, v in runtime.items() if k != name},
        )
        yield bare
        for value in self._edges(name, one):
            yield {**bare[0], name: value}, bare[1]
            yield bare[0], {**bare[1], name: value}

    def _edges(self, name: str, one: ir.Field | None) -> Iterator[Any]:
        """Values that one side may take and the other refuse, or read in another way."""
        sides = [one, *(f for f in self.table.policy.fields if f.name == name)]
        for side in (side for side in sides if side is not None):
            if side.is_text:
                yield from ("a", "", "a" * side.max_bytes, "a" * (side.max_bytes + 1), "a/b", "..")
            elif side.members:
                yield from side.members
                yield from ([], list(side.members), *([member] for member in side.members))
            else:
                for steps in (
                    side.lo - 1,
                    side.lo,
                    side.lo + 1,
                    side.hi - 1,
                    side.hi,
                    side.hi + 1,
                    0,
                    1,
                ):
                    yield _number(steps, side)
                    yield _number(Fraction(2 * steps + 1, 2), side)
                    yield _number(Fraction(4 * steps + 1, 4), side)
        yield from (True, False, 0, 1, "a", [])


def _number(steps: int | Fraction, side: ir.Field) -> int | Decimal:
    """So many steps as a number in the field's unit."""
    exact = Fraction(steps) * side.step_num / side.step_den
    if exact.denominator == 1:
        return exact.numerator
    return Decimal(exact.numerator) / Decimal(exact.denominator)
