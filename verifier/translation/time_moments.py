"""The words of a table at the moments of a sample: what they can be, and who can be asked about them.

In: a policy over time and its decoded table.  Out: a layout and a solver for each moment, made when they are
first asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from govlang.compiler import ir
from govlang.verifier.smtlib import Watch
from govlang.verifier.translation.code import program_tree
from govlang.verifier.translation.deadline import Deadline
from govlang.verifier.translation.decode import Decoded
from govlang.verifier.translation.solve import Solver
from govlang.verifier.translation.source import Layout, Moment, TextModel
from govlang.verifier.translation.time_decode import Memory
from govlang.verifier.translation.tree import Domain, Tree, unite


@dataclass(frozen=True, slots=True)
class Asking:
    """How long each question may take, when the whole proof must have ended, and who is told of questions."""

    timeout_s: float
    deadline: Deadline
    watch: Watch | None = None


@dataclass(slots=True)
class Moments:
    """Layouts and solvers of a table; `memory` is None of one that does not remember."""

    policy: ir.Policy
    decoded: Decoded
    memory: Memory | None
    texts: Mapping[str, TextModel]
    asking: Asking
    _layouts: dict[Moment, Layout] = field(default_factory=dict)
    _solvers: dict[Moment, Solver] = field(default_factory=dict)
    _programs: dict[tuple[Moment, int], Tree] = field(default_factory=dict)

    def layout(self, moment: Moment = Moment.DECIDE) -> Layout:
        """Which column holds what."""
        if moment not in self._layouts:
            names = self.memory.columns if self.memory else {}
            made = Layout(
                self.policy, self.decoded.columns, self.texts, names, moment, self.asking.deadline
            )
            self._layouts[moment] = made
        return self._layouts[moment]

    @property
    def widest(self) -> Domain:
        """What the words of each column can be at any moment."""
        first, last = (self.layout(moment).domain for moment in (Moment.UPDATE, Moment.CLOSE))
        pairs = zip(first.spans, last.spans, strict=True)
        spans = (None if a is None or b is None else unite(a, b) for a, b in pairs)
        return Domain(tuple(spans), first.members)

    def solver(self, moment: Moment = Moment.DECIDE) -> Solver:
        """Who can be asked."""
        if moment not in self._solvers:
            self._solvers[moment] = Solver(
                self.layout(moment), self.asking.timeout_s, self.asking.watch
            )
        return self._solvers[moment]

    def program(self, number: int, moment: Moment = Moment.DECIDE) -> Tree:
        """What a program computes."""
        if (moment, number) not in self._programs:
            domain = self.layout(moment).domain
            self._programs[moment, number] = program_tree(self.decoded.programs[number], domain)
        return self._programs[moment, number]
