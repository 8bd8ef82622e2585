"""Bits of numbers that are no masks by their form, held against every value."""

from __future__ import annotations

from itertools import product

import pytest
from machine_strategies import Values

from govlang.verifier.translation.integers import const
from govlang.verifier.translation.machine import Op
from govlang.verifier.translation.spans import Span
from govlang.verifier.translation.tree import Domain, Tree
from govlang.verifier.translation.words import OddCodeError, Words

X: Tree = ("load", 0)
Y: Tree = ("load", 1)
FLAG, BELOW, SMALL, SIGNED = (0, 1), (-1, 0), (0, 5), (-4, 5)


def words(x: Span, y: Span) -> Words:
    return Words(Domain([(x,), (y,)], [0, 0]), {})


def every(x: Span, y: Span) -> list[tuple[int, int]]:
    return list(product(range(x[0], x[1] + 1), range(y[0], y[1] + 1)))


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("x", [FLAG, BELOW])
@pytest.mark.parametrize("y", [FLAG, BELOW, SMALL, SIGNED])
def test_a_flag_and_a_number_share_the_lowest_bit(
    x: Span, y: Span, width: int, *, turned: bool
) -> None:
    own = words(x, y)
    number = own.exact("+", Y, own.exact("*", const(2), Y))  # no column: its bits are not known
    sides = (number, X) if turned else (X, number)
    found, bad = own.operate(Op.AND, width, *sides, exact=False)
    assert bad == ("false",)
    for a, b in every(x, y):
        assert Values([a, b]).integer(found) == a & 3 * b


@pytest.mark.parametrize("mask", [1, 3, 2**31 - 1])
@pytest.mark.parametrize("x", [FLAG, SMALL, SIGNED])
def test_the_lowest_bits_of_a_number_are_what_a_power_of_two_leaves(x: Span, mask: int) -> None:
    own = words(x, FLAG)
    number = own.exact("+", X, Y)
    found, _ = own.operate(Op.AND, 32, number, const(mask), exact=False)
    for a, b in every(x, FLAG):
        assert Values([a, b]).integer(found) == (a + b) & mask


def test_what_a_flag_keeps_is_a_flag() -> None:
    own = words(FLAG, SIGNED)
    number = own.exact("+", Y, Y)
    found, _ = own.operate(Op.AND, 32, X, number, exact=False)
    again, _ = own.operate(Op.AND, 32, found, own.exact("*", number, number), exact=False)
    assert own.span(again) == (0, 1)


def test_bits_that_only_one_of_two_numbers_has_are_not_followed() -> None:
    own = words(SIGNED, SMALL)
    with pytest.raises(OddCodeError, match="bits of a number"):
        own.operate(Op.XOR, 32, own.exact("+", X, Y), Y, exact=False)
