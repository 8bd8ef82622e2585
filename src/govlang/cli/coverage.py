"""How much of a policy its tests exercise: what they reach in, four figures and what is missing out.

Rules: a rule fired at least once.  Conditions: every part of a rule's condition was true once and false once; a part
is what its author calls a condition, one an operator, whatever it became (`operators.py`).
MC/DC (masking form: Chilenski, DOT/FAA/AR-01/18): every part, once true and once false, decided by itself
whether its rule fired, that is, with the other parts as they were, its flip would have flipped the rule.
A part that reads a field which is not there has no value: it is neither true nor false, and hides no other (a
condition reads such a field only behind a `has`, which decides).  Transitions: every one of a machine was
taken at some sample; those of contracts and autonomy count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from govlang.compiler import ir
from govlang.compiler.interpret import Environment, Value
from govlang.compiler.operators import grouped, parts
from govlang.compiler.transitions import Transition, machines, transitions

Valued = tuple[int, bool | None]
"""A part of a condition, by its number, with its value if it has one."""

Seen = tuple[Mapping[str, Value], Mapping[str, int]]
"""The columns at a sample and the parameters."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that no test exercised; `polarity`: what the part of the condition never was."""

    rule: str
    part: ir.BoolExpr | None = None
    index: int = 0
    polarity: bool = True

    def to_json(self) -> dict[str, Any]:
        """As the report has it."""
        if self.part is None:
            return {"rule": self.rule}
        return {"rule": self.rule, "condition": part_text(self.part), "never": self.polarity}


@dataclass(frozen=True, slots=True)
class Untaken:
    """A transition that no test took; `number` of `alike` that lead from one state to the same other one."""

    transition: Transition
    number: int = 1
    alike: int = 1

    @property
    def text(self) -> str:
        """The transition as written, or so that it is told from those like it."""
        written = self.transition.written
        if self.alike == 1 or written != self.transition.text:
            return written
        return f"{written} ({self.number} of {self.alike})"

    def to_json(self) -> dict[str, Any]:
        """As the report has it."""
        return {"machine": self.transition.machine.name, "transition": self.text}


class Writable(Protocol):
    """What a report can hold."""

    def to_json(self) -> dict[str, Any]:
        """As the report has it."""


What = TypeVar("What", bound=Writable)


@dataclass(slots=True)
class Measure(Generic[What]):
    """So many of so many, and what is missing."""

    covered: int = 0
    of: int = 0
    missing: list[What] = field(default_factory=list)

    def count(self, missing: What, *, covered: bool) -> None:
        """One more; covered or not."""
        self.of += 1
        self.covered += covered
        if not covered:
            self.missing.append(missing)

    @property
    def percent(self) -> float:
        """The share, in percent; all of nothing is all."""
        return 100.0 * self.covered / self.of if self.of else 100.0

    def to_json(self) -> dict[str, Any]:
        """As the report has it."""
        return {
            "covered": self.covered,
            "of": self.of,
            "percent": round(self.percent, 1),
            "missing": [one.to_json() for one in self.missing],
        }


@dataclass(frozen=True, slots=True)
class Coverage:
    """The measures; transitions only of a policy that has machines."""

    rules: Measure[Missing] = field(default_factory=Measure)
    conditions: Measure[Missing] = field(default_factory=Measure)
    mcdc: Measure[Missing] = field(default_factory=Measure)
    transitions: Measure[Untaken] = field(default_factory=Measure)

    def shares(self) -> dict[str, float]:
        """Each measure in percent, by its name in messages."""
        found = {
            "rules": self.rules.percent,
            "conditions": self.conditions.percent,
            "MC/DC": self.mcdc.percent,
        }
        return found | ({"transitions": self.transitions.percent} if self.transitions.of else {})

    def to_json(self) -> dict[str, Any]:
        """As the report has it."""
        found = {
            "rules": self.rules.to_json(),
            "conditions": self.conditions.to_json(),
            "mcdc": self.mcdc.to_json(),
        }
        return found | ({"transitions": self.transitions.to_json()} if self.transitions.of else {})


def cover_transitions(policy: ir.Policy, moving: Iterable[Seen], coverage: Coverage) -> None:
    """Add the transitions that are taken at samples with these columns, as the machines found them."""
    assert policy.time is not None
    environments = [Environment(policy, params, values) for values, params in moving]
    for machine in machines(policy.time):
        own = list(transitions(policy.time, machine))
        texts = [one.text for one in own]
        for i, one in enumerate(own):
            untaken = Untaken(one, texts[: i + 1].count(one.text), texts.count(one.text))
            taken = any(map(one.is_taken, environments))
            coverage.transitions.count(untaken, covered=taken)


