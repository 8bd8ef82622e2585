"""What a host gives beside a request: times, sizes, keys and names, of every type that it may come in."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np
import pytest
import tables
from edge_time_engines import module_of, named
from small_memory import load, small

from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.native.errors import CodedError, TableError
from govlang.runtime.edge import EdgePolicy
from govlang.runtime.memory import CAPACITY_MAX
from govlang.runtime.policy import Policy

SOURCE = """\
language 1
policy p version "1.0.0"
default allow
time zone "UTC"
input { agent : key }
event restart
rule late when restart within 1 min deny
"""


class Moment(enum.IntEnum):
    """A number that is more than an int."""

    FIVE = 5


class Told:
    """Something that stands for an integer."""

    def __index__(self) -> int:
        return 5


class Never:
    """Something that only seems to."""

    def __index__(self) -> int:
        raise TypeError


WHOLE = [5, np.int64(5), np.uint8(5), Moment.FIVE, Told()]
NO_TIMES = [
    True,
    np.True_,
    5.0,
    np.float64(5),
    "5",
    [5],
    np.array([5, 6]),
    Never(),
    2**53,
    np.uint64(2**63),
]


def hosts() -> tuple[Policy, EdgePolicy]:
    policy = compile_source(Source("p.gov", SOURCE)).policy
    return Policy(tables.table_bytes(policy)), EdgePolicy(module_of(named(policy, "p")))


@pytest.mark.parametrize("five", WHOLE)
def test_what_stands_for_an_integer_is_a_time(five: Any) -> None:
    for host in hosts():
        host.observe({"event": "restart", "key": "a", "at_ms": five})
        for asked in (host.decide, host.commit):
            assert asked({"agent": "a"}, now_ms=five).rule_id == "late"
        blob = host.save(now_ms=five)
        assert blob == host.save(now_ms=5)
        key = {"key": "a"} if isinstance(host, EdgePolicy) else {}
        host.restore(blob, now_ms=five, downtime_ms=five, **key)
        assert host.commit({"agent": "a"}, now_ms=60_000).rule_id == "late"
        assert host.commit({"agent": "a"}, now_ms=60_001).rule_id == "default", "5 ms had gone by"


@pytest.mark.parametrize("wrong", NO_TIMES)
def test_what_is_no_integer_is_no_time(wrong: Any) -> None:
    for host in hosts():
        before = host.save(now_ms=0)
        for asked in (host.decide, host.commit):
            outcome = asked({"agent": "a"}, now_ms=wrong)
            assert (outcome.rule_id, "now_ms" in outcome.reason) == ("invalid_request", True)
        with pytest.raises(TableError, match="GOV415: `at_ms`"):
            host.observe({"tick": True, "key": "a", "at_ms": wrong})
        with pytest.raises(TableError, match=r"GOV419: .*`now_ms`"):
            host.save(now_ms=wrong)
        key = {"key": "a"} if isinstance(host, EdgePolicy) else {}
        for times in ({"now_ms": wrong}, {"now_ms": 0, "downtime_ms": wrong}):
            with pytest.raises(TableError, match=r"GOV419: .*_ms`"):
                host.restore(before, **times, **key)
        assert host.save(now_ms=0) == before


@pytest.mark.parametrize("now", [5, np.int64(5)])
def test_rows_have_a_time_that_is_one(now: Any) -> None:
    source = SOURCE.replace("event restart\n", "").replace(
        "restart within 1 min", "weekday is monday"
    )
    policy = Policy(tables.table_bytes(compile_source(Source("p.gov", source)).policy))
    assert policy.decide_batch({"agent": np.array(["a"])}, now_ms=now).rule_id(0) == "default"
    with pytest.raises(TableError, match="GOV412: `now_ms`"):
        policy.decide_batch({"agent": np.array(["a"])}, now_ms=float(now))  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, None, "5", 2**40, CAPACITY_MAX + 1])
def test_a_capacity_that_is_no_number_of_keys_is_refused(wrong: Any) -> None:
    with pytest.raises(TableError, match="GOV411: `capacity` must be a whole number of keys"):
        Policy(tables.table_bytes(small()), capacity=wrong)


def test_a_capacity_may_be_anything_that_stands_for_a_number_of_keys() -> None:
    policy = Policy(tables.table_bytes(small()), capacity=np.int64(1))
    assert policy.capacity == 1
    assert policy.commit({"who": "a"}, now_ms=0).rule_id == "stale"
    assert policy.commit({"who": "b"}, now_ms=0).rule_id == "state_full"


def test_a_store_for_which_there_is_no_memory_is_a_coded_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Policy, "_remember", none)
    with pytest.raises(TableError, match="GOV411: there is no memory for a `capacity` of 9 keys"):
        Policy(tables.table_bytes(small()), capacity=9)


@pytest.mark.parametrize("key", [5, None, b"a", "\ud800", "x" * 257])
def test_a_key_that_no_request_could_have_is_no_question(key: Any) -> None:
    policy = load(small())
    policy.commit({"who": "a"}, now_ms=0)
    for ask in (lambda: policy.remembered("allowed", key), lambda: policy.forget(key)):
        with pytest.raises(TableError, match="GOV420: the key"):
            ask()
    assert policy.remembered("allowed", "a") == 1


@pytest.mark.parametrize("name", ["", "nothing", 5, None, "x" * 10**6])
def test_a_cell_that_there_is_not_is_no_question(name: Any) -> None:
    plain = Policy(
        tables.table_bytes(compile_source(Source("p.gov", SOURCE.split("event", 1)[0])).policy)
    )
    for policy in (load(small()), plain):
        with pytest.raises(TableError, match="GOV420: the policy remembers no cell") as caught:
            policy.remembered(name, "a")
        assert len(caught.value.message) < 300
    with pytest.raises(TableError, match="GOV420"):
        plain.forget("a")


def test_a_request_in_json_counts_where_it_is_committed() -> None:
    source = SOURCE.replace("restart within 1 min", "count(allowed) in 1 min >= 2")
    policy = compile_source(Source("p.gov", source)).policy
    for host in (Policy(tables.table_bytes(policy)), EdgePolicy(module_of(named(policy, "p")))):
        for kind in (str, str.encode):
            assert host.decide_json(kind('{"agent": "a"}'), now_ms=0).rule_id == "default"
        allowed = [host.commit_json('{"agent": "a"}', now_ms=0) for _ in range(2)]
        assert [one.rule_id for one in allowed] == ["default"] * 2
        assert [one.next_deadline_ms for one in allowed] == [None, 60_001]
        before = host.save(now_ms=0)
        assert (
            host.commit_json('{"agent": "b", "agent": "b"}', now_ms=0).rule_id == "invalid_request"
        )
        assert host.commit_json('{"agent": 5}', now_ms=0).rule_id == "invalid_request"
        assert host.commit_json("5", now_ms=0).rule_id == "invalid_request"
        with pytest.raises(CodedError, match="GOV413"):
            host.commit_json('{"agent": "b"', now_ms=0)
        assert host.save(now_ms=0) == before
        assert host.commit_json('{"agent": "a"}', now_ms=60_000).rule_id == "late"
        assert host.commit_json('{"agent": "a"}', now_ms=60_001, runtime={}).rule_id == "default"
        assert (
            host.commit_json('{"agent": "a"}', now_ms=60_001, runtime=5).rule_id
            == "invalid_request"
        )  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_state_may_come_in_anything_that_holds_bytes(kind: Any) -> None:
    for host in hosts():
        host.observe({"event": "restart", "key": "a", "at_ms": 5})
        blob = kind(host.save(now_ms=5))
        key = {"key": "a"} if isinstance(host, EdgePolicy) else {}
        host.restore(blob, now_ms=0, downtime_ms=0, **key)
        assert host.commit({"agent": "a"}, now_ms=1).rule_id == "late"
