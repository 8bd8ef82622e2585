"""`gov test`, `gov decide --trace` and `gov explain --state` of a policy that remembers, on its compiled table."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from over_time import POOL

from govlang.cli.compiled import compile_policy
from govlang.compiler import ir
from govlang.compiler.core import core_json, snapshot
from govlang.compiler.frontend import compile_file
from govlang.compiler.requests import read_report, read_sample
from govlang.compiler.step import Sample, Tick, initial_state
from govlang.compiler.step import step as take
from govlang.native.layout import STATE_HEAD
from govlang.native.schema import Schema
from govlang.runtime.policy import hash_params


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    path = tmp_path / "pool.gov"
    path.write_text(POOL, encoding="utf-8")
    return path


def test_the_tests_of_a_policy_run_on_its_table(gov, pool: Path) -> None:
    ran = gov("test", pool, "--format", "json")
    assert ran.code == 0, ran.out
    assert [one["status"] for one in ran.json["tests"]] == ["passed"] * 2


def test_an_answer_that_is_not_as_expected_is_a_finding(gov, pool: Path) -> None:
    pool.write_text(POOL.replace("deny by many", "allow"), encoding="utf-8")
    ran = gov("test", pool)
    assert ran.code == 1
    assert "expected allow, found deny by `many`" in ran.out


def line(**step: Any) -> str:
    return line_of(step)


def line_of(step: dict[str, Any]) -> str:
    return json.dumps(step) + "\n"


GUARDED = """language 1
policy guarded version "1.0.0"
default deny

input { agent : key }

rule ask  when not (allowed within 1 min) require human from "boss"
rule once when allowed within 1 min deny
"""


ASKED = {"agent": "a", "tool": "rm", "load": 3}


def test_a_trace_is_replayed_and_each_request_committed(gov, pool: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    asked = [line(at_ms=i, request=ASKED) for i in range(4)]
    steps = [
        *asked,
        line(at_ms=5, event="failure", key="a", fields={}),
        line(at_ms=20_000, event="restart", key={"agent": "a"}, fields={}),
        line(at_ms=21_000, request=ASKED),
        line(at_ms=26_000, request=ASKED),
        line(at_ms=25_999, request=ASKED),
    ]
    trace.write_text("".join(steps), encoding="utf-8")
    ran = gov("decide", pool, "--trace", trace, "--format", "json")
    assert ran.code == 0
    rules = [one["rule_id"] for one in ran.lines]
    assert rules == ["ok", "ok", "ok", "many", "restarted", "ok", "clock_fault"]
    assert "`failure` comes after nothing that calls for it" in ran.err


def test_a_step_that_is_not_declared_ends_the_replay(gov, pool: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    trace.write_text(line(at_ms=1, event="restart_all", key="a"), encoding="utf-8")
    ran = gov("decide", pool, "--trace", trace)
    assert ran.code == 2
    assert "GOV709" in ran.err


def test_the_state_that_is_listed_is_the_table_s(gov, pool: Path) -> None:
    memory = Schema(compile_policy(compile_file(pool).policy).table).memory
    assert memory is not None
    listed = gov("explain", pool, "--state", "--format", "json").json
    kept = {(one["cell"], one["bytes"], one["per"] or "") for one in listed["cells"]}
    assert kept == {(c.name, c.bytes, memory.scopes[c.scope].name) for c in memory.cells if c.bytes}
    assert listed["bytes"] == sum(scope.bytes - STATE_HEAD for scope in memory.scopes)


def some_step(rng: random.Random, at: int) -> dict[str, Any]:
    """A step of a trace of the pool."""
    who, tool = rng.choice("abc"), rng.choice(("rm", "ls"))
    asked = {"agent": who, "tool": tool, "load": rng.randint(0, 100)}
    steps: list[dict[str, Any]] = [
        {"event": "restart", "key": {"agent": who}, "fields": {}},
        {"event": "dispatched", "key": who},
        {"event": "failure", "key": who},
        {"event": "deletion", "key": who, "fields": {"tool": tool}},
        {"event": "freeze"},
        {"signal": "heat", "value": rng.randint(0, 200), "key": who},
        {"tick": True, "key": who},
        *([{"request": asked}] * 7),
    ]
    return {"at_ms": at} | rng.choice(steps)


def referred(policy: ir.Policy, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the reference step answers to the requests of a trace, in the form of `gov decide`."""
    state, found = initial_state(policy), []
    for step in steps:
        sample: Sample
        key = step.get("key")
        key = key["agent"] if isinstance(key, dict) else key
        if "request" in step:
            sample = read_sample(policy, step["request"], {}, step["at_ms"])
        elif "tick" in step:
            sample = Tick(step["at_ms"], key)
        elif "signal" in step:
            name = step["signal"]
            sample = read_report(policy, name, key, {name: step["value"]}, step["at_ms"])
        else:
            fields = step.get("fields", {})
            sample = read_report(policy, step["event"], key, fields, step["at_ms"])
        state, outcome = take(policy, {}, state, sample)
        if outcome is not None:
            found.append(
                {
                    "decision": outcome.decision.word,
                    "rule_id": outcome.rule_id,
                    "reason": outcome.reason,
                    "obligations": list(outcome.obligations),
                    "matched": list(outcome.matched),
                    "policy_snapshot": snapshot(core_json(policy)),
                    "params_hash": hash_params({}),
                }
            )
    return found


@pytest.mark.parametrize("seed", range(4))
def test_a_trace_is_answered_as_by_the_reference_step(
    gov, pool: Path, tmp_path: Path, seed: int
) -> None:
    rng, at, steps = random.Random(seed), 0, []
    for _ in range(400):
        at = max(0, at + rng.choice((0, 1, 900, 1_000, 4_999, 30_000, -1)))
        steps.append(some_step(rng, at))
    trace = tmp_path / "trace.jsonl"
    trace.write_text("".join(map(line_of, steps)), encoding="utf-8")
    ran = gov("decide", pool, "--trace", trace, "--format", "json")
    assert ran.code == 0
    expected = referred(compile_file(pool).policy, steps)
    assert ran.lines == expected
    assert len({one["rule_id"] for one in expected}) >= 6


def test_the_record_says_what_was_decided_before_the_approval(gov, tmp_path: Path) -> None:
    pool = tmp_path / "gate.gov"
    pool.write_text(GUARDED, encoding="utf-8")
    trace, ledger = tmp_path / "trace.jsonl", tmp_path / "data"
    asked = line(at_ms=5, request={"agent": "a"}, runtime={"approved": ["boss"]})
    trace.write_text(asked * 2, encoding="utf-8")
    ran = gov("decide", pool, "--trace", trace, "--evidence", ledger, "--format", "json")
    assert [one["rule_id"] for one in ran.lines] == ["ask", "once"]
    records = [json.loads(one) for one in (ledger / "LEDGER.jsonl").read_text("utf-8").splitlines()]
    assert [(one["decision"], one["rule_id"]) for one in records] == [
        ("REQUIRE_HUMAN", "ask"),
        ("DENY", "once"),
    ]
