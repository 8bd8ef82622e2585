"""A policy over time as its module decides, in JavaScript: the same as in Python, step by step and byte by byte."""

from __future__ import annotations

import base64
import random
from typing import Any

import js_host
import pytest
from edge_time_engines import module_of, named
from over_time import POOL

from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.native.errors import TableError
from govlang.runtime.edge import EdgePolicy

BOARD = POOL.replace("deletion per tool", "deletion")
MODULE = module_of(named(compile_source(Source("p.gov", BOARD)).policy, "pool"))
STEPS: list[dict[str, Any]] = [
    {"event": "restart", "key": "a"},
    {"event": "deletion", "fields": {"tool": "rm"}, "key": {"agent": "a"}},
    {"event": "deletion", "fields": {"tool": 3}, "key": {"agent": "a"}},
    {"event": "freeze", "fields": {}},
    {"event": "freeze", "fields": {}, "key": "a"},
    {"event": "unknown"},
    {"signal": "heat", "value": 150, "key": "a"},
    {"signal": "heat", "value": 20.5, "key": "a"},
    {"signal": "heat", "value": 20},
    {"signal": "heat", "key": "a"},
    {"event": "dispatched", "key": "a"},
    {"event": "failure", "key": "a"},
    {"event": "failure", "key": "b"},
    {"tick": True, "key": "a"},
    {"tick": True, "key": {"tool": "a"}},
    {"event": "restart", "key": "x" * 257},
    {"event": "restart", "key": "\ud800"},
    {"tick": True, "key": "x" * 257},
    {},
]


def trace(rng: random.Random, length: int) -> list[dict[str, Any]]:
    at, found = 1_000_000, []
    for _ in range(length):
        at += rng.choice((0, 1, 1, 700, 3_000, 61_000, -5))
        match rng.randrange(8):
            case 0:
                found.append({"save": at})
            case 1 | 2:
                found.append({"observe": rng.choice(STEPS) | {"at_ms": at}})
            case 3:
                found.append(
                    {"observe": rng.choice(STEPS[:2]) | {"at_ms": rng.choice((at, 2**53, 0.5))}}
                )
            case _:
                request = {"agent": rng.choice(("a", "a", "a", "b")), "tool": "rm"}
                request |= {"load": rng.choice((1, 100, 101))}
                found.append({rng.choice(("commit", "commit", "decide")): request, "nowMs": at})
    return found


def in_python(policy: EdgePolicy, step: dict[str, Any]) -> Any:
    try:
        match step:
            case {"commit": request, "nowMs": at}:
                outcome = policy.commit(request, now_ms=at)
                told = outcome.to_dict()
                kept = outcome.rule_id not in ("invalid_request", "state_full")
                return told | ({"next_deadline_ms": outcome.next_deadline_ms} if kept else {})
            case {"decide": request, "nowMs": at}:
                return policy.decide(request, now_ms=at).to_dict()
            case {"observe": observed}:
                return policy.observe(observed)
            case {"save": at}:
                return base64.b64encode(policy.save(now_ms=at)).decode()
            case {"restore": blob, "nowMs": at, "downtimeMs": downtime, "of": key}:
                data = base64.b64decode(blob)
                return policy.restore(data, key=key, now_ms=at, downtime_ms=downtime)
    except TableError as error:
        in_script = error.message.replace("`now_ms`", "`nowMs`")
        in_script = in_script.replace("`downtime_ms`", "`downtimeMs`")
        return {"code": error.code, "message": in_script}


def compare(steps: list[dict[str, Any]], key: str | None = "a") -> list[Any]:
    policy = EdgePolicy(MODULE, key=key)
    (found,) = js_host.ask([{"trace": steps, "module": js_host.text(MODULE), "key": key}])
    for step, one in zip(steps, found, strict=True):
        assert one == in_python(policy, step), step
    return list(found)


def test_javascript_takes_samples_in_as_python_does() -> None:
    found = compare(trace(random.Random(3), 600))
    codes = {one["code"] for one in found if isinstance(one, dict) and "code" in one}
    rules = {one["rule_id"] for one in found if isinstance(one, dict) and "rule_id" in one}
    assert codes == {"GOV415", "GOV417", "GOV418"}
    assert rules >= {"ok", "frozen", "clock_fault", "state_full", "invalid_request"}


def test_javascript_reads_and_refuses_the_same_bytes() -> None:
    rng = random.Random(4)
    policy = EdgePolicy(MODULE, key="a")
    policy.observe({"event": "restart", "key": "a", "at_ms": 10})
    policy.observe({"signal": "heat", "value": 150, "key": "a", "at_ms": 20})
    blob = policy.save(now_ms=30)
    steps: list[dict[str, Any]] = []
    for _ in range(200):
        data = bytearray(blob)
        if rng.random() < 0.6:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) :]
        at = rng.choice((5, 10**12, 2**53 - 1))
        steps.append(
            {
                "restore": base64.b64encode(data).decode(),
                "nowMs": at,
                "downtimeMs": rng.choice((None, 0, 70_000, -1, 0.5, True, "", 2**53)),
                "of": "a",
            }
        )
        steps.append({"save": rng.choice((7, 7, 0.5, "", 2**53))})
        steps.append({"commit": {"agent": "a", "tool": "rm", "load": 1}, "nowMs": at})
    found = compare(steps)
    assert {"GOV419"} == {one["code"] for one in found if isinstance(one, dict) and "code" in one}


@pytest.mark.parametrize("bound", [None, "a", "b"])
def test_javascript_takes_a_state_for_the_key_that_is_named(bound: str | None) -> None:
    policy = EdgePolicy(MODULE)
    policy.observe({"event": "restart", "key": "a", "at_ms": 10})
    blob = base64.b64encode(policy.save(now_ms=10)).decode()
    steps: list[dict[str, Any]] = []
    for of in (None, 5, True, {"agent": "a"}, "x" * 257, "\ud800", "a", "b"):
        steps.append({"restore": blob, "nowMs": 10, "downtimeMs": 0, "of": of})
        steps.append({"save": 10})
    steps += [{"commit": {"agent": of, "tool": "rm", "load": 1}, "nowMs": 11} for of in ("b", "a")]
    found = compare(steps, bound)
    owner = bound or "a"
    refused = [one["code"] for one in found if isinstance(one, dict) and "code" in one]
    assert refused == ["GOV419"] * 6 + ["GOV418"]
    assert [one["rule_id"] for one in found[-2:]] == [
        "restarted" if owner == of else "state_full" for of in ("b", "a")
    ]
