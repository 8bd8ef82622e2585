"""A decoded module against the engine: the same results, cells, classes and pairs, within its bounds."""

from __future__ import annotations

import random

import wasm_host
import wasmtime
from wasm_scans import Texts

from govlang.verifier.translation.machine import Artefact
from govlang.verifier.translation.machine_run import run
from govlang.verifier.translation.wasm_read import read_wasm

ENGINE = wasm_host.engine()
WORDS = (b"a", b"b", b".", b"/", b"infra", b"prod", "é".encode(), b"..", b"\\", b"\0", b"\xff")


def agree(data: bytes, seed: int = 0, steps: int = 40, texts: int = 40) -> Artefact:
    """The artefact of a module, once it did what the module does on random values and texts."""
    artefact, rng = read_wasm(data), random.Random(seed)
    check_steps(wasm_host.Host(ENGINE, data), artefact, rng, steps)
    if artefact.scans:
        check_scans(wasm_host.Host(ENGINE, data), artefact, rng, texts)
    return artefact


def check_steps(host: wasm_host.Host, artefact: Artefact, rng: random.Random, count: int) -> None:
    """Steps on random values come to the same."""
    for _ in range(count):
        values = wasm_host.random_values(rng, artefact)
        before = {name: host.get(name) for name in artefact.cells}
        returned, stored = run(artefact.decide, values)
        assert host.decide(values) == returned, values
        assert {name: host.get(name) for name in artefact.cells} == before | stored, values
        assert host.used <= artefact.steps


def check_scans(host: wasm_host.Host, artefact: Artefact, rng: random.Random, count: int) -> None:
    """Texts, taken in one after another, come to the same."""
    texts = Texts(artefact)
    memory = host.exports["memory"].data_len(host.store)
    for _ in range(count):
        name = rng.choice(sorted(artefact.scans))
        scan = artefact.scans[name]
        given = _text(rng, list(texts.taken.values()))[: scan.max_bytes + 1]
        at = host.get("text_place") if rng.random() < 0.8 else memory - len(given)
        assert host.classify(name, given, at) == texts.classify(name, given, memory - at)
        assert {one: host.get(one) for one in texts.values} == texts.values, (name, given)
        assert host.used <= scan.steps + scan.steps_each * len(given)


def _text(rng: random.Random, taken: list[bytes]) -> bytes:
    if taken and rng.random() < 0.3:
        return rng.choice(taken)
    return b"".join(rng.choices(WORDS, k=rng.randint(0, 6)))


def loads(data: bytes) -> bool:
    """Whether the engine takes a module at all."""
    try:
        wasmtime.Module(ENGINE, data)
    except wasmtime.WasmtimeError:
        return False
    return True
