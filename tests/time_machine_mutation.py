"""Mutants of modules over time: one bit or one number of a function's code changed, and what became of each."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from edge_time import NOW
from machine_mutation import SNAPSHOT

from govlang.cli.engines import wasm_engine
from govlang.compiler import ir
from govlang.compiler.diagram import build_diagram
from govlang.compiler.steps import build_program
from govlang.compiler.table import emit_table
from govlang.compiler.text_classes import classify_fields
from govlang.compiler.wasm import wasm_module
from govlang.native.errors import ArtefactError
from govlang.verifier.translation import machine, machine_run
from govlang.verifier.translation.decode import Decoded
from govlang.verifier.translation.edge_interface import Home, Interface
from govlang.verifier.translation.machine_proof import artefact_interface, prove_artefact
from govlang.verifier.translation.proof import ArtefactProof, Verdict
from govlang.verifier.translation.time_decode import Memory, read_memory
from govlang.verifier.translation.time_machine import ways_into
from govlang.verifier.translation.time_machine_witness import TimedWitnesses
from govlang.verifier.translation.wasm_read import read_wasm
from govlang.verifier.translation.wasm_sections import Body, read_module


@dataclass(frozen=True, slots=True)
class Timed:
    """A policy over time, its module, and what its table says of the state."""

    policy: ir.Policy
    module: bytes
    memory: Memory


def timed(policy: ir.Policy) -> Timed:
    """The module of a policy."""
    classes = classify_fields(policy)
    module = wasm_module(build_program(policy, classes), classes, SNAPSHOT)
    table = emit_table(policy, build_diagram(policy, classes), classes, SNAPSHOT)
    memory = read_memory(Decoded(table))
    assert memory is not None
    return Timed(policy, module, memory)


def prove_module(
    one: Timed, artefact: machine.Artefact, data: bytes, timeout_s: float = 5
) -> ArtefactProof:
    """The proof of a module, with wasmtime for what is refuted."""
    engine = wasm_engine(data, artefact)
    assert engine is not None
    return prove_artefact(
        one.policy,
        artefact,
        what="WebAssembly",
        snapshot=SNAPSHOT,
        timeout_s=timeout_s,
        memory=one.memory,
        taken=engine[1],
    )


@dataclass(slots=True)
class Fates:
    """How often each fate came, and what is wrong with any of them."""

    count: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def mutants(
    data: bytes, rng: random.Random, count: int, bodies: Sequence[Body]
) -> Iterator[tuple[str, bytes]]:
    """Modules with one byte of some functions changed."""
    places = [at for body in bodies for at in range(body.at, body.end)]
    for _ in range(count):
        at, changed = rng.choice(places), bytearray(data)
        near = (changed[at] + rng.choice((1, -1))) % 256
        changed[at] = rng.choice((near, changed[at] ^ 1 << rng.randrange(8)))
        yield f"{at:#x}: {data[at]:#x} is {changed[at]:#x}", bytes(changed)


def fates(one: Timed, rng: random.Random, count: int) -> Fates:
    """What became of some mutants of a module."""
    found = Fates()
    for name, data in mutants(one.module, rng, count, read_module(one.module).bodies):
        fate, wrong = fate_of(one, data, rng)
        found.count[fate] += 1
        if wrong:
            found.wrong.append(f"{name}: {fate}: {wrong}")
    return found


def fate_of(one: Timed, data: bytes, rng: random.Random) -> tuple[str, str]:
    """What became of one mutant, and what is wrong with that."""
    try:
        artefact = read_wasm(data)
    except ArtefactError:
        return "refused", ""
    proof = prove_module(one, artefact, data, timeout_s=2)
    match proof.verdict:
        case Verdict.PROVED:
            return "equal", seen_difference(one, artefact, data, rng)
        case Verdict.REFUTED:
            told = proof.refutation
            assert told is not None
            if told.variables is None:
                return "refuted by its form", ""
            return "refuted by a sample", "" if told.found != told.expected else told.what
        case Verdict.UNDECIDED:
            return "undecided", ""


def seen_difference(one: Timed, artefact: machine.Artefact, data: bytes, rng: random.Random) -> str:
    """A sample or a state that shows what a proof has missed."""
    interface = artefact_interface(one.policy, artefact)
    tries = TimedWitnesses(one.policy, interface, artefact, None)
    assert artefact.time is not None
    for way in ways_into(artefact.time.ways):
        found = tries.probed("missed", way)
        if found is not None:
            return found.what
    return asked_difference(one, artefact, interface, rng)


def asked_difference(
    one: Timed, artefact: machine.Artefact, interface: Interface, rng: random.Random
) -> str:
    """A state of which a host is told something else than by the module as it was printed."""
    ours, theirs = read_wasm(one.module).time, artefact.time
    assert ours is not None
    assert theirs is not None
    for _ in range(200):
        state = some_state(interface, rng)
        for name in ("state_ok", "next_deadline"):
            answers = [machine_run.run(getattr(time, name), state) for time in (ours, theirs)]
            if answers[0] != answers[1]:
                return f"{name} on {state}: {answers}"
    return ""


def some_state(interface: Interface, rng: random.Random) -> dict[str, int]:
    """Now and a state, now and then with a value outside its domain."""
    now = rng.choice((0, 10**12, 10**12, 2**53 - 1))
    found = {}
    for one in interface.variables:
        spans = [(one.unset, one.unset)] if one.is_set else list(one.domain)
        lo, hi = rng.choice(spans)
        near = [v for v in (lo, hi, lo + 1, hi - 1, 0, 1, 5_000, 60_000) if lo <= v <= hi]
        found[one.name] = rng.choice([*near, rng.randint(lo, hi)])
        if one.name.startswith("clock."):
            found[one.name] = rng.choice(
                (found[one.name], now - rng.randint(0, 100_000), one.unset)
            )
        if one.home is Home.STATE and rng.random() < 0.01:
            found[one.name] = one.column.hi + rng.choice((1, 2))
    return found | {NOW: now}
