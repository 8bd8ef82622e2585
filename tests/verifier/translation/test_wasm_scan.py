"""The scan of a text is found to be that of docs/edge.md, with its tables; any other is refused."""

from __future__ import annotations

import random

import pytest
import wasm_host
from wasm_assembler import Wasm
from wasm_scan_changes import CHANGES
from wasm_scans import (
    ENDS_IN_B,
    MAX_A,
    ONLY_A,
    SCAN_A,
    TEXT,
    VALID,
    Texts,
    lone_text,
    two_texts,
)

from govlang.native.errors import ArtefactError
from govlang.verifier.translation.machine import Artefact
from govlang.verifier.translation.wasm_read import read_wasm

ENGINE = wasm_host.engine()
ALPHABET = b"aaabbbc\xff"


def refuses(module: Wasm | bytes, why: str) -> None:
    with pytest.raises(ArtefactError, match=why) as caught:
        read_wasm(module if isinstance(module, bytes) else module.bytes())
    assert caught.value.code == "GOV416"


def agree(module: Wasm | bytes, seed: int = 0, count: int = 40) -> Artefact:
    """The artefact of a module, once random texts came to the same in both."""
    data = module if isinstance(module, bytes) else module.bytes()
    artefact, rng = read_wasm(data), random.Random(seed)
    host, texts = wasm_host.Host(ENGINE, data), Texts(artefact)
    memory = host.exports["memory"].data_len(host.store)
    for _ in range(count):
        name = rng.choice(sorted(artefact.scans))
        scan = artefact.scans[name]
        given = bytes(rng.choices(ALPHABET, k=rng.randint(0, scan.max_bytes + 1)))
        if rng.random() < 0.3 and texts.taken:
            given = rng.choice(list(texts.taken.values()))
        assert host.classify(name, given) == texts.classify(name, given, memory)
        assert {one: host.get(one) for one in texts.values} == texts.values
        assert host.used <= scan.steps + scan.steps_each * len(given)
    return artefact


def test_tables_bounds_columns_and_pairs_are_read() -> None:
    artefact = agree(two_texts())
    one, two = artefact.scans["a"], artefact.scans["b"]
    assert (one.max_bytes, one.validity, one.columns, one.pairs) == (
        MAX_A,
        VALID,
        (ENDS_IN_B, ONLY_A),
        ("b",),
    )
    assert (two.max_bytes, two.validity, two.columns, two.pairs) == (5, VALID, (), ("a",))


def test_a_text_that_is_taken_in_costs_what_the_bound_says() -> None:
    data = two_texts().bytes()
    artefact, host = read_wasm(data), wasm_host.Host(ENGINE, data)
    for name, scan in artefact.scans.items():
        for given in (b"", b"a", b"abab"):
            assert host.classify(name, given) == 0
            assert host.used == scan.steps + scan.steps_each * len(given)


def test_no_pointer_and_no_length_leave_the_memory() -> None:
    data = two_texts().bytes()
    host = wasm_host.Host(ENGINE, data)
    ends = (0, 1, MAX_A, 65535, 65536, 65537, 2**31 - 1, -(2**31), -1, -MAX_A)
    for at in ends:
        for length in ends:
            plain = (at % 2**32, length % 2**32)
            inside = plain[1] <= MAX_A and plain[0] + plain[1] <= 65536
            returned = host.call("classify.a", at, length)
            assert returned in ((0, -1) if inside else (-1,)), (at, length)


def test_a_host_that_scribbles_over_the_tables_gets_no_trap() -> None:
    data, rng = two_texts().bytes(), random.Random(5)
    artefact, host = read_wasm(data), wasm_host.Host(ENGINE, data)
    for _ in range(300):
        host.exports["memory"].write(host.store, rng.randbytes(TEXT), 0)
        name = rng.choice("ab")
        given = rng.randbytes(rng.randint(0, 5))
        scan = artefact.scans[name]
        assert host.classify(name, given) in (0, -1)
        assert host.used <= scan.steps + scan.steps_each * len(given)


def test_other_instructions_for_the_same_scan_are_read() -> None:
    other = SCAN_A.replace("i32.const 1 i32.shl", "i32.const 2 i32.mul").replace(
        "i32.const 2 i32.shl", "i32.const 4 i32.mul"
    )
    other = other.replace("i32.eqz br_if 0", "i32.const 0 i32.eq br_if 0")
    other = other.replace("i32.const 1 i32.add local.set 2", "i32.const -1 i32.sub local.set 2")
    assert other != SCAN_A
    assert agree(two_texts(a=other)).scans["a"].columns == (ENDS_IN_B, ONLY_A)


def test_a_text_without_columns_and_pairs_is_checked_alone() -> None:
    scan = agree(lone_text()).scans["b"]
    assert (scan.validity, scan.columns, scan.pairs) == (VALID, (), ())


@pytest.mark.parametrize("name", CHANGES)
def test_code_that_is_no_scan_is_refused(name: str) -> None:
    old, new, why = CHANGES[name]
    assert old in SCAN_A
    refuses(two_texts(a=SCAN_A.replace(old, new, 1)), why)
