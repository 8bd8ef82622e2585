"""A value is worked out in 32 bits only if neither it nor a part of it can leave them."""

from __future__ import annotations

import pytest

from govlang.compiler.ir import ArithOp
from govlang.compiler.program import Arith, Choose, FloorDiv, Number, Read, Slot, Truth, Value
from govlang.compiler.wasm_reach import Reach

SMALL, WIDE, ANY = Slot("small", 32), Slot("wide", 64), Slot("any", 64)
MASK = Slot("mask", 32, mask=True)
REACH = Reach({SMALL: (-10, 100), WIDE: (0, 2**40)})


def number(value: int) -> Number:
    return Number(value, 64)


@pytest.mark.parametrize(
    ("value", "width"),
    [
        (number(2**31 - 1), 32),
        (number(2**31), 64),
        (Read(SMALL, 64), 32),
        (Read(WIDE, 64), 64),
        (Read(ANY, 64), 64),
        (Read(MASK, 64), 64),
        (Arith(ArithOp.MUL, Read(SMALL, 64), number(2**24)), 32),
        (Arith(ArithOp.MUL, Read(SMALL, 64), number(2**25)), 64),
        (Arith(ArithOp.LEAST, Read(WIDE, 64), Read(SMALL, 64)), 64),
        (Arith(ArithOp.SUB, number(-(2**31) + 100), Read(SMALL, 64)), 32),
        (Arith(ArithOp.SUB, number(-(2**31) + 99), Read(SMALL, 64)), 64),
        (FloorDiv(Read(SMALL, 64), 7), 32),
        (FloorDiv(Read(SMALL, 64), 2**31), 64),
        (FloorDiv(Read(WIDE, 64), 2**20), 64),
        (Choose(Truth(True), Read(SMALL, 64), number(5)), 32),
        (Choose(Truth(True), Read(SMALL, 64), number(2**40)), 64),
    ],
)
def test_the_width_is_the_least_that_holds_every_part(value: Value, width: int) -> None:
    assert REACH.width(value) == width


def test_an_interval_is_that_of_its_ends() -> None:
    product = Arith(ArithOp.MUL, Read(SMALL, 64), number(-3))
    assert REACH.narrow(product) == (-300, 30)
    assert REACH.narrow(FloorDiv(product, 7)) == (-43, 4)
