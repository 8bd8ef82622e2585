"""Boxes and terms: the algebra against single words, the terms against the interpreter."""

from __future__ import annotations

import random

import pytest
from box_words import holds_word, set_holds
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_strategies import Requests, random_params, random_policy

from govlang.compiler import ir
from govlang.compiler.boxes import (
    Axis,
    AxisKind,
    Box,
    Clause,
    SetCube,
    complement_ranges,
    hull,
    intersect_ranges,
    join_ranges,
    make_cube,
    meet_boxes,
    meet_cubes,
    ranges_of,
)
from govlang.compiler.interpret import Environment
from govlang.compiler.terms import TERMS_MAX, TOP_TERMS_MAX, Space, Term
from govlang.compiler.text_classes import classify_fields

WORDS = range(16)
RANGES = st.sets(st.sampled_from(WORDS)).map(ranges_of)
CLAUSES = st.lists(st.builds(Clause, st.integers(0, 15), st.integers(0, 15)), max_size=4)
A, B = Axis(AxisKind.VALUE, "a"), Axis(AxisKind.SET, "b")


def values(ranges: ir.Ranges) -> set[int]:
    return {word for word in WORDS if holds_word(ranges, word)}


@given(RANGES, RANGES)
def test_ranges_are_sets_of_words(a: ir.Ranges, b: ir.Ranges) -> None:
    assert values(intersect_ranges(a, b)) == values(a) & values(b)
    assert values(join_ranges(a, b)) == values(a) | values(b)
    assert values(complement_ranges(a, 0, 15)) == set(WORDS) - values(a)
    for result in (intersect_ranges(a, b), join_ranges(a, b), complement_ranges(a, 0, 15)):
        assert result == ranges_of(values(result)), "sorted, disjoint, not touching"


@given(st.integers(0, 15), st.integers(0, 15), CLAUSES)
@settings(max_examples=300)
def test_a_cube_holds_what_its_parts_allow(
    require: int, forbid: int, clauses: list[Clause]
) -> None:
    members = {
        word
        for word in WORDS
        if word & require == require
        and not word & forbid
        and all(word & c.present or ~word & c.missing for c in clauses)
    }
    cube = make_cube(require, forbid, clauses)
    assert members == (set() if cube is None else {w for w in WORDS if set_holds(cube, w)})


CUBES = st.builds(make_cube, st.integers(0, 15), st.integers(0, 15), CLAUSES).filter(bool)


@given(CUBES, CUBES)
def test_cubes_meet_where_both_hold(a: SetCube, b: SetCube) -> None:
    both = meet_cubes(a, b)
    for word in WORDS:
        assert (both is not None and set_holds(both, word)) == (
            set_holds(a, word) and set_holds(b, word)
        )


BOXES = st.fixed_dictionaries({}, optional={A: RANGES.filter(bool), B: CUBES})


def inside(box: Box, a: int, b: int) -> bool:
    word = {A: a, B: b}
    return all(holds_word(allowed, word[axis]) for axis, allowed in box.items())


@given(BOXES, BOXES)
def test_boxes_meet_and_are_within_their_hull(one: Box, other: Box) -> None:
    met, around = meet_boxes(one, other), hull([one, other])
    for a in WORDS:
        for b in WORDS:
            both = inside(one, a, b) and inside(other, a, b)
            assert (met is not None and inside(met, a, b)) == both
            assert inside(around, a, b) or not (inside(one, a, b) or inside(other, a, b))


@pytest.mark.parametrize("seed", range(8))
def test_a_condition_holds_iff_one_of_its_terms_does(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(25):
        policy = random_policy(rng)
        space = Space(policy, classify_fields(policy))
        found = [(rule.condition, space.terms(rule.condition)) for rule in policy.rules]
        assert all(len(terms) <= TOP_TERMS_MAX for _, terms in found)
        requests = Requests(policy)
        for _ in range(20):
            env = Environment(policy, random_params(rng, policy), requests.request(rng))
            for condition, terms in found:
                held = [
                    all(
                        holds_word(allowed, word(env, space, axis))
                        for axis, allowed in term.box.items()
                    )
                    and all(env.holds(part) for part in term.residual)
                    for term in terms
                ]
                assert any(held) == env.holds(condition)


def word(env: Environment, space: Space, axis: Axis) -> int:
    match axis.kind:
        case AxisKind.VALUE | AxisKind.SET:
            return env.number(axis.name)
        case AxisKind.CLASS:
            return space.classes[axis.name].class_of(env.text(axis.name).encode())[axis.part]
        case AxisKind.HAS:
            return int(env.values.get(axis.name) is not None)
        case AxisKind.EQUAL:
            return int(env.text(axis.name) == env.text(axis.other))


def test_a_wide_disjunction_in_a_conjunction_stays_a_residual_under_its_hull() -> None:
    fields = tuple(ir.Field(name, ir.Kind.NUMBER, 0, 99) for name in "xyz")
    policy = ir.Policy("p", "1", 1, ir.Combine.STRICT, ir.Default.DENY, fields, ())
    pairs = ir.disjunction(
        ir.conjunction((ir.InRanges("x", ((i, i),)), ir.InRanges("y", ((99 - i, 99 - i),))))
        for i in range(0, 40, 2)
    )
    top = ir.InRanges("z", ((0, 9),))
    either = ir.disjunction((pairs, ir.InRanges("z", ((50, 60),))))
    space = Space(policy, {})
    assert len(space.terms(pairs)) == 20
    (term,) = space.terms(ir.conjunction((top, ir.negation(ir.negation(pairs)))))[:1]
    assert (
        len(
            space.terms(
                ir.conjunction((either, ir.disjunction((top, ir.InRanges("x", ((90, 99),))))))
            )
        )
        <= 2 * TERMS_MAX
    )
    assert term.box[Axis(AxisKind.VALUE, "z")] == ((0, 9),)


def space() -> Space:
    fields = tuple(ir.Field(name, ir.Kind.NUMBER, 0, 9) for name in "ab")
    return Space(ir.Policy("p", "1", 1, ir.Combine.STRICT, ir.Default.DENY, fields, ()), {})


def test_a_decision_has_no_terms() -> None:
    with pytest.raises(ValueError, match="in properties only"):
        space().terms(ir.DecisionIn(frozenset({ir.Effect.DENY})))


def test_terms_that_differ_on_one_axis_become_one() -> None:
    a, b = (Axis(AxisKind.VALUE, name) for name in "ab")
    terms = [
        Term({a: ((0, 1),), b: ((0, 1),)}),
        Term({a: ((4, 5),), b: ((0, 1),)}),
        Term({a: ((0, 1), (4, 5)), b: ((2, 3),)}),
        Term({a: ((7, 7),), b: ((7, 7),)}),
    ]
    assert space().merged(terms) == [
        Term({a: ((0, 1), (4, 5)), b: ((0, 3),)}),
        Term({a: ((7, 7),), b: ((7, 7),)}),
    ]
