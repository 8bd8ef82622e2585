"""Saved states at their edges: of one moment, from and to versions that remember nothing, made by somebody."""

from __future__ import annotations

import gc
import struct
from collections.abc import Iterator
from dataclasses import replace

import pytest
import tables
from small_memory import load, small
from time_ir_policies import KEY

from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.native import layout
from govlang.native.errors import TableError
from govlang.runtime.memory import MAGIC
from govlang.runtime.policy import Policy

KEYS = [f"k{i}" for i in range(40)]


@pytest.fixture
def collecting() -> Iterator[None]:
    """Finalizers run at nearly every object that is made (until Python 3.11 in the middle of C, too)."""
    before = gc.get_threshold()
    gc.collect()
    yield
    gc.set_threshold(*before)
    gc.enable()


class Late:
    """Takes a sample of the last key in when it is found to be garbage, and is so again `left` times."""

    def __init__(self, policy: Policy, left: int) -> None:
        self.policy, self.left, self.own = policy, left, self

    def __del__(self) -> None:
        self.policy.commit({"who": KEYS[-1]}, now_ms=1_000 - self.left)
        if self.left > 0:
            Late(self.policy, self.left - 1)


@pytest.mark.usefixtures("collecting")
def test_what_is_saved_is_of_one_moment() -> None:
    policy = load(small())
    for who in KEYS:
        policy.commit({"who": who}, now_ms=0)
    gc.disable()
    Late(policy, 100)
    gc.set_threshold(1)
    gc.enable()
    saved = policy._save()
    gc.disable()
    times = {(scope, key): struct.unpack_from("<q", state)[0] for scope, key, state in saved}
    assert len(times) == 1 + len(KEYS)
    assert times[1, KEYS[-1].encode()] == times[0, b""], "a sample came between the two"


def remembering_nothing(name: str = "p") -> Policy:
    return Policy(tables.table_bytes(replace(tables.policy_of(KEY), name=name)))


def test_a_version_that_remembers_goes_on_from_one_that_did_not() -> None:
    policy = load(small())
    policy.commit({"who": "a"}, now_ms=0)
    anew = policy.restore(remembering_nothing().save(now_ms=5), downtime_ms=0, now_ms=5)
    assert set(anew) == {"f.age", "v.age", "allowed"}
    assert policy.remembered("allowed", "a") == 0


def test_a_version_that_remembers_nothing_takes_its_own_states_and_no_others() -> None:
    policy = remembering_nothing()
    assert policy.restore(load(small()).save(now_ms=0), downtime_ms=0, now_ms=0) == ()
    assert policy.restore(policy.save(now_ms=0), downtime_ms=0, now_ms=0) == ()
    whole = policy.save(now_ms=0)
    for bad in (b"", b"garbage", whole[:-1], remembering_nothing("q").save(now_ms=0)):
        with pytest.raises(TableError, match="GOV419"):
            policy.restore(bad, downtime_ms=0, now_ms=0)


def test_a_head_that_is_nested_without_end_is_refused() -> None:
    policy, deep = load(small()), b"[" * 200_000
    body = len(deep).to_bytes(4, "little") + deep
    head = layout.HEADER.pack(MAGIC, 1, 0, 0, layout.HEADER.size + len(body))
    with pytest.raises(TableError, match="GOV419"):
        policy.restore(layout.checked(head + body), downtime_ms=0, now_ms=0)


PER = """language 1
policy p version "1.0.0"
default deny
input { agent : key  tool : text }
event checked { tool : text }
rule fine when count(checked per tool) in 10 s >= 1 allow
"""


def checked_at_100_s() -> Policy:
    """A policy that keeps by a tool when it was checked: at 100 s."""
    policy = Policy(tables.table_bytes(compile_source(Source("p.gov", PER)).policy))
    step = {"at_ms": 100_000, "event": "checked", "key": "a", "fields": {"tool": "saw"}}
    policy.observe(step)
    return policy


def rule_of(policy: Policy, agent: str, tool: str, at_ms: int) -> str:
    return str(policy.commit({"agent": agent, "tool": tool}, now_ms=at_ms).rule_id)


def test_a_clock_that_has_gone_back_for_a_field_s_value_denies_once() -> None:
    policy = checked_at_100_s()
    assert rule_of(policy, "a", "axe", 5_000) == "clock_fault"
    assert rule_of(policy, "b", "axe", 5_000) == "default"
    assert rule_of(policy, "b", "saw", 5_001) == "clock_fault"
    assert rule_of(policy, "b", "saw", 5_002) == "fine"


def test_after_an_unknown_time_the_next_sample_of_each_field_s_value_is_a_clock_fault() -> None:
    blob = checked_at_100_s().save(now_ms=100_000)
    policy = checked_at_100_s()
    policy.restore(blob, now_ms=10**9)
    assert rule_of(policy, "a", "axe", 10**9) == "clock_fault"
    assert rule_of(policy, "a", "axe", 10**9 + 1) == "default"
    assert rule_of(policy, "a", "saw", 10**9 + 10**6) == "clock_fault"
