"""The drone policy that remembers, on an emulated Cortex-M3: a recorded flight, with resets, is flown as recorded."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from benchmarks.board import image, over_time, over_time_modules
from benchmarks.board.over_time import Told
from benchmarks.board.policy import EdgePolicy
from benchmarks.board.rows import OVER_TIME, over_time_rows
from tools import tool

from govlang.compiler.step import Report, Request

pytestmark = pytest.mark.edge
COUNT = 300


@cache
def drone() -> EdgePolicy:
    return over_time.drone_over_time()


@cache
def flown() -> list[Told]:
    return over_time.flight(drone(), COUNT, 7)


def different(found: list[Told], place: Path) -> tuple[int, ...]:
    for name in ("arm-none-eabi-gcc", "arm-none-eabi-size", "qemu-system-arm"):
        tool(name)
    built = over_time.build(drone(), found, place)
    assert built.data_bytes == 0
    run = image.run(built.path)
    assert len(run.instructions) == len(found)
    assert 0 < max(run.stack) <= built.stack_bound
    assert 0 < max(run.instructions) <= built.longest
    return run.different


def test_a_flight_meets_requests_faults_silence_and_resets() -> None:
    rules = {one.cells["out.rule"] for one in flown() if one.cells}
    assert len(drone().policy.rules) + 2 in rules  # a clock fault
    assert len(rules) > 6
    assert {type(one.sample) for one in flown()} == {Request, Report}
    assert {-1, 500} <= {one.downtime_ms for one in flown()}


def test_a_flight_goes_on_the_board_as_recorded(tmp_path: Path) -> None:
    assert different(flown(), tmp_path) == ()


def test_a_state_and_an_outcome_that_differ_are_found(tmp_path: Path) -> None:
    found = list(flown()[:40])
    asked = next(n for n, one in enumerate(found) if one.cells)
    found[asked] = replace(found[asked], cells={**found[asked].cells, "out.retry": 7})
    found[-1] = replace(found[-1], state={**found[-1].state, "state.restart.age": 7})
    assert different(found, tmp_path) == (asked, 39)


def test_a_flight_goes_in_wasm3_as_recorded_and_a_difference_is_found() -> None:
    assert over_time_modules.different_in_wasm3(drone(), flown()) == []
    found = list(flown())
    found[-1] = replace(found[-1], state={**found[-1].state, "state.restart.age": 7})
    assert over_time_modules.different_in_wasm3(drone(), found) == [COUNT - 1]


def test_no_sample_takes_more_steps_than_the_bound_of_commit() -> None:
    taken = over_time_modules.steps_taken(drone(), flown())
    bound = over_time_modules.steps_bound(drone())
    assert bound // 2 < max(taken) <= bound


def test_the_rows_of_the_benchmark_page_hold_what_was_measured() -> None:
    tool("qemu-system-arm")
    rows = {row.form.removeprefix(f"{OVER_TIME}: "): row.value for row in over_time_rows()}
    assert rows["state"] == 27
    assert rows["state, saved"] == 59
    assert rows["a sample, worst of 1000"] <= rows["a sample, bound"]
