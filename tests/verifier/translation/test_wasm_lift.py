"""What is lifted from `decide` does what its instructions do, in as many statements."""

from __future__ import annotations

import random

import pytest
from wasm_agreement import agree
from wasm_assembler import Wasm
from wasm_code import RandomCode

from govlang.native.errors import ArtefactError
from govlang.verifier.translation import machine
from govlang.verifier.translation.machine import (
    Binary,
    Cell,
    Compared,
    Const,
    If,
    Local,
    Op,
    Return,
    Select,
    Set,
    Store,
    Switch,
)
from govlang.verifier.translation.wasm_read import read_wasm

X, Y = Cell(32, "x"), Cell(32, "y")
STEP_OF = {"x": ("i32", 10), "y": ("i32", 7), "wide": ("i64", -1)}
OUTCOME = {"out.decision": "i32", "out.rule": "i32", "out.expires": "i64"}


def step(code: str, *locals_: str) -> Wasm:
    return Wasm(STEP_OF, OUTCOME, code, locals_)


def lifted(code: str, *locals_: str) -> tuple[machine.Statement, ...]:
    """The statements of a step, without their places."""
    return tuple(map(bare, read_wasm(step(code, *locals_).bytes()).decide.body))


def bare(one: machine.Statement) -> machine.Statement:
    match one:
        case Set(name, value):
            return Set(name, value)
        case Store(name, value):
            return Store(name, value)
        case If(condition, then, otherwise):
            return If(condition, tuple(map(bare, then)), tuple(map(bare, otherwise)))
        case Switch(subject, parts, otherwise):
            inner = tuple((values, tuple(map(bare, part))) for values, part in parts)
            return Switch(subject, inner, tuple(map(bare, otherwise)))
        case Return(value):
            return Return(value)


def test_instructions_become_expressions() -> None:
    code = "global.get 0 i32.const -3 i32.add global.get 1 i32.lt_u global.set 3 i32.const 0"
    value = Compared(machine.Test.LT_U, 32, Binary(Op.ADD, 32, X, Const(32, -3)), Y)
    assert lifted(code) == (Store("out.decision", value), Return(Const(32, 0)))


def test_an_if_that_only_chooses_is_a_select() -> None:
    code = "global.get 0 if:i32 i32.const 1 else global.get 1 end"
    assert lifted(code) == (Return(Select(32, X, Const(32, 1), Y)),)


def test_an_if_that_returns_stands_before_the_rest() -> None:
    code = "global.get 0 if i32.const 1 return end i32.const 2"
    assert lifted(code) == (If(X, (Return(Const(32, 1)),)), Return(Const(32, 2)))


def test_what_is_left_by_a_branch_nests() -> None:
    code = "block global.get 0 br_if 0 global.get 1 br_if 0 i32.const 0 return end i32.const -1"
    inner = If(Y, (), (Return(Const(32, 0)),))
    assert lifted(code) == (If(X, (), (inner,)), Return(Const(32, -1)))


def test_a_table_of_branches_is_a_switch_with_flat_parts() -> None:
    code = (
        "block block block block global.get 0 br_table 0 1 0 3 ; 2 end"
        " i32.const 5 global.set 3 br 2 end"
        " i32.const 6 global.set 3 br 1 end"
        " i32.const 7 global.set 3 end i32.const 0"
    )
    parts = (
        ((0, 2), (Store("out.decision", Const(32, 5)),)),
        ((1,), (Store("out.decision", Const(32, 6)),)),
        ((3,), ()),
    )
    switch = Switch(X, parts, (Store("out.decision", Const(32, 7)),))
    assert lifted(code) == (switch, Return(Const(32, 0)))


def test_ways_that_go_on_beside_ways_that_leave_are_told_apart_by_a_flag() -> None:
    code = (
        "block global.get 0 if global.get 1 br_if 1 else i32.const 3 global.set 3 end"
        " i32.const 4 global.set 4 end i32.const 0"
    )
    flag = Local(32, "x0")
    chosen = If(Y, (Set("x0", Const(32, 1)),))
    assert lifted(code) == (
        If(X, (chosen,), (Store("out.decision", Const(32, 3)),)),
        Switch(flag, (((1,), ()),), (Store("out.rule", Const(32, 4)),)),
        Return(Const(32, 0)),
    )


def test_ways_that_meet_at_two_ends_at_once_need_no_flag() -> None:
    code = (
        "block:i32 block:i32 i32.const 7 global.get 0 br_if 0 drop"
        " i32.const 8 global.get 1 br_if 0 drop i32.const -1 br 1 end end"
    )
    number = Local(32, "t0")
    inner = If(Y, (Set("t0", Const(32, 8)),), (Set("t0", Const(32, -1)),))
    assert lifted(code) == (If(X, (Set("t0", Const(32, 7)),), (inner,)), Return(number))


def test_an_operand_keeps_its_value_when_its_local_changes() -> None:
    code = "local.get 0 i32.const 5 local.set 0 local.get 0 i32.sub"
    difference = Binary(Op.SUB, 32, Local(32, "t0"), Local(32, "l0"))
    changed = (Set("t0", Local(32, "l0")), Set("l0", Const(32, 5)))
    assert lifted(code, "i32") == (*changed, Return(difference))


