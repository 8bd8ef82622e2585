"""Scans and schema of emitted artefacts, from their bytes and text: proved as they are, found out when changed."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from ir_strategies import Shape, random_policy
from wasm_policies import SNAPSHOT, Module

from govlang.compiler import ir
from govlang.compiler.c_source import c_files
from govlang.compiler.edge_automata import automaton_bytes
from govlang.native.errors import ArtefactError
from govlang.verifier.translation.c_names import Documented
from govlang.verifier.translation.c_read import read_c
from govlang.verifier.translation.machine import Artefact
from govlang.verifier.translation.machine_run import classify
from govlang.verifier.translation.proof import Verdict
from govlang.verifier.translation.scan_proof import prove_scans
from govlang.verifier.translation.schema_read import schema_mismatches
from govlang.verifier.translation.wasm_read import read_wasm


def with_texts(seed: int) -> tuple[ir.Policy, Module]:
    """A random policy that reads texts, and its module."""
    rng = random.Random(seed)
    while True:
        policy = random_policy(rng, Shape(rng.randint(2, 6), rng.randint(1, 6), 2))
        module = Module(policy)
        if module.scans:
            return policy, module


def judge(policy: ir.Policy, artefact: Artefact) -> str:
    """`named`, `shown` by texts, `undecided` or `proved`."""
    columns = {name: len(scan.columns) for name, scan in artefact.scans.items()}
    proof = prove_scans(policy, artefact)
    verdicts = {one.verdict for one in proof.obligations}
    if artefact.schema and any(schema_mismatches(artefact.schema, policy, SNAPSHOT, columns)):
        return "named"
    if Verdict.REFUTED in verdicts:
        return "shown" if any(fault.texts for fault in proof.faults) else "named"
    return "undecided" if Verdict.UNDECIDED in verdicts else "proved"


@pytest.mark.parametrize("seed", range(25))
def test_scans_and_schema_of_an_emitted_module_are_those_of_the_policy(seed: int) -> None:
    policy, module = with_texts(seed)
    assert judge(policy, read_wasm(module.data)) == "proved"
    header, source = c_text(module)
    artefact = read_c(header, source, documented(module))
    for name, scan in read_wasm(module.data).scans.items():
        own = artefact.scans[name]
        assert 0 < own.steps_each < own.steps
        assert own == replace(scan, steps=own.steps, steps_each=own.steps_each)
    assert judge(policy, artefact) == "proved"


def c_text(module: Module) -> tuple[str, str]:
    return c_files(module.program, module.scans)


def documented(module: Module) -> Documented:
    program = module.program
    return Documented([v.name for v in program.variables], [c.name for c in program.cells])


def automata_at(module: bytes, policy: ir.Policy) -> list[tuple[int, int]]:
    """Where the automata of a module stand, and how long they are."""
    found = []
    for scan in Module(policy).scans:
        for automaton in (scan.validity, *scan.columns):
            content = automaton_bytes(automaton)
            found.append((module.index(content), len(content)))
    return found


def byte_mutants(data: bytes, policy: ir.Policy, rng: random.Random, count: int) -> Iterator[bytes]:
    places = automata_at(data, policy)
    for _ in range(count):
        first, length = rng.choice(places)
        at = first + rng.randrange(length)
        other = rng.choice((data[at] ^ 1, data[at] ^ 1 << rng.randrange(8), 0, data[at] + 1 & 255))
        if other != data[at]:
            yield data[:at] + bytes([other]) + data[at + 1 :]


def texts_alike(policy: ir.Policy, one: Artefact, other: Artefact, rng: random.Random) -> bool:
    """Whether two artefacts take the same texts, of those of a few random letters."""
    for name, scan in one.scans.items():
        for _ in range(60):
            text = "".join(rng.choices("abcdeilnoprstu./é\\*", k=rng.randint(0, 8))).encode()
            ours, theirs = classify(scan, text), classify(other.scans[name], text)
            if (ours is None) != (theirs is None):
                return False
    return True


def fates(seed: int, count: int) -> Counter[str]:
    rng = random.Random(seed)
    policy, module = with_texts(seed)
    data = module.data
    right = read_wasm(data)
    found: Counter[str] = Counter()
    for mutant in byte_mutants(data, policy, rng, count):
        try:
            artefact = read_wasm(mutant)
        except ArtefactError:
            found["refused"] += 1
            continue
        fate = judge(policy, artefact)
        found[fate] += 1
        assert fate != "proved" or texts_alike(policy, right, artefact, rng)
    return found


def test_a_changed_byte_of_an_automaton_is_found_out_or_changes_nothing() -> None:
    found = sum((fates(seed, 25) for seed in range(4)), Counter[str]())
    assert found["shown"] > 10
    assert found["undecided"] <= 0.05 * found.total()


def number_mutants(source: str, rng: random.Random, count: int) -> Iterator[str]:
    """C texts in which one number of an automaton is another one."""
    arrays = re.finditer(r"static const uint\d+_t \w+\[\d+\] = \{([^}]*)\}", source)
    numbers = [
        (array.start(1) + one.start(), one[0])
        for array in arrays
        for one in re.finditer(r"\d+", array[1])
    ]
    for _ in range(count):
        at, old = rng.choice(numbers)
        new = str(rng.choice((int(old) ^ 1, int(old) + 1, 0, 255, int(rng.choice(numbers)[1]))))
        if new != old:
            yield source[:at] + new + source[at + len(old) :]


def test_a_changed_number_of_an_array_in_c_is_found_out_or_changes_nothing() -> None:
    found: Counter[str] = Counter()
    for seed in range(4):
        rng = random.Random(seed)
        policy, module = with_texts(seed)
        header, source = c_text(module)
        right = read_c(header, source, documented(module))
        for mutant in number_mutants(source, rng, 20):
            try:
                artefact = read_c(header, mutant, documented(module))
            except ArtefactError:
                found["refused"] += 1
                continue
            fate = judge(policy, artefact)
            found[fate] += 1
            assert fate != "proved" or texts_alike(policy, right, artefact, rng)
    assert found["shown"] > 8
    assert found["undecided"] <= 0.05 * found.total()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 116))
def test_many_changed_bytes_of_automata_are_found_out_or_change_nothing(seed: int) -> None:
    found = fates(seed, 100)
    assert found["undecided"] <= 0.1 * found.total()


@pytest.mark.parametrize("seed", range(3))
def test_a_changed_letter_of_the_schema_is_refused_or_named(seed: int) -> None:
    rng = random.Random(seed)
    policy, module = with_texts(seed)
    data = module.data
    schema = read_wasm(data).schema
    first = data.index(schema)
    for _ in range(40):
        at = first + rng.randrange(len(schema))
        other = rng.choice(b'0123456789abcz"{}[]:,')
        if other == data[at]:
            continue
        try:
            artefact = read_wasm(data[:at] + bytes([other]) + data[at + 1 :])
        except ArtefactError:
            continue
        assert judge(policy, artefact) == "named"
