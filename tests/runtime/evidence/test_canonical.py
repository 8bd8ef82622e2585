from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from govlang.runtime.evidence import canonical as module
from govlang.runtime.evidence.canonical import INTEGER_MAX, canonical

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=8)  # surrogates among them
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([INTEGER_MAX, INTEGER_MAX + 1, -INTEGER_MAX, -INTEGER_MAX - 1])
    | st.floats()
    | ANY_TEXT
)
KEYS = ANY_TEXT | st.sampled_from(["\ue000", "\U00010000", "\U0001f600", "\uffff", "é", "z"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.dictionaries(st.integers() | st.none() | KEYS, inner, max_size=2)
    ),
    max_leaves=12,
)


def both(value: Any) -> tuple[bytes | None, bytes | None]:
    """What each makes of a value; None: it refuses."""
    made: list[bytes | None] = []
    for write in (canonical, rfc8785.dumps):
        try:
            made.append(write(value))
        except ValueError:
            made.append(None)
    return made[0], made[1]


@settings(max_examples=1_000)
@given(VALUES)
def test_the_bytes_are_those_of_the_reference(value: Any) -> None:
    ours, reference = both(value)
    assert ours == reference


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


@pytest.mark.parametrize(
    "value",
    [
        {"\ue000": 1, "\U00010000": 2},
        {"\U00010000": {"b": 1, "a": "\ue000"}},
        {1: 2},
        {None: 2},
        {True: 1},
        {"a": {2: 1}},
        [1.0, 1e21, 1e-7, -0.0, 0.1],
        [float("nan")],
        {"a": float("inf")},
        2**53,
        [2**53 - 1, 1 - 2**53],
        "\ud800",
        {"\udfff": 1},
        '\x00\x1f\x7f"\\/\b\f\n\r\t\u2028',
        {"a": Colour.RED, "b": Level.LOW},
        {Colour.RED: 1},
        (1, [2, ()]),
        {"a": {1, 2}},
        b"x",
        "",
        {},
        [],
    ],
)
def test_what_the_two_encoders_could_take_differently(value: Any) -> None:
    ours, reference = both(value)
    assert ours == reference


def test_a_record_is_written_by_the_fast_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.rfc8785, "dumps", lambda _: pytest.fail("the slow one was asked"))
    record = {"seq": 1, "labels": {"é": "ü"}, "delegation": ["a"], "rule_id": None, "ok": True}
    assert canonical(record).startswith(b'{"delegation":["a"],"labels"')
