"""The questions of a table's proof are told, and a second solver answers them alike."""

from __future__ import annotations

import random

import pytest
import tables
from ir_strategies import random_policy
from table_mutation import mutants

from govlang.compiler import ir
from govlang.native.errors import TableError
from govlang.verifier.smtlib import second_answer
from govlang.verifier.translation.table import Verdict, prove_table


def asked(policy: ir.Policy, table: bytes) -> tuple[Verdict, list[tuple[str, str]]]:
    told: list[tuple[str, str]] = []

    def watch(text: str, verdict: str) -> None:
        told.append((text, verdict))

    proof = prove_table(policy, table, snapshot=tables.SNAPSHOT, timeout_s=5, watch=watch)
    return proof.verdict, told


@pytest.mark.parametrize("seed", [4, 17])
def test_what_boxes_leave_open_is_asked_and_told(seed: int) -> None:
    policy = random_policy(random.Random(seed))
    verdict, told = asked(policy, tables.table_bytes(policy))
    assert verdict is Verdict.PROVED
    assert [second_answer(text, 5).verdict for text, _ in told] == ["unsat"] * len(told) != []


def test_the_search_for_a_refutation_is_told_too() -> None:
    rng = random.Random(4)
    policy = random_policy(rng)
    for _, mutant in mutants(tables.table_bytes(policy), rng, 0.5, 1):
        try:
            _, told = asked(policy, mutant)
        except TableError:
            continue  # no engine takes it, and nobody is asked
        for text, verdict in told[:3]:
            assert second_answer(text, 5).verdict == verdict
        if "sat" in (verdict for _, verdict in told):
            return
    pytest.fail("no mutant was asked about")
