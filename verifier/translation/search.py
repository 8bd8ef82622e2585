"""Looking for a request that shows a difference: by the solver, and at random.

In: a policy, and claims that a request must satisfy.  Out: requests to try, in the order in which they
are likely to show something.  What a difference is, `try_values` says.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Generic, TypeVar

import z3

from govlang.compiler import ir
from govlang.compiler.interpret import default_params
from govlang.verifier.translation.proof import Refutation
from govlang.verifier.translation.records import Mismatch
from govlang.verifier.translation.solve import Candidate, Solver
from govlang.verifier.translation.source import conditions_read

_RULES_MAX: Final = 500
_OTHERS_MAX: Final = 20

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that was not proved: claims that a sample must satisfy to show it, and who can be asked."""

    what: str
    rule: int | None
    claims: Callable[[], list[Any]]
    solver: Callable[[], Solver]


class Search(ABC, Generic[Found]):
    """Looks for a request that shows a difference."""

    def __init__(self, policy: ir.Policy) -> None:
        self.policy = policy
        self.fields = (*policy.fields, *policy.columns)
        self.points: dict[str, set[int]] = {one.name: set() for one in self.fields}
        self.texts: dict[str, set[str]] = {one.name: {"a"} for one in self.fields}
        for condition in conditions_read(policy):
            for atom in ir.atoms(condition):
                self._collect(atom)

    def _collect(self, atom: ir.Atom) -> None:
        match atom:
            case ir.InRanges(name=name, ranges=ranges):
                self.points[name].update(p for lo, hi in ranges for p in (lo - 1, lo, hi, hi + 1))
            case ir.SetTest(name=name, mask=mask):
                self.points[name].add(mask)
            case ir.TextTest(name=name, patterns=patterns):
                self.texts[name].update(p.text.replace("*", "a") for p in patterns)
            case _:
                pass

    @abstractmethod
    def try_values(self, candidate: Candidate) -> Found | None:
        """Whether one request shows a difference."""

    def first(self, candidates: Iterator[Candidate]) -> Found | None:
        """The first of the requests that shows a difference."""
        return next((d for c in candidates if (d := self.try_values(c)) is not None), None)

    # --- by the solver ---------------------------------------------------------------------------

    def by_claim(self, solver: Solver, claims: Sequence[Any], rule: int | None) -> Found | None:
        """Requests that satisfy claims; at best where nothing hides the rule's part."""
        for extra in self._undisturbed(solver, rule):
            found = self.first(solver.candidates([*claims, *extra]))
            if found is not None:
                return found
        return None

    def _undisturbed(self, solver: Solver, rule: int | None) -> Iterator[list[Any]]:
        """Claims that other rules do not fire: all, those that could hide it, none; then that one does.

        Without a rule it is the assumptions themselves that are in doubt.
        """
        rules = self.policy.rules
        assumed = (solver.layout.condition(a.condition) for a in self.policy.assumptions)
        valid = [solver.condition(tree) for tree in assumed]
        few = len(rules) <= _RULES_MAX
        if rule is not None and few:
            others = [(i, self.fires(solver, i)) for i in range(len(rules)) if i != rule]
            yield [*valid, *(z3.Not(fires) for _, fires in others)]
            yield [*valid, *(z3.Not(fires) for i, fires in others if self._hides(i, rule))]
        yield valid if rule is not None else []
        for i in range(min(len(rules), _OTHERS_MAX) if few else 0):
            if i != rule:
                yield [*valid, self.fires(solver, i)]

    def by_default(self, solver: Solver) -> Found | None:
        """Requests for which no rule fires."""
        rules = range(len(self.policy.rules)) if len(self.policy.rules) <= _RULES_MAX else ()
        claims = [z3.Not(self.fires(solver, i)) for i in rules]
        assumed = (solver.layout.condition(a.condition) for a in self.policy.assumptions)
        return self.first(solver.candidates([*map(solver.condition, assumed), *claims]))

    def fires(self, solver: Solver, rule: int) -> Any:
        """The claim that a rule of the policy fires."""
        return solver.condition(solver.layout.condition(self.policy.rules[rule].condition))

    def _hides(self, other: int, rule: int) -> bool:
        one = self.policy.rules[other]
        return one.effect is ir.Effect.DENY or self.policy.rules[rule].id in one.overrides

    # --- at random -------------------------------------------------------------------------------

    def random(self, rng: Random) -> Candidate:
        """A request, biased to the constants of the policy."""
        values: dict[str, int | str] = {}
        for one in self.fields:
            if one.optional and rng.random() < 0.3:
                continue
            if one.is_text:
                values[one.name] = rng.choice(sorted(self.texts[one.name]))
            else:
                points = [p for p in sorted(self.points[one.name]) if one.lo <= p <= one.hi]
                values[one.name] = rng.choice(
                    [*points, one.lo, one.hi, rng.randint(one.lo, one.hi)]
                )
        params = default_params(self.policy)
        if rng.random() < 0.5:
            params = {p.field.name: rng.randint(p.field.lo, p.field.hi) for p in self.policy.params}
        return Candidate(values, params)


class TableSearch(Search[Found]):
    """Looks for what shows a difference of a table."""

    @abstractmethod
    def by_probing(self, mismatches: Sequence[Mismatch]) -> Found | None:
        """Whatever may show a difference, where the solver gave nothing that does."""

    @abstractmethod
    def refuted(self, what: str, found: Found) -> Refutation:
        """A difference as what refutes the table; `what` made the search look there."""
