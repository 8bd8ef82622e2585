"""What a step of a policy over time works out, from the policy: the side of the IR in the proof of an artefact.

In: the kind of a sample, a case of variables in their domains, and whether the clock went back.  Out: the columns
in which each cell stands from stage to stage, and what the state is behind the step.

What always holds: it follows docs/edge.md, "One step", and reads nothing of an artefact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

from govlang.compiler import ir
from govlang.verifier.translation.cases import Case
from govlang.verifier.translation.cuts import Cuts
from govlang.verifier.translation.edge_interface import Interface
from govlang.verifier.translation.edge_time import NEVER, NOW, TIME_MAX, Scope, carried
from govlang.verifier.translation.integers import ZERO, const
from govlang.verifier.translation.normal_form import normal_condition, normal_integer
from govlang.verifier.translation.paths import Path
from govlang.verifier.translation.source import Layout
from govlang.verifier.translation.tree import FALSE, TRUE, Tree


class TimedLayout(Layout):
    """Which column holds what at a place of the step; `decision` is the outcome's, once it is known."""

    decision: Tree | None = None

    def __init__(self, base: Layout, interface: Interface, case: Case) -> None:
        """`base` is the layout of the variables that a request and the parameters have."""
        self.policy, self.texts = base.policy, base.texts
        self.columns = [one.column for one in interface.variables]
        named = enumerate(interface.variables)
        self.remembered = {number: one.name for number, one in named if number >= len(base.columns)}
        self.moment = base.moment
        self.fields = base.fields
        self.has, self.equal, self.param = base.has, base.equal, base.param
        self.value = dict(base.value)
        self.domain = case.words.domain
        self.words = case.words
        assert self.policy.time is not None
        for _, name, one in carried(self.policy.time):
            self.value[one.name] = interface.number(name)

    def condition(self, condition: ir.BoolExpr) -> Tree:
        """A condition of the policy as a tree; behind the outcome it may read the decision."""
        if isinstance(condition, ir.DecisionIn):
            if self.decision is None:
                return FALSE
            inside = tuple((int(one), int(one)) for one in sorted(condition.effects))
            found = self.words.within(self.decision, inside)
            return found if found in (TRUE, FALSE) else ("normal", found)
        return super().condition(condition)


