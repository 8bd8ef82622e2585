"""Mutants of the C of policies over time: one word of the source or the header changed, and what became of each."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from c_mutation import character, constant, kind, moved, mutant, name, suffix, without
from c_policies import emitted
from machine_mutation import SNAPSHOT
from time_machine_mutation import Fates, some_state, timed

from govlang.cli.timed_c import ASKED, TimedC
from govlang.compiler import ir
from govlang.native.errors import ArtefactError
from govlang.verifier.translation import machine, machine_run
from govlang.verifier.translation.edge import read_c_of
from govlang.verifier.translation.machine_proof import artefact_interface, prove_artefact
from govlang.verifier.translation.proof import ArtefactProof, Verdict
from govlang.verifier.translation.time_decode import Memory
from govlang.verifier.translation.time_machine import ways_into
from govlang.verifier.translation.time_machine_witness import Way

_OF_HEADERS: Final = (constant, suffix, kind, name, without, moved, character)


@dataclass(frozen=True, slots=True)
class Texts:
    """A policy over time, the two files of its C, and what its table says of the state."""

    policy: ir.Policy
    header: str
    source: str
    memory: Memory

    def read(self) -> machine.Artefact:
        return read_c_of(self.policy, self.header, self.source)

    def engine(self, artefact: machine.Artefact) -> TimedC:
        compiler = shutil.which("cc")
        assert compiler is not None, "the proofs of C are held against a compiler"
        return TimedC(compiler, self.policy.name, self.header, self.source, artefact)


def texts(policy: ir.Policy) -> Texts:
    """The C of a policy."""
    one = emitted(policy)
    return Texts(policy, one.header, one.source, timed(policy).memory)


def prove_c(one: Texts, artefact: machine.Artefact, timeout_s: float = 5) -> ArtefactProof:
    """The proof of the C of a policy, with a compiler for what is refuted."""
    return prove_artefact(
        one.policy,
        artefact,
        what="C",
        snapshot=SNAPSHOT,
        timeout_s=timeout_s,
        memory=one.memory,
        taken=one.engine(artefact).take,
    )


def changed(one: Texts, rng: random.Random, count: int) -> Iterator[Texts]:
    """Files with one change: mostly of the source, now and then of the header."""
    for number in range(count):
        if number % 6 == 5:
            yield Texts(one.policy, _other_header(rng, one.header), one.source, one.memory)
        else:
            yield Texts(one.policy, one.header, mutant(rng, one.source), one.memory)


def _other_header(rng: random.Random, header: str) -> str:
    changed = header
    while changed == header:
        changed = rng.choice(_OF_HEADERS)(rng, header)
    return changed


def fates(one: Texts, rng: random.Random, count: int) -> Fates:
    """What became of some mutants of a policy's C."""
    found = Fates()
    for other in changed(one, rng, count):
        fate, wrong = fate_of(one, other, rng)
        found.count[fate] += 1
        if wrong:
            found.wrong.append(f"{_difference(one, other)}: {fate}: {wrong}")
    return found


def _difference(one: Texts, other: Texts) -> str:
    pairs = zip(
        (one.header + one.source).split("\n"),
        (other.header + other.source).split("\n"),
        strict=False,
    )
    return next((f"`{a}` is `{b}`" for a, b in pairs if a != b), "a line more or less")


def fate_of(one: Texts, other: Texts, rng: random.Random) -> tuple[str, str]:
    """What became of one mutant, and what is wrong with that."""
    try:
        artefact = other.read()
    except ArtefactError as error:
        return "refused", "" if "line" in str(error) else f"no line in {error}"
    otherwise = read_otherwise(other, artefact, rng)
    if otherwise:
        return "read otherwise than compiled", otherwise
    proof = prove_c(other, artefact, timeout_s=2)
    match proof.verdict:
        case Verdict.PROVED:
            return "equal", seen_difference(one, other, artefact, rng)
        case Verdict.REFUTED:
            told = proof.refutation
            assert told is not None
            if told.variables is None:
                return "refuted by its form", ""
            return "refuted by a sample", "" if told.found != told.expected else told.what
        case Verdict.UNDECIDED:
            return "undecided", ""


def read_otherwise(other: Texts, artefact: machine.Artefact, rng: random.Random) -> str:
    """A state and a sample of which the text as it was read answers otherwise than the compiled one."""
    assert artefact.time is not None
    interface, engine = artefact_interface(other.policy, artefact), other.engine(artefact)
    for _ in range(3):
        state = some_state(interface, rng)
        fits = all(lo <= state[name] <= hi for name, (lo, hi) in artefact.time.room.items())
        for way in ways_into(artefact.time.ways) if fits else ():
            found = _decoded(artefact.time, way, state)
            told = engine.take(state, way.name)
            if found is not None and (told is None or found[0] != told[0]):
                return f"`{way.name}` on {state}: {found}, {told}"
            if found is not None and told is not None and found[1].items() - told[1].items():
                return f"`{way.name}` on {state}: {found}, {told}"
    return ""


def _decoded(
    time: machine.Timed, way: Way, state: Mapping[str, int]
) -> tuple[int, dict[str, int]] | None:
    """What a text as it was read answers and leaves; None where C does not say."""
    given = {time.kind: way.kind, time.keep: int(way.writes)}
    step = replace(time.step, initial={**time.step.initial, **given})
    try:
        answer, stored = machine_run.run(step, state)
    except machine_run.UndefinedError:
        return None
    return answer, {**{name: state[name] for name in time.state}, **stored}


def seen_difference(
    one: Texts, other: Texts, artefact: machine.Artefact, rng: random.Random
) -> str:
    """A sample or a state of which compiled files that are said to be equal answer otherwise."""
    before, behind = one.engine(one.read()), other.engine(artefact)
    interface = artefact_interface(one.policy, artefact)
    for _ in range(12):
        state = some_state(interface, rng)
        for way in (*artefact.functions, *ASKED):
            answers = [engine.take(state, way) for engine in (before, behind)]
            if answers[0] != answers[1]:
                return f"`{way}` on {state}: {answers}"
    return ""