def cover(policy: ir.Policy, seen: Iterable[Seen], only: str | None = None) -> Coverage:
    """The coverage of the rules and rows (not of what invariants and contracts stand for) by some requests.

    `only`: of this rule alone.
    """
    environments = [Environment(policy, params, values) for values, params in seen]
    coverage = Coverage()
    for rule in policy.rules:
        if rule.kind is not ir.RuleKind.GUARD and only in (None, rule.id):
            _cover_rule(rule, Parted(policy, rule), environments, coverage)
    return coverage


def _cover_rule(
    rule: ir.Rule, parted: Parted, environments: list[Environment], coverage: Coverage
) -> None:
    fired = any(env.holds(rule.condition) for env in environments)
    coverage.rules.count(Missing(rule.id), covered=fired)
    reads = [_unguarded(part) for part in parted.parts]
    values: set[Valued] = set()
    decided: set[Valued] = set()
    for env in environments:
        absent = env.fields.keys() - env.values.keys()
        seen = [
            None if reads[i] & absent else env.holds(part) for i, part in enumerate(parted.parts)
        ]
        values.update(enumerate(seen))
        decided.update(parted.deciding(seen))
    for index, part in enumerate(parted.parts):
        for polarity in (True, False):
            missing = Missing(rule.id, part, index, polarity)
            coverage.conditions.count(missing, covered=(index, polarity) in values)
            coverage.mcdc.count(missing, covered=(index, polarity) in decided)


def _unguarded(part: ir.BoolExpr) -> frozenset[str]:
    """The fields that a part reads without asking by itself whether they are there."""
    return ir.fields_read(part) - {one.name for one in ir.atoms(part) if isinstance(one, ir.Has)}


class Parted:
    """The condition of a rule with the parts that its author wrote, left to right: one an operator."""

    def __init__(self, policy: ir.Policy, rule: ir.Rule) -> None:
        asked = frozenset(one.name for one in policy.fields)
        self.condition = grouped(rule.condition, asked)
        self.parts = tuple(parts(self.condition, asked))
        self._own = {id(part) for part in self.parts}

    def deciding(self, values: Iterable[bool | None]) -> list[Valued]:
        """The parts whose flip would flip the condition, given what they are."""
        return self._deciding(self.condition, iter(enumerate(values)))[1]

    def with_constant(self, index: int, value: bool) -> ir.BoolExpr:  # noqa: FBT001  # what stands there
        """The condition with its part number `index` (from 0) made constant."""
        return self._replaced(self.condition, [index], ir.BoolConst(value))

    def _deciding(
        self, condition: ir.BoolExpr, values: Iterator[Valued]
    ) -> tuple[bool | None, list[Valued]]:
        """A condition's value, and the parts whose flip would flip it; `values` are those of its own, in order.

        An operand decides where the others leave it to: in a conjunction all of them hold, in a
        disjunction none. One without a value decides nothing and leaves the others what they are.
        """
        if id(condition) in self._own:
            own = next(values)
            return own[1], [] if own[1] is None else [own]
        match condition:
            case ir.Not(operand=operand):
                denied, deciding = self._deciding(operand, values)
                return None if denied is None else not denied, deciding
            case ir.And(operands=operands) | ir.Or(operands=operands):
                inner = [self._deciding(one, values) for one in operands]
                return _joined(inner, neutral=isinstance(condition, ir.And))
            case ir.BoolConst(value=value):
                return value, []
            case _:
                raise AssertionError("an atom is a part")

    def _replaced(
        self, condition: ir.BoolExpr, left: list[int], constant: ir.BoolConst
    ) -> ir.BoolExpr:
        if id(condition) in self._own:
            left[0] -= 1
            return constant if left[0] == -1 else condition
        match condition:
            case ir.Not(operand=operand):
                return ir.negation(self._replaced(operand, left, constant))
            case ir.And(operands=operands):
                return ir.conjunction([self._replaced(one, left, constant) for one in operands])
            case ir.Or(operands=operands):
                return ir.disjunction([self._replaced(one, left, constant) for one in operands])
            case _:
                return condition


def _joined(
    operands: list[tuple[bool | None, list[Valued]]], *, neutral: bool
) -> tuple[bool | None, list[Valued]]:
    """The value of a conjunction (`neutral` true) or disjunction, and the parts that decide it."""
    against = [deciding for value, deciding in operands if value is (not neutral)]
    if len(against) > 1:
        return not neutral, []
    if not against and any(value is None for value, _ in operands):
        return None, []
    free = against or [deciding for _, deciding in operands]
    return neutral is not bool(against), [part for one in free for part in one]


def part_text(part: ir.BoolExpr) -> str:
    """A part of a condition as the author wrote it."""
    span = part.span
    return " ".join(span.text.split()) if span is not None and span.text else str(part)
