"""Records of a table against the policy: schema, and what rules give beside their conditions.

In: the policy and the decoded table.  Out: what differs, named; and the pairs of expressions that
must be proved equal.  Everything is compared as it is decoded, so two layouts of the same meaning
are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import zip_longest
from typing import Any

from govlang.compiler import ir
from govlang.verifier.translation.decode import Decoded, program_number


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Something that differs: `field` or `rule` say where to look for a request that shows it.

    `also` is a rule that must fire too; `bare`: the table shows it whatever is asked (its name, its
    snapshot, the record of a rule that never decides).
    """

    what: str
    field: str | None = None
    rule: int | None = None
    also: int | None = None
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """An expression of the policy and the program that must compute it when the rule fires.

    An end of a limit counts only inside the range of its target: `bound` is `least` or `greatest`
    and the target's own end.
    """

    rule: int
    expr: ir.IntExpr
    program: int
    bound: tuple[str, int] | None = None


# --- schema --------------------------------------------------------------------------------------


def schema_mismatches(policy: ir.Policy, decoded: Decoded, snapshot: str) -> Iterator[Mismatch]:
    """Everything in which the schemas differ."""
    table = decoded.policy
    if decoded.snapshot != snapshot:
        yield Mismatch("the snapshot", bare=True)
    for name in ("name", "version", "language", "time_zone"):
        if getattr(table, name) != getattr(policy, name):
            yield Mismatch(f"the policy's {name}", bare=True)
    for name in ("combine", "default"):
        if getattr(table, name) != getattr(policy, name):
            yield Mismatch(f"`{name}`", bare=True)
    yield from _fields("field", policy.fields, table.fields)
    yield from _fields("output", policy.outputs, table.outputs)
    yield from _params(policy, table)
    yield from _actions(policy, table)
    yield from _approved(policy, decoded)


def recorded(one: ir.Field) -> ir.Field:
    """A field as a table records it: a text has no range, only a text has a size."""
    if one.is_text:
        return replace(one, lo=0, hi=0)
    return replace(one, max_bytes=0)


def _fields(
    word: str, ours: tuple[ir.Field, ...], theirs: tuple[ir.Field, ...]
) -> Iterator[Mismatch]:
    for number, (one, other) in enumerate(zip_longest(map(recorded, ours), theirs)):
        if one is None or other is None:
            yield Mismatch(f"{word} {number}", field=(one or other).name, bare=True)
            continue
        for part in fields(ir.Field):
            if part.name != "span" and getattr(one, part.name) != getattr(other, part.name):
                what = f"`{part.name}` of {word} `{one.name}`"
                yield Mismatch(what, field=one.name, bare=True)


def _params(policy: ir.Policy, table: ir.Policy) -> Iterator[Mismatch]:
    ours = tuple(replace(p, field=recorded(p.field)) for p in policy.params)
    for number, (one, other) in enumerate(zip_longest(ours, table.params)):
        if one != other:
            yield Mismatch(f"parameter {number}", bare=True)


def _actions(policy: ir.Policy, table: ir.Policy) -> Iterator[Mismatch]:
    for number, (one, other) in enumerate(zip_longest(policy.actions, table.actions)):
        ours = None if one is None else (one.name, tuple(map(recorded, one.parameters)))
        theirs = None if other is None else (other.name, other.parameters)
        if ours != theirs:
            yield Mismatch(f"action {number}", bare=True)


def _approved(policy: ir.Policy, decoded: Decoded) -> Iterator[Mismatch]:
    column = decoded.approved_column
    rows = enumerate(decoded.field_rows[: len(policy.fields)])
    owner = next((i for i, row in rows if column is not None and row["column"] == column), None)
    expected = next((i for i, f in enumerate(policy.fields) if f.name == ir.APPROVED), None)
    if owner != expected:
        yield Mismatch("the column of the roles that approved", bare=True)


# --- rules ---------------------------------------------------------------------------------------


