"""Trees and boxes of the proof: normal forms keep their meaning, covering is exact on boxes."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from govlang.verifier.translation.boxes import boxes_of, covered, same_union
from govlang.verifier.translation.tree import (
    Domain,
    OddColumnError,
    Spans,
    Tree,
    meet,
    minus,
    spans_of,
    unite,
)

WORDS = range(6)
DOMAIN = Domain((((0, 5),), ((0, 5),), None), (0, 0, 3))
POINTS = list(itertools.product(WORDS, WORDS, range(8)))
SPANS = st.sets(st.sampled_from(WORDS)).map(spans_of)


def words(spans: Spans) -> set[int]:
    return {word for lo, hi in spans for word in range(lo, hi + 1)}


@given(SPANS, SPANS)
def test_spans_are_sets(a: Spans, b: Spans) -> None:
    assert words(meet(a, b)) == words(a) & words(b)
    assert words(unite(a, b)) == words(a) | words(b)
    assert words(minus(a, b)) == words(a) - words(b)
    for found in (meet(a, b), unite(a, b), minus(a, b)):
        assert unite((), found) == found, "sorted, disjoint"


def holds(tree: Tree, point: tuple[int, int, int]) -> bool:
    match tree[0]:
        case "true" | "false":
            return bool(tree[0] == "true")
        case "in":
            return point[tree[1]] in words(tree[2])
        case "bit":
            return bool(point[tree[1]] >> tree[2] & 1)
        case "any":
            return bool(point[tree[1]] & tree[2])
        case "not":
            return not holds(tree[1], point)
        case "and":
            return all(holds(part, point) for part in tree[1:])
        case _:
            return any(holds(part, point) for part in tree[1:])


ATOMS = st.one_of(
    st.builds(DOMAIN.inside, st.integers(0, 1), SPANS),
    st.builds(DOMAIN.any_of, st.just(2), st.integers(0, 7)),
    st.builds(DOMAIN.all_of, st.just(2), st.integers(0, 7)),
    st.builds(DOMAIN.within, st.just(2), st.integers(0, 7)),
)
TREES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(DOMAIN.conj),
        st.lists(inner, min_size=1, max_size=3).map(DOMAIN.disj),
        inner.map(DOMAIN.neg),
    ),
    max_leaves=8,
)


@given(st.lists(TREES, min_size=1, max_size=3))
@settings(deadline=None, max_examples=60)
def test_and_or_not_mean_what_they_say(parts: list[Tree]) -> None:
    for point in POINTS:
        each = [holds(part, point) for part in parts]
        assert holds(DOMAIN.conj(parts), point) == all(each)
        assert holds(DOMAIN.disj(parts), point) == any(each)
        assert holds(DOMAIN.neg(parts[0]), point) == (not each[0])


@given(TREES, TREES)
@settings(deadline=None, max_examples=80)
def test_unions_of_boxes_are_the_same_exactly_if_they_hold_the_same_points(
    a: Tree, b: Tree
) -> None:
    one, other = boxes_of(a, DOMAIN), boxes_of(b, DOMAIN)
    within = all(holds(b, p) for p in POINTS if holds(a, p))
    assert all(covered(box, other, DOMAIN) for box in one) == within
    alike = all(holds(a, p) == holds(b, p) for p in POINTS)
    assert same_union(one, other, DOMAIN) == alike


def test_a_comparison_with_a_constant_is_a_span_on_either_side() -> None:
    load, two = ("load", 0), ("const", 2)
    assert DOMAIN.compared("lt", load, two) == ("in", 0, ((0, 1),))
    assert DOMAIN.compared("lt", two, load) == ("in", 0, ((3, 5),))
    assert DOMAIN.compared("le", two, load) == ("in", 0, ((2, 5),))
    assert DOMAIN.compared("ne", load, two) == ("in", 0, ((0, 1), (3, 5)))
    assert DOMAIN.compared("eq", load, ("const", 9)) == ("false",)


@pytest.mark.parametrize("test", [DOMAIN.any_of, DOMAIN.all_of, DOMAIN.within])
def test_a_set_test_on_a_number_is_not_read_as_one(test: Callable[[int, int], Tree]) -> None:
    with pytest.raises(OddColumnError):
        test(0, 18)
    with pytest.raises(OddColumnError):
        DOMAIN.inside(2, ((1, 1),))
