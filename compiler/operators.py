"""Conditions as their authors wrote them: one part for each operator, however many atoms it became.

In: a condition, and the fields of requests.  Out: the same condition, its parts grouped by operator.

What always holds: the grouped condition is true exactly when the condition is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import groupby

from govlang.compiler import ir
from govlang.compiler.ir import And, BoolConst, BoolExpr, Not, Or
from govlang.dsl.source import Span


def grouped(condition: BoolExpr, asked: Collection[str]) -> BoolExpr:
    """The condition; what one operator became is one operand, although joining has flattened it."""
    if is_operator(condition, asked):
        return replace(condition, span=_place(condition))
    match condition:
        case Not(operand=operand):
            return replace(condition, operand=grouped(operand, asked))
        case And(operands=operands) | Or(operands=operands):
            return replace(condition, operands=tuple(_runs(condition, operands, asked)))
        case _:
            return condition


def parts(condition: BoolExpr, asked: Collection[str]) -> Iterator[BoolExpr]:
    """The parts of a grouped condition, left to right: what an author calls a condition."""
    match condition:
        case BoolConst():
            return
        case Not(operand=operand) if not is_operator(condition, asked):
            yield from parts(operand, asked)
        case And(operands=operands) | Or(operands=operands) if not is_operator(condition, asked):
            for operand in operands:
                yield from parts(operand, asked)
        case _:
            yield condition


def is_operator(condition: BoolExpr, asked: Collection[str]) -> bool:
    """Whether a condition that is no atom is what one operator became.

    All of it stands in one place, and what is joined reads cells alone: `elapsed(e) > 3 s` is a `not` of what is kept.
    """
    match condition:
        case Not(operand=operand):
            single = not isinstance(operand, And | Or | Not) or is_operator(operand, asked)
            return single and _place(condition) is not None
        case And() | Or() if _place(condition) is not None:
            read = ir.fields_read(condition)
            return bool(read) and read.isdisjoint(asked)
        case _:
            return False


def _runs(
    around: And | Or, operands: tuple[BoolExpr, ...], asked: Collection[str]
) -> Iterator[BoolExpr]:
    for place, run in groupby(operands, _place):
        parts = tuple(run)
        whole = replace(around, operands=parts, span=place)
        if place is not None and len(parts) > 1 and is_operator(whole, asked):
            yield whole
        else:
            yield from (grouped(one, asked) for one in parts)


def _place(condition: BoolExpr) -> Span | None:
    """Where all of a condition stands; None if its parts stand in several places, or in none."""
    match condition:
        case BoolConst():
            return None
        case Not(operand=operand):
            return condition.span if _place(operand) == condition.span else None
        case And(operands=operands) | Or(operands=operands):
            places = {_place(one) for one in operands}
            return places.pop() if len(places) == 1 else None
        case _:
            return condition.span
