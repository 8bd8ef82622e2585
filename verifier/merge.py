"""Two versions of a policy over one space of requests.

In: OLD and NEW.  Out: the fields of both on common grids, and both policies rewritten to them, each
with the condition under which it takes a request for valid.

What always holds: each version reads of a request the fields that it declares; a member, a step or a
range that only one version knows makes the request invalid for the other, as in service; but a role
in `approved` that a version does not name is nothing to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd, lcm
from typing import assert_never

from govlang.compiler import ir
from govlang.verifier.rewriting import Rewriter


@dataclass(frozen=True, slots=True)
class Version:
    """A policy rewritten to the common fields, and when a request is valid for it.

    What it remembers is not rewritten: `rewriter` does that for those who compare histories.
    """

    policy: ir.Policy
    valid: ir.BoolExpr
    rewriter: Rewriter


@dataclass(frozen=True, slots=True)
class Merged:
    """The common space, its two versions, and what changed in the declarations."""

    space: ir.Policy
    old: Version
    new: Version
    changes: tuple[str, ...]


def merge(old: ir.Policy, new: ir.Policy) -> Merged:
    """Bring two versions together.

    Raises:
        CannotMergeError: a name stands for different kinds of things.
    """
    _keep_sides(old, new)
    fields, changes = _merged(old.fields, new.fields)
    outputs, more = _merged(old.outputs, new.outputs)
    params, others = _merged(
        tuple(p.field for p in old.params), tuple(p.field for p in new.params), what="param"
    )
    defaults = {p.field.name: p.default for p in (*old.params, *new.params)}
    columns, _ = _merged(old.columns, new.columns)
    common = {f.name: f for f in (*outputs, *fields, *columns)}
    shared = {f.name: f for f in params}
    space = replace(
        new,
        fields=fields,
        outputs=outputs,
        params=tuple(ir.Param(f, min(max(defaults[f.name], f.lo), f.hi)) for f in params),
        rules=(),
        assumptions=(),
        properties=(),
        actions=_actions(old, new),
    )
    before, after = (_rewritten(one, space, common, shared) for one in (old, new))
    versions = (before, after)
    rules = tuple(rule for one in versions for rule in one.policy.rules)
    facts = tuple(ir.Property(str(i), one.valid) for i, one in enumerate(versions))
    return Merged(
        replace(space, rules=rules, properties=facts),
        before,
        after,
        (*changes, *more, *others, *_param_changes(old, new)),
    )


def _keep_sides(old: ir.Policy, new: ir.Policy) -> None:
    for one, other in ((old, new), (new, old)):
        for name in sorted({f.name for f in one.fields} & {f.name for f in other.outputs}):
            what = f"`{name}` is an input in one version and an output in the other"
            raise CannotMergeError(f"{what}: their limits cannot be compared")


def _actions(old: ir.Policy, new: ir.Policy) -> tuple[ir.Action, ...]:
    return tuple({a.name: a for a in (*old.actions, *new.actions)}.values())


def _param_changes(old: ir.Policy, new: ir.Policy) -> Iterator[str]:
    before = {p.field.name: default_of(p) for p in old.params}
    for param in new.params:
        if before.get(param.field.name, default_of(param)) != default_of(param):
            yield f"the default of `{param.field.name}` changed"


def default_of(param: ir.Param) -> Fraction:
    """The default of a parameter in its unit."""
    return Fraction(param.default * param.field.step_num, param.field.step_den)


# --- declarations ----------------------------------------------------------------------------------


def _merged(
    old: Sequence[ir.Field], new: Sequence[ir.Field], what: str = "field"
) -> tuple[tuple[ir.Field, ...], list[str]]:
    before, after = {f.name: f for f in old}, {f.name: f for f in new}
    found: list[ir.Field] = []
    changes: list[str] = []
    for name in dict.fromkeys((*before, *after)):
        a, b = before.get(name), after.get(name)
        if a is None or b is None:
            one = a or b
            assert one is not None
            found.append(one)
            changes.append(f"the {what} `{name}` was {'added' if a is None else 'removed'}")
            continue
        found.append(_common_field(a, b))
        if _shape(a) != _shape(b):
            changes.append(f"the declaration of `{name}` changed")
    return tuple(found), changes


def _shape(one: ir.Field) -> tuple[object, ...]:
    return (
        one.kind,
        Fraction(one.lo * one.step_num, one.step_den),
        Fraction(one.hi * one.step_num, one.step_den),
        Fraction(one.step_num, one.step_den),
        one.unit,
        one.members,
        one.max_bytes,
        one.optional,
        one.origin,
        one.rounding,
        one.private,
    )


class CannotMergeError(Exception):
    """A name stands for different kinds of things in the two versions."""


def _common_field(a: ir.Field, b: ir.Field) -> ir.Field:
    """A field that holds every value of both."""
    if a.kind is not b.kind or a.unit != b.unit:
        raise CannotMergeError(
            f"`{a.name}` is {a.kind.value} {a.unit}".rstrip()
            + f" in one version and {b.kind.value} {b.unit}".rstrip()
            + " in the other: requests of the two cannot be compared"
        )
    members = tuple(dict.fromkeys((*a.members, *b.members)))
    common = replace(b, optional=a.optional or b.optional, members=members)
    match a.kind:
        case ir.Kind.TEXT | ir.Kind.PATH | ir.Kind.KEY:
            return replace(common, max_bytes=min(a.max_bytes, b.max_bytes))
        case ir.Kind.ENUM:
            return replace(common, lo=0, hi=len(members) - 1)
        case ir.Kind.SET:
            return replace(common, lo=0, hi=(1 << len(members)) - 1)
        case ir.Kind.NUMBER | ir.Kind.BOOL | ir.Kind.TIME | ir.Kind.DURATION:
            step = _common_step(a, b)
            ends = [
                Fraction(e * f.step_num, f.step_den) / step for f in (a, b) for e in (f.lo, f.hi)
            ]
            return replace(
                common,
                lo=int(min(ends)),
                hi=int(max(ends)),
                step_num=step.numerator,
                step_den=step.denominator,
            )
        case _:
            assert_never(a.kind)


def _common_step(a: ir.Field, b: ir.Field) -> Fraction:
    """The largest step of which both steps are multiples."""
    den = lcm(a.step_den, b.step_den)
    return Fraction(gcd(a.step_num * (den // a.step_den), b.step_num * (den // b.step_den)), den)


# --- rewriting ---------------------------------------------------------------------------------


def _rewritten(
    policy: ir.Policy,
    space: ir.Policy,
    common: Mapping[str, ir.Field],
    params: Mapping[str, ir.Field],
) -> Version:
    rewriter = Rewriter(
        {f.name: f for f in (*policy.outputs, *policy.fields, *policy.columns)},
        common,
        {p.field.name: p.field for p in policy.params},
        params,
    )
    inputs = replace(rewriter, own={f.name: f for f in policy.fields})
    valid = ir.conjunction(
        [
            *inputs.validity(),
            *_params_in_range(rewriter),
            *(rewriter.condition(a.condition) for a in policy.assumptions),
        ]
    )
    rewritten = replace(
        policy,
        fields=space.fields,
        outputs=space.outputs,
        params=space.params,
        actions=space.actions,
        rules=tuple(rewriter.rule(rule) for rule in policy.rules),
        assumptions=(),
        properties=(),
    )
    return Version(rewritten, valid, rewriter)


def _params_in_range(rewriter: Rewriter) -> Iterator[ir.BoolExpr]:
    for name, own in rewriter.own_params.items():
        common = rewriter.params[name]
        k = rewriter.factor(own, common)
        value = ir.ParamValue(name)
        if own.lo * k > common.lo:
            yield ir.Compare(ir.CompareOp.LE, ir.IntConst(own.lo * k), value)
        if own.hi * k < common.hi:
            yield ir.Compare(ir.CompareOp.LE, value, ir.IntConst(own.hi * k))