LIFTS = {
    "operands below a block that sets their local": (
        "global.get 0 local.tee 0 local.get 0"
        " global.get 1 if i32.const 9 local.set 0 end i32.add local.get 0 i32.add"
    ),
    "tee under tee": "global.get 0 local.tee 0 global.get 1 local.tee 0 i32.sub local.get 0 i32.mul",
    "a result carried out of a block": (
        "block:i32 global.get 0 global.get 1 br_if 0 i32.const 3 i32.mul end i32.const 1 i32.add"
    ),
    "a result carried by a table": (
        "block:i32 block:i32 global.get 0 i32.const 7 i32.and global.get 1 br_table 0 1 ; 1 end"
        " i32.const 100 i32.add end"
    ),
    "code behind a jump": (
        "block br 0 i32.const 1 if global.get 0 drop else br 1 end end"
        " i32.const 5 return drop i32.const 6 i32.add"
    ),
    "a dead arm with a result": "global.get 0 if:i32 i32.const 4 return else global.get 1 end",
    "two dead arms": "global.get 0 if:i32 i32.const 4 return else i32.const 5 return end",
    "a branch out of the function": "global.get 0 global.get 1 br_if 0 drop i32.const 3",
    "a branch over two blocks with a value": (
        "block:i32 block global.get 1 if global.get 0 br 2 end end i32.const 8 end i32.const 2 i32.mul"
    ),
    "ways to three blocks": (
        "block block block global.get 0 if global.get 1 br_table 1 2 3 ; 0 else global.get 1 br_if 1 end"
        " i32.const 1 global.set 3 end i32.const 2 global.set 4 end i32.const 3 global.set 3 end i32.const 0"
    ),
    "wide and narrow": (
        "global.get 2 i32.wrap_i64 i64.extend_i32_u global.get 0 i64.extend_i32_s i64.add"
        " i64.const 7 i64.rem_s global.set 5 global.get 0 i32.const 3 i32.div_s"
    ),
    "select of what was computed": (
        "global.get 0 local.tee 0 global.get 1 local.get 0 i32.eqz select local.get 0 drop"
    ),
    "an if without else that changes a local": (
        "global.get 0 local.set 0 global.get 1 if local.get 0 i32.const 1 i32.add local.set 0 end local.get 0"
    ),
    "a deep expression": "global.get 0" + " global.get 1 i32.add i32.const 3 i32.mul" * 300,
    "many parts": "block " * 300
    + f"global.get 0 br_table {' '.join(map(str, range(299)))} ; 298"
    + "".join(f" end i32.const {n} global.set 4 br {298 - n}" for n in range(299))
    + " end i32.const 0",
    "parts that go on with the next": "block " * 8
    + "global.get 0 br_table 0 1 2 3 4 5 6 ; 7"
    + "".join(f" end local.get 0 i32.const {n + 2} i32.mul local.set 0" for n in range(8))
    + " local.get 0",
    "many ways out": "block"
    + " global.get 0 br_if 0 global.get 1 br_if 0" * 500
    + " end i32.const 0",
}


@pytest.mark.parametrize("name", LIFTS)
def test_lifted_code_does_what_the_engine_does(name: str) -> None:
    agree(step(LIFTS[name], "i32", "i64").bytes())


def test_ways_that_meet_and_part_too_often_are_refused() -> None:
    labels = " ".join(map(str, range(200)))
    code = "block " * 201 + f"global.get 0 br_table {labels} ; 0" + " end nothing" * 201
    module = step(code.replace("nothing", "global.get 1 drop") + " i32.const 0")
    assert "too often" in refused_for(module)


# --- random code ---------------------------------------------------------------------------------


def random_step(seed: int) -> Wasm:
    rng = random.Random(seed)
    variables = {0: "i32", 1: "i32", 2: "i64"}
    cells = {3: "i32", 4: "i32", 5: "i64"}
    locals_ = ("i32", "i32", "i64")
    code = RandomCode(rng, variables, cells, locals_, rng.choice((20, 60, 150)))
    return step(code.function(), *locals_)


def check_random_code(seeds: range) -> int:
    """Holds random code against the engine; how many were lifted, the rest having too many flags."""
    modules = {seed: random_step(seed) for seed in seeds}
    refused = {seed for seed, module in modules.items() if "too often" in refused_for(module)}
    for seed in modules.keys() - refused:
        agree(modules[seed].bytes(), seed, 12)
    return len(modules) - len(refused)


def refused_for(module: Wasm) -> str:
    """Why a module is refused; empty if it is not."""
    try:
        read_wasm(module.bytes())
    except ArtefactError as error:
        return error.why
    return ""


def test_random_code_does_what_the_engine_does() -> None:
    assert check_random_code(range(400)) > 390


@pytest.mark.long
@pytest.mark.parametrize("batch", range(20))
def test_much_random_code_does_what_the_engine_does(batch: int) -> None:
    assert check_random_code(range(1000 * (batch + 1), 1000 * (batch + 2))) > 950
