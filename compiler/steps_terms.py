"""Conditions and integers of the IR, and boxes of entries, in the forms of a step's program.

In: conditions, expressions and entries, and what is known of the variables where they stand.  Out:
`program.Condition` and `program.Value`.

What always holds: nothing is tested that is known already; what is known to hold or not is folded;
numbers stay in 32 bits until they are computed with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from govlang.compiler import ir
from govlang.compiler.boxes import (
    Allowed,
    Axis,
    AxisKind,
    Clause,
    SetCube,
    intersect_ranges,
    ranges_of,
)
from govlang.compiler.ir import Ranges, SetOp
from govlang.compiler.nodes import Entry
from govlang.compiler.program import (
    Arith,
    Choose,
    Compare,
    Condition,
    Flag,
    FloorDiv,
    Grown,
    Inside,
    MaskTest,
    Negation,
    Number,
    Read,
    Slot,
    Truth,
    Unpacked,
    Value,
)
from govlang.compiler.steps_logic import NO, YES, both, either, negation
from govlang.compiler.terms import Space

Known = Mapping[Axis, tuple[int, int]]
"""The words that an axis can still have where a condition stands."""

_NARROW: Final = (-(2**31), 2**31 - 1)


# --- reading ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """Where the words of a policy's axes are: its space, and the slot of each variable by name."""

    space: Space
    slots: Mapping[str, Slot]
    decided: Slot | None = None
    """Where the decision is, once it is known."""
    quotients: Callable[[ir.FloorDiv, Value], Value] | None = None
    """What stands for a quotient, where each is worked out once."""

    def slot(self, axis: Axis) -> Slot:
        """The slot that holds the word of an axis."""
        match axis.kind:
            case AxisKind.VALUE | AxisKind.SET:
                return self.slots[axis.name]
            case AxisKind.CLASS:
                return self.slots[f"class.{axis.name}.{axis.part}"]
            case AxisKind.HAS:
                return self.slots[f"has.{axis.name}"]
            case AxisKind.EQUAL:
                return self.slots[f"same.{axis.name}.{axis.other}"]
            case _:
                assert_never(axis.kind)

    # --- conditions --------------------------------------------------------------------------------

    def inside(self, axis: Axis, ranges: Ranges, known: Known) -> Condition:
        """The word of an axis lies in the ranges."""
        within = known.get(axis) or self.space.range(axis)
        allowed = intersect_ranges(ranges, (within,))
        if not allowed:
            return NO
        if allowed == (within,):
            return YES
        slot = self.slot(axis)
        if self.space.range(axis) == (0, 1):
            return Flag(slot) if allowed == ((1, 1),) else Negation(Flag(slot))
        return Inside(slot, allowed, *within)

    def entry(self, entry: Entry, known: Known) -> Condition:
        """The box and the residual of an entry."""
        tests = (*entry.box.items(), *entry.beside)
        parts = [self._allowed(axis, allowed, known) for axis, allowed in tests]
        return both((*parts, *(self.condition(one, known) for one in entry.residual)))

    def _allowed(self, axis: Axis, allowed: Allowed, known: Known) -> Condition:
        if not isinstance(allowed, SetCube):
            return self.inside(axis, allowed, known)
        slot = self.slot(axis)
        parts: list[Condition] = [MaskTest(slot, SetOp.ALL, allowed.require)] * bool(
            allowed.require
        )
        if allowed.forbid:
            parts.append(negation(MaskTest(slot, SetOp.ANY, allowed.forbid)))
        return both((*parts, *(_clause(slot, clause) for clause in sorted(allowed.clauses))))

    def condition(self, condition: ir.BoolExpr, known: Known) -> Condition:
        """A condition of the IR."""
        match condition:
            case ir.BoolConst(value=value):
                return Truth(value)
            case ir.Not(operand=operand):
                return negation(self.condition(operand, known))
            case ir.And(operands=operands):
                return both(self.condition(operand, known) for operand in operands)
            case ir.Or(operands=operands):
                return either(self.condition(operand, known) for operand in operands)
            case ir.InRanges(name=name, ranges=ranges):
                return self.inside(Axis(AxisKind.VALUE, name), ranges, known)
            case ir.Compare():
                return self._compare(condition, known)
            case ir.SetTest(name=name, op=op, mask=mask):
                return self._set_test(name, op, mask)
            case ir.TextTest(name=name, patterns=patterns):
                accepting = self.space.classes[name].accepting(patterns)
                return either(
                    self.inside(Axis(AxisKind.CLASS, name, "", part), ranges_of(accepted), known)
                    for part, accepted in accepting.items()
                )
            case ir.TextEqual(left=left, right=right):
                return self.inside(Axis(AxisKind.EQUAL, left, right), ((1, 1),), known)
            case ir.Has(name=name):
                optional = self.space.fields[name].optional
                has = Axis(AxisKind.HAS, name)
                return self.inside(has, ((1, 1),), known) if optional else YES
            case ir.DecisionIn(effects=effects):
                return self._decision(effects)
            case _:
                assert_never(condition)

    def _decision(self, effects: frozenset[ir.Effect]) -> Condition:
        if self.decided is None:
            raise ValueError("a decision occurs in properties, and once it is known")
        allowed = ranges_of(sorted(int(effect) for effect in effects))
        if len(effects) in (0, len(ir.Effect)):
            return Truth(bool(effects))
        return Inside(self.decided, allowed, int(min(ir.Effect)), int(max(ir.Effect)))

    def _set_test(self, name: str, op: SetOp, mask: int) -> Condition:
        """A test of a set, which has no members that its field does not have."""
        everything = self.space.fields[name].hi
        inside = mask & everything
        match op:
            case SetOp.ANY:
                return MaskTest(self.slots[name], op, inside) if inside else NO
            case SetOp.ALL if inside != mask:
                return NO
            case SetOp.ALL:
                return MaskTest(self.slots[name], op, inside) if inside else YES
            case SetOp.WITHIN:
                return YES if inside == everything else MaskTest(self.slots[name], op, inside)
            case _:
                assert_never(op)

    def _compare(self, compare: ir.Compare, known: Known) -> Condition:
        simple = self.space.simple(compare)
        if simple is not None:
            return self.condition(simple, known)
        return compared(compare.op, self.value(compare.left), self.value(compare.right))

    # --- values ------------------------------------------------------------------------------------

    def value(self, expr: ir.IntExpr) -> Value:
        """An expression of the IR, in as many bits as it needs."""
        match expr:
            case ir.IntConst(value=value):
                return Number(value, 32 if _NARROW[0] <= value <= _NARROW[1] else 64)
            case ir.FieldValue(name=name):
                return Read(self.slots[name], self.slots[name].width)
            case ir.ParamValue(name=name):
                slot = self.slots[f"param.{name}"]
                return Read(slot, slot.width)
            case ir.Arith(op=op, left=left, right=right):
                return Arith(op, widened(self.value(left)), widened(self.value(right)))
            case ir.FloorDiv(dividend=dividend, divisor=divisor):
                found = _quotient(widened(self.value(dividend)), divisor)
                return found if self.quotients is None else self.quotients(expr, found)
            case ir.Choose(condition=condition, then=then, otherwise=otherwise):
                return chosen(
                    self.condition(condition, {}), self.value(then), self.value(otherwise)
                )
            case _:
                assert_never(expr)


