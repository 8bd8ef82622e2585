"""The proof of a table: what is right is proved, what is wrong is refuted with a request."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tables
from ir_scale import indexed_policy, interval_policy, overlapping_policy, stabbing_policy
from ir_strategies import random_policy

from govlang.compiler import ir
from govlang.native.errors import TableError
from govlang.verifier.translation.table import TableProof, Verdict, prove_table

NUMBER = ir.Field("x", ir.Kind.NUMBER, 0, 1000)
SECOND = ir.Field("y", ir.Kind.NUMBER, 0, 1000)
TOPIC = ir.Field("topic", ir.Kind.TEXT, max_bytes=64)
OTHER = ir.Field("other", ir.Kind.TEXT, max_bytes=64)
LABELS = ir.Field("labels", ir.Kind.SET, 0, 15, members=("a", "b", "c", "d"))
MAYBE = ir.Field("maybe", ir.Kind.NUMBER, 0, 9, optional=True)
SPEED = ir.Field("speed", ir.Kind.NUMBER, 0, 20)
APPROVED = ir.Field(
    ir.APPROVED, ir.Kind.SET, 0, 3, members=("ops", "sec"), origin=ir.Origin.RUNTIME, implied=0
)


def prove(policy: ir.Policy, data: bytes | None = None) -> TableProof:
    data = tables.table_bytes(policy) if data is None else data
    return prove_table(policy, data, snapshot=tables.SNAPSHOT, timeout_s=5)


@pytest.mark.parametrize("batch", range(8))
def test_tables_of_random_policies_are_proved(batch: int) -> None:
    for seed in range(batch * 25, (batch + 1) * 25):
        proof = prove(random_policy(random.Random(seed)))
        assert proof.verdict is Verdict.PROVED, (seed, proof)


@pytest.mark.parametrize(
    "make", [indexed_policy, overlapping_policy, stabbing_policy, interval_policy]
)
def test_tables_with_an_index_are_proved(make: Callable[[int], ir.Policy]) -> None:
    assert prove(make(1200)).verdict is Verdict.PROVED


def below(name: str, value: int) -> ir.BoolExpr:
    return ir.InRanges(name, ((0, value),))


def total(bound: int) -> ir.BoolExpr:
    both = ir.Arith(ir.ArithOp.ADD, ir.FieldValue("x"), ir.FieldValue("y"))
    return ir.Compare(ir.CompareOp.LE, both, ir.IntConst(bound))


def like(text: str) -> ir.BoolExpr:
    return ir.TextTest("topic", (ir.Pattern(ir.PatternKind.GLOB, text),))


def has(op: ir.SetOp, mask: int) -> ir.BoolExpr:
    return ir.SetTest("labels", op, mask)


def human(*roles: str) -> ir.Rule:
    return ir.Rule("r", below("x", 500), ir.Effect.REQUIRE_HUMAN, roles=roles)


def limit(lo: int, hi: int) -> ir.Rule:
    limits = (ir.Limit("speed", ir.IntConst(lo), ir.IntConst(hi)),)
    return ir.Rule("r", below("x", 500), ir.Effect.LIMIT, limits=limits)


def rule(condition: ir.BoolExpr, effect: ir.Effect = ir.Effect.DENY) -> ir.Rule:
    return ir.Rule("r", condition, effect)


GUARDED = ir.And((ir.Has("maybe"), ir.InRanges("maybe", ((0, 3),))))
FAULTS = {
    "a bound is one off": (rule(below("x", 500)), rule(below("x", 501))),
    "a sum is one off": (rule(total(900)), rule(total(901))),
    "an effect is another": (rule(below("x", 5)), rule(below("x", 5), ir.Effect.THROTTLE)),
    "a pattern has one star more": (rule(like("a.*")), rule(like("a.**"))),
    "a pattern has another letter": (rule(like("a.b")), rule(like("a.c"))),
    "any became all": (rule(has(ir.SetOp.ANY, 3)), rule(has(ir.SetOp.ALL, 3))),
    "a member more is allowed": (rule(has(ir.SetOp.WITHIN, 3)), rule(has(ir.SetOp.WITHIN, 7))),
    "a text is not compared": (rule(ir.TextEqual("other", "topic")), rule(ir.TRUE)),
    "has is dropped": (rule(GUARDED), rule(ir.InRanges("maybe", ((0, 3),)))),
    "and became or": (
        rule(ir.And((below("x", 5), below("y", 5)))),
        rule(ir.Or((below("x", 5), below("y", 5)))),
    ),
    "a role is missing": (human("ops", "sec"), human("ops")),
    "a limit is looser": (limit(0, 5), limit(0, 6)),
    "a limit has another lower end": (limit(0, 5), limit(1, 5)),
    "a reason is another": (
        replace(rule(below("x", 5)), because="so"),
        replace(rule(below("x", 5)), because="no"),
    ),
    "a name is another": (rule(below("x", 5)), replace(rule(below("x", 5)), id="s")),
    "expires later": (
        replace(human("ops"), expires_ms=1000),
        replace(human("ops"), expires_ms=2000),
    ),
    "an action is lost": (
        replace(rule(below("x", 5)), dos=(ir.Do("act", (ir.IntConst(3),)),)),
        rule(below("x", 5)),
    ),
    "an argument is another": (
        replace(rule(below("x", 5)), dos=(ir.Do("act", (ir.FieldValue("x"),)),)),
        replace(rule(below("x", 5)), dos=(ir.Do("act", (ir.FieldValue("y"),)),)),
    ),
    "a remedy says something else": (
        replace(rule(below("x", 5)), remedy=ir.Remedy("ask", (("x", ir.IntConst(9)),))),
        replace(rule(below("x", 5)), remedy=ir.Remedy("ask", (("x", ir.IntConst(8)),))),
    ),
}


def policy_with(*rules: ir.Rule, **changes: object) -> ir.Policy:
    policy = tables.policy_of(
        NUMBER, SECOND, TOPIC, OTHER, LABELS, MAYBE, APPROVED,
        rules=rules,
        outputs=(SPEED,),
        actions=(ir.Action("act", (ir.Field("n", ir.Kind.NUMBER, 0, 1000),)),),
    )  # fmt: skip
    return replace(policy, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FAULTS)
def test_a_table_of_another_rule_is_refuted_with_a_request(name: str) -> None:
    ours, theirs = FAULTS[name]
    policy, other = policy_with(ours), policy_with(theirs)
    assert prove(policy).verdict is prove(other).verdict is Verdict.PROVED
    proof = prove(policy, tables.table_bytes(other))
    assert proof.verdict is Verdict.REFUTED
    assert proof.refutation is not None
    assert proof.refutation.request is not None
    assert proof.refutation.expected != proof.refutation.found


def test_a_rule_more_a_rule_less_and_rules_in_another_order_are_refuted() -> None:
    one, two = rule(below("x", 5)), ir.Rule("two", below("y", 5), ir.Effect.DENY)
    policy = policy_with(one, two)
    for rules in ((one,), (one, two, replace(one, id="three")), (two, one)):
        proof = prove(policy, tables.table_bytes(policy_with(*rules)))
        assert proof.verdict is Verdict.REFUTED


@pytest.mark.parametrize(
    "changes",
    [
        {"default": ir.Default.DENY},
        {"combine": ir.Combine.FIRST_MATCH},
        {"assumptions": (ir.Assumption("small", below("x", 900)),)},
        {"name": "another"},
        {"fields": (replace(NUMBER, hi=999), SECOND, TOPIC, OTHER, LABELS, MAYBE, APPROVED)},
        {"fields": (NUMBER, SECOND, replace(TOPIC, max_bytes=63), OTHER, LABELS, MAYBE, APPROVED)},
        {
            "fields": (
                NUMBER,
                SECOND,
                TOPIC,
                OTHER,
                LABELS,
                replace(MAYBE, optional=False),
                APPROVED,
            )
        },
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_schema_is_refuted(changes: dict[str, object]) -> None:
    rules = (rule(below("x", 5), ir.Effect.ALLOW), ir.Rule("s", below("y", 5), ir.Effect.DENY))
    policy, other = policy_with(*rules), policy_with(*rules, **changes)
    proof = prove(policy, tables.table_bytes(other))
    assert proof.verdict is Verdict.REFUTED
    assert proof.refutation is not None
    assert (proof.refutation.request is None) == ("name" in changes)


def test_another_snapshot_is_refuted() -> None:
    policy = policy_with(rule(below("x", 5)))
    proof = prove_table(policy, tables.table_bytes(policy), snapshot="sha256:1", timeout_s=5)
    assert proof.verdict is Verdict.REFUTED
    assert proof.refutation is not None
    assert "snapshot" in proof.refutation.what


def test_bytes_that_the_engine_refuses_are_refused() -> None:
    with pytest.raises(TableError, match="GOV410"):
        prove(policy_with(), b"govtable")


def test_a_decision_that_differs_only_where_a_text_must_be_absent_is_proved_equal() -> None:
    """`has` is implied by a value above the lowest: an absent field reads as its lowest."""
    above = ir.InRanges("maybe", ((4, 9),))
    policy = policy_with(rule(ir.And((ir.Has("maybe"), above))))
    assert prove(policy, tables.table_bytes(policy_with(rule(above)))).verdict is Verdict.PROVED


def test_arithmetic_that_wraps_is_not_taken_for_exact() -> None:
    """The value x * 2^62 * 4 // 2^64 is x over the integers, but not in 64 bits."""
    big = ir.Arith(
        ir.ArithOp.MUL,
        ir.Arith(ir.ArithOp.MUL, ir.FieldValue("x"), ir.IntConst(2**62)),
        ir.IntConst(4),
    )
    wraps = ir.Compare(ir.CompareOp.LE, ir.FloorDiv(ir.FloorDiv(big, 2**62), 4), ir.IntConst(5))
    policy = policy_with(rule(below("x", 5)))
    proof = prove(policy, tables.table_bytes(policy_with(rule(wraps))))
    assert proof.verdict is Verdict.REFUTED


def test_the_proof_shares_no_emitter(root: Path) -> None:
    emitters = (
        "diagram",
        "table",
        "boxes",
        "terms",
        "entries",
        "residual",
        "text_classes",
        "automata",
    )
    for path in (root / "verifier" / "translation").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not [name for name in emitters if f"govlang.compiler.{name} " in text], path
