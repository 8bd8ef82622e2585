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
    assert units.suggestion("kg/hr") == "did you mean `kg/h`?"
    assert units.suggestion("token/sec") == "did you mean `tokens/s`?"
    assert units.suggestion("kg/qqqqqq") is None


@given(dimensions, dimensions)
def test_dividing_undoes_multiplying(
    left: tuple[tuple[str, int], ...], right: tuple[tuple[str, int], ...]
) -> None:
    assert over(times(left, right), right) == left
    assert times(left, right) == times(right, left)


# By the SI brochure and IEC 80000-13, in the base units kg, m, s, A, K and B; written apart from the module.
DEFINED: list[tuple[dict[str, int], dict[str, str]]] = [
    (
        {"s": 1},
        {
            "us": "0.000001",
            "ms": "0.001",
            "s": "1",
            "min": "60",
            "h": "3600",
            "d": "86400",
            "week": "604800",
        },
    ),
    ({"kg": 1}, {"mg": "0.000001", "g": "0.001", "kg": "1", "t": "1000"}),
    ({"m": 1}, {"mm": "0.001", "cm": "0.01", "m": "1", "km": "1000"}),
    ({"m": 2}, {"m2": "1"}),
    ({"m": 3}, {"m3": "1", "l": "0.001", "ml": "0.000001"}),
    ({"s": 2}, {"s2": "1"}),
    (
        {"kg": 1, "m": 2, "s": -3},
        {"mW": "0.001", "W": "1", "kW": "1e3", "MW": "1e6", "GW": "1e9"},
    ),
    (
        {"kg": 1, "m": 2, "s": -2},
        {"J": "1", "kJ": "1e3", "MJ": "1e6", "Wh": "3600", "kWh": "3.6e6", "MWh": "3.6e9"},
    ),
    ({"kg": 1, "m": 2, "s": -3, "A": -1}, {"mV": "0.001", "V": "1", "kV": "1e3"}),
    ({"A": 1}, {"mA": "0.001", "A": "1", "kA": "1e3"}),
    ({"A": 1, "s": 1}, {"mAh": "3.6", "Ah": "3600"}),
    ({"s": -1}, {"Hz": "1", "kHz": "1e3", "MHz": "1e6", "GHz": "1e9"}),
    ({"kg": 1, "m": 1, "s": -2}, {"N": "1", "kN": "1e3"}),
    (
        {"kg": 1, "m": -1, "s": -2},
        {"Pa": "1", "hPa": "100", "kPa": "1e3", "mbar": "100", "bar": "1e5"},
    ),
    ({"K": 1}, {"K": "1"}),
    ({"%": 1}, {"%": "1"}),
    ({"°C": 1}, {"°C": "1"}),
    ({"deg": 1}, {"deg": "1"}),
    (
        {"B": 1},
        {
            "bit": "0.125",
            "B": "1",
            "kB": "1e3",
            "MB": "1e6",
            "GB": "1e9",
            "TB": "1e12",
            "KiB": "1024",
            "MiB": "1048576",
            "GiB": "1073741824",
            "TiB": "1099511627776",
        },
    ),
]


def test_every_unit_is_as_large_as_it_is_defined() -> None:
    defined = {
        text: (tuple(sorted(powers.items())), Fraction(factor))
        for powers, units in DEFINED
        for text, factor in units.items()
    }
    assert {text: (u.dimension, u.factor) for text, u in BUILT_IN.items()} == defined
