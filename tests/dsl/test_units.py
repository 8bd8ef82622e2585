from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govlang.dsl.units import BUILT_IN, NO_DIMENSION, ONE, Units, convert, over, times

dimensions = st.sampled_from([u.dimension for u in BUILT_IN.values()])


@pytest.mark.parametrize(
    ("value", "unit", "into", "wanted"),
    [
        (1, "min", "s", 60),
        (1, "d", "ms", 86_400_000),
        (90, "km/h", "m/s", 25),
        (1, "t", "kg", 1000),
        (250, "g", "kg", Fraction(1, 4)),
        (1, "kWh", "J", 3_600_000),
        (3, "mAh", "Ah", Fraction(3, 1000)),
        (1, "KiB", "B", 1024),
        (8, "bit", "B", 1),
        (60, "tokens/min", "tokens/s", 1),
    ],
)
def test_units_of_one_dimension_convert_exactly(
    value: int, unit: str, into: str, wanted: Fraction
) -> None:
    units = Units(["tokens"])
    left, right = units.find(unit), units.find(into)
    assert left is not None
    assert right is not None
    assert convert(Fraction(value), left, right) == wanted


@pytest.mark.parametrize(
    ("one", "other"), [("kg", "kW"), ("%", "kg"), ("°C", "K"), ("tokens", "calls"), ("m", "m/s")]
)
def test_what_is_not_alike_has_another_dimension(one: str, other: str) -> None:
    units = Units(["tokens", "calls"])
    left, right = units.find(one), units.find(other)
    assert left is not None
    assert right is not None
    assert left.dimension != right.dimension


def test_watts_are_volts_times_amperes() -> None:
    volt, ampere, watt = (BUILT_IN[u] for u in ("V", "A", "W"))
    assert times(volt.dimension, ampere.dimension) == watt.dimension


def test_a_counting_unit_must_be_declared() -> None:
    units = Units()
    assert units.find("tokens") is None
    assert units.find("tokens/min") is None
    units.declare("tokens/min")
    assert units.find("tokens") is not None
    assert units.find("km/tokens") is not None
    assert Units().find("tokens") is None


def test_a_built_in_unit_is_not_declared_anew() -> None:
    units = Units(["kg"])
    assert units.find("kg") == BUILT_IN["kg"]


def test_no_unit_is_one() -> None:
    assert Units().find(None) == ONE
    assert ONE.dimension == NO_DIMENSION


def test_a_near_unit_is_suggested() -> None:
    units = Units(["tokens"])
    assert units.suggestion("token") == "did you mean `tokens`?"
    assert units.suggestion("kgs") == "did you mean `kg`?"
    assert units.suggestion("qqqqqq") is None


@given(dimensions, dimensions)
def test_dividing_undoes_multiplying(
    left: tuple[tuple[str, int], ...], right: tuple[tuple[str, int], ...]
) -> None:
    assert over(times(left, right), right) == left
    assert times(left, right) == times(right, left)
