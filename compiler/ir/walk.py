"""Walks over expressions: their atoms, their parts, the fields that they read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from govlang.compiler.ir.expressions import (
    And,
    Arith,
    Atom,
    BoolConst,
    BoolExpr,
    Choose,
    Compare,
    DecisionIn,
    FieldValue,
    FloorDiv,
    Has,
    InRanges,
    IntConst,
    IntExpr,
    Not,
    Or,
    ParamValue,
    SetTest,
    TextEqual,
    TextTest,
)
from govlang.dsl.source import Span


def atoms(condition: BoolExpr) -> Iterator[Atom]:
    """Every atom of a condition, left to right, those inside `if … then … else` too."""
    match condition:
        case BoolConst():
            return
        case Not(operand=operand):
            yield from atoms(operand)
        case And(operands=operands) | Or(operands=operands):
            for operand in operands:
                yield from atoms(operand)
        case Compare(left=left, right=right):
            yield condition
            yield from _atoms_of_int(left)
            yield from _atoms_of_int(right)
        case InRanges() | SetTest() | TextTest() | TextEqual() | Has() | DecisionIn():
            yield condition
        case _:
            assert_never(condition)


def _atoms_of_int(expr: IntExpr) -> Iterator[Atom]:
    for part in int_parts(expr):
        if isinstance(part, Choose):
            yield from atoms(part.condition)


def int_parts(expr: IntExpr) -> Iterator[IntExpr]:
    """`expr` and all its integer sub-expressions, outside in (not those inside conditions)."""
    yield expr
    match expr:
        case Arith(left=left, right=right):
            yield from int_parts(left)
            yield from int_parts(right)
        case FloorDiv(dividend=dividend):
            yield from int_parts(dividend)
        case Choose(then=then, otherwise=otherwise):
            yield from int_parts(then)
            yield from int_parts(otherwise)
        case IntConst() | FieldValue() | ParamValue():
            return
        case _:
            assert_never(expr)


def fields_read(condition: BoolExpr) -> frozenset[str]:
    """The names of all fields that a condition reads, `has` included."""
    names: set[str] = set()
    for atom in atoms(condition):
        match atom:
            case InRanges(name=name) | SetTest(name=name) | TextTest(name=name) | Has(name=name):
                names.add(name)
            case TextEqual(left=left, right=right):
                names |= {left, right}
            case Compare(left=a, right=b):
                parts = (*int_parts(a), *int_parts(b))
                names |= {part.name for part in parts if isinstance(part, FieldValue)}
            case DecisionIn():
                pass
            case _:
                assert_never(atom)
    return frozenset(names)


def located(condition: BoolExpr, span: Span) -> BoolExpr:
    """The same condition; what has no place in a source stands at `span`."""
    match condition:
        case Not(operand=operand):
            condition = replace(condition, operand=located(operand, span))
        case And(operands=operands) | Or(operands=operands):
            inner = tuple(located(operand, span) for operand in operands)
            condition = replace(condition, operands=inner)
        case _:
            pass
    return replace(condition, span=span) if condition.span is None else condition
