"""Every form that a program may have means in WebAssembly what it means."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import wasmtime
from program_run import run
from program_strategies import SLOTS, random_program, random_variables
from wasm_policies import Call, Put, Step, run_in_node, run_in_wasmtime, signed

from govlang.compiler.ir import CompareOp
from govlang.compiler.program import (
    Compare,
    Decide,
    Number,
    Program,
    Read,
    Start,
    Store,
    Switch,
    Truth,
)
from govlang.compiler.wasm_binary import Global, Module, module_bytes
from govlang.compiler.wasm_decide import decide_function

PROGRAMS = 150
STEPS = 25


def module_of(program: Program) -> bytes:
    """A module that holds nothing but `decide`."""
    shared = [Global(v.name, v.width, v.unset) for v in program.variables]
    shared += [Global(c.name, c.width, 0) for c in program.cells]
    number = {one.export: i for i, one in enumerate(shared) if one.export}
    function = decide_function(program, number)
    return module_bytes(Module("m", (function,), tuple(shared), None, ()))


def job(
    program: Program, rng: random.Random, count: int
) -> tuple[list[Step], list[dict[str, int]]]:
    steps: list[Step] = []
    wanted = []
    for _ in range(count):
        values = random_variables(rng)
        steps += [Put(one.name, signed(values[one.name], one.width)) for one in program.variables]
        steps.append(Call("decide"))
        cells = run(program, values)
        wanted.append({c.name: signed(cells[c.name], c.width) for c in program.cells})
    return steps, wanted


def agree(seeds: range) -> None:
    jobs, wanted = [], []
    for seed in seeds:
        rng = random.Random(seed)
        program = random_program(rng)
        steps, cells = job(program, rng, STEPS)
        jobs.append((module_of(program), steps))
        wanted.append(cells)
    for seed, cells, answers in zip(seeds, wanted, run_in_node(jobs), strict=True):
        assert [dict(answer.cells) for answer in answers] == cells, seed
        results = [0 if one["out.invalid"] == -1 else -1 for one in cells]
        assert [answer.result for answer in answers] == results
    few = jobs[0][1][:100]
    assert run_in_wasmtime(jobs[0][0], few) == run_in_node([(jobs[0][0], few)])[0]


@pytest.mark.parametrize("batch", range(3))
def test_random_programs_mean_what_they_mean(batch: int) -> None:
    agree(range(batch * PROGRAMS, (batch + 1) * PROGRAMS))


@pytest.mark.long
@pytest.mark.parametrize("batch", range(40))
def test_many_random_programs_mean_what_they_mean(batch: int) -> None:
    agree(range(10_000 + batch * PROGRAMS, 10_000 + (batch + 1) * PROGRAMS))


def test_a_switch_of_thousands_of_parts_finds_each() -> None:
    rng = random.Random(1)
    program = random_program(rng)
    some, found = SLOTS["some"], program.slots[-1]
    parts = tuple(((i, i + 2000), (Decide(found, Truth(i % 2 == 1)),)) for i in range(1900))
    stores = tuple(one for one in program.body if isinstance(one, Store))
    head = program.body[: len(program.variables)]
    starts = tuple(Start(s, Number(0, s.width)) for s in program.slots[len(SLOTS) :])
    large = replace(program, body=(*head, *starts, Switch(some, parts), *stores))
    steps, cells = job(large, rng, 40)
    answers = run_in_wasmtime(module_of(large), steps)
    assert [dict(answer.cells) for answer in answers] == cells


def test_a_program_that_refuses_nothing_needs_no_way_out() -> None:
    program = random_program(random.Random(1))
    invalid = program.cells[-1]
    plain = replace(program, variables=(), cells=(invalid,), slots=())
    data = module_of(replace(plain, body=(Store(invalid, Number(-1, 32)),)))
    answer = run_in_wasmtime(data, [Call("decide")])[0]
    assert (answer.result, answer.cells) == (0, {"out.invalid": -1})


def test_operands_are_widened_only_where_that_matters() -> None:
    program = random_program(random.Random(1))
    few = Read(SLOTS["few"], 64)
    compared = Compare(CompareOp.LT, few, Number(9, 64))
    truth = next(s for s in program.slots if s.name == "truth0")
    cell = program.cells[-1]
    body = (*program.body[: len(program.variables)], Start(truth, Number(0, 32)))
    body = (*body, Decide(truth, compared), Store(cell, Read(truth, 32)))
    code = decide_function(
        replace(program, body=body, cells=(cell,)),
        {v.name: i for i, v in enumerate((*program.variables, cell))},
    ).code
    assert b"\xac" not in code  # i64.extend_i32_s
    assert wasmtime.Module(wasmtime.Engine(), module_of(replace(program, body=body, cells=(cell,))))
