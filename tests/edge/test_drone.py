from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import pytest
from benchmarks.board import image
from benchmarks.board.cases import Case, cases_of
from benchmarks.board.image import Image, Run
from benchmarks.board.policy import EdgePolicy, edge_policy
from benchmarks.board.rows import CASES, DRONE, SEED, board_rows
from ir_requests import random_request
from ir_strategies import random_policy
from tools import tool

from govlang.compiler import ir
from govlang.compiler.frontend import compile_file

pytestmark = pytest.mark.edge


@cache
def drone() -> EdgePolicy:
    return edge_policy(compile_file(DRONE).policy)


@cache
def drone_cases() -> list[Case]:
    return drone().random_cases(CASES, SEED)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Image:
    need_board()
    return drone().image(drone_cases(), tmp_path_factory.mktemp("drone"))


def need_board() -> None:
    for name in ("arm-none-eabi-gcc", "arm-none-eabi-size", "qemu-system-arm"):
        tool(name)


def check_bounds(built: Image, run: Run) -> None:
    assert run.different == ()
    assert built.data_bytes == 0
    assert 0 < max(run.stack) <= built.stack_bound or built.stack_bound == 0
    assert 0 < max(run.instructions) <= built.longest


def test_the_drone_decides_on_a_cortex_m3_as_recorded_and_counts_repeat(built: Image) -> None:
    first = image.run(built.path)
    assert len(first.instructions) == CASES
    check_bounds(built, first)
    assert image.run(built.path) == first


def test_the_drone_decides_in_wasm3_as_recorded() -> None:
    assert list(drone().in_wasm3().different(drone_cases())) == []


def test_the_rows_of_the_benchmark_page_hold_what_was_measured(built: Image) -> None:
    run = image.run(built.path)
    rows = {row.form: row.value for row in board_rows()}
    assert rows["C, Cortex-M3, gcc -Os: code"] == built.code_bytes
    assert rows["C, Cortex-M3, gcc -Os: state"] == 0
    assert rows[f"C, Cortex-M3, gcc -Os: a decision, worst of {CASES}"] == max(run.instructions)
    assert rows["WebAssembly: module"] == len(drone().module())


def decides_as_recorded(policy: ir.Policy, count: int, seed: int, place: Path) -> None:
    need_board()
    edge = edge_policy(policy)
    rng = random.Random(seed)
    requests = [random_request(rng, policy) for _ in range(count)]
    built = edge.image(cases_of(policy, edge.classes, requests, seed), place)
    check_bounds(built, image.run(built.path))


@pytest.mark.parametrize("name", ["control_plane", "coding_agent", "microgrid"])
def test_the_other_examples_decide_on_the_board_as_recorded(name: str, tmp_path: Path) -> None:
    decides_as_recorded(compile_file(DRONE.parent / f"{name}.gov").policy, 150, 1, tmp_path)


@pytest.mark.parametrize("seed", range(8))
def test_random_policies_decide_on_the_board_as_recorded(seed: int, tmp_path: Path) -> None:
    decides_as_recorded(random_policy(random.Random(seed)), 60, seed, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1_000, 1_150))
def test_many_random_policies_decide_on_the_board_as_recorded(seed: int, tmp_path: Path) -> None:
    decides_as_recorded(random_policy(random.Random(seed)), 60, seed, tmp_path)
