from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.board.cases import Case, cases_of, random_requests
from benchmarks.board.modules import WasmBoard
from ir_requests import random_request
from ir_strategies import random_policy

from govlang.compiler import interface, ir
from govlang.compiler.frontend import compile_file
from govlang.compiler.steps import build_program
from govlang.compiler.text_classes import TextClasses, classify_fields
from govlang.compiler.wasm import wasm_module

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DRONE = compile_file(EXAMPLES / "stateless" / "drone_fleet.gov").policy
SNAPSHOT = "sha256:" + "0" * 64

pytestmark = pytest.mark.edge


def board(policy: ir.Policy, classes: dict[str, TextClasses]) -> WasmBoard:
    module = wasm_module(build_program(policy, classes), classes, SNAPSHOT)
    return WasmBoard(module, interface.variables(policy, classes), interface.cells(policy))


def drone_cases() -> list[Case]:
    return cases_of(DRONE, {}, random_requests(DRONE, 1_000, 1), 1)


def test_the_drone_decides_in_wasm3_as_recorded() -> None:
    assert list(board(DRONE, {}).different(drone_cases())) == []


def test_a_decision_that_differs_is_found_in_wasm3() -> None:
    cases = drone_cases()[:40]
    wrong = [
        replace(case, cells=case.cells | {name: case.cells[name] ^ 1})
        for name in cases[0].cells
        for case in cases[:2]
    ]
    returned = [replace(case, result=case.result ^ 1) for case in cases[:4]]
    mixed = [*cases, *wrong, *returned]
    assert list(board(DRONE, {}).different(mixed)) == list(range(40, len(mixed)))


@pytest.mark.parametrize("seed", range(40))
def test_random_policies_decide_in_wasm3_as_recorded(seed: int) -> None:
    rng = random.Random(seed)
    policy = random_policy(rng)
    classes = classify_fields(policy)
    cases = cases_of(policy, classes, [random_request(rng, policy) for _ in range(40)], seed)
    assert list(board(policy, classes).different(cases)) == []


@pytest.mark.parametrize("name", ["control_plane", "coding_agent", "microgrid"])
def test_the_other_examples_decide_in_wasm3_as_recorded(name: str) -> None:
    policy = compile_file(EXAMPLES / "stateless" / f"{name}.gov").policy
    classes = classify_fields(policy)
    rng = random.Random(name)
    cases = cases_of(policy, classes, [random_request(rng, policy) for _ in range(200)], 1)
    assert list(board(policy, classes).different(cases)) == []
