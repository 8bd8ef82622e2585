"""Which texts a pattern matches."""

from __future__ import annotations

import pytest

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
