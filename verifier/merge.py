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
from govlang.verifier import ranges


@dataclass(frozen=True, slots=True)
class Version:
    """A policy rewritten to the common fields, and when a request is valid for it."""

    policy: ir.Policy
    valid: ir.BoolExpr


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
    common = {f.name: f for f in (*outputs, *fields)}
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


# --- rewriting -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rewriter:
    """From the fields of one version to the common ones."""

    own: Mapping[str, ir.Field]
    common: Mapping[str, ir.Field]
    own_params: Mapping[str, ir.Field]
    params: Mapping[str, ir.Field]

    def factor(self, own: ir.Field, common: ir.Field) -> int:
        """How many common steps a step of this version is."""
        ratio = Fraction(own.step_num, own.step_den) / Fraction(common.step_num, common.step_den)
        return int(ratio)

    def places(self, name: str) -> list[int]:
        """The common position of each member."""
        return [self.common[name].members.index(m) for m in self.own[name].members]

    def integer(self, expr: ir.IntExpr) -> ir.IntExpr:
        """The same integer, in this version's steps, read from common fields."""
        match expr:
            case ir.IntConst():
                return expr
            case ir.FieldValue(name=name):
                return self._field(name)
            case ir.ParamValue(name=name):
                k = self.factor(self.own_params[name], self.params[name])
                return expr if k == 1 else ir.FloorDiv(expr, k)
            case ir.Arith(op=op, left=left, right=right):
                return ir.Arith(op, self.integer(left), self.integer(right))
            case ir.FloorDiv(dividend=dividend, divisor=divisor):
                return ir.FloorDiv(self.integer(dividend), divisor)
            case ir.Choose(condition=condition, then=then, otherwise=otherwise):
                return ir.Choose(
                    self.condition(condition), self.integer(then), self.integer(otherwise)
                )
            case _:
                assert_never(expr)

    def _field(self, name: str) -> ir.IntExpr:
        own, common = self.own[name], self.common[name]
        if own.kind is ir.Kind.ENUM and own.members != common.members[: len(own.members)]:
            found: ir.IntExpr = ir.IntConst(0)
            for place, there in enumerate(self.places(name)):
                here = ir.InRanges(name, ((there, there),))
                found = ir.Choose(here, ir.IntConst(place), found)
            return found
        k = self.factor(own, common)
        return ir.FieldValue(name) if k == 1 else ir.FloorDiv(ir.FieldValue(name), k)

    def condition(self, condition: ir.BoolExpr) -> ir.BoolExpr:
        """The same condition over common fields."""
        match condition:
            case ir.Not(operand=operand):
                return ir.Not(self.condition(operand))
            case ir.And(operands=operands):
                return ir.And(tuple(self.condition(one) for one in operands))
            case ir.Or(operands=operands):
                return ir.Or(tuple(self.condition(one) for one in operands))
            case ir.InRanges(name=name, ranges=allowed):
                return ir.InRanges(name, self.ranges(name, allowed))
            case ir.Compare(op=op, left=left, right=right):
                return ir.Compare(op, self.integer(left), self.integer(right))
            case ir.SetTest(name=name, op=op, mask=mask):
                return ir.SetTest(name, op, self.mask(name, mask) | self._unread(name, op))
            case ir.Has(name=name):
                return condition if self.common[name].optional else ir.TRUE
            case ir.BoolConst() | ir.TextTest() | ir.TextEqual() | ir.DecisionIn():
                return condition
            case _:
                assert_never(condition)

    def ranges(self, name: str, allowed: ir.Ranges) -> ir.Ranges:
        """Values of this version as common values."""
        own, common = self.own[name], self.common[name]
        if own.kind is ir.Kind.ENUM:
            places = self.places(name)
            return ranges.of_values(
                places[v] for lo, hi in allowed for v in range(lo, min(hi, len(places) - 1) + 1)
            )
        k = self.factor(own, common)
        return ranges.normal((lo * k, hi * k) for lo, hi in allowed)

    def mask(self, name: str, mask: int) -> int:
        """A set of this version as a common one."""
        return sum(1 << there for i, there in enumerate(self.places(name)) if mask >> i & 1)

    def _unread(self, name: str, op: ir.SetOp) -> int:
        """Roles that only the other version names: not read here, so they are within anything."""
        if name != ir.APPROVED or op is not ir.SetOp.WITHIN:
            return 0
        own, common = self.own[name].members, self.common[name].members
        return sum(1 << i for i, role in enumerate(common) if role not in own)

    def limit(self, limit: ir.Limit) -> ir.Limit:
        """A limit in common steps of its target."""
        k = self.factor(self.own[limit.target], self.common[limit.target])
        return ir.Limit(limit.target, *(_times(self.integer(e), k) for e in (limit.lo, limit.hi)))

    def argument(self, value: ir.ArgValue) -> ir.ArgValue:
        """The value of an argument."""
        if isinstance(value, ir.TextConst | ir.TextField):
            return value
        if isinstance(value, ir.FieldValue) and self.own[value.name].kind is ir.Kind.SET:
            return value
        return self.integer(value)

    def suggested(self, name: str, value: ir.ArgValue) -> ir.ArgValue:
        """The value that a remedy suggests for a field, in common steps and members."""
        own, common = self.own[name], self.common[name]
        if own.is_text:
            return value
        if isinstance(value, ir.IntConst) and own.kind is ir.Kind.ENUM:
            return ir.IntConst(self.places(name)[value.value])
        if isinstance(value, ir.IntConst) and own.kind is ir.Kind.SET:
            return ir.IntConst(self.mask(name, value.value))
        found = self.argument(value)
        assert not isinstance(found, ir.TextConst | ir.TextField)
        return _times(found, self.factor(own, common))

    def rule(self, rule: ir.Rule) -> ir.Rule:
        """A rule over common fields."""
        remedy = rule.remedy and replace(
            rule.remedy, values=tuple((n, self.suggested(n, v)) for n, v in rule.remedy.values)
        )
        return replace(
            rule,
            condition=self.condition(rule.condition),
            limits=tuple(self.limit(one) for one in rule.limits),
            dos=tuple(replace(d, args=tuple(self.argument(a) for a in d.args)) for d in rule.dos),
            remedy=remedy,
        )

    def validity(self) -> Iterator[ir.BoolExpr]:
        """What makes a request over the common fields one of this version."""
        for name, own in self.own.items():
            common = self.common[name]
            if common.optional and not own.optional:
                yield ir.Has(name)
            match own.kind:
                case ir.Kind.TEXT | ir.Kind.PATH | ir.Kind.KEY:
                    continue
                case ir.Kind.SET if name == ir.APPROVED:
                    continue  # roles that a policy does not name are not read
                case ir.Kind.SET:
                    whole = (1 << len(own.members)) - 1
                    if own.members != common.members:
                        yield ir.SetTest(name, ir.SetOp.WITHIN, self.mask(name, whole))
                case _:
                    yield from self._in_range(own, common)

    def _in_range(self, own: ir.Field, common: ir.Field) -> Iterator[ir.BoolExpr]:
        absent = [ir.negation(ir.Has(own.name))] if common.optional else []
        k = self.factor(own, common)
        allowed = self.ranges(own.name, ((own.lo, own.hi),))
        if allowed != ((common.lo, common.hi),):
            yield ir.disjunction([*absent, ir.InRanges(own.name, allowed)])
        if k != 1:
            value = ir.FieldValue(own.name)
            back = _times(ir.FloorDiv(value, k), k)
            yield ir.disjunction([*absent, ir.Compare(ir.CompareOp.EQ, back, value)])


def _times(expr: ir.IntExpr, k: int) -> ir.IntExpr:
    if k == 1:
        return expr
    if isinstance(expr, ir.IntConst):
        return ir.IntConst(expr.value * k)
    return ir.Arith(ir.ArithOp.MUL, expr, ir.IntConst(k))


def _rewritten(
    policy: ir.Policy,
    space: ir.Policy,
    common: Mapping[str, ir.Field],
    params: Mapping[str, ir.Field],
) -> Version:
    rewriter = Rewriter(
        {f.name: f for f in (*policy.outputs, *policy.fields)},
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
    return Version(rewritten, valid)


def _params_in_range(rewriter: Rewriter) -> Iterator[ir.BoolExpr]:
    for name, own in rewriter.own_params.items():
        common = rewriter.params[name]
        k = rewriter.factor(own, common)
        value = ir.ParamValue(name)
        if own.lo * k > common.lo:
            yield ir.Compare(ir.CompareOp.LE, ir.IntConst(own.lo * k), value)
        if own.hi * k < common.hi:
            yield ir.Compare(ir.CompareOp.LE, value, ir.IntConst(own.hi * k))
