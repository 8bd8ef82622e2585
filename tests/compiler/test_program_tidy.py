"""A tidied program gives the same outcome, and asks for less."""

from __future__ import annotations

import random

import pytest
from edge_host import encoded
from ir_strategies import Requests, random_params, random_policy
from program_run import run
from program_strategies import random_program, random_variables
from tables import policy_of

from govlang.compiler import ir
from govlang.compiler.program import Decide, Gather, Program, Start, Store
from govlang.compiler.program_tidy import tidied
from govlang.compiler.steps import build_program
from govlang.compiler.text_classes import classify_fields

BATTERY = ir.Field("battery", ir.Kind.NUMBER, 0, 100)
SPEED = ir.Field("speed", ir.Kind.NUMBER, 0, 50)


def below(end: int) -> ir.BoolExpr:
    return ir.InRanges("battery", ((0, end),))


def limited(name: str, end: int, to: int) -> ir.Rule:
    limit = ir.Limit("speed", ir.IntConst(0), ir.IntConst(to))
    return ir.Rule(name, below(end), ir.Effect.LIMIT, limits=(limit,))


def program_of(*rules: ir.Rule) -> Program:
    policy = policy_of(BATTERY, rules=rules, outputs=(SPEED,))
    return build_program(policy, classify_fields(policy))


@pytest.mark.parametrize("batch", range(4))
def test_tidied_steps_of_random_policies_give_the_same_outcome(batch: int) -> None:
    for seed in range(batch * 40, (batch + 1) * 40):
        rng = random.Random(seed)
        policy = random_policy(rng)
        classes, params = classify_fields(policy), random_params(rng, policy)
        program = build_program(policy, classes)
        other, requests = tidied(program), Requests(policy)
        for _ in range(15):
            values = encoded(policy, classes, requests.request(rng), params)
            assert run(other, values) == run(program, values), seed


@pytest.mark.parametrize("batch", range(2))
def test_tidied_random_programs_give_the_same_outcome(batch: int) -> None:
    for seed in range(batch * 100, (batch + 1) * 100):
        rng = random.Random(seed)
        program = random_program(rng)
        other = tidied(program)
        for _ in range(15):
            values = random_variables(rng)
            assert run(other, values) == run(program, values), seed


def test_limits_are_gathered_without_a_comparison() -> None:
    rules = [limited(f"to {to}", end, to) for end, to in ((90, 7), (50, 40), (40, 3), (30, 7))]
    found = [one for one in tidied(program_of(*rules)).body if isinstance(one, Gather)]
    speed = [one for one in found if one.slot.name.endswith("hi.speed")]
    assert [repr(one.value) for one in speed] == [
        f"Number(value={to}, width=32)" for to in (40, 7, 3)
    ]
    assert {one.way.value for one in speed} == {"last"}


def test_flags_that_say_the_same_are_one() -> None:
    rules = [limited("a", 20, 7), limited("b", 20, 9), ir.Rule("c", below(20), ir.Effect.THROTTLE)]
    flags = [one for one in tidied(program_of(*rules)).body if isinstance(one, Decide)]
    assert len(flags) == 2  # the rules', and denied


def test_a_time_that_nobody_gave_is_none_from_the_start() -> None:
    roles = ir.Field(ir.APPROVED, ir.Kind.SET, 0, 1, members=("x",), origin=ir.Origin.RUNTIME)
    rules = tuple(
        ir.Rule(f"p{ms}", below(ms), ir.Effect.REQUIRE_HUMAN, roles=("x",), expires_ms=ms)
        for ms in (5, 9)
    )
    policy = policy_of(BATTERY, roles, rules=rules)
    body = tidied(build_program(policy, classify_fields(policy))).body
    starts = {one.slot.name: one.value for one in body if isinstance(one, Start)}
    assert repr(starts["step.expires"]) == "Number(value=-1, width=64)"
    stored = next(one for one in body if isinstance(one, Store) and one.cell.name == "out.expires")
    assert "9223372036854775807" not in repr(stored)
