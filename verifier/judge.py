"""A policy with everything that the passes share: columns, shapes, an index, and verdicts on requests.

In: a policy.  Out: which rules can fire in a box, which fire on a request, and what comes of it.

What always holds: what fires and what comes of it is the interpreter's word; the index only says
which rules need not be asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from govlang.compiler import interpret, ir
from govlang.compiler.interpret import Environment, Outcome
from govlang.verifier.columns import Columns, Point
from govlang.verifier.shapes import Box, Terms, terms
from govlang.verifier.sweep import BoxIndex

Plain = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A request, its row, and the rules that fire on it, by number."""

    point: Point
    row: list[int]
    env: Environment
    fired: tuple[int, ...]


class Judge:
    """A policy and what the passes know of it; rules go by their number in precedence order."""

    def __init__(self, policy: ir.Policy) -> None:
        self.policy = policy
        self.columns = Columns(policy)
        self.rules = policy.rules
        self.number = {rule.id: i for i, rule in enumerate(policy.rules)}
        self.shapes: list[Terms] = [terms(self.columns, rule.condition) for rule in policy.rules]
        owners = [(i, j) for i, shape in enumerate(self.shapes) for j, _ in enumerate(shape)]
        self.entry_owner = [i for i, _ in owners]
        self.entry_exact = [self.shapes[i][j].exact for i, j in owners]
        self.index = BoxIndex([self.shapes[i][j].box for i, j in owners])
        self.exact = [all(t.exact for t in shape) for shape in self.shapes]
        self.overriders: dict[str, list[int]] = {}
        for i, rule in enumerate(policy.rules):
            for name in rule.overrides:
                self.overriders.setdefault(name, []).append(i)

    # --- requests ----------------------------------------------------------------------------------

    def environment(self, point: Point) -> Environment:
        """What expressions read."""
        return Environment(self.policy, point.params, point.values)

    def valid(self, env: Environment) -> bool:
        """Whether a request keeps the assumptions."""
        return all(env.holds(one.condition) for one in self.policy.assumptions)

    def judge(self, point: Point) -> Judged | None:
        """What fires on a request; None if it breaks an assumption."""
        env = self.environment(point)
        if not self.valid(env):
            return None
        row = self.columns.row(point)
        return Judged(point, row, env, self.fired(row, env))

    def fired(self, row: list[int], env: Environment) -> tuple[int, ...]:
        """The rules that fire."""
        found: set[int] = set()
        maybe: set[int] = set()
        for entry in self.index.containing(row):
            (found if self.entry_exact[entry] else maybe).add(self.entry_owner[entry])
        found.update(i for i in maybe - found if env.holds(self.rules[i].condition))
        return tuple(sorted(found))

    def outcome(self, judged: Judged, without: int | None = None) -> Outcome:
        """What the interpreter makes of the rules that fired, or of all but one."""
        fired = tuple(self.rules[i] for i in judged.fired if i != without)
        return interpret.combine(self.policy, judged.env, fired)

    def standing(self, judged: Judged) -> tuple[ir.Rule, ...]:
        """The rules that stand."""
        return interpret.standing(tuple(self.rules[i] for i in judged.fired))

    # --- boxes -------------------------------------------------------------------------------------

    def meeting(self, boxes: Iterable[Box]) -> list[int]:
        """The rules that may fire somewhere in one of the boxes."""
        found: set[int] = set()
        for box in boxes:
            found.update(self.entry_owner[entry] for entry in self.index.overlapping(box))
        return sorted(found)

    def neighbours(self, rule: int) -> list[int]:
        """The other rules that may fire together with a rule."""
        return [i for i in self.meeting(t.box for t in self.shapes[rule]) if i != rule]

    def above(self, rules: Iterable[int]) -> list[int]:
        """Rules with everything that overrides them, directly or not."""
        found = set(rules)
        stack = list(found)
        while stack:
            for other in self.overriders.get(self.rules[stack.pop()].id, ()):
                if other not in found:
                    found.add(other)
                    stack.append(other)
        return sorted(found)

    @cached_property
    def quiet(self) -> tuple[int, ...]:
        """A row on which few rules fire: of each column the end that fewer boxes reach."""
        reach: dict[int, list[int]] = {}
        for box in self.index.boxes:
            for column, allowed in box.items():
                lo, hi = self._ends(column)
                found = reach.setdefault(column, [0, 0])
                found[0] += allowed[0][0] <= lo
                found[1] += allowed[-1][1] >= hi
        rows = [self._ends(column) for column in range(len(self.columns.columns))]
        return tuple(
            ends[int(reach[column][1] < reach[column][0])] if column in reach else ends[0]
            for column, ends in enumerate(rows)
        )

    def _ends(self, column: int) -> tuple[int, int]:
        domain = self.columns.domain(column)
        return (domain[0][0], domain[-1][1]) if domain else (0, 0)

    @cached_property
    def first_counts(self) -> bool:
        """Whether the first rule that fires is taken whole, and no other."""
        return self.policy.combine is ir.Combine.FIRST_MATCH and not self.overriders

    def pick(self, rules: Sequence[int]) -> list[ir.Rule]:
        """Rules by their numbers."""
        return [self.rules[i] for i in rules]


def obligations(outcome: Outcome) -> Plain:
    """The obligations of an outcome, whatever their order, in a form that can be compared."""
    return tuple(
        sorted(repr(sorted(one.items(), key=lambda kv: kv[0])) for one in outcome.obligations)
    )


def same_outcome(a: Outcome, b: Outcome) -> bool:
    """Equal decision, deciding rule and obligations."""
    return a.rule_id == b.rule_id and same_effect(a, b)


def same_effect(a: Outcome, b: Outcome) -> bool:
    """Equal decision and obligations."""
    if a.decision is not b.decision:
        return False
    return a.obligations == b.obligations or obligations(a) == obligations(b)
