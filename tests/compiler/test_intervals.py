"""Intervals contain every value, in the order in which expressions are emitted."""

from __future__ import annotations

from random import Random

import pytest
from front import FIELDS, check, errors
from hypothesis import given
from hypothesis import strategies as st
from source_columns import FAMILIES
from source_strategies import Writer

from govlang.compiler import interpret, ir
from govlang.compiler.intervals import (
    SAFE,
    Interval,
    RangeOverflowError,
    arithmetic,
    check_policy,
    divided,
    hull,
    interval,
    policy_ranges,
)
from govlang.compiler.ir import Arith, ArithOp, Choose, FieldValue, FloorDiv, IntConst, IntExpr
from govlang.compiler.requests import read_sample
from govlang.compiler.step import Request

RANGES = {"a": (-7, 12), "b": (0, 3), "c": (5, 5)}
SMALL = st.integers(-6, 6)


def expressions() -> st.SearchStrategy[IntExpr]:
    leaves = st.builds(FieldValue, st.sampled_from(sorted(RANGES))) | st.builds(IntConst, SMALL)
    return st.recursive(
        leaves,
        lambda inner: (
            st.builds(Arith, st.sampled_from(ArithOp), inner, inner)
            | st.builds(FloorDiv, inner, SMALL.filter(bool))
            | st.builds(
                Choose,
                st.builds(ir.Compare, st.sampled_from(ir.CompareOp), inner, inner),
                inner,
                inner,
            )
        ),
        max_leaves=12,
    )


def policy() -> ir.Policy:
    fields = tuple(ir.Field(name, ir.Kind.NUMBER, lo, hi) for name, (lo, hi) in RANGES.items())
    return ir.Policy("p", "1", 1, ir.Combine.STRICT, ir.Default.DENY, fields, ())


@given(expressions(), st.data())
def test_an_interval_contains_every_value_the_interpreter_computes(
    expr: IntExpr, data: st.DataObject
) -> None:
    lo, hi = interval(expr, RANGES)
    values = {name: data.draw(st.integers(*ends)) for name, ends in RANGES.items()}
    assert lo <= interpret.Environment(policy(), {}, values).evaluate(expr) <= hi


@given(st.sampled_from(ArithOp), *(st.tuples(SMALL, SMALL).map(sorted) for _ in range(2)))
def test_the_interval_of_an_operation_is_the_smallest(
    op: ArithOp, left: list[int], right: list[int]
) -> None:
    values = [
        interpret.arithmetic(op, a, b)
        for a in range(left[0], left[1] + 1)
        for b in range(right[0], right[1] + 1)
    ]
    assert arithmetic(op, (left[0], left[1]), (right[0], right[1])) == (min(values), max(values))


