"""Room for keys: what a full store does, what is forgotten and when, what a policy update keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest
import tables
from small_memory import asked, load, small
from time_ir_policies import KEY, SAMPLES

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.monitors import Memory, Trigger
from govlang.compiler.monitors_panes import panes_of, summed
from govlang.dsl.source import Source
from govlang.native.errors import TableError
from govlang.runtime.policy import Policy


def test_a_full_store_denies_and_forgets_only_what_is_as_if_it_had_never_been() -> None:
    policy = load(small(), capacity=2)
    for who in "ab":
        policy.observe({"at_ms": 0, "event": "f", "key": who})
    full = policy.commit({"who": "c"}, now_ms=500)
    assert (full.decision.value, full.rule_id, full.matched) == ("deny", "state_full", ())
    assert full.reason
    assert asked(policy, "c", 500) == "state_full"
    before = policy.save(now_ms=0)
    with pytest.raises(TableError, match="GOV418"):
        policy.observe({"at_ms": 500, "event": "f", "key": "c"})
    assert policy.save(now_ms=0) == before
    assert asked(policy, "a", 500) == "soon"
    assert policy.commit({"who": "c"}, now_ms=1_001).rule_id == "stale", (
        "the age of `a` has run out"
    )
    assert policy.commit({"who": "d"}, now_ms=1_001).rule_id == "stale"
    assert policy.commit({"who": "e"}, now_ms=1_001).rule_id == "state_full", "both have counts"


def test_many_keys_come_and_go() -> None:
    policy = load(small(), capacity=50)
    for number in range(3_000):
        at = number * 30
        policy.observe({"at_ms": at, "event": "f", "key": f"k{number}"})
        assert asked(policy, f"k{number}", at) == "soon"
        assert asked(policy, f"k{max(0, number - 20)}", at) == "soon"
    assert sum(scope == 1 for scope, _, _ in policy._save()) == 50


def test_an_operator_forgets_a_key_and_has_what_it_held() -> None:
    policy = load(small(), capacity=1)
    for _ in range(3):
        policy.commit({"who": "a"}, now_ms=0)
    assert policy.commit({"who": "a"}, now_ms=0).rule_id == "spent"
    assert asked(policy, "b", 2**40) == "state_full", "a count never runs out by itself"
    assert policy.forget("b") is None
    assert policy.forget("a") == {"f.age": 1_001, "v.age": 5_001, "allowed": 3}
    assert policy.forget("a") is None
    assert policy.remembered("allowed", "a") == 0
    assert policy.commit({"who": "b"}, now_ms=1).rule_id == "stale"
    policy.forget("b")
    assert policy.commit({"who": "a"}, now_ms=1).rule_id == "stale", "it starts anew"


@pytest.mark.parametrize("of", ["", "target", "nothing"])
def test_a_key_of_a_field_by_which_nothing_is_kept_cannot_be_forgotten(of: str) -> None:
    policy = load(small())
    policy.commit({"who": "a"}, now_ms=0)
    with pytest.raises(TableError, match="GOV420"):
        policy.forget("a", of)
    assert policy.remembered("allowed", "a") == 1


BREAKER = """\
language 1
policy breaker version "1.0.0"
default allow
input { agent : key }
event failure
machine breaker {
  start closed
  closed -> open   on failure
  open   -> closed after 30 s
}
rule open when breaker is open deny
"""


def built(text: str, capacity: int = 100) -> Policy:
    return Policy(
        tables.table_bytes(compile_source(Source("p.gov", text)).policy), capacity=capacity
    )


def test_a_key_whose_machine_is_idle_is_forgotten_and_no_other() -> None:
    policy = built(BREAKER, capacity=1)
    policy.observe({"at_ms": 0, "event": "failure", "key": "a"})

    def of_b(at_ms: int) -> str:
        return str(policy.decide({"agent": "b"}, now_ms=at_ms).rule_id)

    assert of_b(29_999) == "state_full", "a is open"
    assert of_b(10**9) == "state_full", "and stays so until a sample moves it"
    closed = policy.observe({"at_ms": 10**9, "tick": True, "key": "a"})
    assert closed == 10**9 + 30_000
    assert of_b(10**9 + 29_999) == "state_full", "closed, and its age still grows"
    assert of_b(10**9 + 30_000) == "default", "the age has stopped"
    assert policy.commit({"agent": "b"}, now_ms=10**9 + 30_000).rule_id == "default"
    assert policy.remembered("breaker", "a") == 0


TWO_VERSIONS = """\
language 1
policy guard version "{version}"
default allow
input {{ agent : key }}
event failure
event violation
{more}
rule failing when count(failure) in {window} >= 2 deny
rule banned  when violation within 1 h deny
"""


def test_a_policy_update_keeps_the_cells_that_mean_the_same_and_names_the_others() -> None:
    first = built(TWO_VERSIONS.format(version="1.0.0", window="1 min", more=""))
    for agent, event in (("a", "failure"), ("a", "failure"), ("b", "violation")):
        first.observe({"at_ms": 0, "event": event, "key": agent})
    blob = first.save(now_ms=1_000)
    second = built(
        TWO_VERSIONS.format(
            version="2.0.0",
            window="5 min",
            more="event audit\nrule audited when audit within 1 min deny",
        )
    )
    anew = second.restore(blob, downtime_ms=0, now_ms=1_000)
    assert anew == ("failure.age", "failure.age.2", "audit.age")
    assert second.decide({"agent": "a"}, now_ms=1_000).rule_id == "default", "another window"
    assert second.decide({"agent": "b"}, now_ms=1_000).rule_id == "banned", "the same one"
    third = built(TWO_VERSIONS.format(version="3.0.0", window="1 min", more="event audit"))
    assert third.restore(blob, downtime_ms=0, now_ms=1_000) == (), "an event more moves no cell"
    assert third.decide({"agent": "a"}, now_ms=1_000).rule_id == "failing"


def summing() -> ir.Policy:
    """Deny where the last 30 to 40 ms hold an `f`, counted in panes of 10 ms."""
    memory = Memory()
    happens = ir.InRanges(ir.SAMPLE, ((3, 3),))
    panes = panes_of("sum", 30, 10, under=False)
    total = summed(memory, panes, Trigger("f", ir.Stage.TAKE, happens), ir.IntConst(1), KEY.name)
    cells, updates = memory.finish()
    samples = tuple(replace(one, permit=None) for one in SAMPLES)
    time = ir.Time(cells, updates, samples, KEY.name, 1_000)
    some = ir.Compare(ir.CompareOp.LT, ir.IntConst(0), total)
    return tables.policy_of(KEY, rules=(ir.Rule("some", some, ir.Effect.DENY),), time=time)


def test_a_key_whose_panes_are_all_empty_is_forgotten_and_no_other() -> None:
    policy = load(summing(), capacity=1)
    for at in (0, 13, 26):
        policy.observe({"at_ms": at, "event": "f", "key": "a"})
    for at in (30, 60, 69):
        assert asked(policy, "b", at) == "state_full", at
    assert asked(policy, "b", 70) == "default", "the phase, 6 ms at 26 ms, has stopped at 50 ms"


def test_an_age_that_still_grows_is_not_forgotten_though_it_is_as_at_the_start() -> None:
    base = small()
    assert base.time is not None
    cell = ir.Cell(ir.cell_field("since", 0, 100), KEY.name, 0, 100)
    policy = load(
        replace(base, time=replace(base.time, cells=(*base.time.cells, cell))), capacity=1
    )
    policy.observe({"at_ms": 0, "tick": True, "key": "a"})
    for at in (0, 50, 5_000):
        assert asked(policy, "b", at) == "state_full"
