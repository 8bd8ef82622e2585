"""The bound on a step's instructions holds on every way and is reached on the longest."""

from __future__ import annotations

import pytest
import wasm_host
from wasm_assembler import Wasm

from govlang.verifier.translation.wasm_read import read_wasm

ENGINE = wasm_host.engine()
VALUES = (-1, 0, 1, 2, 3, 9)

STEPS = {
    "straight code": ("global.get 0 i32.const 1 i32.add drop i32.const 0", 5),
    "blocks are free": ("block block end end i32.const 0 return", 2),
    "the longer arm of an if": (
        (
            "global.get 0 if global.get 1 global.set 2 else"
            " i32.const 1 i32.const 2 i32.add global.set 2 end i32.const 0"
        ),
        8,
    ),
    "an if without else": ("global.get 0 if i32.const 1 global.set 2 end i32.const 0", 6),
    "an if that returns": (
        ("global.get 0 if i32.const 1 return end i32.const 1 i32.const 2 i32.add"),
        6,
    ),
    "a way out, or on": (
        (
            "block global.get 0 br_if 0 i32.const 3 global.set 2 global.get 1 br_if 0"
            " i32.const 4 global.set 2 end i32.const 0"
        ),
        10,
    ),
    "the longest part of a table": (
        (
            "block block block global.get 0 br_table 0 1 ; 2 end i32.const 1 global.set 2 br 1 end"
            " i32.const 1 i32.const 2 i32.mul global.set 2 end i32.const 0"
        ),
        8,
    ),
    "what nothing leads to": ("i32.const 0 return i32.const 1 i32.const 2 i32.add", 2),
    "a choice of values": ("global.get 0 global.get 1 i32.const 1 select", 5),
}


@pytest.mark.parametrize("name", STEPS)
def test_the_longest_way_is_what_an_engine_counts_at_most(name: str) -> None:
    code, most = STEPS[name]
    data = Wasm({"x": ("i32", 9), "y": ("i32", 9)}, decide=code).bytes()
    host, counted = wasm_host.Host(ENGINE, data), set[int]()
    for x in VALUES:
        for y in VALUES:
            host.decide({"x": x, "y": y})
            counted.add(host.used)
    assert max(counted) == most == read_wasm(data).steps
