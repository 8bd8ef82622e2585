"""How much of a policy its tests exercise: what they reach in, four figures and what is missing out.

Rules: a rule fired at least once.  Conditions: every atom of a rule's condition was true once and false once.
MC/DC (masking form: Chilenski, DOT/FAA/AR-01/18): every atom, once true and once false, decided by itself
whether its rule fired, that is, with the other atoms as they were, its flip would have flipped the rule.
An atom that reads a field which is not there has no value: it is neither true nor false, and hides no other (a
condition reads such a field only behind a `has`, which decides).  Transitions: every one of a machine was
taken at some sample; those of contracts and autonomy count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from govlang.compiler import ir
from govlang.compiler.interpret import Environment, Value
from govlang.compiler.transitions import Transition, machines, transitions

Valued = tuple[int, bool | None]
"""An atom of a condition, by its number, with its value if it has one."""

Seen = tuple[Mapping[str, Value], Mapping[str, int]]
"""The columns at a sample and the parameters."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that no test exercised.

    `polarity`: what the atom never was; `denied`: what its author wrote is that it does not hold.
    """

    rule: str
    atom: ir.Atom | None = None
    index: int = 0
    polarity: bool = True
    denied: bool = False

    @property
    def written(self) -> bool:
        """What the condition never was, as its author reads it."""
        return self.polarity is not self.denied

    def to_json(self) -> dict[str, Any]:
        """As the report has it."""
        if self.atom is None:
            return {"rule": self.rule}
        return {"rule": self.rule, "condition": atom_text(self.atom), "never": self.written}


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
            _cover_rule(rule, environments, coverage)
    return coverage


def _cover_rule(rule: ir.Rule, environments: list[Environment], coverage: Coverage) -> None:
    fired = any(env.holds(rule.condition) for env in environments)
    coverage.rules.count(Missing(rule.id), covered=fired)
    atoms = list(condition_atoms(rule.condition))
    denied = list(_denied(rule.condition))
    reads = [_unguarded(atom) for atom in atoms]
    values: set[Valued] = set()
    decided: set[Valued] = set()
    for env in environments:
        absent = env.fields.keys() - env.values.keys()
        seen = [None if reads[i] & absent else env.holds(atom) for i, atom in enumerate(atoms)]
        values.update(enumerate(seen))
        decided.update(_deciding(rule.condition, iter(enumerate(seen)))[1])
    for index, atom in enumerate(atoms):
        for polarity in (True, False):
            missing = Missing(rule.id, atom, index, polarity, denied[index])
            coverage.conditions.count(missing, covered=(index, polarity) in values)
            coverage.mcdc.count(missing, covered=(index, polarity) in decided)


def _unguarded(atom: ir.Atom) -> frozenset[str]:
    """The fields that an atom reads without asking by itself whether they are there."""
    return ir.fields_read(atom) - {one.name for one in ir.atoms(atom) if isinstance(one, ir.Has)}


def _deciding(condition: ir.BoolExpr, atoms: Iterator[Valued]) -> tuple[bool | None, list[Valued]]:
    """The condition's value, and the atoms whose flip would flip it; `atoms` are its own, in order.

    An operand decides where the others leave it to: in a conjunction all of them hold, in a
    disjunction none. One without a value decides nothing and leaves the others what they are.
    """
    match condition:
        case ir.BoolConst(value=value):
            return value, []
        case ir.Not(operand=operand):
            denied, deciding = _deciding(operand, atoms)
            return None if denied is None else not denied, deciding
        case ir.And(operands=operands) | ir.Or(operands=operands):
            neutral = isinstance(condition, ir.And)
            parts = [_deciding(one, atoms) for one in operands]
            against = [deciding for value, deciding in parts if value is (not neutral)]
            if len(against) > 1:
                return not neutral, []
            if not against and any(value is None for value, _ in parts):
                return None, []
            free = against or [deciding for _, deciding in parts]
            return neutral is not bool(against), [atom for part in free for atom in part]
        case _:
            atom = next(atoms)
            return atom[1], [] if atom[1] is None else [atom]


def condition_atoms(condition: ir.BoolExpr) -> Iterable[ir.Atom]:
    """The atoms of the boolean structure, left to right; those inside numbers are not its own."""
    match condition:
        case ir.BoolConst():
            return
        case ir.Not(operand=operand):
            yield from condition_atoms(operand)
        case ir.And(operands=operands) | ir.Or(operands=operands):
            for operand in operands:
                yield from condition_atoms(operand)
        case _:
            yield condition


def _denied(condition: ir.BoolExpr) -> Iterable[bool]:
    """Of each atom whether its text is that of its denial: `elapsed(e) > 3 s` is a `not` of what is kept."""
    match condition:
        case ir.Not(operand=operand) if not isinstance(operand, ir.And | ir.Or | ir.Not):
            text = condition.span and condition.span.text
            yield bool(text) and operand.span is not None and operand.span.text == text
        case ir.Not(operand=operand):
            yield from _denied(operand)
        case ir.And(operands=operands) | ir.Or(operands=operands):
            for operand in operands:
                yield from _denied(operand)
        case ir.BoolConst():
            return
        case _:
            yield False


def replaced_atom(condition: ir.BoolExpr, index: int, value: bool) -> ir.BoolExpr:  # noqa: FBT001  # what stands there
    """The condition with its atom number `index` (from 0, as in `condition_atoms`) made constant."""
    return _replaced(condition, [index], ir.BoolConst(value))


def _replaced(condition: ir.BoolExpr, left: list[int], constant: ir.BoolConst) -> ir.BoolExpr:
    match condition:
        case ir.BoolConst():
            return condition
        case ir.Not(operand=operand):
            return ir.negation(_replaced(operand, left, constant))
        case ir.And(operands=operands):
            return ir.conjunction([_replaced(one, left, constant) for one in operands])
        case ir.Or(operands=operands):
            return ir.disjunction([_replaced(one, left, constant) for one in operands])
        case _:
            left[0] -= 1
            return constant if left[0] == -1 else condition


def atom_text(atom: ir.Atom) -> str:
    """The atom as the author wrote it."""
    span = atom.span
    return " ".join(span.text.split()) if span is not None and span.text else str(atom)
