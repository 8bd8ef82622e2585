"""Intervals of the proof's integers, held against every value."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govlang.verifier.translation.integers import const
from govlang.verifier.translation.machine import Op
from govlang.verifier.translation.spans import EXACT, Ranges, Span, _span_of, full
from govlang.verifier.translation.tree import FALSE, TRUE, Domain, Tree, _spans_where
from govlang.verifier.translation.words import Words

SPANS = st.tuples(st.integers(-9, 9), st.integers(0, 6)).map(lambda s: (s[0], s[0] + s[1]))
X, Y = ("named", "x"), ("named", "y")


def values(span: Span) -> range:
    return range(span[0], span[1] + 1)


def ranges(x: Span, y: Span = (0, 0)) -> Ranges:
    return Ranges(Domain((), ()), {}, {X: x, Y: y})


@given(st.sampled_from(sorted(EXACT)), SPANS, SPANS)
def test_the_ends_of_an_operation_are_reached_and_never_passed(op: str, a: Span, b: Span) -> None:
    reached = [EXACT[op](x, y) for x in values(a) for y in values(b)]
    assert _span_of(op, a, b) == (min(reached), max(reached))
    assert ranges(a, b).span((op, X, Y)) == (min(reached), max(reached))


def truncated(x: int, divisor: int) -> int:
    return -(-x // divisor) if x < 0 else x // divisor


DIVISIONS: dict[str, Callable[[int, int], int]] = {
    "floor": lambda x, divisor: x // divisor,
    "trunc": truncated,
    "rem": lambda x, divisor: x - divisor * truncated(x, divisor),
}


@given(st.sampled_from(sorted(DIVISIONS)), SPANS, st.integers(1, 5))
def test_no_quotient_and_no_remainder_passes_its_interval(op: str, a: Span, divisor: int) -> None:
    lo, hi = ranges(a).span((op, X, divisor))
    found = [DIVISIONS[op](x, divisor) for x in values(a)]
    assert lo <= min(found)
    assert max(found) <= hi
    assert max(abs(lo), abs(hi)) <= max(map(abs, values(a)))


@given(SPANS, SPANS)
def test_bits_together_and_either_way_stay_in_their_interval(a: Span, b: Span) -> None:
    lo, hi = ranges(a, b).span(("union", X, Y))
    found = [x | y for x in values(a) for y in values(b)]
    assert lo <= min(found)
    assert max(found) <= hi
    lo, hi = ranges(a, b).span(("common", X, Y))
    both = [x & y for x in values(a) for y in values(b)]
    assert lo <= min(both)
    assert max(both) <= hi
    assert ranges(a, b).span(("if", TRUE, X, Y)) == (min(a[0], b[0]), max(a[1], b[1]))


@pytest.mark.parametrize(
    ("tree", "span"),
    [
        (const(7), (7, 7)),
        (("truth", TRUE), (0, 1)),
        (("map", 0, (4, -2, 3)), (-2, 4)),
        (("word", ((1, TRUE), (4, TRUE), (-8, TRUE))), (-8, 5)),
        (("wrap", 8, X), (-128, 127)),
        (("cases", ((FALSE, 3), (FALSE, -1)), 2), (-1, 3)),
    ],
)
def test_other_integers_have_the_interval_of_their_values(tree: Tree, span: Span) -> None:
    assert ranges((0, 0)).span(tree) == span


def test_a_width_holds_as_many_negative_values_as_others() -> None:
    assert full(1) == (-1, 0)
    assert full(32) == (-(2**31), 2**31 - 1)


COMPARES: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}


@pytest.mark.parametrize("op", sorted(COMPARES))
@pytest.mark.parametrize(("a", "b"), [(1, 2), (2, 2), (3, 2)])
def test_constants_are_compared_at_once(op: str, a: int, b: int) -> None:
    found = Domain((), ()).compared(op, const(a), const(b))
    assert found == (TRUE if COMPARES[op](a, b) else FALSE)


@pytest.mark.parametrize("op", ["eq", "lt", "le"])
@pytest.mark.parametrize("flipped", [False, True])
def test_a_comparison_with_a_constant_is_the_span_where_it_holds(op: str, flipped: bool) -> None:
    spans = _spans_where(op, 3, flipped=flipped)
    for value in range(-2, 9):
        wanted = COMPARES[op](3, value) if flipped else COMPARES[op](value, 3)
        assert any(lo <= value <= hi for lo, hi in spans) == wanted


@pytest.mark.parametrize(
    ("x", "y", "span"),
    [
        ((1, 4), (2, 3), (2, 7)),
        ((-3, 2), (0, 4), (-8, 7)),
        ((0, 4), (-3, 2), (-8, 7)),
        ((-1, 0), (-1, 0), (-2, 1)),
    ],
)
def test_bits_together_reach_as_far_as_the_longer(x: Span, y: Span, span: Span) -> None:
    assert ranges(x, y).span(("union", X, Y)) == span


@pytest.mark.parametrize(
    ("x", "y", "span"),
    [
        ((1, 4), (2, 3), (0, 3)),
        ((-3, 2), (0, 4), (0, 4)),
        ((0, 4), (-3, 9), (0, 4)),
        ((-3, 2), (-1, 5), (-4, 5)),
    ],
)
def test_bits_in_common_reach_as_far_as_the_shorter(x: Span, y: Span, span: Span) -> None:
    assert ranges(x, y).span(("common", X, Y)) == span


@pytest.mark.parametrize(
    ("domain", "whole"),
    [((-2, 2), True), ((-9, 2), False), ((-2, 3), False), ((-3, 2), False), ((-9, 9), False)],
)
def test_what_a_division_leaves_is_the_number_itself_only_below_the_divisor(
    domain: Span, whole: bool
) -> None:
    words = Words(Domain([(domain,)], [0]), {})
    left, _ = words.operate(Op.REM_S, 32, ("load", 0), const(3), exact=True)
    assert tuple(left) == (("load", 0) if whole else ("rem", ("load", 0), 3))
