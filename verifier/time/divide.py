"""A large policy over time as several small ones that can be judged apart.

In: a policy over time.  Out: parts, each with some of its rules, properties and machines, and the cells that
these read, directly or not.

What always holds: two rules of different parts fire on no request together, as the values that they test keep
them apart; each rule, property and machine is in one part; a part's cells go through the same states as those
of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from govlang.compiler import ir
from govlang.compiler.sugar import AUTONOMY
from govlang.verifier.columns import all_conditions
from govlang.verifier.judge import Judge
from govlang.verifier.shapes import terms
from govlang.verifier.time.flat import flat

SMALL: Final = 40
"""Cells of a policy that is judged as a whole."""


@dataclass(frozen=True)
class Part:
    """A policy of its own, and the machines that are judged in it."""

    policy: ir.Policy
    machines: frozenset[str] = frozenset()


def divided(policy: ir.Policy) -> list[Part] | None:
    """The parts of a policy; None if it is to be judged as a whole, as nothing tells its rules apart."""
    time = policy.time
    if time is None or len(time.cells) <= SMALL or any(map(asks_decision, time.updates)):
        return None
    judge = Judge(flat(policy))
    groups = _Groups(len(judge.rules))
    tables: dict[str, int] = {}
    for i, rule in enumerate(judge.rules):
        for other in (*judge.neighbours(i), *(judge.number[name] for name in rule.overrides)):
            groups.join(i, other)
        if groups.count == 1:
            return None
        if rule.kind is ir.RuleKind.ROW:
            table = rule.id.rpartition("#")[0]
            groups.join(i, tables.setdefault(table, i))
    if groups.count == 1:
        return None
    asked: dict[int, list[ir.Property]] = {}
    apart: list[ir.Property] = []
    for one in (one for one in policy.properties if not one.possible):
        near = _near(judge, one) if one.mentions_decision else []
        for i in near:
            groups.join(near[0], i)
        if near:
            asked.setdefault(near[0], []).append(one)
        else:
            apart.append(one)
    parts = [Part(part(policy, (), [one])) for one in apart]
    by_root: dict[int, list[ir.Property]] = {}
    for i, own in asked.items():
        by_root.setdefault(groups.root(i), []).extend(own)
    for root, members in groups.all():
        rules = [policy.rules[i] for i in members]
        parts.append(Part(part(policy, rules, by_root.get(root, []))))
    parts += [
        Part(part(policy, (), (), (name,)), frozenset((name,)))
        for name in written_machines(policy, time)
    ]
    return parts


def written_machines(policy: ir.Policy, time: ir.Time) -> list[str]:
    """The machines that are no sugar."""
    rules = {rule.id for rule in policy.rules}
    return [
        cell.name
        for cell in time.cells
        if cell.field.members
        and cell.cap is None
        and cell.name != AUTONOMY
        and f"{cell.name}.not_active" not in rules
    ]


def part(
    policy: ir.Policy,
    rules: Iterable[ir.Rule],
    properties: Iterable[ir.Property],
    cells: Iterable[str] = (),
    origins: Sources | None = None,
) -> ir.Policy:
    """Some rules and properties of a policy, and the cells that they, or `cells`, come from."""
    assert policy.time is not None
    some = replace(policy, rules=tuple(rules), properties=tuple(properties))
    wanted = set(cells) | {name for one in all_conditions(some) for name in ir.fields_read(one)}
    for rule in some.rules:
        for expr in ir.rule_expressions(rule):
            wanted |= _names(expr)
    kept = (origins or Sources(policy.time)).of(wanted)
    time = replace(
        policy.time,
        cells=tuple(c for c in policy.time.cells if c.name in kept),
        updates=tuple(u for u in policy.time.updates if u.cell in kept),
    )
    return replace(some, time=time)


class Sources:
    """Which cells the updates of each cell read."""

    def __init__(self, time: ir.Time) -> None:
        self._read: dict[str, set[str]] = {cell.name: set() for cell in time.cells}
        for one in time.updates:
            self._read[one.cell] |= ir.fields_read(one.condition) | _names(one.value)
        self._permits = {one.permit for one in time.samples if one.permit is not None}

    def of(self, wanted: Iterable[str]) -> set[str]:
        """The cells among these, with all that their updates read, directly or not."""
        found: set[str] = set()
        stack = [*wanted, *self._permits]
        while stack:
            name = stack.pop()
            if name in self._read and name not in found:
                found.add(name)
                stack += self._read[name]
        return found


def _names(expr: ir.IntExpr) -> set[str]:
    found = set()
    for one in ir.int_parts(expr):
        if isinstance(one, ir.FieldValue):
            found.add(one.name)
        elif isinstance(one, ir.Choose):
            found |= ir.fields_read(one.condition)
    return found


def asks_decision(update: ir.Update) -> bool:
    """Whether an update reads what was decided."""
    return any(isinstance(atom, ir.DecisionIn) for atom in ir.atoms(update.condition))


def _near(judge: Judge, one: ir.Property) -> list[int]:
    """The rules that may fire where a property could fail."""
    return judge.meeting(t.box for t in terms(judge.columns, ir.negation(one.condition)))


class _Groups:
    """Numbers that belong together."""

    def __init__(self, size: int) -> None:
        self._above = list(range(size))
        self.count = size

    def root(self, one: int) -> int:
        """The number that stands for the group of one."""
        while self._above[one] != one:
            self._above[one] = self._above[self._above[one]]
            one = self._above[one]
        return one

    def join(self, one: int, other: int) -> None:
        """Make one group of two."""
        first, second = sorted((self.root(one), self.root(other)))
        self.count -= first != second
        self._above[second] = first

    def all(self) -> Iterator[tuple[int, list[int]]]:
        """Every group by its root."""
        found: dict[int, list[int]] = {}
        for one in range(len(self._above)):
            found.setdefault(self.root(one), []).append(one)
        yield from found.items()
