"""Programs: what of a condition is no box, and the expressions of effects, as postfix code.

In: conditions and integer expressions of the IR, and which column holds what.  Out: instructions
of `native/gov_table.h`; equal programs are stored once.

What always holds: a program needs at most `STACK_MAX` words of stack; of two operands whose order
does not matter the deeper one comes first, so depth grows with nesting only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Final, assert_never

from govlang.compiler import ir
from govlang.compiler.boxes import Allowed, Axis, AxisKind, SetCube, ranges_of
from govlang.compiler.ir import Ranges
from govlang.compiler.nodes import Entry
from govlang.compiler.text_classes import TextClasses
from govlang.native.layout import STACK_MAX, Section
from govlang.native.words import MASK64, Op, instruction

TABLE_CODE: Final = "GOV261"


class TableTooLargeError(Exception):
    """A policy passes a limit of the table format; `code` is its page."""

    code = TABLE_CODE


@dataclass(frozen=True, slots=True)
class Code:
    """Instructions that leave one word, and the words of stack they need meanwhile."""

    words: tuple[int, ...]
    depth: int


@dataclass(slots=True)
class Programs:
    """The programs of a table: `PROGRAMS` and `CODE`."""

    columns: Mapping[Axis, int]
    params: Mapping[str, int]
    fields: Mapping[str, ir.Field]
    classes: Mapping[str, TextClasses]
    decision: int | None = None
    """The column of the decision, which only a policy over time has."""

    index: dict[tuple[int, ...], int] = field(default_factory=dict)

    def condition(self, condition: ir.BoolExpr) -> int:
        """The program of a condition."""
        return self._stored(self._bool(condition))

    def integer(self, expr: ir.IntExpr) -> int:
        """The program of an integer expression."""
        return self._stored(self._int(expr))

    def residual(self, entry: Entry) -> int:
        """The program of what an entry's box leaves open."""
        parts = [self._bool(part) for part in entry.residual]
        parts += [self._axis(axis, allowed) for axis, allowed in entry.beside]
        return self._stored(_folded(Op.AND, parts))

    def sections(self) -> dict[Section, list[tuple[int, ...]]]:
        """Spans and words, in the order in which the programs were asked for."""
        at = 0
        spans: list[tuple[int, ...]] = []
        code: list[tuple[int, ...]] = []
        for words in self.index:
            spans.append((at, len(words)))
            code += [(word,) for word in words]
            at += len(words)
        return {Section.PROGRAMS: spans, Section.CODE: code}

    def _stored(self, code: Code) -> int:
        if code.depth > STACK_MAX:
            raise TableTooLargeError(
                f"an expression is nested so deeply that it needs {code.depth} words of stack, "
                f"must be at most {STACK_MAX}"
            )
        return self.index.setdefault(code.words, len(self.index))

    # --- integers --------------------------------------------------------------------------------

    def _int(self, expr: ir.IntExpr) -> Code:
        match expr:
            case ir.IntConst(value=value):
                return _constant(value)
            case ir.FieldValue(name=name):
                kind = AxisKind.SET if self.fields[name].kind is ir.Kind.SET else AxisKind.VALUE
                return self._load(Axis(kind, name))
            case ir.ParamValue(name=name):
                return Code((instruction(Op.LOAD, self.params[name]),), 1)
            case ir.Arith(op=op, left=left, right=right):
                code = _ARITHMETIC[op]
                return _binary(code, self._int(left), self._int(right))
            case ir.FloorDiv(dividend=dividend, divisor=divisor):
                inner = self._int(dividend)
                divided = (instruction(Op.FLOORDIV), divisor & MASK64)
                return Code(inner.words + divided, inner.depth)
            case ir.Choose(condition=condition, then=then, otherwise=otherwise):
                return _select(self._bool(condition), self._int(then), self._int(otherwise))
            case _:
                assert_never(expr)

    def _load(self, axis: Axis) -> Code:
        return Code((instruction(Op.LOAD, self.columns[axis]),), 1)

    # --- conditions ------------------------------------------------------------------------------

    def _bool(self, condition: ir.BoolExpr) -> Code:
        match condition:
            case ir.BoolConst(value=value):
                return _constant(int(value))
            case ir.Not(operand=operand):
                return _negated(self._bool(operand))
            case ir.And(operands=operands):
                return _folded(Op.AND, [self._bool(operand) for operand in operands])
            case ir.Or(operands=operands):
                return _folded(Op.OR, [self._bool(operand) for operand in operands])
            case ir.InRanges(name=name, ranges=ranges):
                return self._within(Axis(AxisKind.VALUE, name), ranges)
            case ir.Compare(op=op, left=left, right=right):
                return _binary(_COMPARISON[op], self._int(left), self._int(right))
            case ir.SetTest(name=name, op=op, mask=mask):
                return self._set(Axis(AxisKind.SET, name), _SET[op], mask)
            case ir.TextTest(name=name, patterns=patterns):
                accepting = self.classes[name].accepting(patterns)
                parts = [
                    self._within(Axis(AxisKind.CLASS, name, "", part), ranges_of(accepted))
                    for part, accepted in accepting.items()
                ]
                return _folded(Op.OR, parts) if parts else _constant(0)
            case ir.TextEqual(left=left, right=right):
                return self._load(Axis(AxisKind.EQUAL, left, right))
            case ir.Has(name=name):
                optional = self.fields[name].optional
                return self._load(Axis(AxisKind.HAS, name)) if optional else _constant(1)
            case ir.DecisionIn(effects=effects):
                return self._decision(effects)
            case _:
                assert_never(condition)

    def _decision(self, effects: frozenset[ir.Effect]) -> Code:
        if self.decision is None:
            raise ValueError("a decision occurs in properties and in updates only")
        return self._ranges(self.decision, ranges_of(effects))

    def _axis(self, axis: Axis, allowed: Allowed) -> Code:
        if not isinstance(allowed, SetCube):
            return self._within(axis, allowed)
        parts: list[Code] = []
        if allowed.require:
            parts.append(self._set(axis, Op.ALL, allowed.require))
        if allowed.forbid:
            parts.append(_negated(self._set(axis, Op.ANY, allowed.forbid)))
        for present, missing in sorted(allowed.clauses):
            lacks = _negated(self._set(axis, Op.ALL, missing))
            some = [self._set(axis, Op.ANY, present)] if present else []
            parts.append(_folded(Op.OR, [*some, *([lacks] if missing else [])]))
        return _folded(Op.AND, parts)

    def _set(self, axis: Axis, op: Op, mask: int) -> Code:
        return Code((instruction(op, self.columns[axis]), mask & MASK64), 1)

    def _within(self, axis: Axis, ranges: Ranges) -> Code:
        return self._ranges(self.columns[axis], ranges)

    def _ranges(self, column: int, ranges: Ranges) -> Code:
        if not ranges:
            return _constant(0)
        lo, hi = ranges[0][0], ranges[-1][1]
        count = (hi - lo) // 64 + 1
        if len(ranges) > 2 and count + 2 < 4 * len(ranges):
            return Code(
                (instruction(Op.MEMBER, column, count), lo & MASK64, *_bits(ranges, count)), 1
            )
        return _folded(
            Op.OR,
            [
                Code((instruction(Op.IN_RANGE, column), a & MASK64, b & MASK64), 1)
                for a, b in ranges
            ],
        )


