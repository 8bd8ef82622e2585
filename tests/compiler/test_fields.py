"""Declared types: ranges in steps, units, and what makes no sense."""

from __future__ import annotations

import re

import pytest
from front import check, errors

from govlang.compiler import ir


def declared(type_: str) -> ir.Field:
    return check(f"input {{ x : {type_} }}").policy.fields[0]


SHAPES = [
    ("number in 0..100 % step 0.1", ir.Field("x", ir.Kind.NUMBER, 0, 1000, 1, 10, "%")),
    ("number in -5..5", ir.Field("x", ir.Kind.NUMBER, -5, 5)),
    ("number in 0..2 t step 50 kg", ir.Field("x", ir.Kind.NUMBER, 0, 40, 1, 20, "t")),
    ("number in 0..1_000_000 tokens", ir.Field("x", ir.Kind.NUMBER, 0, 1_000_000, unit="tokens")),
    ("number in 1.5..4.5 step 1.5", ir.Field("x", ir.Kind.NUMBER, 1, 3, 3, 2)),
    (
        "number in 0..1 step 0.5 rounded down private",
        ir.Field("x", ir.Kind.NUMBER, 0, 2, 1, 2, rounding=ir.Rounding.DOWN, private=True),
    ),
    (
        'one of a, "b c" optional',
        ir.Field("x", ir.Kind.ENUM, 0, 1, members=("a", "b c"), optional=True),
    ),
    ("set of a, b, c", ir.Field("x", ir.Kind.SET, 0, 7, members=("a", "b", "c"))),
    ("bool from runtime", ir.Field("x", ir.Kind.BOOL, 0, 1, origin=ir.Origin.RUNTIME)),
    ("text", ir.Field("x", ir.Kind.TEXT, max_bytes=256)),
    ("path max 20", ir.Field("x", ir.Kind.PATH, max_bytes=20)),
    ("key", ir.Field("x", ir.Kind.KEY, max_bytes=256)),
    ("time", ir.Field("x", ir.Kind.TIME, 0, 253_402_300_799_999, unit="ms")),
    ("duration", ir.Field("x", ir.Kind.DURATION, 0, 253_402_300_799_999, unit="ms")),
]


@pytest.mark.parametrize(("type_", "wanted"), SHAPES, ids=[t for t, _ in SHAPES])
def test_a_type_is_a_column(type_: str, wanted: ir.Field) -> None:
    assert declared(type_) == wanted


FAULTS = [
    ("number in 0..1 step 0.3", "GOV207", "1", "no multiple of the step 0.3"),
    ("number in 0.05..1 step 0.1", "GOV207", "0.05", "no multiple"),
    ("number in 0..1.25", "GOV207", "1.25", "is not whole, and the range has no step"),
    ("number in 5..1", "GOV207", "number in 5..1", "is empty"),
    ("number in 0..1 step 0", "GOV207", "0", "more than 0"),
    ("number in 0..10 h step 1 min", "GOV207", "1 min", "no finite decimal in `h`"),
    ("number in 0..10 kg step 1 m", "GOV205", "1 m", "a length (`m`), not a mass (`kg`)"),
    (
        "number in 0..9_999_999_999 step 0.0000000001",
        "GOV210",
        "number in 0..9_999_999_999 step 0.0000000001",
        "64 bits",
    ),
    ("number in 0..1 step 0.0000000000000000001", "GOV207", "0.0000000000000000001", "18 digits"),
    ("text max 0", "GOV207", "text max 0", "1 to 65535 bytes"),
    ("text max 70000", "GOV207", "text max 70000", "1 to 65535 bytes"),
    ("text max 1.5", "GOV207", "text max 1.5", "1 to 65535 bytes"),
    ("one of a, b, a", "GOV235", "a", "a member twice"),
    (
        "set of " + ", ".join(f"m{i}" for i in range(65)),
        "GOV235",
        "m64",
        "at most 64 members, not 65",
    ),
]


@pytest.mark.parametrize(
    ("type_", "code", "caret", "message"), FAULTS, ids=[f[0][:40] for f in FAULTS]
)
def test_a_type_that_makes_no_sense_is_refused(
    type_: str, code: str, caret: str, message: str
) -> None:
    found = errors(f"input {{ x : {type_} }}")
    assert [one.code for one in found] == [code]
    assert found[0].span is not None
    assert found[0].span.text == caret
    assert message in found[0].message
    assert found[0].help


@pytest.mark.parametrize(
    ("type_", "help_"),
    [
        ("number in 0..1.25", "write `step 0.01`"),
        ("number in 0.5..1", "write `step 0.1`"),
        ("text max 70000", "write `max 65535`"),
        ("text max 0", "write `max 256`"),
    ],
)
def test_the_way_out_is_what_can_be_written(type_: str, help_: str) -> None:
    (error,) = errors(f"input {{ x : {type_} }}")
    assert error.help == help_
    word, value = help_.removeprefix("write `").removesuffix("`").split()
    kept = re.sub(r" max \d+", "", type_)
    assert declared(f"{kept} {word} {value}")


def test_a_field_without_a_value_is_no_field() -> None:
    with pytest.raises(ValueError, match="range of `x` is empty"):
        ir.Field("x", ir.Kind.NUMBER, 3, 2)
    assert ir.Field("x", ir.Kind.NUMBER, 3, 3).lo == 3
