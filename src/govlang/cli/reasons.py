"""Why a decision came out as it did: a policy and a request in, each rule's part in it out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from govlang.cli.coverage import atom_text
from govlang.compiler import ir
from govlang.compiler.interpret import Environment, Value, standing
from govlang.compiler.obligations import argument

DECIDES = "decides"
STANDS = "stands"
OVERRIDDEN = "overridden"
MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Part:
    """What a rule, or the guard of an invariant, had to do with a decision."""

    rule: str
    status: str
    is_guard: bool
    overridden_by: tuple[str, ...] = ()
    failed: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `gov explain --format json` has it."""
        return {
            "rule": self.rule,
            "status": self.status,
            "guard": self.is_guard,
            "overridden_by": list(self.overridden_by),
            "failed": list(self.failed),
        }


def reasons(
    policy: ir.Policy, params: Mapping[str, int], values: Mapping[str, Value], decider: str
) -> Iterator[Part]:
    """Each rule's part, in order of precedence."""
    env = Environment(policy, params, values)
    env.fields |= {one.name: one for one in policy.columns}
    fired = tuple(rule for rule in policy.rules if env.holds(rule.condition))
    stands = {rule.id for rule in standing(fired)}
    ids = {rule.id for rule in fired}
    for rule in policy.rules:
        guard = rule.kind is ir.RuleKind.GUARD
        if rule.id not in ids:
            yield Part(rule.id, MISSED, guard, failed=tuple(failures(env, rule.condition)))
        elif rule.id not in stands:
            over = tuple(o.id for o in fired if rule.id in o.overrides and o.id in stands)
            yield Part(rule.id, OVERRIDDEN, guard, over)
        else:
            yield Part(rule.id, DECIDES if rule.id == decider else STANDS, guard)


def failures(env: Environment, condition: ir.BoolExpr) -> Iterator[dict[str, Any]]:
    """The smallest parts of a condition that fail and that, failing, make it fail."""
    match condition:
        case ir.And(operands=operands):
            for operand in operands:
                if not env.holds(operand):
                    yield from failures(env, operand)
                    if _guards(operand):
                        return
        case ir.Or(operands=operands):
            for operand in operands:
                yield from failures(env, operand)
        case _:
            yield {"condition": text_of(condition), "found": _found(env, condition)}


def _guards(operand: ir.BoolExpr) -> bool:
    """Whether what stands behind an operand may be read only where it holds."""
    return any(isinstance(atom, ir.Has) for atom in ir.atoms(operand))


def text_of(condition: ir.BoolExpr) -> str:
    """A condition as the author wrote it."""
    match condition:
        case ir.Not(operand=operand) if condition.span is None:
            return f"not {text_of(operand)}"
        case ir.And() | ir.Or() | ir.Not() | ir.BoolConst():
            span = condition.span
            return " ".join(span.text.split()) if span is not None else str(condition)
        case ir.InRanges(name=name, ranges=ranges, span=None):
            return f"{name} in {', '.join(f'{lo}..{hi}' for lo, hi in ranges)}"
        case _:
            return atom_text(condition)


def _found(env: Environment, condition: ir.BoolExpr) -> dict[str, Any]:
    """The values of the fields that a condition reads; null where there is none."""
    found: dict[str, Any] = {}
    for name in sorted(ir.fields_read(condition)):
        value = env.values.get(name)
        found[name] = None if value is None else argument(value, env.fields[name])
    return found
