"""Who is asked in the proof of a step over time, and what was not proved.

In: trees of both sides.  Out: whether they are the same wherever a run starts; what may differ is a doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import z3

from govlang.compiler import ir
from govlang.verifier.smtlib import Watch
from govlang.verifier.translation.deadline import Deadline
from govlang.verifier.translation.edge_interface import Interface
from govlang.verifier.translation.guards import Guards
from govlang.verifier.translation.machine import Artefact
from govlang.verifier.translation.machine_pairs import Doubt, Pair, doubt_of
from govlang.verifier.translation.machine_solve import MachineSolver, Rules
from govlang.verifier.translation.paths import Path
from govlang.verifier.translation.solve import Answer
from govlang.verifier.translation.source import Layout
from govlang.verifier.translation.time_deadline import Points
from govlang.verifier.translation.time_machine_witness import Way
from govlang.verifier.translation.time_plan import TimedLayout
from govlang.verifier.translation.tree import Tree

FIRST_WAY = Way("decide", ir.REQUEST, writes=False)


@dataclass(slots=True)
class TimedAsking:
    """One proof's solvers and doubts; `base` is the layout of what requests bring, and of the parameters."""

    policy: ir.Policy
    artefact: Artefact
    interface: Interface
    base: Layout
    timeout_s: float
    deadline: Deadline
    watch: Watch | None
    points: Mapping[str, Points]
    doubts: list[tuple[Way, Doubt]] = field(default_factory=list)
    way: Way = FIRST_WAY
    """The way that is looked at."""
    failed: dict[str, dict[str, None]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    layout: TimedLayout = field(init=False)
    guards: Guards = field(init=False)
    solvers: dict[Rules, MachineSolver] = field(default_factory=dict)

    # --- the solver ------------------------------------------------------------------------------

    def _look_at(self, guards: Guards) -> None:
        """Go on with other names; what was asked so far is forgotten."""
        self.guards = guards
        self.solvers.clear()

    def _solver(self, rules: Rules) -> MachineSolver:
        if rules not in self.solvers:
            self.solvers[rules] = MachineSolver(
                self.layout, self.guards, self.timeout_s, rules, self.watch
            )
        return self.solvers[rules]

    def _impossible(self, condition: Tree, pair: Pair | None = None) -> bool:
        """Whether nothing satisfies a condition on which two integers differ."""
        doubt = doubt_of("what the step comes to", condition, pair, self._solver)
        if doubt is not None:
            self.doubts.append((self.way, doubt))
        return doubt is None

    def _same(self, start: Path, ours: Tree, theirs: Tree) -> bool:
        """Whether two integers are the same wherever the run starts; cells are anything in their range."""
        solver = self._solver(Rules.FREE)
        where = start.tree(self.guards.words.domain)
        claims = [solver.condition(where), solver.unequal(ours, theirs)]
        return solver.answer_alone(claims, self.guards.spans) is Answer.NONE

    def _alike(self, start: Path, ours: Tree, theirs: Tree) -> bool:
        """The same of conditions."""
        solver = self._solver(Rules.FREE)
        where = start.tree(self.guards.words.domain)
        claims = [solver.condition(where), solver.unlike(ours, theirs)]
        return solver.answer(claims) is Answer.NONE

    def _stays(self, start: Path, value: Tree, lo: int, hi: int) -> bool:
        """Whether a value lies in a range wherever the run starts."""

        def leaves(solver: MachineSolver) -> list[Any]:
            term = solver.integer(value)
            where = solver.condition(start.tree(self.guards.words.domain))
            return [where, z3.Or(term < lo, term > hi)]

        return any(
            solver.answer(leaves(solver)) is Answer.NONE for solver in map(self._solver, Rules)
        )
