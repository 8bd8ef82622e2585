"""The hand-written index in Python: a dictionary on the equality columns, sorted ranges, a short rest.

Goes in: a generated workload. Comes out: `CellIndex`, whose `decide` gives the position of the first rule that
fires. It is the limit that the Python rows are measured against, and the data that the C limit is built from.
What always holds: it agrees with `model.first_match` (tests/benchmarks holds it to that).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import assert_never

from benchmarks.model import (
    NO_RULE,
    Between,
    Condition,
    Equals,
    HasAny,
    OneOf,
    Request,
    Rule,
    StartsWith,
    SumAtLeast,
    SumAtMost,
    Workload,
)

Test = Callable[[Request], bool]
OTHER = ""  # the key of every value that no rule names


@dataclass(frozen=True, slots=True)
class Plan:
    """The columns that a workload is indexed by."""

    keys: tuple[str, ...]
    ranged: str


PLANS = {
    "generated_cells": Plan(("agent", "tool"), "amount"),
    "generated_text": Plan(("agent", "tool"), "amount"),
    "generated_overlap": Plan(("zone",), "y"),
}


@dataclass(slots=True)
class Cell:
    """The rules of one key: disjoint ranges in order, and those without one."""

    ranges: list[tuple[int, int, int, tuple[Condition, ...]]] = field(default_factory=list)
    loose: list[tuple[int, tuple[Condition, ...]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Layout:
    """The index as data: what each cell holds, the rules above all cells, and the known values of each key."""

    plan: Plan
    above: tuple[tuple[int, tuple[Condition, ...]], ...]
    cells: dict[tuple[str, ...], Cell]
    known: tuple[tuple[str, ...], ...]


def layout_of(workload: Workload) -> Layout:
    """Sorts the rules into cells; rules without any key stand above, and come first in the workload."""
    plan = PLANS[workload.name]
    known = tuple(known_values(workload, key) for key in plan.keys)
    above, cells = [], {key: Cell() for key in product(*known)}
    for index, rule in enumerate(workload.rules):
        if not {part.field for part in rule.conditions if isinstance(part, Equals)} & set(
            plan.keys
        ):
            above.append((index, rule.conditions))
            continue
        for key in keys_of(rule, plan, known):
            place(cells[key], index, rule, plan)
    for cell in cells.values():
        cell.ranges.sort()
    return Layout(
        plan,
        tuple(above),
        {key: cell for key, cell in cells.items() if cell.ranges or cell.loose},
        known,
    )


def known_values(workload: Workload, key: str) -> tuple[str, ...]:
    """The texts that rules name, each pattern's own rest (`prefix.`), and everything else."""
    values: dict[str, None] = {}
    for rule in workload.rules:
        for part in rule.conditions:
            match part:
                case Equals(name, value) if name == key:
                    values[value] = None
                case StartsWith(name, prefix) if name == key:
                    values[prefix + "."] = None
                case _:
                    pass
    return (*values, OTHER)


def keys_of(rule: Rule, plan: Plan, known: tuple[tuple[str, ...], ...]) -> list[tuple[str, ...]]:
    """The cells that the rule belongs to."""
    columns = []
    for name, values in zip(plan.keys, known, strict=True):
        allowed = list(values)
        for part in rule.conditions:
            match part:
                case Equals(column, value) if column == name:
                    allowed = [value]
                case StartsWith(column, prefix) if column == name:
                    allowed = [value for value in values if value.startswith(prefix + ".")]
                case _:
                    pass
        columns.append(allowed)
    return list(product(*columns))


def place(cell: Cell, index: int, rule: Rule, plan: Plan) -> None:
    """Puts the rule into the cell, without the conditions that the index has already answered."""
    rest = tuple(part for part in rule.conditions if not answered(part, plan))
    for part in rule.conditions:
        if isinstance(part, Between) and part.field == plan.ranged:
            cell.ranges.append((part.lo, part.hi, index, rest))
            return
    cell.loose.append((index, rest))


def answered(part: Condition, plan: Plan) -> bool:
    """Whether the dictionary or the sorted ranges have decided the condition."""
    match part:
        case Equals(name) | StartsWith(name):
            return name in plan.keys
        case Between(name):
            return name == plan.ranged
        case _:
            return False


class CellIndex:
    """Decides by dictionary, bisection and a short rest; reads the request without any check."""

    def __init__(self, workload: Workload) -> None:
        layout = layout_of(workload)
        self.plan = layout.plan
        self._above = [(index, compiled(rest)) for index, rest in layout.above]
        self._known = [frozenset(values) for values in layout.known]
        self.cells = {
            key: (
                [lo for lo, _, _, _ in cell.ranges],
                [
                    (hi, index, compiled(rest) if rest else None)
                    for _, hi, index, rest in cell.ranges
                ],
                [(index, compiled(rest)) for index, rest in cell.loose],
            )
            for key, cell in layout.cells.items()
        }

    def key_of(self, request: Request) -> tuple[str, ...]:
        """The request's cell."""
        values = []
        for name, known in zip(self.plan.keys, self._known, strict=True):
            value = str(request[name])
            if value not in known:
                value = value[: value.find(".") + 1]
                value = value if value in known else OTHER
            values.append(value)
        return tuple(values)

    def decide(self, request: Request) -> int:
        """The first rule that fires, or `NO_RULE`."""
        for index, test in self._above:
            if test(request):
                return index
        cell = self.cells.get(self.key_of(request))
        return NO_RULE if cell is None else self._in_cell(cell, request)

    def _in_cell(
        self,
        cell: tuple[list[int], list[tuple[int, int, Test | None]], list[tuple[int, Test]]],
        request: Request,
    ) -> int:
        lows, ranges, loose = cell
        best = NO_RULE
        value = request[self.plan.ranged]
        at = bisect_right(lows, value) - 1
        if at >= 0:
            hi, index, rest = ranges[at]
            if value <= hi and (rest is None or rest(request)):  # type: ignore[operator]
                best = index
        for index, test in loose:
            if (best == NO_RULE or index < best) and test(request):
                best = index
        return best


def compiled(conditions: tuple[Condition, ...]) -> Test:
    """The conjunction as one Python function."""
    text = " and ".join(python_text(part) for part in conditions)
    return eval(f"lambda r: {text}")  # type: ignore[no-any-return]  # noqa: S307 - the text is ours


def python_text(part: Condition) -> str:
    """A condition as Python, reading the request `r`."""
    match part:
        case Equals(name, value):
            return f"r[{name!r}] == {value!r}"
        case OneOf(name, values):
            return f"r[{name!r}] in {values!r}"
        case Between(name, lo, hi):
            return f"{lo} <= r[{name!r}] <= {hi}"
        case SumAtMost(names, bound):
            return f"{' + '.join(f'r[{name!r}]' for name in names)} <= {bound}"
        case SumAtLeast(names, bound):
            return f"{' + '.join(f'r[{name!r}]' for name in names)} >= {bound}"
        case HasAny(name, members):
            return "(" + " or ".join(f"{member!r} in r[{name!r}]" for member in members) + ")"
        case StartsWith(name, prefix):
            return f"r[{name!r}].startswith({prefix + '.'!r})"
        case _:
            assert_never(part)
