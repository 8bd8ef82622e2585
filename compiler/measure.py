"""Units of results, and exact numbers as a person writes them.

In: units and rationals in base units.  Out: the unit in which a product or a quotient is shown, and
text for messages.  The units themselves are in `govlang.dsl.units`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from govlang.dsl.units import BUILT_IN, ONE, Dimension, Unit, over, times


def shown(value: Fraction, unit: Unit) -> str:
    """A value in base units as a person writes it in `unit`."""
    number = decimal_text(value / unit.factor)
    return f"{number} {unit.text}" if unit.text else number


def decimal_text(value: Fraction) -> str:
    """A rational written out: a decimal where it has one, else a fraction."""
    places = _places(value.denominator)
    if places is None:
        return str(value)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def _places(denominator: int) -> int | None:
    """The decimal places that a fraction of this denominator takes; None if it has no end."""
    twos = (denominator & -denominator).bit_length() - 1
    rest, fives = denominator >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return max(twos, fives) if rest == 1 else None


def is_decimal(value: Fraction) -> bool:
    """Whether a rational has a finite decimal."""
    return _places(value.denominator) is not None


def product(left: Unit, right: Unit) -> Unit:
    """The unit of `left * right`."""
    if not right.text or not left.text:
        return left if left.text else right
    dimension = times(left.dimension, right.dimension)
    return _simplest(Unit(f"{left.text}*{right.text}", dimension, left.factor * right.factor))


def quotient(left: Unit, right: Unit) -> Unit:
    """The unit of `left / right`."""
    if not right.text:
        return left
    dimension = over(left.dimension, right.dimension)
    return _simplest(Unit(f"{left.text or 1}/{right.text}", dimension, left.factor / right.factor))


def _simplest(unit: Unit) -> Unit:
    """A unit that can be written, where there is one of the dimension."""
    if not unit.dimension:
        return ONE
    same = [one for one in BUILT_IN.values() if one.dimension == unit.dimension]
    exact = [one for one in same if one.factor == unit.factor]
    return next(iter((*exact, *same)), unit)


def named(unit: Unit) -> str:
    """What a unit measures, for messages: `a mass (kg)`."""
    if not unit.text:
        return "a plain number"
    word = _QUANTITIES.get(unit.dimension)
    return f"{word} (`{unit.text}`)" if word else f"`{unit.text}`"


_QUANTITIES: Final[dict[Dimension, str]] = {
    BUILT_IN[unit].dimension: word
    for unit, word in (
        ("s", "a time"),
        ("kg", "a mass"),
        ("m", "a length"),
        ("m2", "an area"),
        ("m3", "a volume"),
        ("W", "a power"),
        ("J", "an energy"),
        ("V", "a voltage"),
        ("A", "a current"),
        ("Ah", "a charge"),
        ("Hz", "a frequency"),
        ("N", "a force"),
        ("Pa", "a pressure"),
        ("B", "an amount of data"),
        ("%", "a percentage"),
    )
} | {over(BUILT_IN["m"].dimension, BUILT_IN["s"].dimension): "a speed"}
