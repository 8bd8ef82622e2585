"""A proof ends whatever it meets: trees that many ways lead to are made once, and time is limited."""

from __future__ import annotations

import random
from itertools import count
from math import inf

import pytest
import tables
from ir_strategies import random_policy, random_shape
from machine_mutation import SNAPSHOT
from wasm_policies import Module

from govlang.compiler import ir
from govlang.verifier.translation.deadline import (
    LIMIT_S,
    NEVER,
    Deadline,
    OutOfTimeError,
    deadline_after,
)
from govlang.verifier.translation.machine import Artefact
from govlang.verifier.translation.machine_proof import prove_artefact
from govlang.verifier.translation.paths import FREE
from govlang.verifier.translation.proof import ArtefactProof, TableProof, Verdict
from govlang.verifier.translation.table import prove_table
from govlang.verifier.translation.tree import FALSE, TRUE, Domain, Tree
from govlang.verifier.translation.wasm_read import read_wasm
from govlang.verifier.translation.words import Words

COLUMNS = 12
LEVELS = 60


@pytest.fixture(scope="module")
def policy() -> ir.Policy:
    """41 rules, the first of which counts: written out, one condition of the module has 290 000 parts."""
    rng = random.Random(1_000_354)
    return random_policy(rng, random_shape(rng))


@pytest.fixture(scope="module")
def module(policy: ir.Policy) -> Artefact:
    return read_wasm(Module(policy).data)


def proved(policy: ir.Policy, module: Artefact, limit_s: float | None = None) -> ArtefactProof:
    return prove_artefact(
        policy, module, what="WebAssembly", snapshot=SNAPSHOT, timeout_s=10, limit_s=limit_s
    )


def ladder(domain: Domain) -> Tree:
    """A condition of few parts, to the deepest of which 2^60 ways lead."""
    found = domain.inside(0, ((0, 0),))
    for level in range(LEVELS):
        one = domain.inside(1 + level % COLUMNS, ((level, level),))
        found = Words(domain, {}).either(one, found, domain.neg(found))
    return found


def columns(deadline: Deadline = NEVER) -> Domain:
    return Domain([((0, LEVELS),)] * (COLUMNS + 1), [0] * (COLUMNS + 1), deadline)


# --- trees ---------------------------------------------------------------------------------------


def test_the_same_tree_is_one_object_and_no_other_is_the_same() -> None:
    domain, other = columns(), columns()
    a, b = domain.inside(0, ((0, 0),)), domain.inside(1, ((1, 1),))
    assert domain.conj([a, b]) is domain.conj([b, a])
    assert domain.conj([a, b]) != domain.disj([a, b])
    assert domain.conj([a, b]) != other.conj([a, b])
    assert domain.arithmetic("+", ("load", 0), ("load", 1)) is domain.arithmetic(
        "+", ("load", 1), ("load", 0)
    )


def test_a_condition_that_many_ways_lead_to_is_negated_and_simplified_at_once() -> None:
    domain = columns()
    whole = ladder(domain)
    assert domain.neg(domain.neg(whole)) is whole
    path = FREE.narrowed(domain.inside(0, ((0, 5),)), domain)
    assert path is not None
    assert path.simplified(whole, domain) is not FALSE
    under = path.narrowed(whole, domain)
    assert under is not None
    assert under.simplified(whole, domain) == TRUE
    assert under.simplified(domain.neg(whole), domain) == FALSE


def test_a_policy_whose_conditions_share_parts_many_levels_deep_is_proved(
    policy: ir.Policy, module: Artefact
) -> None:
    proof = proved(policy, module)
    assert proof.verdict is Verdict.PROVED, [o for o in proof.obligations if o.failed]


# --- time ----------------------------------------------------------------------------------------


def test_a_deadline_lets_work_go_on_until_it_is_over() -> None:
    ticks = count(1)
    deadline = Deadline(limit_s=5, start=0, clock=lambda: next(ticks))
    assert [deadline.left_s() for _ in range(4)] == [4, 3, 2, 1]
    with pytest.raises(OutOfTimeError):
        deadline.left_s()
    with pytest.raises(OutOfTimeError):
        deadline.raise_if_over()
    assert NEVER.left_s() == inf


@pytest.mark.parametrize(
    ("limit_s", "timeout_s", "seconds"), [(None, 10, LIMIT_S), (None, 100, 3000), (7, 100, 7)]
)
def test_more_time_for_a_question_is_more_for_the_proof(
    limit_s: float | None, timeout_s: float, seconds: float
) -> None:
    assert deadline_after(limit_s, timeout_s).limit_s == seconds


def test_work_on_trees_ends_when_the_time_is_over() -> None:
    ticks = count()
    with pytest.raises(OutOfTimeError):
        ladder(columns(Deadline(limit_s=LEVELS, start=0, clock=lambda: next(ticks))))


@pytest.mark.parametrize("limit_s", [0, 0.02, 0.1, 0.5])
def test_a_proof_that_runs_out_of_time_is_undecided_and_says_so(
    policy: ir.Policy, module: Artefact, limit_s: float
) -> None:
    is_late(proved(policy, module, limit_s))


def test_the_proof_of_a_table_ends_too(policy: ir.Policy) -> None:
    table = tables.table_bytes(policy)
    is_late(prove_table(policy, table, snapshot=tables.SNAPSHOT, timeout_s=10, limit_s=0.02))


def is_late(proof: ArtefactProof | TableProof) -> None:
    assert proof.verdict is Verdict.UNDECIDED
    assert proof.refutation is None
    (late,) = (one for one in proof.obligations if one.verdict is Verdict.UNDECIDED)
    assert late.failed[0].startswith("the proof takes longer than")
