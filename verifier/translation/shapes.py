"""Assignments by which a local gathers values, as code writes them.

In: the name of a local and what it is set to.  Out: the value that it takes, in which way, and when.
What always holds: the shape says the same as the expression, as long as `others` that are joined by
`and` are 0 or 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from govlang.verifier.translation.gathered import Way
from govlang.verifier.translation.machine import (
    Binary,
    Compared,
    Const,
    Expr,
    Local,
    Op,
    Select,
    Test,
)


@dataclass(frozen=True, slots=True)
class Taking:
    """The local takes a value in a way, if all of the others hold; `unsigned`: as it is compared."""

    way: Way
    value: Expr
    unsigned: bool = False
    others: tuple[Expr, ...] = ()


def is_local(expr: Expr, name: str) -> bool:
    """Whether an expression is a local as it stands."""
    return isinstance(expr, Local) and expr.name == name


def taking(name: str, expr: Expr) -> Taking | None:
    """What `name = expr` takes; None if it is no such assignment."""
    match expr:
        case Binary(op=Op.OR, left=left, right=right):
            if is_local(left, name) or is_local(right, name):
                return Taking(Way.BITS, right if is_local(left, name) else left)
        case Select(condition=condition, then=then, otherwise=otherwise):
            if is_local(otherwise, name):
                return _if_better(name, condition, then)
            if is_local(then, name) and isinstance(condition, Compared):
                kept = _better(name, condition, otherwise)
                if kept is not None:
                    way = Way.GREATEST if kept is Way.LEAST else Way.LEAST
                    unsigned = condition.test in _UNSIGNED
                    return Taking(way, otherwise, unsigned)
        case _:
            pass
    return None


def _if_better(name: str, condition: Expr, value: Expr) -> Taking | None:
    parts = list(conjuncts(condition))
    for i, part in enumerate(parts):
        way = _better(name, part, value)
        if way is not None:
            assert isinstance(part, Compared)
            others = (*parts[:i], *parts[i + 1 :])
            return Taking(way, value, part.test in _UNSIGNED, others)
    return None


def _better(name: str, condition: Expr, value: Expr) -> Way | None:
    """How a value goes before the local where the condition holds: as a smaller or a larger one."""
    if not isinstance(condition, Compared) or condition.test in (Test.EQ, Test.NE):
        return None
    smaller = condition.test in _SMALLER
    if condition.left == value and is_local(condition.right, name):
        return Way.LEAST if smaller else Way.GREATEST
    if condition.right == value and is_local(condition.left, name):
        return Way.GREATEST if smaller else Way.LEAST
    return None


def conjuncts(condition: Expr) -> Iterator[Expr]:
    """The parts of a condition that all must hold."""
    match condition:
        case Binary(op=Op.AND, left=left, right=right) if _is_flag(left) and _is_flag(right):
            yield from conjuncts(left)
            yield from conjuncts(right)
        case Select(condition=first, then=second, otherwise=Const(value=0)):
            yield from conjuncts(first)
            yield from conjuncts(second)
        case Compared(test=Test.NE, left=left, right=Const(value=0)) if _is_flag(left):
            yield from conjuncts(left)
        case _:
            yield condition


def _is_flag(expr: Expr) -> bool:
    """Whether an expression looks as if it were 0 or 1; of a local this is seen later."""
    match expr:
        case Compared() | Local():
            return True
        case Const(value=value):
            return value in (0, 1)
        case Binary(op=Op.AND, left=left, right=right):
            return _is_flag(left) or _is_flag(right)
        case Binary(op=Op.OR | Op.XOR, left=left, right=right):
            return _is_flag(left) and _is_flag(right)
        case Select(then=then, otherwise=otherwise):
            return _is_flag(then) and _is_flag(otherwise)
        case _:
            return False


_SMALLER: Final = (Test.LT_S, Test.LE_S, Test.LT_U, Test.LE_U)
_UNSIGNED: Final = (Test.LT_U, Test.LE_U, Test.GT_U, Test.GE_U)
