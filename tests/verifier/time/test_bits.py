"""A policy whose sets were taken apart decides as it did, and keeps the same members."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.step import Report, Request, State, Tick, step
from govlang.dsl.source import Source
from govlang.verifier.time.bits import without_sets

HEADER = """language 1
policy p version "1.0.0"
default deny
input {
  agent  : key
  labels : set of red, blue, green
  size   : number in 0..9
}
event bad
"""
RULES = {
    "changed": "rule a when changed(labels) allow\n",
    "a change of late": "rule a when changed(labels) within 5 ms and size > 2 allow\n",
    "held": "rule a when (labels contains any {red, blue}) for 3 ms allow\n",
    "all": "rule a when (labels contains all {red, blue} and size > 2) within 4 ms deny\n"
    "rule b when size > 4 allow\n",
    "none": "rule a when (labels is empty or labels within {green}) since bad allow\n",
}


def request(rng: Random, at_ms: int) -> Request:
    values = {"agent": rng.choice("ab"), "labels": rng.randrange(8), "size": rng.randrange(10)}
    return Request(values, at_ms)


@pytest.mark.parametrize("name", RULES)
def test_bits_decide_as_the_set_did(name: str) -> None:
    policy = compile_source(Source("p.gov", HEADER + RULES[name])).policy
    apart = without_sets(policy)
    assert apart.time is not None
    assert all(cell.field.kind is not ir.Kind.SET for cell in apart.time.cells)
    rng = Random(name)
    one, other = State(), State()
    said: set[str] = set()
    at_ms = 0
    for _ in range(300):
        at_ms += rng.choice([0, 1, 1, 2])
        other_samples = (Tick(at_ms, rng.choice("ab")), Report("bad", {}, at_ms, rng.choice("ab")))
        sample = request(rng, at_ms) if rng.random() < 0.8 else rng.choice(other_samples)
        one, outcome = step(policy, {}, one, sample)
        other, same = step(apart, {}, other, sample)
        assert outcome == same
        said.add("" if outcome is None else outcome.decision.word)
    assert len(said) >= 3


def test_the_members_of_a_kept_set_are_its_bits() -> None:
    policy = compile_source(Source("p.gov", HEADER + RULES["changed"])).policy
    assert policy.time is not None
    kept = [cell for cell in policy.time.cells if cell.field.kind is ir.Kind.SET]
    assert kept
    apart = without_sets(policy)
    for mask in range(8):
        sample = Request({"agent": "a", "labels": mask, "size": 0}, 0)
        (_, before), (_, after) = (
            sorted(step(p, {}, State(), sample)[0].instances.items()) for p in (policy, apart)
        )
        cells, bits = before[1].cells, after[1].cells
        for cell in kept:
            assert [bits[f"{cell.name}.{i}"] for i in range(3)] == [
                cells[cell.name] >> i & 1 for i in range(3)
            ]


def test_a_policy_without_sets_stays_as_it_is() -> None:
    policy = compile_source(Source("p.gov", HEADER + "rule a when bad within 1 s allow\n")).policy
    assert without_sets(policy) is policy
    assert without_sets(replace(policy, time=None)).time is None
