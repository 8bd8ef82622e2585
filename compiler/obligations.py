"""What a host must do with an outcome, gathered from the rules that were taken.

In: the grants of the rules that stand and an evaluator of expressions.  Out: obligations in the
JSON form of the outcome: `do`, `limit`, `require`, `retry_ms`, `remedy`, in this order.

What always holds: on deny only `do` and `remedy` remain; limits of several rules intersect; equal
obligations are given once; numbers are exact decimals in the unit of their field.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Context, Decimal
from typing import Any, Final, Protocol

from govlang.compiler import ir
from govlang.compiler.ir import Effect
from govlang.dsl.record import record

Obligation = dict[str, Any]
Steps = tuple[int, int]

_EXACT: Final = Context(prec=60)
"""64-bit counts of steps of 18 digits, divided by a power of ten, have at most 55."""


@record
class Grant:
    """A standing rule with the effect it has now; `permits`: it lifts a default that denies."""

    rule: ir.Rule
    effect: Effect
    approved: bool
    permits: bool


class Evaluator(Protocol):
    """What turns expressions into values (the interpreter's environment)."""

    def evaluate(self, expr: ir.IntExpr) -> int:
        """The integer that an expression comes to."""

    def text(self, name: str) -> str:
        """The value of a text field."""


def collect_obligations(
    policy: ir.Policy, env: Evaluator, taken: tuple[Grant, ...], effect: Effect
) -> tuple[Obligation, ...]:
    """Every obligation of the grants that the outcome's effect keeps."""
    rules = tuple(g.rule for g in taken)
    kept = [*_dos(policy, env, rules)]
    if effect is not Effect.DENY:
        kept += _limits(policy, env, rules)
        if effect is Effect.REQUIRE_HUMAN:
            kept += _requirement(policy, taken)
        kept += _retry(rules)
    kept += _remedies(policy, env, rules)
    return tuple(one for i, one in enumerate(kept) if one not in kept[:i])


def limits_meet(policy: ir.Policy, env: Evaluator, taken: tuple[Grant, ...]) -> bool:
    """Whether the ranges of every limited target have a value in common."""
    ranges = _ranges(policy, env, tuple(g.rule for g in taken))
    return all(lo <= hi for lo, hi in ranges.values())


def decimal(value: int, field: ir.Field) -> int | Decimal:
    """`value` steps of a field as a number in its unit: an int if whole, else an exact decimal.

    A step is a finite decimal by construction, so the quotient is exact.
    """
    whole, rest = divmod(value * field.step_num, field.step_den)
    if rest == 0:
        return whole
    return _EXACT.divide(Decimal(value * field.step_num), Decimal(field.step_den))


def argument(value: int | str, field: ir.Field) -> Any:
    """A value of a field in the form that JSON has for it."""
    match field.kind:
        case ir.Kind.ENUM:
            assert isinstance(value, int)
            return field.members[value]
        case ir.Kind.BOOL:
            return bool(value)
        case ir.Kind.SET:
            assert isinstance(value, int)
            return [m for i, m in enumerate(field.members) if value >> i & 1]
        case ir.Kind.TEXT | ir.Kind.PATH | ir.Kind.KEY:
            return value
        case _:
            assert isinstance(value, int)
            return decimal(value, field)


def passed(env: Evaluator, value: ir.ArgValue, field: ir.Field) -> Any:
    """A value that a rule passes on, in JSON form."""
    match value:
        case ir.TextConst(text=text):
            return text
        case ir.TextField(name=name):
            return env.text(name)
        case _:
            return argument(env.evaluate(value), field)


def _dos(policy: ir.Policy, env: Evaluator, rules: tuple[ir.Rule, ...]) -> Iterator[Obligation]:
    """One obligation for each action and its arguments; of several times the longest."""
    actions = {action.name: action for action in policy.actions}
    found: list[Obligation] = []
    for do in (do for rule in rules for do in rule.dos):
        parameters = actions[do.action].parameters
        args = {p.name: passed(env, a, p) for p, a in zip(parameters, do.args, strict=True)}
        one: Obligation = {"do": do.action} | ({"args": args} if args else {})
        twin = next((o for o in found if o | {"for_ms": 0} == one | {"for_ms": 0}), None)
        if twin is None:
            found.append(one if do.for_ms is None else one | {"for_ms": do.for_ms})
        elif do.for_ms is None:
            twin.pop("for_ms", None)
        elif "for_ms" in twin:
            twin["for_ms"] = max(twin["for_ms"], do.for_ms)
    yield from found


def _ranges(policy: ir.Policy, env: Evaluator, rules: tuple[ir.Rule, ...]) -> dict[str, Steps]:
    ranges: dict[str, Steps] = {}
    for limit in (limit for rule in rules for limit in rule.limits):
        target = policy.target(limit.target)
        lo, hi = ranges.get(limit.target, (target.lo, target.hi))
        ranges[limit.target] = (
            max(lo, env.evaluate(limit.lo)),
            min(hi, env.evaluate(limit.hi)),
        )
    return ranges


def _limits(policy: ir.Policy, env: Evaluator, rules: tuple[ir.Rule, ...]) -> Iterator[Obligation]:
    for name, (lo, hi) in _ranges(policy, env, rules).items():
        target = policy.target(name)
        start = {} if lo == target.lo else {"from": decimal(lo, target)}
        yield {"limit": name, **start, "to": decimal(hi, target)}


def _requirement(policy: ir.Policy, taken: tuple[Grant, ...]) -> Iterator[Obligation]:
    waiting = [g.rule for g in taken if g.effect is Effect.REQUIRE_HUMAN]
    named = {role for rule in waiting for role in rule.roles}
    expiries = [rule.expires_ms for rule in waiting if rule.expires_ms is not None]
    expires = {"expires_ms": min(expiries)} if expiries else {}
    yield {"require": [role for role in policy.roles if role in named], **expires}


def _retry(rules: tuple[ir.Rule, ...]) -> Iterator[Obligation]:
    retries = [rule.retry_ms for rule in rules if rule.retry_ms is not None]
    if retries:
        yield {"retry_ms": max(retries)}


def _remedies(
    policy: ir.Policy, env: Evaluator, rules: tuple[ir.Rule, ...]
) -> Iterator[Obligation]:
    for remedy in (rule.remedy for rule in rules if rule.remedy is not None):
        values = {name: passed(env, v, policy.field(name)) for name, v in remedy.values}
        yield {"remedy": remedy.text} | ({"with": values} if values else {})
