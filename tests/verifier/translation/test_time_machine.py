"""The proof of modules over time: random policies are proved, no mutant slips, what is refuted shows in wasmtime."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace

import pytest
from edge_time import written_board
from machine_mutation import SNAPSHOT
from over_time import AT_ONCE
from time_ir_policies import BOARDS, random_time_policy
from time_machine_mutation import Timed, fates, mutants, prove_module, timed

from govlang.cli.engines import wasm_engine
from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.native.errors import ArtefactError
from govlang.verifier.translation.edge_time import NoBoardError, scopes_of
from govlang.verifier.translation.machine_proof import artefact_interface, prove_artefact
from govlang.verifier.translation.proof import EdgeRefutation, Verdict
from govlang.verifier.translation.schema_read import schema_of
from govlang.verifier.translation.time_asked_witness import AskedWitnesses
from govlang.verifier.translation.time_deadline import points_of
from govlang.verifier.translation.time_machine import ways_into
from govlang.verifier.translation.wasm_read import read_wasm
from govlang.verifier.translation.wasm_sections import read_module

PARTS = {
    "refusals",
    "assumptions",
    "permits",
    "ranges",
    "defined",
    "outcome",
    "state",
    "state_ok",
    "next_deadline",
}


def some_policy(seed: int) -> Timed:
    return timed(random_time_policy(random.Random(seed), BOARDS[seed % len(BOARDS)]))


def is_proved(one: Timed) -> list[str]:
    """What of a module is not proved."""
    artefact = read_wasm(one.module)
    proof = prove_module(one, artefact, one.module, timeout_s=10)
    assert {part.name for part in proof.obligations} >= PARTS
    return [
        f"{part.name}: {part.failed[:3]}"
        for part in proof.obligations
        if part.verdict is not Verdict.PROVED
    ]


@pytest.mark.parametrize("seed", range(6))
def test_modules_over_time_are_proved(seed: int) -> None:
    assert is_proved(some_policy(seed)) == []


@pytest.mark.parametrize("seed", range(4))
def test_modules_of_written_policies_are_proved(seed: int) -> None:
    assert is_proved(timed(written_board(random.Random(seed), 0)[0].policy)) == []


def test_a_module_of_ages_that_are_flags_is_proved_where_they_are_not_addressed() -> None:
    assert is_proved(timed(compile_source(Source("at_once.gov", AT_ONCE)).policy)) == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 130))
def test_many_modules_over_time_are_proved_or_left_open(seed: int) -> None:
    one = some_policy(seed)
    proof = prove_module(one, read_wasm(one.module), one.module)
    assert proof.verdict is not Verdict.REFUTED, proof.refutation


# --- mutants -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_no_mutant_of_a_module_over_time_slips(seed: int) -> None:
    found = fates(some_policy(seed), random.Random(seed), 8)
    assert found.wrong == []
    assert found.count["refused"] + found.count["refuted by a sample"] > 0


def test_no_mutant_slips_where_ages_are_flags() -> None:
    one = timed(compile_source(Source("at_once.gov", AT_ONCE)).policy)
    found = fates(one, random.Random(5), 12)
    assert found.wrong == []
    assert found.count["refuted by a sample"] > 0


def asked_witness(one: Timed, data: bytes) -> EdgeRefutation | None:
    """A state of which a module tells what is not so, run in wasmtime too."""
    artefact = read_wasm(data)
    engine, interface = wasm_engine(data, artefact), artefact_interface(one.policy, artefact)
    assert engine is not None
    tries = AskedWitnesses(one.policy, interface, artefact, engine[1], points_of(one.memory))
    return tries.of_failed(("state_ok", "next_deadline"))


@pytest.mark.parametrize("seed", range(3))
def test_what_a_host_is_told_wrongly_of_a_state_is_shown_by_one(seed: int) -> None:
    """Mutants of `state_ok` and `next_deadline` alone; of the module itself nothing is shown."""
    one = some_policy(seed)
    assert asked_witness(one, one.module) is None
    time = read_wasm(one.module).time
    assert time is not None
    ways = list(ways_into(time.ways))
    bodies = read_module(one.module).bodies[1 + len(ways) : 3 + len(ways)]  # behind the ways
    shown = []
    for _, data in mutants(one.module, random.Random(seed), 30, bodies):
        with suppress(ArtefactError):
            shown.append(asked_witness(one, data))
    found = [told for told in shown if told is not None]
    assert len(found) >= 2
    assert all(told.found != told.expected for told in found)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10, 16))
def test_no_mutant_of_many_slips(seed: int) -> None:
    found = fates(some_policy(seed), random.Random(seed), 25)
    assert found.wrong == []


def test_another_policy_is_refuted_by_a_sample() -> None:
    """A rule less: the module of one policy is not that of the other."""
    one = some_policy(2)
    rule = one.policy.rules[0]
    always = replace(rule, condition=ir.BoolConst(value=True))
    other = replace(one.policy, rules=(always, *one.policy.rules[1:]))
    artefact = read_wasm(one.module)
    proof = prove_module(Timed(other, one.module, one.memory), artefact, one.module)
    assert proof.verdict is Verdict.REFUTED
    assert proof.refutation is not None
    assert proof.refutation.variables is not None
    assert proof.refutation.found != proof.refutation.expected


def test_an_update_less_is_refuted_by_a_sample() -> None:
    one = some_policy(1)
    assert one.policy.time is not None
    refuted = 0
    for number, update in enumerate(one.policy.time.updates[:6]):
        rest = one.policy.time.updates[:number] + one.policy.time.updates[number + 1 :]
        other = replace(one.policy, time=replace(one.policy.time, updates=rest))
        changed = Timed(other, one.module, one.memory)
        proof = prove_module(changed, read_wasm(one.module), one.module)
        assert proof.verdict is not Verdict.PROVED, update
        refuted += proof.verdict is Verdict.REFUTED
    assert refuted > 0


# --- what is refused -----------------------------------------------------------------------------


def test_without_a_table_nothing_is_proved_of_time() -> None:
    one = some_policy(0)
    artefact = read_wasm(one.module)
    proof = prove_artefact(one.policy, artefact, what="WebAssembly", snapshot=SNAPSHOT, timeout_s=5)
    assert proof.verdict is Verdict.UNDECIDED


def test_a_schema_of_another_state_is_refuted() -> None:
    one = some_policy(0)
    said = b'"state_bytes":'
    at = one.module.index(said) + len(said)
    digit = bytes([one.module[at] ^ 1])
    changed = one.module[:at] + digit + one.module[at + 1 :]
    proof = prove_module(one, read_wasm(changed), changed)
    assert proof.refutation is not None
    assert "`state_bytes` of `time` of the schema" in proof.refutation.what
    assert "time" in schema_of(one.policy, SNAPSHOT, {})


def test_a_way_with_another_kind_is_refused_at_its_place() -> None:
    one = some_policy(0)
    tick = b"\x41\x01\x41\x01\x10\x00\x0b"
    at = one.module.index(tick)
    changed = one.module[: at + 1] + b"\x00" + one.module[at + 2 :]
    with pytest.raises(ArtefactError, match=r"the constant must be 1") as caught:
        read_wasm(changed)
    assert caught.value.code == "GOV416"


def test_every_way_is_looked_at() -> None:
    artefact = read_wasm(some_policy(0).module)
    assert artefact.time is not None
    ways = list(ways_into(artefact.time.ways))
    assert [way.name for way in ways[:3]] == ["decide", "commit", "tick"]
    assert [(way.kind, way.writes) for way in ways[3:]] == [
        (kind, True) for kind in range(2, 2 + len(artefact.time.ways))
    ]


def test_cells_of_another_field_have_no_board() -> None:
    policy = random_time_policy(random.Random(1))
    assert policy.time is not None
    with pytest.raises(NoBoardError, match="of which a board has one at most"):
        scopes_of(policy.time)
