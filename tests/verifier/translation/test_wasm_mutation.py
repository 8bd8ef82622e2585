"""Modules of the compiler, whole and with one thing changed: read as what they do, or refused."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import wasm_scans
from ir_strategies import random_policy
from wasm_agreement import agree, loads
from wasm_assembler import Wasm, module_of
from wasm_mutation import Mutator, encoded, sections_of
from wasm_policies import Module

from govlang.compiler.frontend import compile_file
from govlang.native.errors import ArtefactError
from govlang.verifier.translation.wasm_instructions import read_instructions
from govlang.verifier.translation.wasm_read import read_wasm
from govlang.verifier.translation.wasm_sections import read_module

STEP = Wasm(
    {"x": ("i32", 10), "wide": ("i64", -1)},
    {"out.decision": "i32", "out.expires": "i64"},
    "block global.get 0 i32.const 9 i32.gt_u br_if 0 global.get 1 i64.const 3 i64.div_s local.tee 0"
    " i64.const 5 i64.lt_s if local.get 0 global.set 3 else i32.const 2 global.set 2 end"
    " i32.const 0 return end i32.const 4 global.set 2 i32.const -1",
    ("i64",),
)


def module_of_policy(seed: int) -> bytes:
    return Module(random_policy(random.Random(seed))).data


def check(data: bytes, what: str, seed: int = 0) -> bool:
    """Whether a changed module is taken; it must then do what it is read as."""
    if not is_read(data):
        return False
    try:
        agree(data, seed, 10, 10)
    except AssertionError as error:
        raise AssertionError(what) from error
    return True


def is_read(data: bytes) -> bool:
    try:
        read_wasm(data)
    except ArtefactError:
        return False
    return True


def flips(data: bytes, places: Sequence[int]) -> Counter[bool]:
    """Every single bit of some bytes changed; how many were taken."""
    taken: Counter[bool] = Counter()
    for place in places:
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            taken[check(bytes(changed), f"bit {bit} at {place:#x}", place)] += 1
    return taken


def test_every_flipped_bit_of_a_step_is_refused_or_read() -> None:
    data = STEP.bytes()
    taken = flips(data, range(len(data)))
    assert taken[True] > 50
    assert taken[False] > 1000


SCAN_MODULE = wasm_scans.two_texts().bytes()
TABLES = range(
    SCAN_MODULE.index(wasm_scans.DATA), SCAN_MODULE.index(wasm_scans.DATA) + len(wasm_scans.DATA)
)


def test_flipped_bits_of_scans_are_refused_or_read() -> None:
    places = [place for place in range(len(SCAN_MODULE)) if place not in TABLES]
    taken = flips(SCAN_MODULE, places[::3])
    assert taken[False] > 1000


@pytest.mark.long
@pytest.mark.parametrize("part", range(8))
def test_every_flipped_bit_of_scans_is_refused_or_read(part: int) -> None:
    """Of the tables, which are read as they stand, one byte in seven."""
    places = [at for at in range(len(SCAN_MODULE)) if at not in TABLES or at % 7 == 0]
    taken = flips(SCAN_MODULE, places[part::8])
    assert taken[True] > 100
    assert taken[False] > 100


def test_flipped_tables_are_read_as_they_stand() -> None:
    assert set(flips(SCAN_MODULE, TABLES[::150])) == {True}


# --- what the compiler writes --------------------------------------------------------------------


@pytest.mark.parametrize("batch", range(4))
def test_modules_of_random_policies_do_what_they_are_read_as(batch: int) -> None:
    for seed in range(batch * 12, batch * 12 + 12):
        agree(module_of_policy(seed), seed)


@pytest.mark.parametrize("name", ["coding_agent", "control_plane", "drone_fleet", "microgrid"])
def test_modules_of_the_examples_do_what_they_are_read_as(root: Path, name: str) -> None:
    policy = compile_file(root / f"examples/{name}.gov").policy
    artefact = agree(Module(policy).data)
    assert not any(one.startswith("x") for one in artefact.decide.locals), "a flag"


def test_instructions_are_written_back_as_they_were() -> None:
    data = module_of_policy(3)
    module = read_module(data)
    for body in module.bodies:
        code = b"".join(map(encoded, read_instructions(body, module.globals, scan=True)))
        assert data[body.at : body.end] == code
    assert module_of(sections_of(data)) == data


def check_mutants(seed: int, count: int) -> Counter[bool]:
    rng = random.Random(seed)
    taken: Counter[bool] = Counter()
    for mutant in Mutator(module_of_policy(seed), rng).mutants(count):
        done = check(mutant.data, f"seed {seed}: {mutant.what}", seed)
        assert not done or loads(mutant.data)
        taken[done] += 1
    return taken


@pytest.mark.parametrize("batch", range(4))
def test_changed_modules_are_refused_or_read_as_what_they_do(batch: int) -> None:
    taken: Counter[bool] = Counter()
    for seed in range(batch * 5, batch * 5 + 5):
        taken += check_mutants(seed, 20)
    assert min(taken[True], taken[False]) >= 20


@pytest.mark.long
@pytest.mark.parametrize("batch", range(10))
def test_many_changed_modules_are_refused_or_read_as_what_they_do(batch: int) -> None:
    taken: Counter[bool] = Counter()
    for seed in range(100 + batch * 5, 105 + batch * 5):
        taken += check_mutants(seed, 100)
    assert min(taken[True], taken[False]) >= 100
