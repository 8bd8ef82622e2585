"""A policy whose cells are numbers only: a set that is kept becomes one bit a member.

In: a policy over time.  Out: one that decides the same at every sample, without a cell that holds a set.

What always holds: after any samples the bits are the members of the set that the cell of the given policy
holds; nothing else differs, and spans stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from govlang.compiler import ir
from govlang.compiler.ir import ArithOp, BoolExpr, IntExpr

ON = ((1, 1),)


def without_sets(policy: ir.Policy) -> ir.Policy:
    """The policy with its sets taken apart; the very same one if it keeps none."""
    kept = (
        {c.name: c for c in policy.time.cells if c.field.kind is ir.Kind.SET} if policy.time else {}
    )
    if policy.time is None or not kept:
        return policy
    apart = _Apart(kept)
    time = policy.time
    cells = tuple(bit for cell in time.cells for bit in apart.cells(cell))
    updates = tuple(one for update in time.updates for one in apart.updates(update))
    return replace(
        policy,
        rules=tuple(apart.rule(rule) for rule in policy.rules),
        properties=tuple(
            replace(one, condition=apart.condition(one.condition)) for one in policy.properties
        ),
        time=replace(time, cells=cells, updates=updates),
    )


def _bit(name: str, member: int) -> str:
    return f"{name}.{member}"


@dataclass(frozen=True, slots=True)
class _Apart:
    kept: Mapping[str, ir.Cell]

    # --- what is kept ----------------------------------------------------------------------------

    def cells(self, cell: ir.Cell) -> Iterator[ir.Cell]:
        if cell.name not in self.kept:
            yield cell
            return
        for i, _ in enumerate(cell.field.members):
            column = ir.cell_field(_bit(cell.name, i), 0, 1, ir.Kind.BOOL)
            yield ir.Cell(column, cell.scope, cell.initial >> i & 1, brief=cell.brief)

    def updates(self, update: ir.Update) -> Iterator[ir.Update]:
        condition = self.condition(update.condition)
        if update.cell not in self.kept:
            yield replace(update, condition=condition, value=self.number(update.value))
            return
        for i, _ in enumerate(self.kept[update.cell].field.members):
            yield ir.Update(
                update.stage,
                _bit(update.cell, i),
                condition,
                _as_number(self._has(update.value, i)),
            )

    # --- what reads it ---------------------------------------------------------------------------

    def rule(self, rule: ir.Rule) -> ir.Rule:
        limits = tuple(
            replace(one, lo=self.number(one.lo), hi=self.number(one.hi)) for one in rule.limits
        )
        dos = tuple(replace(one, args=tuple(map(self.argument, one.args))) for one in rule.dos)
        remedy = rule.remedy
        if remedy is not None:
            remedy = replace(
                remedy, values=tuple((n, self.argument(value)) for n, value in remedy.values)
            )
        return replace(
            rule, condition=self.condition(rule.condition), limits=limits, dos=dos, remedy=remedy
        )

    def argument(self, value: ir.ArgValue) -> ir.ArgValue:
        return value if isinstance(value, ir.TextConst | ir.TextField) else self.number(value)

    def condition(self, condition: BoolExpr) -> BoolExpr:
        """A condition over the bits."""
        match condition:
            case ir.Not(operand=operand):
                return replace(condition, operand=self.condition(operand))
            case ir.And(operands=operands) | ir.Or(operands=operands):
                return replace(condition, operands=tuple(map(self.condition, operands)))
            case ir.SetTest(name=name) if name in self.kept:
                return self._test(condition)
            case ir.Compare(op=op, left=left, right=right):
                if op in (ir.CompareOp.EQ, ir.CompareOp.NE) and self._sets(left, right):
                    return self._same(condition)
                return replace(condition, left=self.number(left), right=self.number(right))
            case _:
                return condition

    def _test(self, test: ir.SetTest) -> BoolExpr:
        members = range(len(self.kept[test.name].field.members))
        inside = [ir.InRanges(_bit(test.name, i), ON) for i in members if test.mask >> i & 1]
        outside = [ir.InRanges(_bit(test.name, i), ON) for i in members if not test.mask >> i & 1]
        match test.op:
            case ir.SetOp.ANY:
                return ir.disjunction(inside, test.span)
            case ir.SetOp.ALL:
                return ir.conjunction(inside, test.span)
            case ir.SetOp.WITHIN:
                return ir.negation(ir.disjunction(outside), test.span)

    def _sets(self, left: IntExpr, right: IntExpr) -> bool:
        """Both sides are sets, one of them kept."""
        sides = [one.name for one in (left, right) if isinstance(one, ir.FieldValue)]
        return len(sides) == 2 and any(name in self.kept for name in sides)

    def _same(self, compared: ir.Compare) -> BoolExpr:
        sides = compared.left, compared.right
        name = next(s.name for s in sides if isinstance(s, ir.FieldValue) and s.name in self.kept)
        differ = []
        for i, _ in enumerate(self.kept[name].field.members):
            one, other = (self._has(side, i) for side in sides)
            differ += [ir.conjunction((one, ir.negation(other))),
                       ir.conjunction((ir.negation(one), other))]  # fmt: skip
        if compared.op is ir.CompareOp.NE:
            return ir.disjunction(differ, compared.span)
        return ir.negation(ir.disjunction(differ), compared.span)

    def _has(self, value: IntExpr, member: int) -> BoolExpr:
        """A value, which is a set, has a member."""
        match value:
            case ir.IntConst(value=mask):
                return ir.BoolConst(bool(mask >> member & 1))
            case ir.FieldValue(name=name) if name in self.kept:
                return ir.InRanges(_bit(name, member), ON)
            case ir.FieldValue(name=name):
                return ir.SetTest(name, ir.SetOp.ALL, 1 << member)
            case ir.Choose(condition=condition, then=then, otherwise=otherwise):
                asked = self.condition(condition)
                return ir.disjunction(
                    (
                        ir.conjunction((asked, self._has(then, member))),
                        ir.conjunction((ir.negation(asked), self._has(otherwise, member))),
                    )
                )
            case _:
                raise ValueError(f"{value} is no set")

    def number(self, value: IntExpr) -> IntExpr:
        """A number over the bits."""
        match value:
            case ir.FieldValue(name=name) if name in self.kept:
                total: IntExpr = ir.IntConst(0)
                for i, _ in enumerate(self.kept[name].field.members):
                    bit = ir.Choose(self._has(value, i), ir.IntConst(1 << i), ir.IntConst(0))
                    total = ir.Arith(ArithOp.ADD, total, bit)
                return total
            case ir.Arith(left=left, right=right):
                return replace(value, left=self.number(left), right=self.number(right))
            case ir.FloorDiv(dividend=dividend):
                return replace(value, dividend=self.number(dividend))
            case ir.Choose(condition=condition, then=then, otherwise=otherwise):
                return ir.Choose(
                    self.condition(condition), self.number(then), self.number(otherwise)
                )
            case _:
                return value


def _as_number(condition: BoolExpr) -> IntExpr:
    if isinstance(condition, ir.BoolConst):
        return ir.IntConst(int(condition.value))
    return ir.Choose(condition, ir.IntConst(1), ir.IntConst(0))
