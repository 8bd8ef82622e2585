"""Assignments that gather are seen for what they are, and nothing else is."""

from __future__ import annotations

import pytest

from govlang.verifier.translation.gathered import Way
from govlang.verifier.translation.machine import (
    Binary,
    Cell,
    Compared,
    Const,
    Expr,
    Local,
    Op,
    Select,
)
from govlang.verifier.translation.machine import Test as Order
from govlang.verifier.translation.shapes import Taking, taking

BEST = Local(32, "best")
FLAG = Local(32, "flag")
ROLES = Cell(32, "approved")
VALUE = Const(32, 7)
BETTER = Compared(Order.LT_S, 32, VALUE, BEST)


def both(left: Expr, right: Expr) -> Expr:
    return Binary(Op.AND, 32, left, right)


def taken_if(condition: Expr) -> Expr:
    return Select(32, condition, VALUE, BEST)


ONE_ROLE = both(ROLES, Const(32, 1))


@pytest.mark.parametrize(
    ("condition", "others"),
    [
        (BETTER, ()),
        (both(FLAG, BETTER), (FLAG,)),
        (both(both(FLAG, FLAG), BETTER), (FLAG, FLAG)),
        (both(both(ONE_ROLE, FLAG), BETTER), (ONE_ROLE, FLAG)),
        (both(both(FLAG, both(Const(32, 1), ROLES)), BETTER), (FLAG, both(Const(32, 1), ROLES))),
        (Select(32, FLAG, BETTER, Const(32, 0)), (FLAG,)),
    ],
)
def test_a_smaller_value_is_taken_where_all_others_hold(
    condition: Expr, others: tuple[Expr, ...]
) -> None:
    assert taking("best", taken_if(condition)) == Taking(Way.LEAST, VALUE, others=others)


@pytest.mark.parametrize(
    "condition",
    [
        both(ROLES, BETTER),
        both(both(ROLES, Const(32, 3)), BETTER),
        both(Binary(Op.OR, 32, ROLES, Const(32, 1)), BETTER),
        both(Binary(Op.XOR, 32, ROLES, Const(32, 1)), BETTER),
        both(FLAG, Compared(Order.EQ, 32, VALUE, BEST)),
        both(FLAG, Compared(Order.LT_S, 32, Const(32, 8), BEST)),
    ],
)
def test_what_may_be_more_than_one_bit_is_not_taken(condition: Expr) -> None:
    assert taking("best", taken_if(condition)) is None
