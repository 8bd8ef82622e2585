"""The canonical core and its hash."""

from __future__ import annotations

import dataclasses
import random

from core_reader import read_core
from ir_strategies import random_policy

from govlang.compiler import core, ir
from govlang.dsl.source import Source

POLICY = ir.Policy(
    "p",
    "1",
    1,
    ir.Combine.STRICT,
    ir.Default.DENY,
    (ir.Field("x", ir.Kind.NUMBER, 0, 2**60),),
    (
        ir.Rule(
            "r",
            ir.conjunction(
                [
                    ir.InRanges("x", ((0, 5), (7, 9))),
                    ir.Compare(ir.CompareOp.LT, ir.FieldValue("x"), ir.IntConst(2**61)),
                ]
            ),
            ir.Effect.LIMIT,
            limits=(ir.Limit("x", ir.IntConst(0), ir.IntConst(4)),),
            remedy=ir.Remedy("less", (("x", ir.IntConst(3)),)),
        ),
    ),
    properties=(ir.Property("q", ir.DecisionIn(frozenset({ir.Effect.DENY, ir.Effect.ALLOW}))),),
)


def test_a_core_reads_back_as_the_policy_it_was_written_from() -> None:
    assert read_core(core.core_json(POLICY)) == POLICY


def test_cores_of_random_policies_read_back() -> None:
    for seed in range(100):
        policy = random_policy(random.Random(seed))
        assert read_core(core.core_json(policy)) == policy


def test_spans_do_not_change_the_snapshot() -> None:
    span = Source("a.gov", "rule r").span(0, 4)
    moved = dataclasses.replace(
        POLICY, rules=tuple(dataclasses.replace(r, span=span) for r in POLICY.rules)
    )
    assert core.core_json(moved) == core.core_json(POLICY)


def test_any_change_of_meaning_changes_the_snapshot() -> None:
    other = dataclasses.replace(POLICY, default=ir.Default.ALLOW)
    assert core.snapshot(core.core_json(other)) != core.snapshot(core.core_json(POLICY))