def rule_mismatches(policy: ir.Policy, decoded: Decoded) -> Iterator[Mismatch]:
    """Everything in which the records of rules differ, expressions aside."""
    table = decoded.policy
    if len(policy.rules) != len(table.rules):
        yield Mismatch("the number of rules", bare=True)
        return
    roles = {role: i for i, role in enumerate(policy.roles)}
    for number, (one, other) in enumerate(zip(policy.rules, table.rules, strict=True)):
        for what in _differing(one, other, roles):
            yield Mismatch(f"{what} of rule `{one.id}`", rule=number, bare=True)
        for name in sorted(set(one.overrides) ^ set(other.overrides)):
            also = next((i for i, rule in enumerate(policy.rules) if rule.id == name), None)
            what = f"`overrides` of rule `{one.id}`"
            yield Mismatch(what, rule=number, also=also, bare=True)
    at = 0
    outputs = len(policy.fields)
    for number, rule in enumerate(policy.rules):
        for limit in rule.limits:
            target = _target(policy, limit.target, outputs)
            if at >= len(decoded.limit_targets) or decoded.limit_targets[at] != target:
                yield Mismatch(f"a target of rule `{rule.id}`", rule=number, bare=True)
            at += 1


def _target(policy: ir.Policy, name: str, outputs: int) -> int:
    for number, one in enumerate(policy.outputs):
        if one.name == name:
            return outputs + number
    return next(number for number, one in enumerate(policy.fields) if one.name == name)


def _differing(one: ir.Rule, other: ir.Rule, roles: dict[str, int]) -> Iterator[str]:
    for name in ("id", "effect", "kind", "expires_ms", "retry_ms", "because"):
        if getattr(one, name) != getattr(other, name):
            yield f"`{name}`"
    human = one.effect is ir.Effect.REQUIRE_HUMAN
    if {roles[role] for role in one.roles if human} != {roles.get(role) for role in other.roles}:
        yield "the roles"
    if [limit.target for limit in one.limits] != [limit.target for limit in other.limits]:
        yield "the limits"
    if [_do(do) for do in one.dos] != [_do(do) for do in other.dos]:
        yield "a `do`"
    if _remedy(one.remedy) != _remedy(other.remedy):
        yield "the remedy"


def _do(do: ir.Do) -> Any:
    return do.action, do.for_ms, [_plain(arg) for arg in do.args]


def _remedy(remedy: ir.Remedy | None) -> Any:
    if remedy is None:
        return None
    return remedy.text, [(name, _plain(value)) for name, value in remedy.values]


def _plain(value: ir.ArgValue) -> ir.ArgValue | None:
    """A text as it is; expressions are compared by what they compute."""
    return value if isinstance(value, ir.TextConst | ir.TextField) else None


def expression_pairs(policy: ir.Policy, decoded: Decoded) -> Iterator[Pair]:
    """Every expression of a rule's effect with its program, where the records agree."""
    rules = zip(policy.rules, decoded.policy.rules, strict=True)
    for number, (one, other) in enumerate(rules):
        for limit, found in zip(one.limits, other.limits, strict=True):
            target = policy.target(limit.target)
            yield _pair(number, limit.lo, found.lo, ("greatest", target.lo))
            yield _pair(number, limit.hi, found.hi, ("least", target.hi))
        for ours, theirs in zip(_values(one), _values(other), strict=True):
            yield _pair(number, ours, theirs)


def _pair(
    rule: int, ours: ir.ArgValue, theirs: ir.ArgValue, bound: tuple[str, int] | None = None
) -> Pair:
    program = program_number(theirs)
    assert program is not None
    assert not isinstance(ours, ir.TextConst | ir.TextField)
    return Pair(rule, ours, program, bound)


def _values(rule: ir.Rule) -> list[ir.ArgValue]:
    values = [arg for do in rule.dos for arg in do.args]
    values += [value for _, value in rule.remedy.values] if rule.remedy else []
    return [value for value in values if _plain(value) is None]
