"""Ten thousand rules: built, loaded and proved, with walks that do not grow."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import tables
from ir_scale import indexed_policy, interval_policy, overlapping_policy

from govlang.compiler import ir
from govlang.compiler.diagram import build_diagram
from govlang.compiler.table import emit_table
from govlang.compiler.text_classes import classify_fields
from govlang.native.table import Table
from govlang.verifier.translation.table import Verdict, prove_table


@pytest.mark.long
@pytest.mark.parametrize("make", [indexed_policy, overlapping_policy, interval_policy])
def test_ten_thousand_rules_are_built_and_proved(make: Callable[[int], ir.Policy]) -> None:
    policy = make(10_000)
    classes = classify_fields(policy)
    diagram = build_diagram(policy, classes)
    data = emit_table(policy, diagram, classes, tables.SNAPSHOT)
    Table(data)
    proof = prove_table(policy, data, snapshot=tables.SNAPSHOT, timeout_s=5)
    assert proof.verdict is Verdict.PROVED
    assert len(data) <= 400 * 10_000
    assert diagram.report.worst_nodes <= 12
    assert len(diagram.report.unindexed) <= 20


@pytest.mark.long
def test_ten_thousand_literals_of_one_field_are_built_and_proved() -> None:
    topic = ir.Field("topic", ir.Kind.TEXT, max_bytes=64)
    rules = tuple(
        ir.Rule(f"r{i}", ir.TextTest("topic", (_literal(f"agent-{i:05}"),)), ir.Effect.ALLOW)
        for i in range(10_000)
    )
    policy = tables.policy_of(topic, rules=rules, default=ir.Default.DENY)
    data = tables.table_bytes(policy)
    proof = prove_table(policy, data, snapshot=tables.SNAPSHOT, timeout_s=5)
    assert proof.verdict is Verdict.PROVED
    assert build_diagram(policy, classify_fields(policy)).report.worst_nodes <= 20


def _literal(text: str) -> ir.Pattern:
    return ir.Pattern(ir.PatternKind.LITERAL, text)
