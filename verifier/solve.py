"""The one place that talks to Z3's solver.

In: terms.  Out: a confirmed request, a proof that there is none, or no answer and why.

What always holds: the seed is fixed; a time limit holds for each query; `unknown` and a model that
fails the check on the interpreter are outcomes of their own and never a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import z3

from govlang.verifier.columns import Columns, Point
from govlang.verifier.concretize import Failure, Unrealisable, Unsearched, realise
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.limits import Solvers
from govlang.verifier.smtlib import Watch

LEMMAS_MAX: Final = 200  # rounds of refining texts before a question stays open
SKIPS_MAX: Final = 10  # models without known texts, before a question stays open
UNFOUND: Final = "no texts were found for the solver's models"
CORES_MAX: Final = 200  # queries spent on making one core as small as can be


@dataclass(frozen=True, slots=True)
class Found:
    """A request that shows what was asked for."""

    point: Point


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no such request."""


@dataclass(frozen=True, slots=True)
class Open:
    """No answer, and why; `broken`: the solver's model did not stand the check."""

    why: str
    broken: bool = False


Answer = Found | Absent | Open
Claim = Callable[[Point], bool]
"""Whether a request shows what was asked for, by the interpreter."""


def solver_name() -> dict[str, str]:
    """The solver and its version, for reports."""
    return {"name": "z3", "version": z3.get_version_string()}


def forget() -> None:
    """Begin with an empty solver, so that the same questions get the same answers once more.

    Terms made before must not meet terms made after; each entry point calls this first.
    """
    z3.z3._main_ctx = None  # noqa: SLF001  # the library has no other way


class Session:
    """A solver that knows what a valid request is, shared by many small questions."""

    def __init__(
        self,
        encoder: Encoder,
        timeout_s: float,
        validity: Sequence[Term] | None = None,
        watch: Watch | None = None,
    ) -> None:
        """`validity` None: what the encoder says of valid requests; `watch` is told every question."""
        self.solvers = Solvers(timeout_s, watch)
        self.encoder = encoder
        self.columns: Columns = encoder.columns
        self._solver = self.fresh(encoder.validity() if validity is None else validity)
        self._named: dict[str, Term] = {}

    def fresh(self, terms: Iterable[Term]) -> Any:
        """A new solver with these terms."""
        return self.solvers.fresh(terms)

    def name(self, key: str, term: Term) -> Term:
        """A literal that stands for a term in every later question."""
        found = self._named.get(key)
        if found is None:
            found = z3.Bool(f"a:{key}")
            self._solver.add(z3.Implies(found, term))
            self._named[key] = found
        return found

    def find(self, terms: Sequence[Term], claim: Claim) -> Answer:
        """A valid request that satisfies all terms, confirmed by `claim`."""
        self._solver.push()
        try:
            self._solver.add(*self.encoder.lemmas, *terms)
            return self._refined((), claim)
        finally:
            self._solver.pop()

    def find_named(self, literals: Sequence[Term], claim: Claim) -> Answer:
        """As `find`, for literals made by `name`."""
        return self._refined(literals, claim)

    def _refined(self, literals: Sequence[Term], claim: Claim) -> Answer:
        due = self.solvers.due()
        self.columns.texts.fuel.refill(due.clock)
        skipped = 0
        try:
            for _ in range(LEMMAS_MAX):
                answer = self._round(literals, claim, skipped)
                if isinstance(answer, Unrealisable):
                    self.encoder.lemmas.append(answer.lemma)
                    self._solver.add(answer.lemma)
                elif isinstance(answer, Unsearched):
                    self._skip(answer, skipped)
                    skipped += 1
                else:
                    return answer
                if skipped >= SKIPS_MAX or not due.left:
                    break
            return Open(UNFOUND)
        finally:
            if skipped:
                self._solver.pop()

    def _round(self, literals: Sequence[Term], claim: Claim, skipped: int) -> Answer | Failure:
        """One model, and texts for it: such as are at hand, for it or another model, or searched."""
        verdict = self.check(self._solver, literals)
        if verdict == z3.unsat:
            return Open(UNFOUND) if skipped else Absent()
        if verdict != z3.sat:
            return Open(self.solvers.why_open(self._solver))
        model = self._solver.model()
        point = realise(self.encoder, model, search=False)
        if isinstance(point, Unsearched) and not skipped:
            point = self._at_hand(literals) or point
        if isinstance(point, Unsearched):
            point = realise(self.encoder, model)
        if isinstance(point, Unrealisable | Unsearched):
            return point
        if claim(point):
            return Found(point)
        return Open("the solver's model fails the check on the interpreter", broken=True)

    def _at_hand(self, literals: Sequence[Term]) -> Point | None:
        """A request with texts at hand only, if there is one."""
        self._solver.push()
        try:
            self._solver.add(*self.encoder.at_hand())
            if self.check(self._solver, literals) != z3.sat:
                return None
            point = realise(self.encoder, self._solver.model(), search=False)
            return point if isinstance(point, Point) else None
        finally:
            self._solver.pop()

    def _skip(self, one: Unsearched, skipped: int) -> None:
        """Go on without a model, within this question; the first one opens a scope for it."""
        if not skipped:
            self._solver.push()
        self._solver.add(one.other)

    def satisfiable(self, terms: Sequence[Term]) -> bool | Open:
        """Whether the terms hold together somewhere; no request is made of the model."""
        self._solver.push()
        try:
            self._solver.add(*terms)
            verdict = self.check(self._solver)
            if verdict == z3.unknown:
                return Open(self.solvers.why_open(self._solver))
            return bool(verdict == z3.sat)
        finally:
            self._solver.pop()

    def check(self, solver: Any, literals: Sequence[Term] = ()) -> Any:
        """The verdict on one question."""
        return self.solvers.ask(solver, literals)

    def core(self, fixed: Sequence[Term], soft: Sequence[Term]) -> list[int] | None:
        """Indexes of a smallest part of `soft` that contradicts `fixed`; None if nothing does.

        Smallest by implicit hitting sets (Ignatiev and others, 2015) within a bound on queries,
        irreducible in any case.
        """
        names = [z3.Bool(f"s:{i}") for i in range(len(soft))]
        solver = self.fresh([*self.encoder.validity(), *fixed])
        solver.add(*(z3.Implies(n, t) for n, t in zip(names, soft, strict=True)))

        due = self.solvers.due()

        def contradicts(chosen: Iterable[int]) -> bool:
            some = [names[i] for i in chosen]
            return due.left > 0 and bool(self.check(solver, some) == z3.unsat)

        if not contradicts(range(len(soft))):
            return None
        order = {str(name): i for i, name in enumerate(names)}
        start = sorted(order[str(name)] for name in solver.unsat_core())
        return _smallest(_irreducible(start, contradicts), len(soft), contradicts)


def _irreducible(core: list[int], contradicts: Callable[[Iterable[int]], bool]) -> list[int]:
    """Drop what is not needed, later ones first."""
    for one in reversed(core[:]):
        rest = [i for i in core if i != one]
        if contradicts(rest):
            core = rest
    return core


def _smallest(
    core: list[int], count: int, contradicts: Callable[[Iterable[int]], bool]
) -> list[int]:
    """A part of least size that contradicts, if smaller than `core` and found within the bound."""
    left = CORES_MAX
    for wanted in range(len(core)):
        for some in combinations(range(count), wanted):
            left -= 1
            if left < 0:
                return core
            if contradicts(some):
                return list(some)
    return core
