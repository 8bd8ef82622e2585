"""Conditions as terms: boxes, and beside them what is no box.

In: a condition of the IR.  Out: terms; the condition holds iff some term does, that is: its box
holds the request and its residual is true.

What always holds: a box names only axes that it restricts, and no axis with nothing allowed; the
number of terms is bounded by the source (a disjunction inside a conjunction that would pass
`TERMS_MAX` stays a residual under the hull of its boxes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from govlang.compiler import ir
from govlang.compiler.boxes import (
    Axis,
    AxisKind,
    Box,
    Clause,
    SetCube,
    complement_ranges,
    hull,
    intersect_ranges,
    join_ranges,
    make_cube,
    meet_boxes,
    ranges_of,
)
from govlang.compiler.ir import Ranges
from govlang.compiler.text_classes import TextClasses

TERMS_MAX: Final = 8
"""The most boxes that a disjunction inside a conjunction may become."""

TOP_TERMS_MAX: Final = 64
"""The same where the disjunction is the whole condition: each alternative stands for itself."""


@dataclass(frozen=True, slots=True)
class Term:
    """A box and what must hold beside it."""

    box: Box
    residual: tuple[ir.BoolExpr, ...] = ()


class Space:
    """The axes of a policy: their ranges, and the boxes of conditions."""

    def __init__(self, policy: ir.Policy, classes: Mapping[str, TextClasses]) -> None:
        self.fields = {field.name: field for field in (*policy.fields, *policy.columns)}
        self.classes = classes

    def range(self, axis: Axis) -> tuple[int, int]:
        """The lowest and the highest word of an axis (of a set: as masks)."""
        match axis.kind:
            case AxisKind.VALUE | AxisKind.SET:
                return self.fields[axis.name].lo, self.fields[axis.name].hi
            case AxisKind.CLASS:
                return 0, self.classes[axis.name].columns[axis.part].classes - 1
            case AxisKind.HAS | AxisKind.EQUAL:
                return 0, 1
            case _:
                assert_never(axis.kind)

    def terms(self, condition: ir.BoolExpr) -> list[Term]:
        """The terms of a condition; none if it can never hold."""
        return self._terms(condition, positive=True, limit=TOP_TERMS_MAX)

    def _terms(self, condition: ir.BoolExpr, *, positive: bool, limit: int) -> list[Term]:
        match condition:
            case ir.BoolConst(value=value):
                return [Term({})] if value is positive else []
            case ir.Not(operand=operand):
                return self._terms(operand, positive=not positive, limit=limit)
            case ir.And(operands=operands) | ir.Or(operands=operands):
                if isinstance(condition, ir.And) is positive:
                    return self._product(operands, positive=positive, limit=limit)
                return self._sum(condition, operands, positive=positive, limit=limit)
            case ir.InRanges(name=name, ranges=ranges):
                return self._on_axis(Axis(AxisKind.VALUE, name), ranges, positive=positive)
            case ir.Has(name=name) if not self.fields[name].optional:
                return [Term({})] if positive else []
            case ir.Has(name=name):
                return self._on_axis(Axis(AxisKind.HAS, name), ((1, 1),), positive=positive)
            case ir.TextEqual(left=left, right=right):
                return self._on_axis(
                    Axis(AxisKind.EQUAL, left, right), ((1, 1),), positive=positive
                )
            case ir.SetTest(name=name, op=op, mask=mask):
                return self._set(Axis(AxisKind.SET, name), op, mask, positive=positive)
            case ir.TextTest():
                return self._text(condition, positive=positive)
            case ir.Compare():
                return self._compare(condition, positive=positive)
            case ir.DecisionIn():
                raise ValueError("a decision occurs in properties only")
            case _:
                assert_never(condition)

    def _product(
        self,
        operands: Sequence[ir.BoolExpr],
        *,
        positive: bool,
        limit: int,
    ) -> list[Term]:
        found = [Term({})]
        for operand in operands:
            parts = self._terms(operand, positive=positive, limit=TERMS_MAX)
            if len(found) > 1 and len(parts) > 1 and len(found) * len(parts) > limit:
                around = hull([part.box for part in parts])
                parts = [Term(around, (_signed(operand, positive=positive),))]
            met = ((a, b, meet_boxes(a.box, b.box)) for a in found for b in parts)
            found = [Term(box, (*a.residual, *b.residual)) for a, b, box in met if box is not None]
            if not found:
                return []
        return self.merged(found)

    def _sum(
        self,
        whole: ir.BoolExpr,
        operands: Sequence[ir.BoolExpr],
        *,
        positive: bool,
        limit: int,
    ) -> list[Term]:
        found: list[Term] = []
        for operand in operands:
            found += self._terms(operand, positive=positive, limit=limit)
        if any(not term.box and not term.residual for term in found):
            return [Term({})]
        found = self.merged(found)
        if len(found) <= limit:
            return found
        return [Term(hull([term.box for term in found]), (_signed(whole, positive=positive),))]

    def _on_axis(self, axis: Axis, ranges: Ranges, *, positive: bool) -> list[Term]:
        lo, hi = self.range(axis)
        allowed = (
            intersect_ranges(ranges, ((lo, hi),)) if positive else complement_ranges(ranges, lo, hi)
        )
        if allowed == ((lo, hi),):
            return [Term({})]
        return [Term({axis: allowed})] if allowed else []

    def _set(self, axis: Axis, op: ir.SetOp, mask: int, *, positive: bool) -> list[Term]:
        everything = self.range(axis)[1]
        inside, outside = mask & everything, ~mask & everything
        match op, positive:
            case ir.SetOp.ANY, True:
                cube = make_cube(0, 0, [Clause(inside, 0)])
            case ir.SetOp.ANY, False:
                cube = make_cube(0, inside, [])
            case ir.SetOp.ALL, True:
                cube = make_cube(inside, 0, [])
            case ir.SetOp.ALL, False:
                cube = make_cube(0, 0, [Clause(0, inside)])
            case ir.SetOp.WITHIN, True:
                cube = make_cube(0, outside, [])
            case _:
                cube = make_cube(0, 0, [Clause(outside, 0)])
        if cube is None:
            return []
        return [Term({} if cube == SetCube() else {axis: cube})]

    def _text(self, test: ir.TextTest, *, positive: bool) -> list[Term]:
        accepting = self.classes[test.name].accepting(test.patterns)
        each = [
            self._on_axis(
                Axis(AxisKind.CLASS, test.name, "", part), ranges_of(accepted), positive=positive
            )
            for part, accepted in accepting.items()
        ]
        if positive:
            found = [term for terms in each for term in terms]
            return found if len(found) <= TERMS_MAX else [Term({}, (test,))]
        boxes = [terms[0].box if terms else None for terms in each]
        if any(box is None for box in boxes):
            return []
        return [Term({axis: a for box in boxes if box for axis, a in box.items()})]

    def _compare(self, compare: ir.Compare, *, positive: bool) -> list[Term]:
        simple = self.simple(compare)
        if simple is None:
            return [Term({}, (_signed(compare, positive=positive),))]
        return self._terms(simple, positive=positive, limit=TERMS_MAX)

    def merged(self, terms: list[Term]) -> list[Term]:
        """Terms that differ on one axis of ranges only become one."""
        found: list[Term] = []
        for term in terms:
            one = term
            joined: Term | None = one
            while joined is not None:
                for i, other in enumerate(found):
                    joined = self._joined(other, one)
                    if joined is not None:
                        del found[i]
                        one = joined
                        break
                else:
                    joined = None
            found.append(one)
        return found

    def _joined(self, a: Term, b: Term) -> Term | None:
        if a.residual != b.residual or a.box.keys() != b.box.keys():
            return None
        differing = [axis for axis, allowed in a.box.items() if b.box[axis] != allowed]
        if len(differing) != 1:
            return None if differing else a
        axis = differing[0]
        one, other = a.box[axis], b.box[axis]
        if isinstance(one, SetCube) or isinstance(other, SetCube):
            return None
        joined = join_ranges(one, other)
        rest = {k: v for k, v in a.box.items() if k != axis}
        return Term(rest if joined == (self.range(axis),) else rest | {axis: joined}, a.residual)

    def simple(self, compare: ir.Compare) -> ir.BoolExpr | None:
        """A comparison of a field with a constant as ranges; None if it is another one."""
        match compare.left, compare.right:
            case ir.IntConst(value=a), ir.IntConst(value=b):
                return ir.BoolConst(_constant(compare.op, a, b))
            case ir.FieldValue(name=name), ir.IntConst(value=value) if self._is_number(name):
                return self._ranges(compare.op, name, value)
            case ir.IntConst(value=value), ir.FieldValue(name=name) if self._is_number(name):
                match compare.op:
                    case ir.CompareOp.LT:
                        return ir.Not(self._ranges(ir.CompareOp.LE, name, value))
                    case ir.CompareOp.LE:
                        return ir.Not(self._ranges(ir.CompareOp.LT, name, value))
                    case _:
                        return self._ranges(compare.op, name, value)
            case _:
                return None

    def _is_number(self, name: str) -> bool:
        return self.fields[name].kind is not ir.Kind.SET

    def _ranges(self, op: ir.CompareOp, name: str, value: int) -> ir.BoolExpr:
        lo = self.fields[name].lo
        match op:
            case ir.CompareOp.EQ:
                return ir.InRanges(name, ((value, value),))
            case ir.CompareOp.NE:
                return ir.Not(ir.InRanges(name, ((value, value),)))
            case ir.CompareOp.LT:
                return ir.InRanges(name, ((lo, value - 1),)) if value > lo else ir.FALSE
            case ir.CompareOp.LE:
                return ir.InRanges(name, ((lo, value),)) if value >= lo else ir.FALSE
            case _:
                assert_never(op)


def _constant(op: ir.CompareOp, a: int, b: int) -> bool:
    return {
        ir.CompareOp.EQ: a == b,
        ir.CompareOp.NE: a != b,
        ir.CompareOp.LT: a < b,
        ir.CompareOp.LE: a <= b,
    }[op]


def _signed(condition: ir.BoolExpr, *, positive: bool) -> ir.BoolExpr:
    return condition if positive else ir.negation(condition)
