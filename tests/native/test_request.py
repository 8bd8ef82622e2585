"""Reading a request: what counts as a value, and what is said of what does not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from govlang.compiler.ir import Field, Kind, Origin, Rounding
from govlang.native.request import InvalidFieldError, read_request, read_value

TENTHS = Field("x", Kind.NUMBER, 0, 1000, 1, 10, "kg")
ENUM = Field("zone", Kind.ENUM, 0, 1, members=("urban", "rural"))
SET = Field("labels", Kind.SET, 0, 3, members=("write", "pii"))
PATH = Field("path", Kind.PATH, max_bytes=20)
FLAG = Field("ok", Kind.BOOL, 0, 1, origin=Origin.RUNTIME)


@pytest.mark.parametrize(
    ("field", "raw", "steps"),
    [
        (TENTHS, 3, 30),
        (TENTHS, 0.1, 1),
        (TENTHS, 0.3, 3),
        (TENTHS, Decimal("0.30"), 3),
        (TENTHS, -0.0, 0),
        (TENTHS, 100.0, 1000),
        (TENTHS, np.int64(3), 30),
        (TENTHS, np.uint8(3), 30),
        (TENTHS, np.float64(0.1), 1),
        (Field("t", Kind.TIME, 0, 9), np.int16(7), 7),
        (ENUM, "rural", 1),
        (SET, ["pii"], 2),
        (SET, [], 0),
        (PATH, "src/a b.py", "src/a b.py"),
        (FLAG, True, 1),
    ],
)
def test_values_are_read(field: Field, raw: Any, steps: int | str) -> None:
    assert read_value(field, raw) == steps


@pytest.mark.parametrize(
    ("field", "raw", "why"),
    [
        (TENTHS, 0.1 + 0.2, "must be a multiple of 0.1"),
        (TENTHS, Decimal("0.05"), "must be a multiple of 0.1"),
        (TENTHS, 100.1, "must be in 0..100 kg"),
        (TENTHS, -1, "must be in 0..100 kg"),
        (TENTHS, float("nan"), "must be a finite number"),
        (TENTHS, float("inf"), "must be a finite number"),
        (TENTHS, Decimal("1e30"), "must be in 0..100 kg"),
        (TENTHS, Decimal("1e400"), "must be a number of at most 400 digits, not one of more"),
        (TENTHS, Decimal("7" * 5000), "must be a number of at most 400 digits, not one of more"),
        (Field("t", Kind.TIME, 0, 9), Decimal("1e401"), "at most 400 digits, not one of more"),
        (TENTHS, object(), "must be a number, not an object"),
        (PATH, b"a", "must be a text, not bytes"),
        (TENTHS, Decimal("1e-999999"), "must be a number of at most 400 digits"),
        (TENTHS, Decimal("NaN"), "must be a finite number"),
        (TENTHS, 10**400, "a number of more than 25 digits"),
        (TENTHS, True, "must be a number, not true"),
        (TENTHS, np.bool_(True), "must be a number, not a bool"),
        (TENTHS, np.float32(3), "must be a number, not a float32"),
        (TENTHS, np.array([3, 4]), "must be a number, not a ndarray"),
        (TENTHS, np.uint64(2**64 - 1), "must be in 0..100 kg"),
        (ENUM, np.int64(1), "must be one of urban, rural, not an int64"),
        (Field("t", Kind.TIME, 0, 9), np.float32(3), "milliseconds, not a float32"),
        (TENTHS, "3", "must be a number, not the text `3`"),
        (TENTHS, None, "must be a number, not null"),
        (ENUM, "sea", "must be one of urban, rural"),
        (ENUM, 1, "must be one of urban, rural"),
        (SET, "pii", "must be a list of members"),
        (SET, ["pii", "pii"], "names `pii` twice"),
        (SET, ["x"], "must be one of write, pii"),
        (Field("t", Kind.TIME, 0, 9), 1.5, "must be a whole number of milliseconds"),
        (FLAG, 1, "must be true or false"),
        (PATH, "../etc", "has the segment `..`"),
        (PATH, "/etc", "begins with `/`, which a path must not"),
        (PATH, "etc/", "ends with `/`, which a path must not"),
        (PATH, "a//b", "has an empty segment (`//`)"),
        (PATH, "", "is empty, which a path must not be"),
        (PATH, "a\\b", "must not hold a backslash"),
        (PATH, "a\0", "must not hold a backslash or NUL"),
        (PATH, "\ud800", "is not valid UTF-8"),
        (PATH, "ä" * 11, "is 22 bytes long, must be at most 20"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(field: Field, raw: Any, why: str) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        read_value(field, raw)
    assert why in caught.value.why
    assert caught.value.field == field.name


@pytest.mark.parametrize(
    ("request_", "runtime", "field", "why"),
    [
        ({}, {"ok": True}, "x", "is missing"),
        ({"x": 1, "ok": True}, {"ok": True}, "ok", "must not carry it"),
        ({"x": 1, "y": 2}, {"ok": True}, "y", "is not a field"),
        ({"x": 1}, {}, "ok", "is missing"),
        ({"x": 1}, {"ok": True, "x": 1}, "x", "is not a runtime field"),
        ({1: "urban"}, {"ok": True}, "1", "must be a text to name a field, not 1"),
        ({"x": 1}, {None: True}, "None", "must be a text to name a field, not null"),
    ],
)
def test_names_are_checked(
    request_: dict[str, Any], runtime: dict[str, Any], field: str, why: str
) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        read_request((TENTHS, FLAG), request_, runtime)
    assert (caught.value.field, why in caught.value.why) == (field, True)


@pytest.mark.parametrize(
    ("rounding", "raw", "steps"),
    [
        (Rounding.UP, 0.11, 2),
        (Rounding.UP, 0.1, 1),
        (Rounding.DOWN, Decimal("0.19"), 1),
        (Rounding.DOWN, Decimal("-0.01"), -1),
        (Rounding.NEAREST, Decimal("0.15"), 2),
        (Rounding.NEAREST, Decimal("0.149"), 1),
    ],
)
def test_a_field_that_rounds_says_which_way(rounding: Rounding, raw: Any, steps: int) -> None:
    field = Field("x", Kind.NUMBER, -10, 1000, 1, 10, rounding=rounding)
    assert read_value(field, raw) == steps


@given(st.integers(0, 1000))
def test_the_double_nearest_to_a_step_is_that_step(steps: int) -> None:
    assert read_value(TENTHS, steps / 10) == steps
    assert read_value(TENTHS, Decimal(steps) / 10) == steps


@pytest.mark.parametrize("zero", ["0e99999999", "-0e-99999999", "0.000"])
def test_zero_is_zero_with_any_exponent(zero: str) -> None:
    for field in (TENTHS, Field("t", Kind.TIME, 0, 9)):
        assert read_value(field, Decimal(zero)) == 0
