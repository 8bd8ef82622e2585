from __future__ import annotations

import random

import pytest

from govlang.cli.compiled import compile_policy
from govlang.compiler.bundle import Contents, bundle_bytes
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.native.errors import BundleError, CodedError
from govlang.runtime.policy import Policy
from govlang.runtime.slot import PolicySlot

TEXT = (
    'language 1\npolicy p version "{}"\ndefault deny\ninput {{ x : bool }}\nrule r when {} allow\n'
)


def bundle(version: str, condition: str, table_of: str | None = None) -> bytes:
    text = TEXT.format(version, condition)
    policy = compile_source(Source("p.gov", text)).policy
    compiled = compile_policy(policy)
    other = compile_source(Source("p.gov", table_of or text)).policy
    table = compile_policy(other).table
    return bundle_bytes(Contents(policy, compiled.core, text.encode(), table, "1.0"))


def test_a_bundle_that_adds_up_takes_the_place_of_the_one_before() -> None:
    slot = PolicySlot(Policy.load(bundle("1", "x")))
    assert slot.policy.decide({"x": True}).decision == "allow"
    before = slot.load(bundle("2", "not x"))
    assert (before.version, slot.policy.version) == ("1", "2")
    assert slot.policy.decide({"x": True}).decision == "deny"


def test_a_bundle_that_is_refused_changes_nothing() -> None:
    slot = PolicySlot(Policy.load(bundle("1", "x")))
    newer = bundle("2", "not x")
    rng = random.Random(1)
    for _ in range(200):
        bit = rng.randrange(len(newer) * 8)
        flipped = bytearray(newer)
        flipped[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(BundleError):
            slot.load(bytes(flipped))
    with pytest.raises(CodedError):
        slot.load(newer, params={"none": 1})
    assert slot.policy.version == "1"
    assert slot.policy.decide({"x": True}).decision == "allow"


def test_the_table_of_another_policy_is_refused_by_name() -> None:
    with pytest.raises(BundleError, match=r"GOV404: `table\.bin`"):
        Policy.load(bundle("1", "x", TEXT.format("1", "not x")))
