from __future__ import annotations

import pytest

from govlang.dsl.diagnostics import GovError
from govlang.dsl.limits import MAX_BYTES, check, decode
from govlang.dsl.source import Source


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"rule \xff", "GOV101"),
        (b"\xc3", "GOV101"),
        (b"\xed\xa0\x80", "GOV101"),
        (b"\xff\xfe" + "rule".encode("utf-16-le"), "GOV101"),
        (b"x" * (MAX_BYTES + 1), "GOV103"),
    ],
)
def test_bytes_that_are_no_text_are_refused(data: bytes, code: str) -> None:
    with pytest.raises(GovError) as caught:
        decode("p.gov", data)
    assert caught.value.diagnostics[0].code == code


def test_the_line_of_the_first_bad_byte_is_named() -> None:
    with pytest.raises(GovError, match="byte 0xe9 on line 3"):
        decode("p.gov", b"a\nb\nc \xe9")


def test_a_byte_order_mark_is_left_out() -> None:
    assert decode("p.gov", b"\xef\xbb\xbfrule").text == "rule"


def test_the_escape_that_helps_is_that_of_the_character() -> None:
    with pytest.raises(GovError) as caught:
        check(Source("p.gov", "rule \0"))
    assert (
        caught.value.diagnostics[0].help == r"remove it; inside a string write the escape `\u{0}`"
    )


def test_a_source_at_the_limit_is_read() -> None:
    check(Source("p.gov", "x" * MAX_BYTES))
