"""The proof of the deadlines: while no point is passed, nothing changes that a sample could show.

In: the policy, the points of the table, layouts of the moments of a sample.  Out: the columns whose points
leave something out.

A cell that grows, and the gap, cross the points of their column as time goes by; between two of them they drift.
Suppose that no column has crossed a point since the last sample, and that nothing is reported.  Then a request
or a tick finds every condition as it was: each condition reads what drifts in such a way that it keeps its truth
within the intervals between points, and each update sets a cell to a value that stays the same or, where the
cell itself may drift, in one interval of that cell.  So it is stage by stage, up to the decision.  Of what rules
give only the ends of limits have to keep still, for they decide whether limits meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product
from math import prod
from typing import Any, Final

import z3

from govlang.compiler import ir
from govlang.native.layout import CellFlag, MemoryFlag
from govlang.verifier.translation.drift import (
    ATOMS,
    Drift,
    atoms_of,
    columns_of,
    drift,
    is_steady,
    leaves_of,
)
from govlang.verifier.translation.proof import Verdict
from govlang.verifier.translation.solve import Answer, Solver
from govlang.verifier.translation.source import Layout, expressions
from govlang.verifier.translation.time_decode import Memory
from govlang.verifier.translation.tree import FALSE, Domain, Tree

_WAYS_MAX: Final = 20_000
"""So many combinations of intervals are looked at for one condition."""

_GATHERED: Final = frozenset({"+", "-", "*", "least", "greatest", "floor"})


def intervals(memory: Memory) -> dict[int, tuple[Drift, ...]]:
    """For each column that drifts the intervals in which it does; below 0 and above its cap a cell stands still."""
    found = {}
    for cell in memory.cells:
        if cell.cap is None or {CellFlag.BRIEF, CellFlag.WHOLE} & {*cell.flags}:
            continue
        still = [(cell.lo, -1), (cell.cap + 1, cell.hi)]
        own = [Drift(lo, hi, fixed=True) for lo, hi in still if lo <= hi]
        found[cell.column] = (*own, *_between(cell.points, max(cell.lo, 0), cell.cap))
    if MemoryFlag.GAP_WHOLE not in memory.flags:
        gap = next(number for number, name in memory.columns.items() if name == ir.GAP)
        found[gap] = tuple(_between(memory.gap_points, 0, ir.GAP_MAX))
    return found


def _between(points: Sequence[int], lo: int, hi: int) -> Iterator[Drift]:
    ends = [lo, *(point for point in points if lo < point <= hi), hi + 1]
    yield from (Drift(a, b - 1, fixed=a == b - 1) for a, b in pairwise(ends))


@dataclass(slots=True)
class Silence:
    """What must hold while nothing is reported; `domain`: what words can be, at whatever moment."""

    domain: Domain
    names: Mapping[int, str]
    intervals: Mapping[int, tuple[Drift, ...]]
    solver_of: Callable[[Layout], Solver]
    doubts: dict[str, Verdict] = field(default_factory=dict)
    """The columns whose points leave something out (refuted), or may do so (undecided)."""

    _known: dict[Tree, bool] = field(default_factory=dict)

    def conditions(self, layout: Layout, trees: Sequence[Tree]) -> None:
        """All of the conditions keep their truth, those that choose an integer too."""
        for atom in dict.fromkeys(atom for tree in trees for atom in atoms_of(tree)):
            if not self._is_steady(atom):
                self._ask(layout, atom, _differ)

    def fixed(self, layout: Layout, tree: Tree) -> None:
        """An integer keeps its value, as far as the conditions in it keep their truth."""
        for leaf in leaves_of(tree):
            if not self._is_fixed(leaf):
                self._ask(layout, leaf, _differ)

    def kept(self, layout: Layout, tree: Tree, column: int) -> None:
        """What a cell is set to keeps its value, or drifts in one interval of the cell."""
        own = self.intervals.get(column)
        if own is None:
            self.fixed(layout, tree)
            return
        for leaf in leaves_of(tree):
            if not all(
                self._is_kept(drift(leaf, words.__getitem__), own) for words in self._ways(leaf)
            ):
                self._ask(layout, leaf, _leave(own))

    @staticmethod
    def _is_kept(value: Drift, own: Sequence[Drift]) -> bool:
        inside = (one.lo <= value.lo and value.hi <= one.hi for one in own if not one.fixed)
        return value.fixed or any(inside)

    # --- by intervals ----------------------------------------------------------------------------

    def _is_steady(self, atom: Tree) -> bool:
        if atom not in self._known:
            sides = [side for side in atom[1:] if isinstance(side, tuple) and atom[0] != "in"]
            self._known[atom] = (bool(sides) and all(map(self._is_fixed, sides))) or self._all(
                atom, lambda words: is_steady(atom, words.__getitem__)
            )
        return self._known[atom]

    def _is_fixed(self, tree: Tree) -> bool:
        """Whether an integer keeps its value; parts that read one column only are looked at by themselves."""
        if tree not in self._known:
            self._known[tree] = self._look(tree)
        return self._known[tree]

    def _look(self, tree: Tree) -> bool:
        if not any(column in self.intervals for column in columns_of(tree)):
            return True
        if self._all(tree, lambda words: drift(tree, words.__getitem__).fixed):
            return True
        parts = tree[2:] if tree[0] == "if" else tree[1:]
        split = tree[0] == "if" or (tree[0] in _GATHERED and len(columns_of(tree)) > 1)
        return split and all(self._is_fixed(part) for part in parts if isinstance(part, tuple))

    def _all(self, tree: Tree, holds: Callable[[Mapping[int, Drift]], bool]) -> bool:
        return all(map(holds, self._ways(tree)))

    def _ways(self, tree: Tree) -> Iterator[Mapping[int, Drift]]:
        """What the columns of a tree can be together; nothing is known of them where there are too many ways."""
        columns = columns_of(tree)
        drifting = [column for column in columns if column in self.intervals]
        others = {column: self._still(column) for column in columns}
        if prod(len(self.intervals[column]) for column in drifting) > _WAYS_MAX:
            yield others | {column: others[column]._replace(fixed=False) for column in drifting}
            return
        for chosen in product(*(self.intervals[column] for column in drifting)):
            self.domain.deadline.raise_if_over()
            yield others | dict(zip(drifting, chosen, strict=True))

    def _still(self, column: int) -> Drift:
        """A column that does not drift."""
        spans = self.domain.spans[column]
        if spans is None:
            return Drift(ir.INT64_MIN, ir.INT64_MAX, fixed=True)
        return Drift(spans[0][0], spans[-1][1], fixed=True)

    # --- by the solver ---------------------------------------------------------------------------

    def _ask(
        self,
        layout: Layout,
        tree: Tree,
        differ: Callable[[Any, Any], Any],
    ) -> None:
        """Whether a tree tells two moments apart that no point lies between."""
        solver = self.solver_of(layout)
        drifting = [column for column in columns_of(tree) if column in self.intervals]
        pairs = [(solver.words[column], z3.Int(f"later{column}")) for column in drifting]
        together = [
            z3.Or(*(_both(one, now, later) for one in self.intervals[column]))
            for column, (now, later) in zip(drifting, pairs, strict=True)
        ]
        now = solver.condition(tree) if tree[0] in ATOMS else solver.integer(tree)
        answer = solver.answer([*together, differ(now, z3.substitute(now, *pairs))])
        if answer is Answer.NONE:
            return
        verdict = Verdict.REFUTED if answer is Answer.SOME else Verdict.UNDECIDED
        for column in drifting:
            what = f"the points of {_named(self.names[column])}"
            if self.doubts.get(what) is not Verdict.REFUTED:
                self.doubts[what] = verdict


def _named(name: str) -> str:
    return "the gap" if name == ir.GAP else f"cell `{name}`"


def _both(one: Drift, now: Any, later: Any) -> Any:
    """A word at two moments lies in an interval; it is later, or stands still."""
    inside = z3.And(now >= one.lo, later <= one.hi)
    return z3.And(inside, now == later if one.fixed else now <= later)


def _differ(now: Any, later: Any) -> Any:
    return z3.Xor(now, later) if z3.is_bool(now) else now != later


def _leave(own: Sequence[Drift]) -> Callable[[Any, Any], Any]:
    """Two values are in no interval together in which a cell may drift."""

    def left(now: Any, later: Any) -> Any:
        free = [one for one in own if not one.fixed]
        inside = [
            z3.And(*(z3.And(one.lo <= value, value <= one.hi) for value in (now, later)))
            for one in free
        ]
        return z3.And(now != later, z3.Not(z3.Or(*inside)))

    return left


# --- what must keep still ------------------------------------------------------------------------


def keep_still(
    policy: ir.Policy,
    decide: Layout,
    updates: Iterable[tuple[Layout, ir.Update]],
    silence: Silence,
) -> None:
    """Ask all that rules and updates read of `silence`; of what rules give only the ends of limits."""
    given = [expr for rule in policy.rules for expr in expressions(rule)]
    held = [decide.condition(rule.condition) for rule in policy.rules]
    silence.conditions(decide, [*held, *map(decide.integer, given)])
    for limit in (limit for rule in policy.rules for limit in rule.limits):
        silence.fixed(decide, decide.integer(limit.lo))
        silence.fixed(decide, decide.integer(limit.hi))
    for layout, update in updates:
        condition, value = layout.condition(update.condition), layout.integer(update.value)
        if condition != FALSE:
            silence.conditions(layout, [condition, value])
            silence.kept(layout, value, layout.value[update.cell])
