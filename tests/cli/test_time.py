"""Verbs on a policy over time: run on its compiled table, and refused where nothing is built yet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

POLICY = """language 1
policy gate version "1.0.0"
default allow

input {
  agent : key
  load  : number in 0..100
}
event failure
shared event storm
signal heat : number in 0..90

rule tripped when count(failure) in 1 min >= 2 deny because "It failed twice"
rule stormy when storm within 10 s throttle retry 10 s
rule hot when has heat and heat > 50 deny

test "two failures" {
  at 0 s event failure { agent "a" }
  at 1 s event failure { agent "a" }
  at 2 s request { agent "a", load 1 } expect deny by tripped
  at 2 s request { agent "b", load 1 } expect allow
}
"""


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    path = tmp_path / "gate.gov"
    path.write_text(POLICY, "utf-8")
    return path


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    steps = [
        {"at_ms": 0, "event": "failure", "key": {"agent": "a"}, "fields": {}},
        {"at_ms": 10, "event": "failure", "key": {"agent": "a"}},
        {"at_ms": 20, "request": {"agent": "a", "load": 1}, "runtime": {}},
        {"at_ms": 20, "event": "storm"},
        {"at_ms": 30, "request": {"agent": "b", "load": 1}},
        {"at_ms": 10_021, "signal": "heat", "value": 51, "key": {"agent": "b"}},
        {"at_ms": 10_021, "request": {"agent": "b", "load": 1}},
        {"at_ms": 70_000, "tick": True, "key": {"agent": "a"}},
        {"at_ms": 70_000, "request": {"agent": "a", "load": 1}},
        {"at_ms": 69_000, "request": {"agent": "a", "load": 1}},
    ]
    path = tmp_path / "trace.jsonl"
    path.write_text("\n".join(map(json.dumps, steps)), "utf-8")
    return path


def test_tests_are_run_from_the_first_sample_on(gov, fits, gate: Path) -> None:
    ran = gov("test", gate, "--format", "json")
    assert ran.code == 0
    fits("test", ran.json)
    assert [(one["status"], one["steps"]) for one in ran.json["tests"]] == [("passed", 4)]


def test_a_failing_test_shows_the_step(gov, fits, gate: Path) -> None:
    gate.write_text(POLICY.replace("expect deny by tripped", "expect allow"), "utf-8")
    ran = gov("test", gate, "--format", "json")
    assert ran.code == 1
    fits("test", ran.json)
    (finding,) = ran.json["findings"]
    assert finding["message"] == "two failures: expected allow, found deny by `tripped`"
    assert finding["witness"]["trace"][0]["at_ms"] == 2000


def test_a_trace_is_committed_sample_by_sample(gov, fits, gate: Path, trace: Path) -> None:
    ran = gov("decide", gate, "--trace", trace, "--format", "json")
    assert ran.code == 0, ran.err
    lines = [json.loads(line) for line in ran.out.splitlines()]
    for line in lines:
        fits("decide", line)
    assert [line["rule_id"] for line in lines] == [
        "tripped", "stormy", "hot", "default", "clock_fault",
    ]  # fmt: skip


def test_a_question_is_asked_of_the_state_before_the_first_sample(gov, gate: Path) -> None:
    ran = gov("decide", gate, "--input", '{"agent": "a", "load": 1}', "--format", "json")
    assert (ran.code, ran.json["decision"]) == (0, "allow")


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ({"event": "nothing", "key": {"agent": "a"}}, "is no event or signal"),
        ({"event": "nothing", "key": {"agent": "a"}}, "help: the policy declares `"),
        ({"event": "falure", "key": {"agent": "a"}}, "help: did you mean `failure`?"),
        ({"signal": "failure", "value": 1, "key": {"agent": "a"}}, "help: write `event`"),
        ({"event": "storm", "key": {"agent": "a"}}, "help: leave out `key`"),
        ({"event": "failure", "key": {"agent": "a"}, "fields": {"x": 1}}, "carries in `fields`: "),
        ({"event": "failure"}, "lacks its key"),
        ({"event": "storm", "key": {"agent": "a"}}, "is shared and has no key"),
        ({"event": "failure", "key": {"agent": "a"}, "fields": {"x": 1}}, "`x`"),
        ({"signal": "heat", "value": 91, "key": {"agent": "a"}}, "`heat`"),
        ({"signal": "heat", "key": {"agent": "a"}}, "needs its `value`"),
        ({"event": "failure", "key": {"agent": "a"}, "tick": True}, "this one `event` and `tick`"),
        ({"tick": True, "value": 1}, "`value` is no part of a step with `tick`"),
        ({"value": 1}, "this one none of them"),
        ({"nonsense": 1}, "`nonsense` is no part of a step"),
        ({"request": {"agent": "a", "load": 1}, "runtme": {}}, "`runtme` is no part of a step"),
        ({"request": {"agent": "a", "load": 1}, "key": "a"}, "`key` is no part of a step with"),
        ({"event": "storm", "signal": "heat", "value": 1}, "this one `event` and `signal`"),
        ({"tick": False, "key": "a"}, "`tick` must be true"),
        ({"event": "failure", "key": "a", "decision": "deny"}, "`decision` is no part of a step"),
    ],
)
def test_a_step_that_cannot_be_taken_is_named(
    gov, gate: Path, tmp_path: Path, step: dict[str, object], why: str
) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text(json.dumps({"at_ms": 0} | step), "utf-8")
    ran = gov("decide", gate, "--trace", path)
    assert ran.code == 2
    assert "GOV709" in ran.err
    assert why in ran.err
    assert "line 1 of `" in ran.err


def test_a_line_that_is_no_json_is_named_by_its_own_number(gov, gate: Path, tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text('{"at_ms": 0, "tick": true}\n{"at_ms": 3\n', "utf-8")
    ran = gov("decide", gate, "--trace", path)
    assert ran.code == 2
    assert f"error[GOV703]: line 2 of `{path}` is not JSON: column 12: " in ran.err


def test_a_step_without_its_time_is_refused(gov, gate: Path, tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text('{"request": {"agent": "a", "load": 1}}', "utf-8")
    ran = gov("decide", gate, "--trace", path)
    assert ran.code == 2
    assert "GOV709" in ran.err
    assert "says no `at_ms`" in ran.err


@pytest.mark.parametrize("given", [("--now", "5"), ("--runtime", "{}"), ("--runtime", "")])
def test_what_the_steps_say_themselves_is_not_given_beside_a_trace(
    gov, gate: Path, trace: Path, given: tuple[str, str]
) -> None:
    ran = gov("decide", gate, "--trace", trace, *given)
    assert ran.code == 2
    assert f"[GOV708]: `{given[0]}` says nothing" in ran.err


def test_what_came_of_a_request_before_is_not_compared(gov, gate: Path, tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    asked = {"at_ms": 0, "request": {"agent": "a", "load": 1}, "decision": "deny", "rule_id": "x"}
    path.write_text(json.dumps(asked), "utf-8")
    ran = gov("decide", gate, "--trace", path, "--format", "json")
    assert ran.code == 0
    assert ran.lines[0]["rule_id"] != "x"


def test_the_state_is_listed_with_its_bytes_and_whose_it_is(gov, gate: Path) -> None:
    listed = gov("explain", gate, "--state").out
    assert "4 bytes for each agent: count(failure) in 1 min >= 2\n" in listed
    assert "2 bytes shared: storm within 10 s\n" in listed
    assert "failure.age.2  2 bytes, for each agent\n" in listed
    assert "storm.age  2 bytes, shared\n" in listed
    assert "6 bytes for each agent\n2 bytes shared\n" in listed
    plain = gov("explain", gate, "--state", "--format", "json").json
    assert plain["bytes"] == 8
    told = [(one["operator"], one["bytes"], one["per"]) for one in plain["operators"]]
    assert ("count(failure) in 1 min >= 2", 4, "agent") in told


def test_a_policy_over_time_is_measured_sample_by_sample(gov, fits, gate: Path) -> None:
    ran = gov("bench", gate, "--requests", "200", "--format", "json")
    assert ran.code == 0, ran.err
    fits("bench", ran.json)
    told = {one["backend"]: one["ns"] for one in ran.json["backends"]}
    assert set(told) == {"interpreter", "commit", "json", "report"}
    assert all(ns > 0 for ns in told.values())
    assert sum(ran.json["decisions"].values()) == 200
    assert len(ran.json["decisions"]) >= 2
    assert "commit" in gov("bench", gate, "--requests", "20").out


@pytest.mark.parametrize("name", ["coding_agent", "drone_fleet"])
def test_a_policy_that_denies_what_nothing_was_reported_of_is_measured_permitting_too(
    gov, root: Path, name: str
) -> None:
    ran = gov("bench", root / "examples" / f"{name}.gov", "--requests", "200", "--format", "json")
    assert ran.code == 0, ran.err
    found = ran.json["decisions"]
    assert sum(found.values()) == 200
    assert 20 <= found["deny"] <= 180


def test_the_export_to_json_logic_says_why_there_is_none_and_what_to_write(gov, gate: Path) -> None:
    ran = gov("export", "jsonlogic", gate)
    assert ran.code == 2
    assert "GOV715" in ran.err
    assert "JSON-Logic reads one request and keeps nothing" in ran.err
    assert "`failed_lately : bool from runtime`" in ran.err


@pytest.mark.parametrize(
    "verb",
    [
        ("build", "GATE", "-o", "OUT", "--emit", "smt2"),
        ("export", "jsonlogic", "GATE", "--decisions-only"),
    ],
    ids=" ".join,
)
def test_what_is_not_built_over_time_is_refused(
    gov, gate: Path, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    named = {"GATE": gate, "OUT": tmp_path / "out"}
    ran = gov(*(named.get(word, word) for word in verb))
    assert ran.code == 2
    assert "GOV715" in ran.out + ran.err
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


@pytest.mark.parametrize(
    "verb",
    [
        ("test", "GATE", "--coverage"),
        ("test", "GATE", "--generate"),
        ("explain", "GATE", "--core"),
        ("build", "GATE", "-o", "OUT", "--emit", "c,wasm"),
    ],
    ids=" ".join,
)
def test_what_is_built_over_time_is_not_called_missing(
    gov, gate: Path, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    """The page of GOV715 names what is for policies without cells; nothing of this is."""
    named = {"GATE": gate, "OUT": tmp_path / "out"}
    assert gov(*(named.get(word, word) for word in verb)).code == 0
    page = gov("help", "GOV715").out
    missing = page[page.index("SMT-LIB is for") :]
    assert "coverage" not in missing
    assert "generated" not in missing
