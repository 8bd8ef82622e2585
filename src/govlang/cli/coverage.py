"""How much of a policy its tests exercise: conditions and requests in, three figures and what is missing out.

Rules: a rule fired at least once.  Conditions: every atom of a rule's condition was true once and false once.
MC/DC (masking form: Chilenski, DOT/FAA/AR-01/18): every atom, once true and once false, decided by itself
whether its rule fired, that is, with the other atoms as they were, its flip would have flipped the rule.
An atom that reads a field which is not there has no value: it is neither true nor false, and hides no other (a
condition reads such a field only behind a `has`, which decides).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from govlang.compiler import ir
from govlang.compiler.interpret import Environment, Value

Valued = tuple[int, bool | None]
"""An atom of a condition, by its number, with its value if it has one."""

Seen = tuple[Mapping[str, Value], Mapping[str, int]]
"""A request's values and its parameters."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that no test exercised; `polarity`: what the atom never was."""

    rule: str
    atom: ir.Atom | None = None
    index: int = 0
    polarity: bool = True

    def to_json(self) -> dict[str, Any]:
        """As the report has it."""
        if self.atom is None:
            return {"rule": self.rule}
        return {"rule": self.rule, "condition": atom_text(self.atom), "never": self.polarity}


@dataclass(slots=True)
class Measure:
    """So many of so many, and what is missing."""

    covered: int = 0
    of: int = 0
    missing: list[Missing] = field(default_factory=list)

    def count(self, missing: Missing, *, covered: bool) -> None:
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
    """The three measures."""

    rules: Measure
    conditions: Measure
    mcdc: Measure

    def to_json(self) -> dict[str, Any]:
        """As the report has it."""
        named = (("rules", self.rules), ("conditions", self.conditions), ("mcdc", self.mcdc))
        return {name: measure.to_json() for name, measure in named}


def cover(policy: ir.Policy, seen: Iterable[Seen], only: str | None = None) -> Coverage:
    """The coverage of the rules and rows (not of the guards of invariants) by some requests.

    `only`: of this rule alone.
    """
    environments = [Environment(policy, params, values) for values, params in seen]
    coverage = Coverage(Measure(), Measure(), Measure())
    for rule in policy.rules:
        if rule.kind is not ir.RuleKind.GUARD and only in (None, rule.id):
            _cover_rule(rule, environments, coverage)
    return coverage


def _cover_rule(rule: ir.Rule, environments: list[Environment], coverage: Coverage) -> None:
    fired = any(env.holds(rule.condition) for env in environments)
    coverage.rules.count(Missing(rule.id), covered=fired)
    atoms = list(condition_atoms(rule.condition))
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
            missing = Missing(rule.id, atom, index, polarity)
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
