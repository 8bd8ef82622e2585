"""Arithmetic on grids: what comes out counts in steps what the rationals say."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govlang.compiler import interpret, ir, measure, numbers
from govlang.compiler.refusal import RefusalError
from govlang.compiler.types import Constant, Number, Quantity
from govlang.dsl.source import NO_SPAN
from govlang.dsl.units import ONE, Units

STEPS = st.sampled_from(
    [Fraction(1), Fraction(1, 10), Fraction(1, 4), Fraction(5, 18), Fraction(3)]
)
FACTORS = st.builds(Fraction, st.integers(-6, 6), st.sampled_from([1, 2, 3, 10]))
VALUES = st.integers(-20, 20)


def field(name: str, step: Fraction) -> Quantity:
    return Quantity(ir.FieldValue(name), (-20, 20), step)


def run(number: Number, x: int, y: int = 0) -> Fraction:
    """The value that a number comes to, in base units."""
    assert isinstance(number, Quantity)
    fields = tuple(ir.Field(name, ir.Kind.NUMBER, -20, 20) for name in "xy")
    policy = ir.Policy("p", "1", 1, ir.Combine.STRICT, ir.Default.DENY, fields, ())
    steps = interpret.Environment(policy, {}, {"x": x, "y": y}).evaluate(number.expr)
    assert number.interval[0] <= steps <= number.interval[1]
    return steps * number.step


@given(st.sampled_from("+-"), STEPS, STEPS, VALUES, VALUES)
def test_sums_are_exact(op: str, one: Fraction, two: Fraction, x: int, y: int) -> None:
    found = numbers.added(op, field("x", one), field("y", two), NO_SPAN)
    assert run(found, x, y) == (x * one + y * two if op == "+" else x * one - y * two)


@given(st.sampled_from("+-"), STEPS, FACTORS, VALUES)
def test_sums_with_a_constant_off_the_grid_are_exact(
    op: str, step: Fraction, constant: Fraction, x: int
) -> None:
    found = numbers.added(op, field("x", step), Constant(constant), NO_SPAN)
    assert run(found, x) == (x * step + constant if op == "+" else x * step - constant)


@given(STEPS, FACTORS, VALUES)
def test_products_with_a_constant_are_exact_and_whole_ones_keep_the_grid(
    step: Fraction, factor: Fraction, x: int
) -> None:
    found = numbers.multiplied(Constant(factor), field("x", step), NO_SPAN)
    assert run(found, x) == x * step * factor
    assert isinstance(found, Quantity)
    assert found.step == step / factor.denominator


@given(STEPS, STEPS, VALUES, VALUES)
def test_products_of_two_fields_are_exact(one: Fraction, two: Fraction, x: int, y: int) -> None:
    found = numbers.multiplied(field("x", one), field("y", two), NO_SPAN)
    assert run(found, x, y) == x * one * y * two


@given(STEPS, FACTORS.filter(bool), VALUES)
def test_quotients_are_floored_to_the_grid_of_the_dividend(
    step: Fraction, divisor: Fraction, x: int
) -> None:
    found = numbers.divided(field("x", step), Constant(divisor), NO_SPAN)
    assert run(found, x) == floor(x / divisor) * step
    assert all(part.divisor > 0 for part in _parts(found) if isinstance(part, ir.FloorDiv))


@given(STEPS, VALUES, st.sampled_from([19, 20, 21, 22, 10**30]), st.booleans())
def test_a_divisor_beyond_all_values_divides_as_the_rationals_do(
    step: Fraction, x: int, divisor: int, negative: bool
) -> None:
    by = Fraction(-divisor if negative else divisor)
    found = numbers.divided(field("x", step), Constant(by), NO_SPAN)
    assert run(found, x) == floor(x / by) * step
    assert all(part.divisor < 100 for part in _parts(found) if isinstance(part, ir.FloorDiv))


def _parts(number: Number) -> list[ir.IntExpr]:
    assert isinstance(number, Quantity)
    return list(ir.int_parts(number.expr))


def test_a_multiple_divided_again_floors_as_it_is_written() -> None:
    doubled = numbers.multiplied(Constant(Fraction(2)), field("x", Fraction(1)), NO_SPAN)
    assert run(numbers.divided(doubled, Constant(Fraction(4)), NO_SPAN), 3) == 1


@given(STEPS, VALUES)
def test_abs_and_negation_are_exact(step: Fraction, x: int) -> None:
    assert run(numbers.absolute(field("x", step), NO_SPAN), x) == abs(x * step)
    assert run(numbers.negated(field("x", step), NO_SPAN), x) == -x * step


@given(st.booleans(), STEPS, STEPS, FACTORS, VALUES, VALUES)
def test_extremes_are_exact(
    least: bool, one: Fraction, two: Fraction, third: Fraction, x: int, y: int
) -> None:
    op = ir.ArithOp.LEAST if least else ir.ArithOp.GREATEST
    operands = (field("x", one), field("y", two), Constant(third))
    choose = min if least else max
    assert run(numbers.extreme(op, operands, NO_SPAN), x, y) == choose(x * one, y * two, third)


@given(STEPS, STEPS, VALUES, st.booleans())
def test_rounding_to_a_coarser_grid_goes_down_or_up(
    step: Fraction, target: Fraction, x: int, up: bool
) -> None:
    found = numbers.rounded(field("x", step), target, NO_SPAN, up=up)
    down = floor(x * step / target) * target
    assert run(found, x) == (-floor(-x * step / target) * target if up else down)
    assert found.step == target


def test_constants_are_folded_exactly() -> None:
    third = numbers.divided(Constant(Fraction(1)), Constant(Fraction(3)), NO_SPAN)
    whole = numbers.multiplied(third, Constant(Fraction(3)), NO_SPAN)
    assert isinstance(whole, Constant)
    assert whole.value == 1


@pytest.mark.parametrize(
    ("left", "right", "product", "quotient"),
    [
        ("kg", "", "kg", "kg"),
        ("m/s", "s", "m", None),
        ("m", "s", None, "m/s"),
        ("V", "A", "W", None),
        ("kW", "h", "kWh", None),
        ("kg", "kg", None, ""),
    ],
)
def test_units_of_products_and_quotients_are_ones_that_can_be_written(
    left: str, right: str, product: str | None, quotient: str | None
) -> None:
    one, two = (Units().find(text or None) or ONE for text in (left, right))
    if product is not None:
        assert measure.product(one, two).text == product
    if quotient is not None:
        assert measure.quotient(one, two).text == quotient


LARGEST = Fraction(2**512 - 1)


@pytest.mark.parametrize("value", [LARGEST, 1 / LARGEST, -LARGEST])
def test_a_constant_may_have_512_bits(value: Fraction) -> None:
    found = numbers.multiplied(Constant(value), Constant(Fraction(1)), NO_SPAN)
    assert isinstance(found, Constant)
    assert found.value == value


@pytest.mark.parametrize("value", [LARGEST + 1, 1 / (LARGEST + 1)])
def test_a_constant_of_more_bits_is_refused(value: Fraction) -> None:
    with pytest.raises(RefusalError):
        numbers.multiplied(Constant(value), Constant(Fraction(1)), NO_SPAN)


@given(STEPS, STEPS, VALUES, st.booleans())
def test_a_quantity_is_rounded_to_whole_steps(
    step: Fraction, into: Fraction, x: int, up: bool
) -> None:
    found = numbers.rounded(field("x", step), into, NO_SPAN, up=up)
    assert found.step == into
    assert run(found, x) == (-floor(-x * step / into) if up else floor(x * step / into)) * into


def test_a_quantity_on_the_grid_is_not_divided() -> None:
    found = numbers.rounded(field("x", Fraction(3)), Fraction(1), NO_SPAN, up=True)
    assert found.expr == ir.Arith(ir.ArithOp.MUL, ir.FieldValue("x"), ir.IntConst(3))


def test_the_negative_of_a_quantity_has_its_ends_turned() -> None:
    found = numbers.negated(Quantity(ir.FieldValue("x"), (-3, 8), Fraction(1, 4)), NO_SPAN)
    assert isinstance(found, Quantity)
    assert (found.interval, found.step) == ((-8, 3), Fraction(1, 4))
