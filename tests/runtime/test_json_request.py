from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from govlang.runtime.json_request import (
    INTEGER_DIGITS_MAX,
    DuplicateKeyError,
    JsonError,
    read_json,
)

PIECES = (
    *'{}[]:, "\\',
    *(
        "1",
        "-0",
        "0.10",
        "1e5",
        "1E999999999999999999",
        "-",
        "01",
        "NaN",
        "-Infinity",
        "true",
        "nul",
    ),
    *('"a"', '"a":', '"b":1', "\ufeff", "\n", "\\ud800", "é", "9" * 40),
)
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def read(text: str) -> Any:
    """What the text holds with the types of its numbers, or how it is refused."""
    try:
        return repr(read_json(text))
    except DuplicateKeyError as error:
        return str(error)
    except JsonError:
        return JsonError


@given(texts)
@example('{"a": 1, "b": 2, "b": 3, "a": 4}')
@example('{"a": 0.10, "b": [1E999999999999999999, -0, 1.50]}')
@example(" [1] ")
@example("[1] 2")
def test_a_short_text_is_read_as_a_long_one(text: str) -> None:
    assert read(text) == read(text + " " * INTEGER_DIGITS_MAX)


@pytest.mark.parametrize("digits", [INTEGER_DIGITS_MAX - 1, INTEGER_DIGITS_MAX, 5000])
def test_a_long_integer_is_read_to_its_last_digit(digits: int) -> None:
    found = read_json("7" * digits)
    assert found % 10 == 7 if digits <= INTEGER_DIGITS_MAX else str(found) == "7" * digits
