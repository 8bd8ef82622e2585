"""The automata of text patterns, held against `text_match.py`, which says what matching is."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from govlang.compiler import ir
from govlang.compiler.automata import STATES_MAX, TextPattern, TooManyStatesError, build_dfa
from govlang.compiler.text_classes import (
    PatternTooLargeError,
    TextClasses,
    build_columns,
    classify_fields,
)
from govlang.compiler.text_match import matches

LETTERS = "ab./é日*"
KINDS = st.sampled_from(list(ir.PatternKind))
PATTERNS = st.lists(
    st.builds(
        TextPattern,
        st.builds(ir.Pattern, KINDS, st.text(LETTERS, max_size=6)),
        st.sampled_from([ord("."), ord("/")]),
    ),
    min_size=1,
    max_size=6,
    unique=True,
)
TEXTS = st.lists(st.text(LETTERS, max_size=8), min_size=1, max_size=12)


def literal(text: str) -> TextPattern:
    return TextPattern(ir.Pattern(ir.PatternKind.LITERAL, text), ord("."))


def glob(text: str) -> TextPattern:
    return TextPattern(ir.Pattern(ir.PatternKind.GLOB, text), ord("."))


def text_field(name: str = "t", kind: ir.Kind = ir.Kind.TEXT, max_bytes: int = 256) -> ir.Field:
    return ir.Field(name, kind, max_bytes=max_bytes)


def classes_of(patterns: list[TextPattern], field: ir.Field | None = None) -> TextClasses:
    return TextClasses(field or text_field(), build_columns(patterns, "t"))


@given(PATTERNS, TEXTS)
@settings(deadline=None, max_examples=400)
def test_the_class_of_a_text_says_which_patterns_it_matches(
    patterns: list[TextPattern], texts: list[str]
) -> None:
    dfa = build_dfa(patterns)
    for text in texts:
        expected = [i for i, p in enumerate(patterns) if matches(p[0], text, chr(p[1]))]
        assert list(dfa.accepted[dfa.class_of(text.encode())]) == expected


@given(PATTERNS)
@settings(deadline=None, max_examples=100)
def test_no_two_states_can_be_merged(patterns: list[TextPattern]) -> None:
    dfa = build_dfa(patterns)
    states = range(len(dfa))
    bytes_ = dfa.byte_groups()[1]
    apart = {(a, b) for a in states for b in states if dfa.classes[a] != dfa.classes[b]}
    while True:
        more = {
            (a, b)
            for a in states
            for b in states
            if any((dfa.step(a, x), dfa.step(b, x)) in apart for x in bytes_)
        }
        if more <= apart:
            break
        apart |= more
    assert all((a, b) in apart for a in states for b in states if a != b)


@given(PATTERNS)
@settings(deadline=None, max_examples=60)
def test_bytes_of_one_group_go_the_same_way(patterns: list[TextPattern]) -> None:
    dfa = build_dfa(patterns)
    group_of, chosen = dfa.byte_groups()
    for state in range(len(dfa)):
        for byte in range(256):
            assert dfa.step(state, byte) == dfa.step(state, chosen[group_of[byte]])


def test_equal_patterns_in_any_order_give_one_automaton_up_to_labels() -> None:
    some = [literal("a.b"), glob("a.*"), glob("**b")]
    one, other = build_dfa(some), build_dfa(some[::-1])
    assert (one.default, one.edges, one.classes) == (other.default, other.edges, other.classes)


def test_ten_thousand_literals_are_split_and_each_is_found() -> None:
    texts = [f"agent-{i:05}" for i in range(10_000)]
    classes = classes_of([literal(t) for t in texts])
    assert 1 < len(classes.columns) <= 8
    assert all(len(c.dfa) <= STATES_MAX for c in classes.columns)
    for text in random.Random(1).sample(texts, 200):
        reached = classes.class_of(text.encode())
        ((column, accepted),) = classes.accepting(
            [ir.Pattern(ir.PatternKind.LITERAL, text)]
        ).items()
        assert accepted == {reached[column]}
        assert all(
            c.dfa.accepted[k] == ()
            for i, (c, k) in enumerate(zip(classes.columns, reached, strict=True))
            if i != column
        )


def test_globs_whose_product_explodes_are_split() -> None:
    patterns = [glob(f"**x{i}y**") for i in range(24)]
    with pytest.raises(TooManyStatesError):
        build_dfa(patterns)
    classes = classes_of(patterns)
    assert len(classes.columns) > 1
    for index, pattern in enumerate(patterns):
        found = classes.accepting([pattern.pattern])
        for text in (f"..x{index}y..", "x99y", f"x{index}"):
            reached = classes.class_of(text.encode())
            hit = any(reached[c] in accepted for c, accepted in found.items())
            assert hit == matches(pattern.pattern, text, ".")


def test_a_single_pattern_over_the_limit_is_an_error_with_a_code() -> None:
    with pytest.raises(PatternTooLargeError) as caught:
        build_columns([literal("a" * 5000)], "topic")
    assert caught.value.code == "GOV260"
    assert "`topic`" in str(caught.value)


def test_fields_that_are_compared_share_their_columns() -> None:
    fields = (text_field("a"), text_field("b"), text_field("c"))
    policy = ir.Policy(
        "p",
        "1",
        1,
        ir.Combine.STRICT,
        ir.Default.DENY,
        fields,
        (
            ir.Rule(
                "r", ir.TextTest("a", (ir.Pattern(ir.PatternKind.LITERAL, "x"),)), ir.Effect.ALLOW
            ),
            ir.Rule("s", ir.TextEqual("a", "b"), ir.Effect.ALLOW),
        ),
    )
    found = classify_fields(policy)
    assert found["a"].columns == found["b"].columns != ()
    assert found["c"].columns == ()


@pytest.mark.parametrize("size", [40, 41])
def test_a_pattern_that_is_too_large_is_named_and_cut(size: int) -> None:
    pattern = ir.Pattern(ir.PatternKind.GLOB, "x" * size)
    error = PatternTooLargeError("topic", pattern)
    shown = "x" * 40 + ("…" if size > 40 else "")
    assert f"the pattern `{shown}` of `topic`" in str(error)
    assert (error.field, error.pattern) == ("topic", pattern)
