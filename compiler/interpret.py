"""The reference interpreter: what a policy decides, small and slow.

In: a checked policy, its parameters and the values of the columns: a request's fields and, where the policy
remembers, its cells.  Out: the outcome.  `step.py` takes samples in.  Every other backend (table, solver, C,
WebAssembly) must agree with these two files; they are the language.

INVARIANT: total.  Whatever valid request comes in, an outcome comes out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final, assert_never

from govlang.compiler import ir
from govlang.compiler.ir import Effect
from govlang.compiler.obligations import Grant, collect_obligations, limits_meet
from govlang.compiler.text_match import matches
from govlang.dsl.record import record

Value = int | str
Params = Mapping[str, int]

DEFAULT_RULE: Final = "default"
INVALID_REQUEST: Final = "invalid_request"


@record
class Outcome:
    """A decision, the rule that made it, what the host must do, and every rule that fired."""

    decision: Effect
    rule_id: str
    reason: str
    obligations: tuple[dict[str, Any], ...] = ()
    matched: tuple[str, ...] = ()


def default_params(policy: ir.Policy) -> dict[str, int]:
    """Every parameter at the value that its declaration gives."""
    return {param.field.name: param.default for param in policy.params}


def invalid_outcome(field: str | None, why: str) -> Outcome:
    """Deny by `invalid_request`, naming the field."""
    reason = why if field is None else f"`{field}` {why}"
    return Outcome(Effect.DENY, INVALID_REQUEST, reason)


def decide(policy: ir.Policy, params: Params, values: Mapping[str, Value]) -> Outcome:
    """The outcome for a request whose every field is in range and on its grid."""
    env = Environment(policy, params, values)
    broken = broken_assumption(policy, params, values)
    if broken is not None:
        return broken
    fired = tuple(rule for rule in policy.rules if env.holds(rule.condition))
    return combine(policy, env, fired)


def broken_assumption(
    policy: ir.Policy, params: Params, values: Mapping[str, Value]
) -> Outcome | None:
    """The outcome of a request that breaks an assumption, which makes it invalid; None if none is broken."""
    env = Environment(policy, params, values)
    broken = next((a for a in policy.assumptions if not env.holds(a.condition)), None)
    if broken is None:
        return None
    return invalid_outcome(None, f"breaks the assumption `{broken.text}`")


# --- expressions -------------------------------------------------------------------------------


class Environment:
    """The values that expressions read: a request, the parameters and, for properties, a decision."""

    def __init__(
        self,
        policy: ir.Policy,
        params: Params,
        values: Mapping[str, Value],
        decision: Effect | None = None,
    ) -> None:
        self._policy = policy
        self.params = params
        self.values = values
        self.decision = decision

    @cached_property
    def fields(self) -> dict[str, ir.Field]:
        """The fields of a request, for what is absent and for patterns."""
        return {field.name: field for field in self._policy.fields}

    def value(self, name: str) -> Value:
        """The value of a field; what absent reads as if it has none."""
        found = self.values.get(name)
        return self.fields[name].absent if found is None else found

    def number(self, name: str) -> int:
        """The value of a field that is no text."""
        value = self.value(name)
        assert isinstance(value, int)
        return value

    def text(self, name: str) -> str:
        """The value of a text field."""
        value = self.value(name)
        assert isinstance(value, str)
        return value

    def evaluate(self, expr: ir.IntExpr) -> int:
        """The integer that an expression comes to."""
        match expr:
            case ir.IntConst(value=value):
                return value
            case ir.FieldValue(name=name):
                return self.number(name)
            case ir.ParamValue(name=name):
                return self.params[name]
            case ir.Arith(op=op, left=left, right=right):
                return arithmetic(op, self.evaluate(left), self.evaluate(right))
            case ir.FloorDiv(dividend=dividend, divisor=divisor):
                return self.evaluate(dividend) // divisor
            case ir.Choose(condition=condition, then=then, otherwise=otherwise):
                return self.evaluate(then if self.holds(condition) else otherwise)
            case _:
                assert_never(expr)

    def holds(self, condition: ir.BoolExpr) -> bool:
        """Whether a condition is true."""
        match condition:
            case ir.InRanges(name=name, ranges=ranges):
                return _lies_in(self.number(name), ranges)
            case ir.And(operands=operands):
                return all(map(self.holds, operands))
            case ir.Or(operands=operands):
                return any(map(self.holds, operands))
            case ir.Not(operand=operand):
                return not self.holds(operand)
            case ir.BoolConst(value=value):
                return value
            case ir.Compare(op=op, left=left, right=right):
                return compare(op, self.evaluate(left), self.evaluate(right))
            case ir.SetTest(name=name, op=op, mask=mask):
                return set_test(op, self.number(name), mask)
            case ir.TextTest(name=name, patterns=patterns):
                separator = self.fields[name].separator
                return any(matches(p, self.text(name), separator) for p in patterns)
            case ir.TextEqual(left=left, right=right):
                return self.text(left) == self.text(right)
            case ir.Has(name=name):
                return self.values.get(name) is not None
            case ir.DecisionIn(effects=effects):
                return self.decision in effects
            case _:
                assert_never(condition)


def _lies_in(value: int, ranges: ir.Ranges) -> bool:
    for lo, hi in ranges:  # noqa: SIM110  # most of what is evaluated is this, and `any` takes twice as long
        if lo <= value <= hi:
            return True
    return False


def arithmetic(op: ir.ArithOp, left: int, right: int) -> int:
    """`left op right`."""
    match op:
        case ir.ArithOp.ADD:
            return left + right
        case ir.ArithOp.SUB:
            return left - right
        case ir.ArithOp.MUL:
            return left * right
        case ir.ArithOp.LEAST:
            return min(left, right)
        case ir.ArithOp.GREATEST:
            return max(left, right)
        case _:
            assert_never(op)


def compare(op: ir.CompareOp, left: int, right: int) -> bool:
    """Whether `left op right`."""
    match op:
        case ir.CompareOp.EQ:
            return left == right
        case ir.CompareOp.NE:
            return left != right
        case ir.CompareOp.LT:
            return left < right
        case ir.CompareOp.LE:
            return left <= right
        case _:
            assert_never(op)


def set_test(op: ir.SetOp, value: int, mask: int) -> bool:
    """Whether a set, as a mask, passes the test against a constant mask."""
    match op:
        case ir.SetOp.ANY:
            return value & mask != 0
        case ir.SetOp.ALL:
            return value & mask == mask
        case ir.SetOp.WITHIN:
            return value & ~mask == 0
        case _:
            assert_never(op)


# --- rules -------------------------------------------------------------------------------------


def standing(fired: tuple[ir.Rule, ...]) -> tuple[ir.Rule, ...]:
    """The fired rules that no standing rule overrides, decided from the top, in order.

    `overrides` is acyclic but may point either way in the text, so the answer is found by asking
    each rule's overriders first.
    """
    by_id = {rule.id: rule for rule in fired}
    unasked = Counter(name for rule in fired for name in rule.overrides)
    dropped: set[str] = set()
    ready = [rule for rule in fired if not unasked[rule.id]]
    while ready:
        rule = ready.pop()
        for name in rule.overrides:
            unasked[name] -= 1
            if rule.id not in dropped:
                dropped.add(name)
            if not unasked[name] and name in by_id:
                ready.append(by_id[name])
    return tuple(rule for rule in fired if rule.id not in dropped)


def is_approved(rule: ir.Rule, env: Environment) -> bool:
    """Whether every role that a `require human` rule asks for has approved."""
    if rule.effect is not Effect.REQUIRE_HUMAN:
        return False
    members = env.fields[ir.APPROVED].members
    approved = env.number(ir.APPROVED)
    return all(approved >> members.index(role) & 1 for role in rule.roles)


def grant(rule: ir.Rule, env: Environment) -> Grant:
    """What a standing rule gives: an approved `require human` counts as `allow`."""
    approved = is_approved(rule, env)
    permits = rule.effect in (Effect.ALLOW, Effect.REQUIRE_HUMAN)
    return Grant(rule, Effect.ALLOW if approved else rule.effect, approved, permits)


def combine(policy: ir.Policy, env: Environment, fired: tuple[ir.Rule, ...]) -> Outcome:
    """The outcome of the rules that fired."""
    grants = tuple(grant(rule, env) for rule in standing(fired))
    taken = tuple(_taken(policy, grants))
    effect = joined_effect(policy, grants, taken)
    decider = next((g.rule for g in taken if g.effect is effect), None)
    if not limits_meet(policy, env, taken):
        effect = Effect.DENY
    return Outcome(
        effect,
        decider.id if decider else DEFAULT_RULE,
        decider.because if decider else "",
        collect_obligations(policy, env, taken, effect),
        tuple(rule.id for rule in fired),
    )


def _taken(policy: ir.Policy, grants: tuple[Grant, ...]) -> Iterator[Grant]:
    """The grants that `combine` looks at: all, the first, or the only one."""
    match policy.combine:
        case ir.Combine.STRICT | ir.Combine.MOST_RESTRICTIVE:
            yield from grants
        case ir.Combine.FIRST_MATCH:
            yield from grants[:1]
        case ir.Combine.UNIQUE:
            guarded = bool(grants) and grants[0].rule.kind is ir.RuleKind.GUARD
            if len(grants) == 1 or guarded:
                yield grants[0]
        case _:
            assert_never(policy.combine)


def joined_effect(policy: ir.Policy, grants: tuple[Grant, ...], taken: tuple[Grant, ...]) -> Effect:
    """The strictest effect taken, joined with the default where nothing taken permits.

    `first_match` and `unique` take a rule whole: its effect is the outcome's.  Several standing
    rules under `unique` (possible only where the finding was accepted) deny.
    """
    if grants and not taken:
        return Effect.DENY
    strictest = max((g.effect for g in taken), default=Effect.ALLOW)
    whole = policy.combine in (ir.Combine.FIRST_MATCH, ir.Combine.UNIQUE)
    if taken and (whole or any(g.permits for g in taken)):
        return strictest
    default = Effect.ALLOW if policy.default is ir.Default.ALLOW else Effect.DENY
    return max(strictest, default)
