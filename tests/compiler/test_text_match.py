"""Which texts a pattern matches."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govlang.compiler.ir import Pattern, PatternKind
from govlang.compiler.text_match import matches


@pytest.mark.parametrize(
    ("glob", "separator", "text", "expected"),
    [
        ("infra.*", ".", "infra.delete", True),
        ("infra.*", ".", "infra.", True),
        ("infra.*", ".", "infra.vm.delete", False),
        ("infra.**", ".", "infra.vm.delete", True),
        ("**/x", "/", "a/b/x", True),
        ("**/x", "/", "x", False),
        ("a*b*c", ".", "abbbc", True),
        ("a.b", ".", "axb", False),
        ("*", ".", "", True),
        ("[a]", ".", "[a]", True),
        ("[a]", ".", "a", False),
        ("*", ".", "line\nbreak", True),
    ],
)
def test_globs(glob: str, separator: str, text: str, *, expected: bool) -> None:
    assert matches(Pattern(PatternKind.GLOB, glob), text, separator) is expected


def test_under_is_a_prefix() -> None:
    pattern = Pattern(PatternKind.UNDER, "src/")
    assert matches(pattern, "src/a", "/")
    assert not matches(pattern, "srcs/a", "/")


@given(
    st.lists(st.sampled_from(["*", "**", "a", "b", "."]), max_size=8).map("".join),
    st.text(st.sampled_from("ab.*"), max_size=10),
)
def test_globs_match_what_their_regular_expression_does(glob: str, text: str) -> None:
    inner = {"**": ".*", "*": r"[^.]*"}
    parts = re.split(r"(\*\*|\*)", glob)
    regex = "".join(inner.get(part, re.escape(part)) for part in parts)
    found = matches(Pattern(PatternKind.GLOB, glob), text, ".")
    assert found is (re.fullmatch(regex, text, re.DOTALL) is not None)


def test_a_text_that_nearly_matches_many_stars_is_refused_at_once() -> None:
    glob = "*a*b" * 20 + "*c"
    assert not matches(Pattern(PatternKind.GLOB, glob), "ab" * 128, ".")
