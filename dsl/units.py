"""Units: what they measure and by which exact factor they convert.

In: a unit as it is written (`kg`, `%`, `km/h`). Out: a `Unit`, its dimension as powers of base
units and its size in them as a fraction; floats occur nowhere. Two quantities compare and add
when their dimensions are equal; `1 min` is `60 s`.

The base units are those of the SI, `%`, `°C`, `deg` and `B`, and every *counting unit*: a name
that is not in `BUILT_IN` and that a field, output, parameter or argument was declared with
(`number in 0..1_000_000 tokens`). A counting unit has a dimension of its own, so tokens never mix
with calls; used without being declared it is an unknown unit. A degree Celsius is no kelvin,
since no factor converts one into the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from govlang.dsl.diagnostics import nearest
from govlang.dsl.record import record

Dimension = tuple[tuple[str, int], ...]
"""Base units with their exponents, none 0, in the order of their names."""

NO_DIMENSION: Dimension = ()


@record
class Unit:
    """One of this unit is `factor` of the base units of its dimension."""

    text: str
    dimension: Dimension
    factor: Fraction

    def per(self, other: Unit) -> Unit:
        """The quotient, `m/s`."""
        dimension = over(self.dimension, other.dimension)
        return Unit(f"{self.text}/{other.text}", dimension, self.factor / other.factor)


ONE = Unit("", NO_DIMENSION, Fraction(1))
"""What a number without a unit is measured in."""


def times(left: Dimension, right: Dimension) -> Dimension:
    """The dimension of a product."""
    powers = dict(left)
    for base, exponent in right:
        powers[base] = powers.get(base, 0) + exponent
    return tuple(sorted((b, e) for b, e in powers.items() if e))


def over(left: Dimension, right: Dimension) -> Dimension:
    """The dimension of a quotient."""
    return times(left, tuple((base, -exponent) for base, exponent in right))


def _unit(text: str, factor: str | int, **powers: int) -> Unit:
    return Unit(text, tuple(sorted(powers.items())), Fraction(factor))


def _own(text: str) -> Unit:
    return Unit(text, ((text, 1),), Fraction(1))


_ENERGY = {"kg": 1, "m": 2, "s": -2}
_POWER = {"kg": 1, "m": 2, "s": -3}
_VOLTAGE = {"kg": 1, "m": 2, "s": -3, "A": -1}
_PRESSURE = {"kg": 1, "m": -1, "s": -2}

BUILT_IN: dict[str, Unit] = {
    u.text: u
    for u in (
        *(_unit(t, f, s=1) for t, f in (
            ("us", "1/1000000"), ("ms", "1/1000"), ("s", 1), ("min", 60), ("h", 3600),
            ("d", 86400), ("week", 604800),
        )),
        *(_unit(t, f, kg=1) for t, f in (("mg", "1/1000000"), ("g", "1/1000"), ("kg", 1), ("t", 1000))),
        *(_unit(t, f, m=1) for t, f in (("mm", "1/1000"), ("cm", "1/100"), ("m", 1), ("km", 1000))),
        _unit("m2", 1, m=2), _unit("m3", 1, m=3), _unit("s2", 1, s=2),
        _unit("l", "1/1000", m=3), _unit("ml", "1/1000000", m=3),
        *(_unit(t, f, **_POWER) for t, f in (("mW", "1/1000"), ("W", 1), ("kW", 10**3), ("MW", 10**6), ("GW", 10**9))),
        *(_unit(t, f, **_ENERGY) for t, f in (
            ("J", 1), ("kJ", 10**3), ("MJ", 10**6), ("Wh", 3600), ("kWh", 3600 * 10**3), ("MWh", 3600 * 10**6),
        )),
        *(_unit(t, f, **_VOLTAGE) for t, f in (("mV", "1/1000"), ("V", 1), ("kV", 1000))),
        *(_unit(t, f, A=1) for t, f in (("mA", "1/1000"), ("A", 1), ("kA", 1000))),
        _unit("mAh", "18/5", A=1, s=1), _unit("Ah", 3600, A=1, s=1),
        *(_unit(t, f, s=-1) for t, f in (("Hz", 1), ("kHz", 10**3), ("MHz", 10**6), ("GHz", 10**9))),
        _unit("N", 1, kg=1, m=1, s=-2), _unit("kN", 1000, kg=1, m=1, s=-2),
        *(_unit(t, f, **_PRESSURE) for t, f in (("Pa", 1), ("hPa", 100), ("kPa", 1000), ("mbar", 100), ("bar", 10**5))),
        _unit("K", 1, K=1),
        *(_own(t) for t in ("%", "°C", "deg")),
        *(_unit(t, f, B=1) for t, f in (
            ("bit", "1/8"), ("B", 1), ("kB", 10**3), ("MB", 10**6), ("GB", 10**9), ("TB", 10**12),
            ("KiB", 2**10), ("MiB", 2**20), ("GiB", 2**30), ("TiB", 2**40),
        )),
    )
}  # fmt: skip
"""Every unit that needs no declaration; quotients of two of them (`km/h`) need none either."""

MILLISECOND = BUILT_IN["ms"]

_SPELT = {
    "ms": ("msec", "msecs", "millisecond", "milliseconds", "millis"),
    "s": ("sec", "secs", "second", "seconds"),
    "min": ("m", "mins", "minute", "minutes"),
    "h": ("hr", "hrs", "hour", "hours"),
    "d": ("day", "days"),
    "week": ("w", "weeks"),
}
DURATIONS = {word: unit for unit, words in _SPELT.items() for word in words}
"""Units of time as people spell them elsewhere, and ours; `m` is one where only a time can stand."""


class Units:
    """The units of one policy: those built in and the counting units that it declared."""

    def __init__(self, declared: Iterable[str] = ()) -> None:
        self._counting: dict[str, Unit] = {}
        for text in declared:
            self.declare(text)

    def declare(self, text: str) -> Unit:
        """The unit of a field's range; its unknown parts become counting units."""
        for part in text.split("/"):
            if part not in BUILT_IN:
                self._counting[part] = _own(part)
        found = self.find(text)
        assert found is not None
        return found

    def find(self, text: str | None) -> Unit | None:
        """The unit written so, `ONE` for None, or None when a part of it is unknown."""
        if text is None:
            return ONE
        parts = [self._simple(part) for part in text.split("/")]
        unit = parts[0]
        for part in parts[1:]:
            unit = None if unit is None or part is None else unit.per(part)
        return unit

    def of_range(self, text: str) -> Unit:
        """The unit of a field's range, which has been declared; `ONE` for an empty text."""
        found = self.find(text or None)
        assert found is not None, "units of declared ranges are known"
        return found

    def _simple(self, text: str) -> Unit | None:
        return BUILT_IN.get(text) or self._counting.get(text)

    def suggestion(self, text: str) -> str | None:
        """The help line for an unknown unit: its unknown parts as they were meant."""
        if "/" not in text:
            meant = self._meant(text)
            return f"did you mean `{meant}`?" if meant is not None else None
        parts = [self._meant(part) for part in text.split("/")]
        return None if None in parts else f"did you mean `{'/'.join(filter(None, parts))}`?"

    def _meant(self, part: str) -> str | None:
        if self._simple(part) is not None:
            return part
        if part in DURATIONS:
            return DURATIONS[part]
        return nearest(part, {*BUILT_IN, *self._counting})


def convert(value: Fraction | int, unit: Unit, into: Unit) -> Fraction:
    """The same quantity counted in another unit of its dimension."""
    assert unit.dimension == into.dimension, f"`{unit.text}` is no `{into.text}`"
    return value * unit.factor / into.factor


def plain_duration(ms: int) -> tuple[int, str]:
    """A duration as people write it: counted in the largest unit of time in which it is whole."""
    for unit in ("d", "h", "min", "s"):
        factor = int(BUILT_IN[unit].factor / MILLISECOND.factor)
        if ms and ms % factor == 0:
            return ms // factor, unit
    return (ms, "ms") if ms else (0, "s")


def duration_text(ms: int) -> str:
    """`10 d`, `23 h`, `90 s`: a duration in a message."""
    return "{} {}".format(*plain_duration(ms))
