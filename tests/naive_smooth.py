"""Means and deviations of all samples of a signal, in fixed point with 16 fraction bits, floored."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

from naive_reading import Num, shape

from govlang.dsl import ast


def _fixed(values: list[Any], type_: ast.Type) -> list[int]:
    step = shape(type_)[2]
    return [int(Fraction(value) / step) * 2**16 for value in values]


def smoothed_mean(values: list[Any], type_: ast.Type, alpha: Fraction) -> Num:
    """The weighted mean of all samples."""
    _, _, step, unit = shape(type_)
    first, *rest = _fixed(values, type_)
    mean = first
    for value in rest:
        mean += floor((value - mean) * alpha)
    return Num(Fraction(mean, 2**16) * step * unit, step * unit / 2**16)


def last_deviates(values: list[Any], type_: ast.Type, expr: ast.Deviates) -> bool:
    """Whether the last sample lay far from those before it."""
    if not values:
        return False
    step = shape(type_)[2]
    alpha, by = Fraction(expr.alpha.value), Fraction(expr.by.value)
    least = Fraction(expr.floor.value) / step if expr.floor is not None else Fraction(0)
    bound = floor(least * 2**16)
    first, *rest = _fixed(values, type_)
    mean, dev, verdict = first, 0, False
    for number, value in enumerate(rest, 1):
        away = abs(value - mean)
        enough = expr.after is None or number >= int(expr.after.value)
        verdict = enough and away > by * max(dev, bound)
        dev += floor((away - dev) * alpha)
        mean += floor((value - mean) * alpha)
    return verdict
