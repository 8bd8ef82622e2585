"""Artefacts of random policies are proved, and what is wrong with one is shown."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from benchmarks.generate import KINDS, generate_policy
from ir_scale import indexed_policy, interval_policy, overlapping_policy, stabbing_policy
from ir_strategies import random_policy, random_shape
from machine_mutation import SNAPSHOT
from wasm_policies import Module

from govlang.cli.compiled import HEADER, MODULE, SOURCE, compile_edge
from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.verifier.translation import machine
from govlang.verifier.translation.edge import read_c_of
from govlang.verifier.translation.edge_expected import expected_answer, first_stray, refused
from govlang.verifier.translation.machine import Artefact
from govlang.verifier.translation.machine_proof import artefact_interface, prove_artefact
from govlang.verifier.translation.proof import ArtefactProof, Verdict
from govlang.verifier.translation.wasm_read import read_wasm


def proved(policy: ir.Policy, artefact: Artefact | None = None) -> ArtefactProof:
    read = artefact or read_wasm(Module(policy).data)
    return prove_artefact(policy, read, what="WebAssembly", snapshot=SNAPSHOT, timeout_s=10)


def generated(kind: str, rules: int) -> ir.Policy:
    return compile_source(Source("p.gov", generate_policy(rules, 1, kind))).policy


SCALES: dict[str, Callable[[int], ir.Policy]] = {
    "indexed": indexed_policy,
    "overlapping": overlapping_policy,
    "intervals": interval_policy,
    "stabbing": stabbing_policy,
    **{kind: partial(generated, kind) for kind in KINDS},
}
"""Policies of any size; those of the benchmarks have rules that wait for a person."""


def both_proved(policy: ir.Policy) -> None:
    parts = compile_edge(policy, SNAPSHOT)
    source = read_c_of(policy, parts[HEADER].decode(), parts[SOURCE].decode())
    for what, artefact in (("WebAssembly", read_wasm(parts[MODULE])), ("C", source)):
        proof = prove_artefact(policy, artefact, what=what, snapshot=SNAPSHOT, timeout_s=10)
        assert proof.verdict is Verdict.PROVED, [o for o in proof.obligations if o.failed]


def test_one_rule_whose_rank_is_no_table_is_proved() -> None:
    """Whether a person is asked is a mask of 0 or all bits there, and what it is held against a number."""
    rng = random.Random(1_000_193)
    both_proved(random_policy(rng, random_shape(rng)))


@pytest.mark.parametrize("make", SCALES.values(), ids=SCALES)
def test_hundreds_of_rules_are_proved(make: Callable[[int], ir.Policy]) -> None:
    both_proved(make(300))


@pytest.mark.long
@pytest.mark.parametrize("make", SCALES.values(), ids=SCALES)
def test_a_thousand_rules_are_proved(make: Callable[[int], ir.Policy]) -> None:
    both_proved(make(1000))


@pytest.mark.long
@pytest.mark.parametrize(
    "make", [indexed_policy, overlapping_policy, interval_policy, stabbing_policy]
)
def test_two_thousand_rules_are_proved(make: Callable[[int], ir.Policy]) -> None:
    assert proved(make(2000)).verdict is Verdict.PROVED


def small() -> ir.Policy:
    risk = ir.Field("risk", ir.Kind.NUMBER, 0, 100)
    high = ir.Rule("high", ir.InRanges("risk", ((90, 100),)), ir.Effect.DENY)
    fine = ir.Rule("fine", ir.InRanges("risk", ((0, 50),)), ir.Effect.ALLOW)
    return ir.Policy("small", "1", 1, ir.Combine.STRICT, ir.Default.DENY, (risk,), (high, fine))


def test_a_different_interface_is_refuted_by_itself() -> None:
    policy = small()
    read = read_wasm(Module(policy).data)
    proof = proved(policy, replace(read, unset={"risk": 5}))
    assert proof.verdict is Verdict.REFUTED
    assert proof.refutation is not None
    assert "risk" in proof.refutation.what
    assert proof.refutation.variables is None


def test_another_policy_is_refuted_by_a_request() -> None:
    policy = small()
    other = replace(policy.rules[0], condition=ir.InRanges("risk", ((91, 100),)))
    read = read_wasm(Module(policy).data)
    proof = proved(replace(policy, rules=(other, policy.rules[1])), replace(read, schema=b""))
    assert proof.verdict is Verdict.REFUTED
    assert proof.refutation is not None
    assert proof.refutation.request == {"risk": 90}


def test_a_refutation_that_the_engine_does_not_confirm_is_none() -> None:
    policy = small()
    other = replace(policy.rules[0], condition=ir.InRanges("risk", ((91, 100),)))
    read = replace(read_wasm(Module(policy).data), schema=b"")
    changed = replace(policy, rules=(other, policy.rules[1]))
    engine = Engine(changed, read)
    proof = prove_artefact(
        changed, read, what="WebAssembly", snapshot=SNAPSHOT, timeout_s=5, run=engine.run
    )
    assert engine.asked > 0
    assert proof.verdict is Verdict.UNDECIDED


class Engine:
    """An engine that always says what the policy says, whatever was decoded."""

    def __init__(self, policy: ir.Policy, read: Artefact) -> None:
        self.policy = policy
        self.interface = artefact_interface(policy, read)
        self.asked = 0

    def run(self, variables: dict[str, int]) -> tuple[int, dict[str, int]]:
        self.asked += 1
        number = first_stray(self.interface, variables)
        if number is not None:
            return refused(self.policy, self.interface, number)
        return expected_answer(self.policy, self.interface, variables, {})


def test_code_that_is_not_followed_is_undecided() -> None:
    policy = small()
    read = read_wasm(Module(policy).data)
    shifted = machine.Binary(machine.Op.SHL, 32, machine.Const(32, 1), machine.Cell(32, "risk"))
    name = next(iter(read.decide.locals))
    body = (machine.Set(name, shifted), *read.decide.body)
    proof = proved(policy, replace(read, decide=replace(read.decide, body=body)))
    assert proof.verdict is Verdict.UNDECIDED
