"""A second solver answers the questions of random policies and of all their artefacts as Z3 does."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest
import tables
from ir_strategies import random_policy
from wasm_policies import SNAPSHOT, Module

from govlang.compiler.c_source import c_files
from govlang.verifier.report import Options, verify
from govlang.verifier.smtlib import second_answer
from govlang.verifier.translation.c_names import Documented
from govlang.verifier.translation.c_read import read_c
from govlang.verifier.translation.machine import Artefact
from govlang.verifier.translation.machine_proof import prove_artefact
from govlang.verifier.translation.table import prove_table
from govlang.verifier.translation.wasm_read import read_wasm

OPEN_MAX = 0.02
"""The share of questions that cvc5 may leave open within its time."""


ASKED_MAX = 60
"""The most questions of one policy that are asked again: some policies have thousands."""


def asked_twice(seed: int) -> Counter[tuple[str, str]]:
    """How often Z3 and cvc5 gave which verdicts on the questions of a policy and its artefacts."""
    rng = random.Random(seed)
    policy = random_policy(rng)
    asked: list[tuple[str, str]] = []

    def watch(text: str, verdict: str) -> None:
        asked.append((text, verdict))

    verify(policy, options=Options(timeout_s=5), watch=watch)
    table = tables.table_bytes(policy)
    prove_table(policy, table, snapshot=tables.SNAPSHOT, timeout_s=5, watch=watch)
    for what, artefact in artefacts(Module(policy)):
        prove_artefact(policy, artefact, what=what, snapshot=SNAPSHOT, timeout_s=5, watch=watch)
    some = rng.sample(asked, min(ASKED_MAX, len(asked)))
    answers = [(verdict, second_answer(text, 5)) for text, verdict in some]
    assert not [answer.why for _, answer in answers if "does not read" in answer.why]
    return Counter((verdict, answer.verdict) for verdict, answer in answers)


def artefacts(module: Module) -> Iterator[tuple[str, Artefact]]:
    """A policy's module and its C text, read back."""
    yield "WebAssembly", read_wasm(module.data)
    program = module.program
    names = Documented([v.name for v in program.variables], [c.name for c in program.cells])
    yield "C", read_c(*c_files(program, module.scans), names)


def check(seeds: range) -> None:
    found: Counter[tuple[str, str]] = Counter()
    for seed in seeds:
        found += asked_twice(seed)
    assert found["sat", "unsat"] == found["unsat", "sat"] == 0
    left = sum(count for (_, second), count in found.items() if second == "unknown")
    assert found.total() > 5 * len(seeds)
    assert left <= OPEN_MAX * found.total()


def test_a_second_solver_confirms_the_questions_of_random_policies() -> None:
    check(range(4, 10))


@pytest.mark.long
@pytest.mark.parametrize("block", range(10))
def test_a_second_solver_confirms_the_questions_of_many_random_policies(block: int) -> None:
    check(range(1000 + 8 * block, 1008 + 8 * block))
