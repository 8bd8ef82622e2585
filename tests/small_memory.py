"""A small policy that remembers, for tests of what is remembered by key."""

from __future__ import annotations

from dataclasses import replace

import tables
from time_ir_policies import KEY, SAMPLES

from govlang.compiler import ir
from govlang.runtime.policy import Policy


def aged(name: str, window_ms: int, kind: int) -> tuple[ir.Cell, ir.Update]:
    cell = ir.Cell(ir.cell_field(name, 0, window_ms + 1), KEY.name, window_ms + 1, window_ms + 1)
    happens = ir.InRanges(ir.SAMPLE, ((kind, kind),))
    return cell, ir.Update(ir.Stage.TAKE, name, happens, ir.IntConst(0))


def small(window_ms: int = 1_000, name: str = "p") -> ir.Policy:
    """Deny within `window_ms` of an `f`; throttle while signal `v` is not fresh; count what was allowed."""
    failed, fails = aged("f.age", window_ms, 3)
    fresh, comes = aged("v.age", 5_000, 7)
    count = ir.Cell(ir.cell_field("allowed", 0, 3), KEY.name, 0)
    allowed = ir.DecisionIn(frozenset((ir.Effect.ALLOW, ir.Effect.THROTTLE)))
    more = ir.Arith(
        ir.ArithOp.LEAST,
        ir.Arith(ir.ArithOp.ADD, ir.FieldValue("allowed"), ir.IntConst(1)),
        ir.IntConst(3),
    )
    time = ir.Time(
        (failed, fresh, count),
        (fails, comes, ir.Update(ir.Stage.CLOSE, "allowed", allowed, more)),
        tuple(replace(one, permit=None) for one in SAMPLES),
        KEY.name,
        window_ms,
    )
    rules = (
        ir.Rule("soon", ir.InRanges("f.age", ((0, window_ms),)), ir.Effect.DENY),
        ir.Rule("spent", ir.InRanges("allowed", ((3, 3),)), ir.Effect.DENY),
        ir.Rule("stale", ir.InRanges("v.age", ((5_001, 5_001),)), ir.Effect.THROTTLE),
    )
    return replace(tables.policy_of(KEY, rules=rules, time=time), name=name)


def load(policy: ir.Policy, capacity: int = 100) -> Policy:
    return Policy(tables.table_bytes(policy), capacity=capacity)


def asked(policy: Policy, who: str, now_ms: int) -> str:
    return str(policy.decide({"who": who}, now_ms=now_ms).rule_id)
