"""The proof that a table remembers what its policy does."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import tables
from time_ir_policies import random_time_policy

from govlang.compiler import ir
from govlang.compiler.frontend import compile_file
from govlang.verifier.translation.table import TableProof, Verdict, prove_table

OBLIGATIONS = {"memory", "updates", "ranges", "deadlines", "forgetting"}


def prove(policy: ir.Policy, data: bytes | None = None) -> TableProof:
    data = tables.table_bytes(policy) if data is None else data
    return prove_table(policy, data, snapshot=tables.SNAPSHOT, timeout_s=5)


@pytest.mark.parametrize("batch", range(6))
def test_tables_of_random_policies_that_remember_are_proved(batch: int) -> None:
    for seed in range(batch * 20, (batch + 1) * 20):
        proof = prove(random_time_policy(random.Random(seed)))
        assert proof.verdict is Verdict.PROVED, (seed, proof)
        assert {one.name for one in proof.obligations} >= OBLIGATIONS


def test_the_tables_of_the_policies_with_faults_are_proved(root: Path) -> None:
    paths = sorted((root / "examples/faulty_time").rglob("*.gov"))
    assert len(paths) >= 40
    for path in paths:
        proof = prove(compile_file(path).policy)
        assert proof.verdict is Verdict.PROVED, (path, proof)
