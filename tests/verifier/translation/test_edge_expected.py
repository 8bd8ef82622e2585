"""The cells that the proof expects say what the interpreter says."""

from __future__ import annotations

import random

import pytest
from edge_host import expected, said
from ir_requests import Requests, random_params
from ir_strategies import random_policy
from machine_mutation import agrees
from wasm_policies import Module

from govlang.compiler.step import Request, initial_state, step
from govlang.verifier.translation.edge_expected import expected_answer, first_stray, refused
from govlang.verifier.translation.machine_proof import artefact_interface
from govlang.verifier.translation.wasm_read import read_wasm


@pytest.mark.parametrize("seed", range(60))
def test_cells_say_what_the_interpreter_says(seed: int) -> None:
    rng = random.Random(seed)
    policy = random_policy(rng)
    interface = artefact_interface(policy, read_wasm(Module(policy).data))
    requests = Requests(policy)
    for _ in range(30):
        values, params = requests.request(rng), random_params(rng, policy)
        _, outcome = step(policy, params, initial_state(policy), Request(values))
        assert outcome is not None
        answer = expected_answer(policy, interface, values, params)
        assert agrees(policy, interface, answer, values, expected(outcome))
        assert (answer[0] == -1) == (outcome.rule_id == "invalid_request")


def test_a_refusal_names_what_is_broken_and_is_neutral() -> None:
    policy = random_policy(random.Random(6))
    interface = artefact_interface(policy, read_wasm(Module(policy).data))
    returned, cells = refused(policy, interface, 3)
    assert returned == -1
    assert said(policy, cells, {})[:2] == (4, "invalid_request")
    assert cells["out.invalid"] == 3
    unset = {one.name: one.unset for one in interface.variables}
    assert first_stray(interface, unset) == 0
