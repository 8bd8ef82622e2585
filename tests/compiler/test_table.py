"""table.bin: the engine takes every table, equal policies give equal bytes, size is linear."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import tables
from hypothesis import given, settings
from ir_scale import indexed_policy, interval_policy, overlapping_policy, stabbing_policy
from ir_strategies import policies, random_policy

from govlang.compiler import ir
from govlang.compiler.residual import TableTooLargeError
from govlang.native.layout import DEPTH_MAX, STACK_MAX
from govlang.native.table import Table

NUMBER = ir.Field("x", ir.Kind.NUMBER, -1000, 1000)
ALLOWED = ir.Rule("r", ir.InRanges("x", ((0, 9),)), ir.Effect.ALLOW)


@given(policies())
@settings(max_examples=60, deadline=None)
def test_the_engine_takes_every_table(policy: ir.Policy) -> None:
    table = Table(tables.table_bytes(policy))
    assert table.schema.name == policy.name
    assert table.schema.snapshot == tables.SNAPSHOT
    assert table.schema.rule_count == len(policy.rules)
    assert [field.name for field in table.schema.inputs] == [field.name for field in policy.fields]


@pytest.mark.parametrize("seed", range(5))
def test_equal_policies_give_equal_bytes(seed: int) -> None:
    one, other = (random_policy(random.Random(seed)) for _ in range(2))
    assert one is not other
    assert tables.table_bytes(one) == tables.table_bytes(other)


MAKERS = [indexed_policy, overlapping_policy, stabbing_policy, interval_policy]


@pytest.mark.parametrize("make", MAKERS)
def test_bytes_are_linear_in_the_rules(make: Callable[[int], ir.Policy]) -> None:
    small, large = (len(tables.table_bytes(make(rules))) for rules in (500, 4000))
    assert large <= 1.25 * 8 * small
    assert large <= 400 * 4000


def test_no_rules_make_a_table_that_decides_by_default() -> None:
    policy = tables.policy_of(NUMBER)
    assert tables.load(policy).decide({"x": 0}).rule_id == "default"


def deep(levels: int) -> ir.IntExpr:
    """Nested so that every level keeps a value on the stack."""
    expr: ir.IntExpr = ir.FieldValue("x")
    for _ in range(levels):
        expr = ir.Arith(ir.ArithOp.SUB, ir.IntConst(1), expr)
    return expr


def test_what_the_language_may_nest_fits_the_stack() -> None:
    condition = ir.Compare(ir.CompareOp.LT, ir.IntConst(0), deep(200))
    policy = tables.policy_of(NUMBER, rules=(ir.Rule("r", condition, ir.Effect.DENY),))
    assert tables.load(policy).decide({"x": 5}).rule_id == "r"


def test_a_program_over_the_stack_is_an_error_with_a_code() -> None:
    condition = ir.Compare(ir.CompareOp.LT, ir.IntConst(0), deep(STACK_MAX + 10))
    policy = tables.policy_of(NUMBER, rules=(ir.Rule("r", condition, ir.Effect.DENY),))
    with pytest.raises(TableTooLargeError, match="stack") as caught:
        tables.table_bytes(policy)
    assert caught.value.code == "GOV261"


def test_choices_nested_on_either_side_stay_shallow() -> None:
    expr: ir.IntExpr = ir.FieldValue("x")
    for i in range(200):
        then, otherwise = (expr, ir.IntConst(i)) if i % 2 else (ir.IntConst(i), expr)
        expr = ir.Choose(ir.InRanges("x", ((i, i + 5),)), then, otherwise)
    condition = ir.Compare(ir.CompareOp.LE, ir.IntConst(0), expr)
    policy = tables.policy_of(NUMBER, rules=(ir.Rule("r", condition, ir.Effect.DENY),))
    assert tables.load(policy).decide({"x": 3}).rule_id == "r"


def test_too_many_columns_are_an_error_with_a_code() -> None:
    fields = tuple(ir.Field(f"f{i}", ir.Kind.BOOL, 0, 1, optional=True) for i in range(2100))
    policy = tables.policy_of(*fields)
    with pytest.raises(TableTooLargeError, match="columns"):
        tables.table_bytes(policy)


def test_a_rule_that_reads_hundreds_of_fields_still_fits_a_block() -> None:
    fields = tuple(ir.Field(f"f{i}", ir.Kind.BOOL, 0, 1) for i in range(400))
    condition = ir.conjunction(ir.InRanges(field.name, ((1, 1),)) for field in fields)
    policy = tables.policy_of(*fields, rules=(ir.Rule("r", condition, ir.Effect.DENY),))
    loaded = tables.load(policy)
    request = {field.name: True for field in fields}
    assert loaded.decide(request).rule_id == "r"
    assert loaded.decide(request | {"f399": False}).rule_id == "default"


def test_the_depth_of_large_policies_stays_far_from_the_limit() -> None:
    assert DEPTH_MAX >= 32
    for make in MAKERS:
        Table(tables.table_bytes(make(2000)))


def test_overrides_stand_in_order_whatever_the_order_of_the_rules() -> None:
    low = ir.Rule("low", ir.TRUE, ir.Effect.ALLOW, overrides=("deny",))
    deny = ir.Rule("deny", ir.TRUE, ir.Effect.DENY, overrides=("other",))
    other = ir.Rule("other", ir.TRUE, ir.Effect.THROTTLE)
    for rules in ((low, deny, other), (other, deny, low), (deny, low, other)):
        policy = tables.policy_of(NUMBER, rules=rules)
        outcome = tables.load(policy).decide({"x": 1})
        assert (outcome.decision.value, outcome.rule_id) == ("throttle", "other")