@given(st.tuples(SMALL, SMALL).map(sorted), SMALL.filter(bool))
def test_the_interval_of_a_quotient_is_the_smallest(ends: list[int], divisor: int) -> None:
    values = [a // divisor for a in range(ends[0], ends[1] + 1)]
    assert divided((ends[0], ends[1]), divisor) == (min(values), max(values))


def test_a_scaled_intermediate_that_overflows_is_refused_even_if_the_result_is_small() -> None:
    big = Arith(ArithOp.MUL, FieldValue("a"), IntConst(2**62))
    with pytest.raises(RangeOverflowError) as caught:
        interval(FloorDiv(big, 2**62), RANGES)
    assert caught.value.interval == (-7 * 2**62, 12 * 2**62)


def test_a_condition_inside_a_choice_is_held_against_64_bits_too() -> None:
    big = Arith(ArithOp.MUL, FieldValue("a"), IntConst(2**62))
    chosen = Choose(ir.Compare(ir.CompareOp.LT, big, IntConst(0)), IntConst(1), IntConst(2))
    with pytest.raises(RangeOverflowError):
        interval(chosen, RANGES)


def test_the_ends_of_64_bits_have_neighbours() -> None:
    assert SAFE == (ir.INT64_MIN + 1, ir.INT64_MAX - 1)


OVERFLOWS = [
    ("a * b > 0 kg * 1 kg", "could reach 0"),
    ("a + c > 0 kg", "in steps of 0.000000000001 kg leaves"),
    ("a * 10000000000 > 0 kg", "64 bits"),
    ("(if t then a else c) > 0 kg", "in steps of 0.000000000001 kg"),
    ("least(a, c) > 0 kg", "in steps of 0.000000000001 kg"),
    ("a > c", "in steps of 0.000000000001 kg"),
    ("a - 0.0000000000001 kg > 0 kg", "64 bits"),
    ("a / 0.0000000000001 > 0 kg", "64 bits"),
    ("0 kg < abs(a * 1000000000) + a * 9_000_000_000", "64 bits"),
]


@pytest.mark.parametrize(("text", "part"), OVERFLOWS)
def test_what_could_overflow_is_refused_with_its_range(text: str, part: str) -> None:
    body = (
        "input {\n a : number in 0..1_000_000_000 kg\n b : number in 0..1_000_000_000_000 kg\n"
        " c : number in 0..1 kg step 0.000000000001\n t : bool\n}\n"
    )
    found = errors(body + f"rule r when {text} deny")
    assert [one.code for one in found] == ["GOV210"]
    assert part in found[0].message


@given(st.randoms(use_true_random=False))
def test_intervals_hold_what_random_source_expressions_compute(rng: Random) -> None:
    writer = Writer(rng)
    fields = writer.fields()
    family = rng.choice(writer.families())
    expr = writer.number(family, 3, frozenset())
    zero = f"0 {next(iter(FAMILIES[family]))}".rstrip()
    checked = check(f"{fields}\nrule r when {expr} - {expr} != {zero} deny").policy
    check_policy(checked)
    ranges = policy_ranges(checked)
    for atom in ir.atoms(checked.rules[0].condition):
        if not isinstance(atom, ir.Compare):
            continue
        request = {c.name: c.value(rng) for c in writer.columns if not c.runtime}
        runtime = {c.name: c.value(rng) for c in writer.columns if c.runtime}
        sample = read_sample(checked, request, runtime)
        assert isinstance(sample, Request)
        env = interpret.Environment(checked, {}, sample.values)
        for part in (*ir.int_parts(atom.left), *ir.int_parts(atom.right)):
            lo, hi = interval(part, ranges)
            assert lo <= env.evaluate(part) <= hi


def test_a_whole_policy_is_held_against_64_bits() -> None:
    policy = check(FIELDS + "rule r when payload > 1 kg limit cargo to least(cargo, 3 kg)").policy
    check_policy(policy)


def test_a_set_of_64_labels_is_passed_on() -> None:
    labels = ", ".join(f"l{i}" for i in range(64))
    text = f"input {{ tags : set of {labels} }}\naction page {{ tags : set of {labels} }}\n"
    for value in ("tags", f"{{{labels}}}"):
        policy = check(f"{text}default allow\nrule r deny and do page(tags = {value})").policy
        assert policy.rules[0].dos


def test_a_factor_beyond_64_bits_of_what_is_always_0_is_refused() -> None:
    for text in ("x * 100_000_000_000_000_000_000 > x", "z + 0.000_000_000_000_000_001 kg > y"):
        fields = "input {\n x : number in 0..0\n y : number in 0..5 kg\n z : number in 0..0 kg step 1000 kg\n}\n"
        assert [one.code for one in errors(f"{fields}rule r when {text} deny")] == ["GOV210"]


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ((0, 9), (3, 4), (0, 9)),
        ((3, 4), (0, 9), (0, 9)),
        ((0, 1), (5, 9), (0, 9)),
        ((5, 9), (0, 1), (0, 9)),
        ((0, 5), (3, 9), (0, 9)),
    ],
)
def test_a_hull_holds_both_and_no_more(one: Interval, other: Interval, both: Interval) -> None:
    assert hull(one, other) == both


@pytest.mark.parametrize("divisor", [1 << 63, -(1 << 63) - 1])
def test_a_divisor_beyond_int64_is_refused(divisor: int) -> None:
    with pytest.raises(RangeOverflowError) as caught:
        interval(FloorDiv(FieldValue("a"), divisor), RANGES)
    assert caught.value.interval == (divisor, divisor)


def test_a_constant_may_be_any_of_int64_and_a_field_stops_one_short() -> None:
    for value in (ir.INT64_MIN, ir.INT64_MAX):
        assert interval(IntConst(value), {}) == (value, value)
        with pytest.raises(RangeOverflowError):
            interval(FieldValue("x"), {"x": (value, value)})
    for value in (ir.INT64_MIN - 1, ir.INT64_MAX + 1):
        with pytest.raises(RangeOverflowError):
            interval(IntConst(value), {})
    assert interval(FieldValue("x"), {"x": SAFE}) == SAFE
