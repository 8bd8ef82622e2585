from __future__ import annotations

import pytest

from govlang.compiler import ir
from govlang.compiler.automata import Dfa, TextPattern, build_dfa
from govlang.verifier import split
from govlang.verifier.split import _never

Ways = list[tuple[bool, bool]]


def dfa(kind: ir.PatternKind, text: str) -> Dfa:
    return build_dfa((TextPattern(ir.Pattern(kind, text), ord("/")),))


A, AB = dfa(ir.PatternKind.GLOB, "a**"), dfa(ir.PatternKind.GLOB, "ab**")
B, END = dfa(ir.PatternKind.GLOB, "b**"), dfa(ir.PatternKind.GLOB, "**z")


@pytest.mark.parametrize(
    ("one", "other", "ways"),
    [
        (A, END, []),
        (A, B, [(True, True)]),
        (AB, A, [(True, False)]),
        (A, AB, [(False, True)]),
        (A, A, [(True, False), (False, True)]),
    ],
    ids=["free", "apart", "inside", "around", "same"],
)
def test_the_ways_that_no_text_has_are_found(one: Dfa, other: Dfa, ways: Ways) -> None:
    assert _never(one, other)[0] == ways


def test_nothing_is_said_where_the_walk_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = _never(A, B)[1]
    assert seen > 1
    monkeypatch.setattr(split, "PAIR_STATES_MAX", seen - 1)
    assert _never(A, B)[0] == []
    monkeypatch.setattr(split, "PAIR_STATES_MAX", seen)
    assert _never(A, B)[0] == [(True, True)]
