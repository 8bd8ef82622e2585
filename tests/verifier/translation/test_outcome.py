"""The step rule as the proof reads it is the engine's: equal outcomes on right and wrong tables."""

from __future__ import annotations

import random

import pytest
import tables
from ir_strategies import Requests, Shape, random_params, random_policy
from table_mutation import mutants, seen

from govlang.compiler.requests import write_request
from govlang.native.errors import CodedError
from govlang.runtime.policy import Policy
from govlang.verifier.translation.decode import Decoded
from govlang.verifier.translation.outcome import TableReader


@pytest.mark.parametrize("seed", range(6))
def test_the_step_rule_gives_what_the_engine_gives(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(8):
        policy = random_policy(rng)
        params = random_params(rng, policy)
        data = tables.table_bytes(policy)
        engine = Policy(data, tables.written_params(policy, params))
        reader, source = TableReader(Decoded(data)), Requests(policy)
        for _ in range(20):
            request, runtime = write_request(policy, source.request(rng))
            found = reader.decide(request, runtime, list(params.values()))
            assert seen(found) == seen(engine.decide(request, runtime=runtime))


@pytest.mark.parametrize("seed", range(4))
def test_the_step_rule_gives_what_the_engine_gives_on_mutated_nodes_and_code(seed: int) -> None:
    """Only tables that still are this policy's to the reader of requests: their schema is as it was."""
    rng = random.Random(seed)
    policy = random_policy(rng, Shape(4, 6, 2))
    data = tables.table_bytes(policy)
    params = random_params(rng, policy)
    source, schema = Requests(policy), Decoded(data)
    asked = 0
    for _, mutant in mutants(data, rng, share=0.3, ways=2):
        try:
            engine = Policy(mutant, tables.written_params(policy, params))
        except CodedError:
            continue
        decoded = Decoded(mutant)
        if decoded.policy != schema.policy or decoded.columns != schema.columns:
            continue
        reader = TableReader(decoded)
        for _ in range(10):
            request, runtime = write_request(policy, source.request(rng))
            try:
                expected = seen(engine.decide(request, runtime=runtime))
            except CodedError:
                continue
            assert seen(reader.decide(request, runtime, list(params.values()))) == expected
            asked += 1
    assert asked > 50