def _clause(slot: Slot, clause: Clause) -> Condition:
    parts: list[Condition] = []
    if clause.present:
        parts.append(MaskTest(slot, SetOp.ANY, clause.present))
    if clause.missing:
        parts.append(Negation(MaskTest(slot, SetOp.ALL, clause.missing)))
    return either(parts)


# --- widths ----------------------------------------------------------------------------------------


def width(value: Value) -> int:
    """The bits of a value."""
    match value:
        case Number() | Read():
            return value.width
        case Choose(then=then):
            return width(then)
        case Arith() | FloorDiv():
            return 64
        case Unpacked():
            return 32
        case Grown(slot=slot):
            return slot.width
        case _:
            assert_never(value)


def widened(value: Value) -> Value:
    """The same value in 64 bits."""
    match value:
        case Number(value=number):
            return Number(number, 64)
        case Read(slot=slot):
            return Read(slot, 64)
        case Choose(condition=condition, then=then, otherwise=otherwise):
            return Choose(condition, widened(then), widened(otherwise))
        case Arith() | FloorDiv():
            return value
        case Unpacked() | Grown():
            raise ValueError("a rank is never widened, nor what has just grown")
        case _:
            assert_never(value)


def agreed(left: Value, right: Value) -> tuple[Value, Value]:
    """Two values in one width."""
    if width(left) == width(right):
        return left, right
    return widened(left), widened(right)


def compared(op: ir.CompareOp, left: Value, right: Value) -> Condition:
    """A comparison in as few bits as hold both sides."""
    first, second = agreed(left, right)
    if first == second:
        return Truth(op in (ir.CompareOp.EQ, ir.CompareOp.LE))
    return Compare(op, first, second)


def chosen(condition: Condition, then: Value, otherwise: Value) -> Value:
    """`then` if the condition holds, else `otherwise`."""
    if isinstance(condition, Truth):
        return then if condition.value else otherwise
    return then if then == otherwise else Choose(condition, *agreed(then, otherwise))


def _quotient(dividend: Value, divisor: int) -> Value:
    """Floor division; by -d it is that of the negated dividend, which cannot overflow."""
    if divisor < 0:
        dividend, divisor = Arith(ir.ArithOp.SUB, Number(0, 64), dividend), -divisor
    return dividend if divisor == 1 else FloorDiv(dividend, divisor)
