from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from govlang.client import Denied, Range
from govlang.client.duties import check_duties, read_duties, within

UNKNOWN = [
    [{"shred": "it"}],
    [{}],
    [{"limit": "x", "upto": 3}],
    [{"limit": "x", "to": "3"}],
    [{"limit": "x", "to": True}],
    [{"limit": "x", "to": 1}, {"limit": "x", "to": 2}],
    [{"limit": 3, "to": 1}],
    [{"do": 3}],
]


@pytest.mark.parametrize("obligations", UNKNOWN)
def test_an_obligation_that_is_not_known_denies(obligations: Any) -> None:
    with pytest.raises(Denied) as refused:
        read_duties(obligations)
    assert refused.value.code == "obligation_not_kept"


def test_what_asks_nothing_is_left_out() -> None:
    duties = read_duties([{"remedy": "wait"}, {"require": ["sre"]}, {"retry_ms": 5}])
    assert (duties.limits, duties.actions) == ({}, ())


def test_a_limit_and_an_action_must_be_kept_to() -> None:
    duties = read_duties([{"limit": "x", "to": 1}, {"do": "a"}])
    check_duties(duties, {"x"}, {"a"})
    for kept, actions in (((), {"a"}), ({"x"}, ())):
        with pytest.raises(Denied):
            check_duties(duties, kept, actions)


HELD = [
    (5, Range(1, 9), 5),
    (0, Range(1, 9), 1),
    (10, Range(None, 9), 9),
    (10, Range(1, None), 10),
    (3, Range(None, 2.5), 2),
    (-3, Range(Decimal("-2.5"), None), -2),
    (3.0, Range(None, Decimal("0.1")), 0.1),
    (0.1, Range(None, Decimal("0.1")), 0.1),
    (Decimal(3), Range(None, 0.1), Decimal("0.1")),
    (Decimal(3), Range(None, 2), Decimal(2)),
    (2**60 + 1, Range(None, 2**60), 2**60),
]


@pytest.mark.parametrize(("value", "to", "held"), HELD)
def test_a_value_is_brought_into_its_limit_and_keeps_its_type(value, to: Range, held) -> None:
    found = within(value, to)
    assert (found, type(found)) == (held, type(value))


@pytest.mark.parametrize(
    ("value", "to"),
    [
        (3, Range(2.2, 2.8)),
        (1, Range(2.2, 2.8)),
        (1, Range(3, 2)),
        (True, Range(None, 0)),
        ("3", Range(None, 1)),
        (None, Range(None, 1)),
        (float("nan"), Range(None, 1)),
        (float("inf"), Range(None, 1)),
        (Decimal("NaN"), Range(None, 1)),
    ],
)
def test_a_limit_that_leaves_nothing_denies(value: Any, to: Range) -> None:
    with pytest.raises(Denied):
        within(value, to)