class Plan:
    """One step of one kind of sample, from any state, where `start` holds."""

    def __init__(
        self, layout: TimedLayout, interface: Interface, case: Case, start: Path, cuts: Cuts
    ) -> None:
        assert layout.policy.time is not None
        self.time = layout.policy.time
        self.layout, self.interface, self.case = layout, interface, case
        self.start, self.cuts = start, cuts
        self.words, self.domain = case.words, case.words.domain
        self.now = self.words.load(interface.number(NOW))
        self.addressed = [s for s in interface.scopes if s.is_addressed(self.time, case.kind)]

    # --- conditions ------------------------------------------------------------------------------

    def condition(self, condition: ir.BoolExpr) -> Tree:
        """A condition here, in normal form."""
        tree = normal_condition(self.layout.condition(condition), self.words)
        return self.start.simplified(tree, self.domain)

    def integer(self, expr: ir.IntExpr) -> Tree:
        """An expression here, in normal form."""
        return normal_integer(self.layout.integer(expr), self.words)

    # --- grow and say ----------------------------------------------------------------------------

    def grow(self, fault: Tree) -> None:
        """Cells have grown, and the columns of the sample say what it is; `fault`: the clock went back."""
        value = self.layout.value
        value[ir.SAMPLE] = self.cuts.column("kind", const(self.case.kind), 0, ir.INT64_MAX)
        value[ir.CLOCK_FAULT] = self.cuts.column("fault", self.words.number(fault), 0, 1)
        for scope in self.interface.scopes:
            since = self.since(scope) if scope in self.addressed else None
            for cell in scope.cells:
                value[cell.name] = self.interface.number(scope.variable(cell))
                if since is not None and cell.cap is not None:
                    value[cell.name] = self.grown(scope, cell, cell.cap, since)
        for cell in self.time.cells:
            if cell.brief:
                initial = const(cell.initial)
                value[cell.name] = self.cuts.column(
                    cell.name, initial, cell.field.lo, cell.field.hi
                )
        value[ir.GAP] = self._gap()

    def never(self, scope: Scope) -> Tree:
        """A scope had no sample yet."""
        at = self.interface.number(scope.at)
        return self.domain.inside(at, ((NEVER, NEVER),))

    def late(self, scope: Scope) -> Tree:
        """The time of a sample lies before the last one of a scope."""
        at = self.words.load(self.interface.number(scope.at))
        return self.words.compared("lt", self.now, at)

    def since(self, scope: Scope) -> Tree:
        """The time since the last sample of a scope; 0 where there was none, or it lies ahead."""
        at = self.words.load(self.interface.number(scope.at))
        standing = self.domain.disj([self.never(scope), self.late(scope)])
        standing = self.start.simplified(standing, self.domain)
        value = self.words.chosen(standing, ZERO, self.words.exact("-", self.now, at))
        column = self.cuts.column(f"the time since {scope.at}", value, 0, 2 * TIME_MAX)
        return self.words.load(column)

    def grown(self, scope: Scope, cell: ir.Cell, cap: int, since: Tree) -> int:
        """The column of a cell that has grown."""
        words, field = self.words, cell.field
        own = words.load(self.interface.number(scope.variable(cell)))
        more = words.exact("least", words.exact("+", own, since), const(cap))
        value = words.chosen(words.within(own, ((ir.INT64_MIN, -1),)), own, more)
        if field.hi > cap:  # else growing by 0 changes nothing
            value = words.chosen(self.start.simplified(self.never(scope), self.domain), own, value)
        return self.cuts.column(cell.name, value, field.lo, field.hi)

    def _gap(self) -> int:
        own = self.interface.scopes[-1]
        longest = const(ir.GAP_MAX)
        if own not in self.addressed:
            return self.cuts.column(ir.GAP, longest, 0, ir.GAP_MAX)
        at = self.words.load(self.interface.number(own.at))
        passed = self.words.exact("least", self.words.exact("-", self.now, at), longest)
        late = self.start.simplified(self.late(own), self.domain)
        value = self.words.chosen(late, ZERO, passed)
        never = self.start.simplified(self.never(own), self.domain)
        return self.cuts.column(ir.GAP, self.words.chosen(never, longest, value), 0, ir.GAP_MAX)

    # --- stages ----------------------------------------------------------------------------------

    def update(self, first: int, last: int) -> None:
        """The updates of some stages: of those of a cell the first whose condition holds."""
        kept = {c.name for c in self.time.cells if c.brief}
        kept |= {cell.name for scope in self.addressed for cell in scope.cells}
        due = [u for u in self.time.updates if first <= u.stage <= last and u.cell in kept]
        for stage, updates in groupby(sorted(due, key=lambda u: u.stage), lambda u: u.stage):
            own: dict[str, list[tuple[Tree, Tree]]] = {}
            for one in updates:
                condition = self.condition(one.condition)
                if condition != FALSE:
                    own.setdefault(one.cell, []).append((condition, self.integer(one.value)))
            self.layout.value |= {
                name: self._moved(stage, name, cases) for name, cases in own.items()
            }

    def _moved(self, stage: int, name: str, cases: list[tuple[Tree, Tree]]) -> int:
        field = self.time.cell(name).field
        found = self.words.load(self.layout.value[name])
        for condition, value in reversed(cases):
            found = self.words.chosen(condition, value, found)
        return self.cuts.column(f"{name} in stage {stage}", found, field.lo, field.hi)

    # --- behind the step -------------------------------------------------------------------------

    def state(self, *, writes: bool) -> Mapping[str, Tree]:
        """What every variable of the state holds behind the step."""
        return dict(self._state(writes=writes))

    def _state(self, *, writes: bool) -> Iterator[tuple[str, Tree]]:
        for scope in self.interface.scopes:
            taken = writes and scope in self.addressed
            at = self.words.load(self.interface.number(scope.at))
            yield scope.at, self.now if taken else at
            for cell in scope.cells:
                name = scope.variable(cell)
                number = self.layout.value[cell.name] if taken else self.interface.number(name)
                yield name, self.words.load(number)
