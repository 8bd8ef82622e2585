"""JSON with exact numbers."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govlang.cli.formats.exact_json import json_text, read_json


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("0.10"), "0.1"),
        (Decimal("1E+5"), "100000"),
        (Decimal("120.00"), "120"),
        (Decimal("0.1234567890123456789012345678901234"), "0.1234567890123456789012345678901234"),
        (Decimal("-7e-3"), "-0.007"),
        ({"a": [Decimal("1.5"), True, None, "ä"]}, '{"a": [1.5, true, null, "ä"]}'),
    ],
)
def test_decimals_are_written_with_their_own_digits(value: object, text: str) -> None:
    assert json_text(value) == text


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_what_is_written_reads_back(value: Decimal) -> None:
    text = json_text(value)
    json.loads(text)
    assert read_json(text, "it") == value
