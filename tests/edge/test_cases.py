from __future__ import annotations

import random
from pathlib import Path

import pytest
from benchmarks.board.cases import INVALID, Case, cases_of, random_requests
from ir_requests import random_request
from ir_strategies import random_policy

from govlang.compiler import interface, ir
from govlang.compiler.frontend import compile_file
from govlang.compiler.text_classes import classify_fields

ROOT = Path(__file__).resolve().parents[2]
DRONE = compile_file(ROOT / "examples" / "stateless" / "drone_fleet.gov").policy
ON_THE_GROUND = {"drone": "d7", "cpu_load": 200, "restarted": 0, "sensor_fault": 0, "approved": 0}


def only_case(policy: ir.Policy, values: dict[str, int | str]) -> Case:
    found = [cases_of(policy, {}, [values], seed)[0] for seed in range(9)]
    return next(case for case in found if case.result == 0)


def test_a_limit_is_recorded_with_its_range_and_its_rule() -> None:
    case = only_case(DRONE, ON_THE_GROUND | {"battery": 950, "payload": 450, "zone": 1})
    ids = [rule.id for rule in DRONE.rules]
    assert case.cells["out.decision"] == ir.Effect.LIMIT
    assert case.cells["out.rule"] == ids.index("wind_limit#3")
    assert (case.cells["out.lo.speed"], case.cells["out.hi.speed"]) == (0, 15)
    assert case.cells["out.retry"] == case.cells["out.expires"] == -1


def test_a_wait_for_a_person_is_recorded_with_who_and_until_when() -> None:
    request = ON_THE_GROUND | {"battery": 700, "payload": 0, "zone": 2}
    case = only_case(DRONE, request)
    assert case.cells["out.decision"] == ir.Effect.REQUIRE_HUMAN
    assert (case.cells["out.roles"], case.cells["out.expires"]) == (1, 600_000)
    approved = only_case(DRONE, request | {"approved": 1})
    assert approved.cells["out.decision"] == ir.Effect.LIMIT
    assert (approved.cells["out.roles"], approved.cells["out.expires"]) == (0, -1)


def test_duties_remain_on_deny_and_limits_do_not() -> None:
    request = ON_THE_GROUND | {"battery": 250, "payload": 2500, "zone": 0, "sensor_fault": 1}
    case = only_case(DRONE, request)
    assert case.cells["out.decision"] == ir.Effect.DENY
    assert (case.cells["out.dos.0"], case.cells["out.limited.0"]) == (1, 0)


def test_the_drone_is_asked_everything_that_it_can_decide() -> None:
    cases = cases_of(DRONE, {}, random_requests(DRONE, 800, 1), 1)
    asked = {(case.cells["out.decision"], case.cells["out.rule"]) for case in cases}
    rules = {rule for _, rule in asked}
    assert {effect for effect, _ in asked} == {
        int(e) for e in ir.Effect if e is not ir.Effect.ALLOW
    }
    assert rules >= set(range(len(DRONE.rules)))
    variables = interface.variables(DRONE, {})
    spoilt = {case.cells["out.invalid"] for case in cases if case.result == INVALID}
    names = {variables[number].name for number in spoilt}
    assert names == {variable.name for variable in variables}


@pytest.mark.parametrize("seed", range(40))
def test_a_spoilt_case_names_the_only_variable_outside_its_domain(seed: int) -> None:
    rng = random.Random(seed)
    policy = random_policy(rng)
    classes = classify_fields(policy)
    variables = interface.variables(policy, classes)
    requests = [random_request(rng, policy) for _ in range(20)]
    for case in cases_of(policy, classes, requests, seed):
        assert set(case.cells) == {cell.name for cell in interface.cells(policy)}
        number = case.cells["out.invalid"]
        assert (case.result == INVALID) == (number != -1)
        if 0 <= number < len(variables):
            wrong = variables[number]
            value = case.variables.get(wrong.name, wrong.unset)
            assert wrong.mask or not wrong.lo <= value <= wrong.hi
