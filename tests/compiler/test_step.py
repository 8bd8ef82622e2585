"""A sample makes all updates that its kind allows, and those of its own policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.interpret import Environment
from govlang.compiler.step import Report, Request, Sample, State, Tick, step
from govlang.dsl.source import Source

POLICY = """language 1
policy p version "1"
default allow
input { agent : key }
event bad
event ok
rule a when bad within 1 min deny
"""
SAMPLES: tuple[Sample, ...] = (
    Request({"agent": "a"}, 5),
    Tick(5, "a"),
    Report("bad", {}, 5, "a"),
    Report("ok", {}, 5, "a"),
)
CELL = "bad.age"


def kind(first: int, last: int | None = None) -> ir.BoolExpr:
    return ir.InRanges(ir.SAMPLE, ((first, first if last is None else last),))


YOUNG = ir.InRanges(CELL, ((0, 100),))
BAD, OK = ir.FIRST_KIND, ir.FIRST_KIND + 1
CONDITIONS = {
    "one kind": kind(BAD),
    "two kinds": kind(ir.TICK, BAD),
    "a kind and a test": ir.And((kind(BAD), ir.Not(YOUNG))),
    "a test and a kind": ir.And((ir.Not(YOUNG), kind(OK))),
    "kinds that exclude each other": ir.And((kind(BAD), kind(OK))),
    "kinds within kinds": ir.And((kind(ir.TICK, OK), ir.And((kind(BAD, OK), ir.TRUE)))),
    "either kind": ir.Or((kind(BAD), kind(ir.REQUEST))),
    "a kind or a test": ir.Or((kind(BAD), ir.Not(YOUNG))),
    "not a kind": ir.Not(kind(BAD)),
    "all but two kinds": ir.And((ir.Not(kind(BAD)), ir.Not(kind(ir.TICK)))),
    "always": ir.TRUE,
    "never": ir.FALSE,
}


def compiled() -> tuple[ir.Policy, ir.Time]:
    policy = compile_source(Source("p.gov", POLICY)).policy
    assert policy.time is not None
    return policy, policy.time


def age(policy: ir.Policy, sample: Sample) -> int:
    """What the one cell is behind one sample."""
    after, _ = step(policy, {}, State(), sample)
    return after.instances["agent", "a"].cells[CELL]


@pytest.mark.parametrize("name", CONDITIONS)
def test_an_update_is_made_exactly_where_its_condition_holds(name: str) -> None:
    policy, time = compiled()
    condition, initial = CONDITIONS[name], time.cell(CELL).initial
    update = ir.Update(ir.Stage.TAKE, CELL, condition, ir.IntConst(7))
    changed = replace(policy, time=replace(time, updates=(update,)))
    for sample, number in zip(SAMPLES, (ir.REQUEST, ir.TICK, BAD, OK), strict=True):
        holds = Environment(policy, {}, {ir.SAMPLE: number, CELL: initial}).holds(condition)
        assert age(changed, sample) == (7 if holds else initial)


def test_updates_of_a_stage_come_in_their_order_whatever_asks_for_a_kind() -> None:
    policy, time = compiled()
    values = ((kind(OK), 1), (ir.TRUE, 2), (kind(BAD), 3))
    for turned, wanted in ((False, [2, 2, 2, 1]), (True, [2, 2, 3, 2])):
        listed = values[::-1] if turned else values
        updates = tuple(
            ir.Update(ir.Stage.TAKE, CELL, condition, ir.IntConst(value))
            for condition, value in listed
        )
        changed = replace(policy, time=replace(time, updates=updates))
        assert [age(changed, sample) for sample in SAMPLES] == wanted


def test_each_policy_takes_samples_by_its_own_updates() -> None:
    policy, time = compiled()
    many = [
        replace(
            policy,
            time=replace(
                time, updates=(ir.Update(ir.Stage.TAKE, CELL, ir.TRUE, ir.IntConst(value)),)
            ),
        )
        for value in range(20)
    ]
    for _ in range(2):
        assert [age(one, SAMPLES[1]) for one in many] == list(range(20))
