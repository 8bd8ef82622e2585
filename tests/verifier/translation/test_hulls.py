"""Unions of boxes are found by their hulls: none that matters is left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from govlang.verifier.translation.boxes import Box, covered, meet_boxes
from govlang.verifier.translation.hulls import Hulls, members
from govlang.verifier.translation.tree import Domain, Spans, spans_of

WORDS = range(8)
DOMAIN = Domain((((0, 7),), ((0, 7),)), (0, 0))
KEYS = [("in", 0), ("in", 1)]
ATOM = ("le", ("load", 0), ("load", 1))
SPANS = st.sets(st.sampled_from(WORDS), min_size=1).map(spans_of)
TRUTH: st.SearchStrategy[Spans] = st.sampled_from([((0, 0),), ((1, 1),)])
BOXES: st.SearchStrategy[Box] = st.fixed_dictionaries(
    {}, optional={KEYS[0]: SPANS, KEYS[1]: SPANS, ATOM: TRUTH}
)
UNIONS = st.lists(st.lists(BOXES, max_size=3), max_size=6)


@given(UNIONS, BOXES)
def test_what_shares_something_with_a_box_is_found(unions: list[list[Box]], box: Box) -> None:
    found = set(members(Hulls(unions, DOMAIN).sharing(box)))
    for number, own in enumerate(unions):
        if any(meet_boxes(box, other) is not None for other in own):
            assert number in found


@given(UNIONS, BOXES)
def test_what_covers_a_box_is_found(unions: list[list[Box]], box: Box) -> None:
    found = set(members(Hulls(unions, DOMAIN).covering(box)))
    for number, own in enumerate(unions):
        if covered(box, own, DOMAIN):
            assert number in found


def test_what_lies_apart_is_left_out() -> None:
    unions: list[list[Box]] = [
        [{KEYS[0]: ((n, n),)}, {KEYS[0]: ((n, n + 1),), KEYS[1]: ((3, 3),)}] for n in range(7)
    ]
    hulls = Hulls([*unions, [], [{}]], DOMAIN)
    assert list(members(hulls.sharing({KEYS[0]: ((2, 2),)}))) == [1, 2, 8]
    assert list(members(hulls.covering({KEYS[0]: ((2, 2),)}))) == [1, 2, 8]
    assert list(members(hulls.covering({KEYS[0]: ((2, 4),)}))) == [8]
    assert list(members(hulls.covering({}))) == [8]
    assert list(members(hulls.sharing({}))) == [*range(7), 8]
