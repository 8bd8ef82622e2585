"""Why a decision came out as it did: a policy and a request in, each rule's part in it out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from govlang.cli.coverage import part_text
from govlang.compiler import ir
from govlang.compiler.interpret import Environment, Value, standing
from govlang.compiler.obligations import argument
from govlang.compiler.operators import grouped, is_operator

if TYPE_CHECKING:  # it is loaded for policies over time only
    from govlang.cli.telling import Teller

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


def environment(
    policy: ir.Policy, params: Mapping[str, int], values: Mapping[str, Value]
) -> Environment:
    """What conditions read; of a policy over time the columns as the rules saw them."""
    env = Environment(policy, params, values)
    env.fields |= {one.name: one for one in policy.columns}
    return env


def reasons(
    policy: ir.Policy, env: Environment, decider: str, teller: Teller | None = None
) -> Iterator[Part]:
    """Each rule's part, in order of precedence; `teller` says what the state held."""
    asked = frozenset(field.name for field in policy.fields)
    fired = tuple(rule for rule in policy.rules if env.holds(rule.condition))
    stands = {rule.id for rule in standing(fired)}
    ids = {rule.id for rule in fired}
    for rule in policy.rules:
        guard = rule.kind is ir.RuleKind.GUARD
        if rule.id not in ids:
            yield Part(rule.id, MISSED, guard, failed=tuple(_missed(env, rule, asked, teller)))
        elif rule.id not in stands:
            over = tuple(o.id for o in fired if rule.id in o.overrides and o.id in stands)
            yield Part(rule.id, OVERRIDDEN, guard, over)
        else:
            yield Part(rule.id, DECIDES if rule.id == decider else STANDS, guard)


def _missed(
    env: Environment, rule: ir.Rule, asked: Collection[str], teller: Teller | None
) -> Iterator[dict[str, Any]]:
    """What failed of a rule's condition, and what it found."""
    for failed in _failures(env, grouped(rule.condition, asked), asked, teller):
        if teller is None:
            yield {"condition": text_of(failed), "found": _found(env, failed)}
            continue
        told = teller.tell(failed)
        history = {"history": list(told.history)} if told.history else {}
        yield {"condition": text_of(failed), "found": dict(told.found)} | history


def _failures(
    env: Environment, condition: ir.BoolExpr, asked: Collection[str], teller: Teller | None
) -> Iterator[ir.BoolExpr]:
    """The smallest parts of a condition that fail and that, failing, make it fail."""
    whole = is_operator(condition, asked)
    match condition:
        case ir.And(operands=operands) if not whole:
            for operand in operands:
                if not env.holds(operand):
                    yield from _failures(env, operand, asked, teller)
                    if _guards(operand, teller):
                        return
        case ir.Or(operands=operands) if not whole:
            for operand in operands:
                yield from _failures(env, operand, asked, teller)
        case _:
            yield condition


def _guards(operand: ir.BoolExpr, teller: Teller | None) -> bool:
    """Whether what stands behind an operand may be read only where it holds."""
    has = any(isinstance(atom, ir.Has) for atom in ir.atoms(operand))
    return has or (teller is not None and teller.guards(operand))


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
            return part_text(condition)


def _found(env: Environment, condition: ir.BoolExpr) -> dict[str, Any]:
    """The values of the fields that a condition reads; null where there is none."""
    found: dict[str, Any] = {}
    for name in sorted(ir.fields_read(condition)):
        value = env.values.get(name)
        found[name] = None if value is None else argument(value, env.fields[name])
    return found
