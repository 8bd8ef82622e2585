"""The binary format: shortest numbers, sections in their order, names that are read back."""

from __future__ import annotations

import random
from collections.abc import Iterator

import wasmtime

from govlang.compiler.wasm_binary import (
    HEADER,
    OPCODE,
    Function,
    Global,
    Memory,
    Module,
    as_signed,
    constant,
    module_bytes,
    signed,
    unsigned,
)

EDGES = [0, 1, 63, 64, 127, 128, 8191, 8192, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1]


def read_unsigned(data: bytes) -> tuple[int, int]:
    value = shift = at = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not byte & 0x80:
            return value, at


def read_signed(data: bytes) -> tuple[int, int]:
    value, length = read_unsigned(data)
    return as_signed(value, 7 * length), length


def test_numbers_are_read_back_and_have_no_byte_too_many() -> None:
    rng = random.Random(1)
    for value in (*EDGES, *(rng.getrandbits(rng.randrange(1, 64)) for _ in range(500))):
        data = unsigned(value)
        assert read_unsigned(data) == (value, len(data))
        assert len(data) == 1 or data[-1] != 0
        for one in (value, -value, -value - 1):
            data = signed(one)
            assert read_signed(data) == (one, len(data))
            assert len(data) == max(1, -(-(max(one, ~one).bit_length() + 1) // 7))


def test_constants_of_masks_lose_no_bit() -> None:
    assert constant(2**32 - 1, 32) == constant(-1, 32) == b"\x41\x7f"
    assert constant(2**63, 64) == constant(-(2**63), 64)


def test_codes_are_those_of_the_specification() -> None:
    known = {
        "i32.const": 0x41,
        "i64.const": 0x42,
        "i32.eqz": 0x45,
        "i32.lt_s": 0x48,
        "i32.ge_u": 0x4F,
        "i64.eqz": 0x50,
        "i64.ge_u": 0x5A,
        "i32.add": 0x6A,
        "i32.div_s": 0x6D,
        "i32.and": 0x71,
        "i32.shr_u": 0x76,
        "i64.add": 0x7C,
        "i64.rem_s": 0x81,
        "i64.shr_u": 0x88,
    }
    assert {name: OPCODE[name] for name in known} == known


def sections(data: bytes) -> Iterator[int]:
    assert data.startswith(HEADER)
    at = len(HEADER)
    while at < len(data):
        yield data[at]
        size, length = read_unsigned(data[at + 1 :])
        at += 1 + length + size
    assert at == len(data)


def answer(value: int) -> Function:
    code = constant(value, 32) + bytes([OPCODE["end"]])
    return Function(f"f{value}", (f"f{value}", f"again{value}"), 0, (32, 32, 64, 32), code)


def test_sections_stand_in_their_order_and_empty_ones_are_left_out() -> None:
    bare = Module("m", (answer(1),), (), None, ())
    assert list(sections(module_bytes(bare))) == [1, 3, 7, 10, 0]
    full = Module(
        "m", (answer(1),), (Global("g", 64, -1),), Memory(1, b"xy"), (("gov.schema", b"{}"),)
    )
    assert list(sections(module_bytes(full))) == [1, 3, 5, 6, 7, 10, 11, 0, 0]


def test_a_module_runs_with_its_globals_and_its_memory() -> None:
    two = Function("two", ("two",), 2, (), bytes([OPCODE["local.get"], 1, OPCODE["end"]]))
    shared = (Global("g", 64, 2**64 - 1), Global(None, 32, 7), Global("at", 32, 300, mutable=False))
    data = module_bytes(Module("m", (answer(5), two), shared, Memory(2, b"\0abc"), ()))
    engine = wasmtime.Engine()
    module, store = wasmtime.Module(engine, data), wasmtime.Store(engine)
    exports = wasmtime.Instance(store, module, []).exports(store)
    names = ["g", "at", "f5", "again5", "two", "memory"]
    assert [one.name for one in module.exports] == names
    called = [exports[name] for name in ("f5", "two")]
    assert isinstance(called[0], wasmtime.Func)
    assert isinstance(called[1], wasmtime.Func)
    assert (called[0](store), called[1](store, 3, 4)) == (5, 4)
    memory, held = exports["memory"], exports["g"]
    assert isinstance(memory, wasmtime.Memory)
    assert isinstance(held, wasmtime.Global)
    assert memory.read(store, 0, 4) == b"\0abc"
    assert (memory.size(store), held.value(store)) == (2, -1)