_ARITHMETIC: Final = {
    ir.ArithOp.ADD: Op.ADD,
    ir.ArithOp.SUB: Op.SUB,
    ir.ArithOp.MUL: Op.MUL,
    ir.ArithOp.LEAST: Op.LEAST,
    ir.ArithOp.GREATEST: Op.GREATEST,
}
_COMPARISON: Final = {
    ir.CompareOp.EQ: Op.EQ,
    ir.CompareOp.NE: Op.NE,
    ir.CompareOp.LT: Op.LT,
    ir.CompareOp.LE: Op.LE,
}
_SET: Final = {ir.SetOp.ANY: Op.ANY, ir.SetOp.ALL: Op.ALL, ir.SetOp.WITHIN: Op.WITHIN}
_COMMUTES: Final = frozenset({Op.ADD, Op.MUL, Op.LEAST, Op.GREATEST, Op.EQ, Op.NE, Op.AND, Op.OR})


def _constant(value: int) -> Code:
    return Code((instruction(Op.CONST), value & MASK64), 1)


def _negated(code: Code) -> Code:
    return Code((*code.words, instruction(Op.NOT)), code.depth)


def _binary(op: Op, left: Code, right: Code) -> Code:
    if op in _COMMUTES and right.depth > left.depth:
        left, right = right, left
    return Code((*left.words, *right.words, instruction(op)), max(left.depth, 1 + right.depth))


def _folded(op: Op, parts: Sequence[Code]) -> Code:
    """`parts` joined by an operation that is associative and commutes; the deepest stands first."""
    return reduce(lambda a, b: _binary(op, a, b), sorted(parts, key=lambda part: -part.depth))


def _select(condition: Code, then: Code, otherwise: Code) -> Code:
    if otherwise.depth > then.depth:
        condition, then, otherwise = _negated(condition), otherwise, then
    words = (*condition.words, *then.words, *otherwise.words, instruction(Op.SELECT))
    return Code(words, max(condition.depth, 1 + then.depth, 2 + otherwise.depth))


def _bits(ranges: Iterable[tuple[int, int]], count: int) -> list[int]:
    """Bit `value - lo` of `count` words for every value of the ranges."""
    bits, lo = 0, None
    for start, end in ranges:
        lo = start if lo is None else lo
        bits |= ((1 << end - start + 1) - 1) << start - lo
    return [bits >> 64 * i & MASK64 for i in range(count)]
