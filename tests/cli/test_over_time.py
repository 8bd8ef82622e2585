"""`gov test`, `gov decide --trace` and `gov explain --state` of a policy that remembers, on its compiled table."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from over_time import POOL

from govlang.cli.compiled import compile_policy
from govlang.cli.reference import Reference
from govlang.compiler.frontend import compile_file
from govlang.native.errors import TableError
from govlang.runtime.policy import Policy


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
    return json.dumps(step) + "\n"


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
    assert "GOV415" in ran.err


def test_the_state_is_printed_by_scope(gov, pool: Path) -> None:
    shown = gov("explain", pool, "--state").out
    assert "for each agent: " in shown
    assert "for each tool: " in shown
    assert "shared: " in shown
    found = gov("explain", pool, "--state", "--format", "json").json
    assert [one["scope"] for one in found["scopes"]] == ["shared", "agent", "tool"]
    assert found["bytes"] == sum(one["bytes"] for one in found["cells"])
    assert all(one["bytes"] == 8 + sum(c["bytes"] for c in one["cells"]) for one in found["scopes"])


def test_no_bundle_without_a_proof_comes_out(gov, pool: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for arguments in ((), ("--emit", "table")):
        ran = gov("build", pool, "-o", out, *arguments)
        assert ran.code == 2
        assert "GOV715" in ran.out + ran.err
        assert not list(out.glob("*"))


@pytest.mark.parametrize("seed", range(8))
def test_the_table_answers_as_the_reference_interpreter(pool: Path, seed: int) -> None:
    rng = random.Random(seed)
    policy = compile_file(pool).policy
    table = Policy(compile_policy(policy, unproved=True).table)
    reference = Reference(policy, {})
    at = 0
    for _ in range(300):
        at += rng.choice((0, 1, 900, 1_000, 4_999, 30_000, -1))
        at = max(at, 0)
        who = rng.choice("abc")
        asked = {"agent": who, "tool": rng.choice(("rm", "ls")), "load": rng.randint(0, 100)}
        reports: list[dict[str, Any]] = [
            {"event": "restart", "key": who},
            {"event": "dispatched", "key": who},
            {"event": "failure", "key": who},
            {"event": "deletion", "key": who, "fields": {"tool": asked["tool"]}},
            {"event": "freeze"},
            {"signal": "heat", "value": rng.randint(0, 200), "key": who},
            {"tick": True, "key": who},
        ]
        if rng.random() < 0.5:
            step = {"at_ms": at} | rng.choice(reports)
            reference.observe(step)
            try:
                table.observe(step)
            except TableError as error:
                assert error.code == "GOV417"  # noqa: PT017  # it may be raised, and then is this one
        else:
            expected = reference.commit(asked, now_ms=at).to_dict()
            expected["policy_snapshot"] = table.snapshot
            assert table.commit(asked, now_ms=at).to_dict() == expected
        state = policy.field("gate").members[table.remembered("gate", who)]
        assert state == reference.state_of("gate", who)
