"""The step means what the policy means; run in plain Python, so every form of it is checked too."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import ir_scale
import pytest
from edge_host import broken, encoded, expected, neutral, said
from ir_strategies import Requests, all_requests, random_params, random_policy, small_policy
from program_run import run
from tables import policy_of

from govlang.compiler import interface, ir, steps_rules
from govlang.compiler.interpret import decide, default_params
from govlang.compiler.program import Decide, Inside, Mark, MaskTest, Program, Switch, When
from govlang.compiler.program_walk import all_reads
from govlang.compiler.steps import build_program
from govlang.compiler.text_classes import classify_fields

REQUESTS = 30
BATCH = 25

RISK = ir.Field("risk", ir.Kind.NUMBER, 0, 100)
ZONE = ir.Field("zone", ir.Kind.ENUM, 0, 2, members=("a", "b", "c"))
ROLES = ir.Field(ir.APPROVED, ir.Kind.SET, 0, 3, members=("x", "y"), origin=ir.Origin.RUNTIME)


def program_of(policy: ir.Policy) -> Program:
    return build_program(policy, classify_fields(policy))


def agree(seed: int, requests: int = REQUESTS) -> None:
    rng = random.Random(seed)
    policy = random_policy(rng)
    params = random_params(rng, policy)
    classes = classify_fields(policy)
    program = build_program(policy, classes)
    source = Requests(policy)
    for _ in range(requests):
        values = source.request(rng)
        cells = run(program, encoded(policy, classes, values, params))
        outcome = decide(policy, params, values)
        assert said(policy, cells, values) == expected(outcome), (seed, values)
        if outcome.rule_id != "invalid_request":
            assert cells["out.invalid"] == -1


@pytest.mark.parametrize("batch", range(4))
def test_a_step_decides_as_the_interpreter(batch: int) -> None:
    for seed in range(batch * BATCH, (batch + 1) * BATCH):
        agree(seed)


@pytest.mark.parametrize("batch", range(4))
def test_rules_that_are_told_apart_decide_as_the_interpreter(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps_rules, "FEW", 0)
    for seed in range(1000 + batch * BATCH, 1000 + (batch + 1) * BATCH):
        agree(seed)


@pytest.mark.long
@pytest.mark.parametrize("few", [0, 24])
@pytest.mark.parametrize("batch", range(10))
def test_steps_decide_as_the_interpreter_on_many_policies(
    batch: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps_rules, "FEW", few)
    for seed in range(10_000 + batch * BATCH, 10_000 + (batch + 1) * BATCH):
        agree(seed, 100)


@pytest.mark.parametrize("seed", range(12))
def test_small_policies_agree_on_every_request(seed: int) -> None:
    policy = small_policy(random.Random(seed))
    classes, program = classify_fields(policy), program_of(policy)
    params = default_params(policy)
    for number, values in enumerate(all_requests(policy)):
        cells = run(program, encoded(policy, classes, values, params))
        assert said(policy, cells, values) == expected(decide(policy, params, values))
        if number > 500:
            break


@pytest.mark.parametrize("seed", range(40))
def test_a_variable_outside_its_domain_refuses_the_step(seed: int) -> None:
    rng = random.Random(seed)
    policy = random_policy(rng)
    classes, program = classify_fields(policy), program_of(policy)
    for number, one in enumerate(program.variables):
        values = {f.name: Requests(policy).value(rng, f) for f in policy.fields}
        given = encoded(policy, classes, values, default_params(policy))
        bad = broken(rng, one)
        if bad is None:
            continue
        cells = run(program, given | {one.name: bad})
        assert cells["out.invalid"] == number
        assert (cells["out.decision"], cells["out.rule"]) == (4, len(policy.rules) + 1)
        assert neutral(policy, cells) == {
            c.name: c.neutral for c in program.cells if c.name in neutral(policy, cells)
        }


def test_an_absent_field_is_not_checked() -> None:
    text = ir.Field("t", ir.Kind.TEXT, max_bytes=8)
    fields = (
        ir.Field("n", ir.Kind.NUMBER, 3, 9, optional=True),
        ir.Field("u", ir.Kind.TEXT, max_bytes=8, optional=True),
        text,
    )
    rule = ir.Rule("r", ir.conjunction((ir.Has("u"), ir.TextEqual("t", "u"))), ir.Effect.DENY)
    program = program_of(policy_of(*fields, rules=(rule,)))
    given = {one.name: one.unset for one in program.variables}
    present = given | {"has.n": 0, "has.u": 1, "same.t.u": 1}
    assert run(program, given)["out.invalid"] == 0
    assert run(program, given | {"has.n": 0, "has.u": 0})["out.decision"] == 0
    assert run(program, given | {"has.n": 0, "has.u": 1})["out.invalid"] == 3
    assert run(program, present)["out.decision"] == 4


def test_the_first_broken_assumption_is_named() -> None:
    below = [ir.Assumption("a", ir.InRanges("risk", ((0, end),))) for end in (90, 80)]
    program = program_of(policy_of(RISK, assumptions=tuple(below)))
    found = [run(program, {"risk": risk})["out.invalid"] for risk in (80, 85, 95)]
    assert found == [-1, 2, 1]


@pytest.mark.parametrize("default", list(ir.Default))
@pytest.mark.parametrize("combine", list(ir.Combine))
def test_defaults_join_in_where_nothing_permits(combine: ir.Combine, default: ir.Default) -> None:
    effects = (ir.Effect.LIMIT, ir.Effect.ALLOW, ir.Effect.REQUIRE_HUMAN, ir.Effect.DENY)
    rules = tuple(
        ir.Rule(e.word, ir.SetTest("on", ir.SetOp.ALL, 1 << i), e, roles=("x", "y"))
        for i, e in enumerate(effects)
    )
    on = ir.Field("on", ir.Kind.SET, 0, 15, members=tuple("lahd"))
    policy = policy_of(on, ROLES, rules=rules, default=default, combine=combine)
    program = program_of(policy)
    for mask in range(16):
        for approved in range(4):
            values = {"on": mask, "approved": approved}
            cells = run(program, values)
            assert said(policy, cells, values) == expected(decide(policy, {}, values)), values


def parts(node: Any) -> Iterator[Any]:
    """Every part of a program."""
    yield node
    if isinstance(node, tuple):
        for one in node:
            yield from parts(one)
    elif is_dataclass(node) and not isinstance(node, type):
        for one in fields(node):
            yield from parts(getattr(node, one.name))


def test_few_rules_are_tested_without_a_branch() -> None:
    rules = tuple(
        ir.Rule(f"r{i}", ir.InRanges("risk", ((i, i + 9),)), ir.Effect.THROTTLE, retry_ms=i)
        for i in range(10)
    )
    body = program_of(policy_of(RISK, rules=rules)).body
    assert not [one for one in parts(body) if isinstance(one, When | Switch)]


@pytest.mark.parametrize(
    "make", [ir_scale.indexed_policy, ir_scale.overlapping_policy, ir_scale.interval_policy]
)
def test_a_step_is_linear_in_the_rules_and_shallow(make: Any) -> None:
    small, large = (program_of(make(count)).body for count in (200, 1000))
    assert sum(1 for _ in parts(large)) <= 6 * sum(1 for _ in parts(small))
    assert longest(large) <= 80


def longest(body: tuple[Any, ...]) -> int:
    """The most statements on a way through."""
    found = 0
    for one in body:
        match one:
            case When(then=then, otherwise=otherwise):
                found += 1 + max(longest(then), longest(otherwise))
            case Switch(parts=parts):
                found += 1 + max(longest(part) for _, part in parts)
            case _:
                found += 1
    return found


def test_a_rule_in_several_terms_is_tested_once_as_it_is_written() -> None:
    load = ir.Field("load", ir.Kind.NUMBER, 0, 9)
    either = ir.disjunction((ir.InRanges("load", ((0, 5),)), ir.InRanges("zone", ((1, 1),))))
    filler = tuple(
        ir.Rule(f"f{i}", ir.InRanges("risk", ((i, i),)), ir.Effect.DENY) for i in range(30)
    )
    rule = ir.Rule("wide", either, ir.Effect.DENY)
    body = program_of(policy_of(RISK, ZONE, load, rules=(*filler, rule))).body
    found = [one for one in parts(body) if isinstance(one, Decide) and one.rule == "wide"]
    assert len(found) == 1
    assert len([one for one in parts(found[0]) if isinstance(one, Inside)]) == 2


def test_a_test_that_a_set_cannot_pass_is_never_made() -> None:
    tests = [ir.SetTest("approved", op, 4) for op in (ir.SetOp.ANY, ir.SetOp.ALL)]
    rules = tuple(ir.Rule(f"r{i}", test, ir.Effect.DENY) for i, test in enumerate(tests))
    program = program_of(policy_of(ROLES, rules=rules))
    assert not [one for one in parts(program.body) if isinstance(one, MaskTest)]
    assert run(program, {"approved": 3})["out.decision"] == 0


def test_what_nothing_gathers_is_a_constant() -> None:
    never = ir.conjunction((ir.InRanges("risk", ((0, 1),)), ir.InRanges("risk", ((5, 6),))))
    human = ir.Rule("r", never, ir.Effect.REQUIRE_HUMAN, roles=("x",), expires_ms=5)
    other = replace(human, id="s", expires_ms=6)
    program = program_of(policy_of(RISK, ROLES, rules=(human, other)))
    assert {slot.name for slot in program.slots} == {"risk", "approved", "step.best"}
    cells = run(program, {"risk": 0, "approved": 0})
    assert (cells["out.expires"], cells["out.roles"], cells["out.decision"]) == (-1, 0, 0)


def test_every_cell_and_variable_of_the_interface_is_there() -> None:
    for seed in range(50):
        policy = random_policy(random.Random(seed))
        program = program_of(policy)
        assert program.variables == interface.variables(policy, classify_fields(policy))
        assert program.cells == interface.cells(policy)


def test_what_rules_mark_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """C declares no slot that nothing reads; of rules that never fire one still marked that it stands."""
    monkeypatch.setattr(steps_rules, "FEW", 0)
    never = ir.InRanges("risk", ())
    names = ("a", "b")
    rules = tuple(
        ir.Rule(n, never, ir.Effect.ALLOW, overrides=names[:i]) for i, n in enumerate(names)
    )
    body = program_of(policy_of(RISK, rules=rules)).body
    marked = {one.slot for one in body if isinstance(one, Mark)}
    assert marked <= set(all_reads(body))
