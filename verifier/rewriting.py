"""The expressions and rules of a policy over other columns: renamed, on other grids, with other members.

In: the fields of a policy and those that are to be read instead.  Out: rules and conditions over these.

What always holds: on values that both can say, the rewritten condition holds exactly when the given one does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Self, assert_never

from govlang.compiler import ir
from govlang.verifier import ranges


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
        return ir.Limit(limit.target, *(times(self.integer(e), k) for e in (limit.lo, limit.hi)))

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
        return times(found, self.factor(own, common))

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

    def time(self, time: ir.Time) -> ir.Time:
        """What is remembered, with updates over common columns; a cell keeps the steps of this version."""
        return replace(time, updates=tuple(map(self.update, time.updates)))

    def update(self, one: ir.Update) -> ir.Update:
        """An update over common columns."""
        return replace(one, condition=self.condition(one.condition), value=self.integer(one.value))

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
            back = times(ir.FloorDiv(value, k), k)
            yield ir.disjunction([*absent, ir.Compare(ir.CompareOp.EQ, back, value)])


@dataclass(frozen=True, slots=True)
class Renamer(Rewriter):
    """Leaves everything as it is but the names of some numbers."""

    names: Mapping[str, str]

    @classmethod
    def of(cls, policy: ir.Policy, names: Mapping[str, str]) -> Self:
        """A renamer for a policy whose columns keep their grids."""
        own = {f.name: f for f in (*policy.outputs, *policy.fields, *policy.columns)}
        params = {p.field.name: p.field for p in policy.params}
        return cls(own, own, params, params, names)

    def integer(self, expr: ir.IntExpr) -> ir.IntExpr:
        """The same integer under the new names."""
        if isinstance(expr, ir.FieldValue) and expr.name in self.names:
            return ir.FieldValue(self.names[expr.name])
        return Rewriter.integer(self, expr)

    def condition(self, condition: ir.BoolExpr) -> ir.BoolExpr:
        """The same condition under the new names."""
        if isinstance(condition, ir.InRanges):
            return replace(condition, name=self.names.get(condition.name, condition.name))
        return Rewriter.condition(self, condition)

    def update(self, one: ir.Update) -> ir.Update:
        """The same update under the new names."""
        return replace(Rewriter.update(self, one), cell=self.names.get(one.cell, one.cell))


def times(expr: ir.IntExpr, k: int) -> ir.IntExpr:
    """An integer `k` times, written as plainly as can be."""
    if k == 1:
        return expr
    if isinstance(expr, ir.IntConst):
        return ir.IntConst(expr.value * k)
    return ir.Arith(ir.ArithOp.MUL, expr, ir.IntConst(k))
