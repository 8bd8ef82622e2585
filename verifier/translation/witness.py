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

import z3

from govlang.compiler import ir
from govlang.compiler.interpret import default_params
from govlang.compiler.requests import write_request
from govlang.verifier.translation.outcome import Difference, TableReader, difference
from govlang.verifier.translation.records import Mismatch
from govlang.verifier.translation.solve import Candidate, Solver

_RANDOM: Final = 400
_SEED: Final = 20240229
_RULES_MAX: Final = 500
_OTHERS_MAX: Final = 20


class Witnesses:
    """Looks for a request that shows a difference."""

    def __init__(self, policy: ir.Policy, table: TableReader) -> None:
        self.policy = policy
        self.table = table
        self.points: dict[str, set[int]] = {one.name: set() for one in policy.fields}
        self.texts: dict[str, set[str]] = {one.name: {"a"} for one in policy.fields}
        for rule in policy.rules:
            for atom in ir.atoms(rule.condition):
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

    def try_values(self, candidate: Candidate) -> Difference | None:
        """Whether one request shows a difference."""
        request, runtime = write_request(self.policy, candidate.values)
        return difference(self.policy, self.table, request, runtime, candidate.params)

    def first(self, candidates: Iterator[Candidate]) -> Difference | None:
        """The first of the requests that shows a difference."""
        return next((d for c in candidates if (d := self.try_values(c)) is not None), None)

    # --- by the solver ---------------------------------------------------------------------------

    def by_claim(
        self, solver: Solver, claims: Sequence[Any], rule: int | None
    ) -> Difference | None:
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

    def by_default(self, solver: Solver) -> Difference | None:
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

    # --- by probing ------------------------------------------------------------------------------

    def by_probing(self, mismatches: Sequence[Mismatch]) -> Difference | None:
        """Requests at the edges of the fields in question, then any."""
        rng = random.Random(_SEED)  # noqa: S311 - a search, not a secret
        names = {m.field for m in mismatches if m.field}
        bases = [self._random(rng) for _ in range(12)]
        for candidate in bases:
            request, runtime = write_request(self.policy, candidate.values)
            for name in names:
                for probe in self._probes(name, request, runtime):
                    found = difference(self.policy, self.table, *probe, candidate.params)
                    if found is not None:
                        return found
        return self.first(self._random(rng) for _ in range(_RANDOM))

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

    def _random(self, rng: random.Random) -> Candidate:
        values: dict[str, int | str] = {}
        for one in self.policy.fields:
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


def _number(steps: int | Fraction, side: ir.Field) -> int | Decimal:
    """So many steps as a number in the field's unit."""
    exact = Fraction(steps) * side.step_num / side.step_den
    if exact.denominator == 1:
        return exact.numerator
    return Decimal(exact.numerator) / Decimal(exact.denominator)
