"""`gov explain` of a policy over time: the state in the author's words, and the smallest change with the state held."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

HEADER = """language 1
policy p version "1.0.0"
combine most_restrictive
default allow

input {
  agent  : key
  tool   : one of read, shell
  tokens : number in 0..100_000 tokens
  spot   : text
}
event failure
event done after dispatched
event big { size : number in 0..100 kg step 0.5 }
shared event alarm
signal load : number in 0..9 % step 0.1
signal mode : one of slow, fast
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "p.gov"


def asked(at_ms: int, **fields: Any) -> dict[str, Any]:
    plain = {"agent": "a", "tool": "shell", "tokens": 10, "spot": "x"} | fields
    return {"at_ms": at_ms, "request": plain}


def event(at_ms: int, name: str, **fields: Any) -> dict[str, Any]:
    key = {} if name == "alarm" else {"key": {"agent": "a"}}
    return {"at_ms": at_ms, "event": name, "fields": fields} | key


def signal(at_ms: int, value: float, name: str = "load") -> dict[str, Any]:
    return {"at_ms": at_ms, "signal": name, "value": value, "key": {"agent": "a"}}


def traced(path: Path, rules: str, *steps: dict[str, Any]) -> list[str | Path]:
    path.write_text(HEADER + rules, encoding="utf-8")
    trace = path.with_suffix(".jsonl")
    trace.write_text("".join(json.dumps(step) + "\n" for step in steps), encoding="utf-8")
    return ["explain", path, "--trace", trace]


MACHINE = """machine breaker {
  start closed
  closed -> open on failure
  open -> closed after 30 s
}
"""

SAID = [
    ("failure within 5 s", [], "failure within 5 s", "never"),
    ("failure within 5 s", [event(0, "failure")], "failure within 5 s", "more than 5 s ago"),
    ("failure within 5 s and tool is read", [event(8_000, "failure")], "tool is read", 'tool is "shell"'),
    ("count(failure) in 1 min >= 3", [event(0, "failure")] * 2, "count(failure) in 1 min >= 3", "2 so far"),
    ("count(failure) in 1 min < 2", [event(0, "failure")] * 3, "count(failure) in 1 min < 2", "2 or more so far"),
    ("count(failure) in 1 min == 2", [event(0, "failure")], "count(failure) in 1 min == 2", "1 so far"),
    ("not (failure within 1 min)", [event(0, "failure")], "not (failure within 1 min)", "10 s ago"),
    ("elapsed(failure) > 1 min", [event(0, "failure")], "elapsed(failure) > 1 min", "10 s ago"),
    ("failure between 1 and 5 min ago", [], "failure between 1 and 5 min ago", "never"),
    ("failure between 1 and 5 min ago", [event(0, "failure")], "failure between 1 and 5 min ago", "10 s ago"),
    ("alarm within 5 s", [event(0, "alarm")], "alarm within 5 s", "more than 5 s ago"),
    ("(has load and load > 5 %) for 1 min", [signal(0, 6), signal(4_000, 7)],
     "(has load and load > 5 %) for 1 min", "for 10 s so far"),
    ("(has load and load > 5 %) for 1 min", [signal(0, 4)],
     "(has load and load > 5 %) for 1 min", "it does not hold"),
    ("(has load and load > 5 %) since failure", [signal(0, 6)],
     "(has load and load > 5 %) since failure", "`failure` has not happened"),
    ("(has load and load > 5 %) since failure", [event(0, "failure")],
     "(has load and load > 5 %) since failure", "not at every sample since `failure`"),
    ("sum(big.size) in 1 min by 5 s > 9 kg", [event(0, "big", size=2.5), event(7_000, "big", size=3)],
     "sum(big.size) in 1 min by 5 s > 9 kg", "sum(big.size) in 1 min by 5 s is 5.5"),
    ("average(big.size) in 1 min by 5 s > 9 kg", [event(0, "big", size=2.5)],
     "average(big.size) in 1 min by 5 s > 9 kg",
     "sum(big.size) in 1 min by 5 s is 2.5, count(big) in 1 min by 5 s is 1"),
    ("count(failure) in 1 min by 5 s > 2", [event(0, "failure")],
     "count(failure) in 1 min by 5 s > 2", "count(failure) in 1 min by 5 s is 1"),
    ("has load and load > 5 %", [], "has load", "no sample yet"),
    ("has load and load > 5 %", [signal(0, 2)], "load > 5 %", "load is 2"),
    ("has load and previous(load) > load", [signal(0, 2), signal(1_000, 3)],
     "previous(load) > load", "previous(load) is 2, load is 3"),
    ("has load and ewma(load, 0.5) > 5 %", [signal(0, 2), signal(1_000, 3)],
     "ewma(load, 0.5) > 5 %", "ewma(load, alpha 0.5) is 2.5"),
    ("has mode and previous(mode) is fast", [signal(0, "slow", "mode")],
     "previous(mode) is fast", "the sample before was slow"),
    ("deviates(load, alpha 0.3, by 3, after 5 samples)", [signal(0, 2), signal(1, 2)],
     "deviates(load, alpha 0.3, by 3, after 5 samples)", "2 of 5 samples so far"),
    ("changed(load) within 5 s", [signal(0, 2), signal(8_000, 3)], None, ""),
    ("breaker is closed", [event(0, "failure")], "breaker is closed", "`breaker` is open since 10 s"),
    ("breaker is open", [], "breaker is open", "`breaker` is closed since the start"),
    ("breaker is open", [event(0, "failure"), {"at_ms": 8_000, "tick": True, "key": {"agent": "a"}}],
     None, ""),
    ("gap > 1 min", [event(0, "failure")], "gap > 1 min", "the gap is 10 s"),
    ("clock_fault", [], "clock_fault", "the clock did not go back"),
    ("reserved(tokens) + tokens > 500 tokens", [event(0, "reserved", tokens=200)],
     "reserved(tokens) + tokens > 500 tokens", "reserved(tokens) is 200, tokens is 10"),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "steps", "failed", "said"), SAID)
def test_what_the_state_held_is_said_in_the_words_of_the_policy(
    gov, path: Path, condition: str, steps: list[dict[str, Any]], failed: str | None, said: str
) -> None:
    rules = f"{MACHINE}rule r when {condition} deny\n"
    ran = gov(*traced(path, rules, *steps, asked(10_000)), "--no-nearest")
    lines = [line.strip() for line in ran.out.splitlines() if "not: " in line]
    tail = f"   ({said})" if said else ""
    assert lines == ([] if failed is None else [f"not: {failed}{tail}"]), ran.out + ran.err


def test_the_smallest_change_is_looked_for_with_the_state_as_it_is(gov, fits, path: Path) -> None:
    rules = (
        "rule cool when tool is shell and failure within 1 min deny\n"
        "rule much when sum(allowed.tokens) in 1 h by 5 min + tokens > 1000 tokens throttle\n"
        'rule late when gap > 1 h and agent != "b" deny\n'
    )
    steps = (asked(0, tool="read", tokens=0, agent="b"), event(0, "failure"),
             asked(1_000, tool="read", tokens=900), asked(10_000, tokens=200))  # fmt: skip
    ran = gov(*traced(path, rules, *steps), "--format", "json")
    fits("explain", ran.json)
    nearest = ran.json["nearest"]
    changes = {one["field"]: one["to"] for one in nearest["changes"]}
    assert changes == {"tool": "read", "tokens": 100}
    again = steps[-1] | {"request": nearest["request"]}
    decided = gov("decide", *traced(path, rules, *steps[:-1], again)[1:], "--format", "json")
    assert decided.lines[-1]["decision"] == nearest["decision"] == "allow"


@pytest.mark.parametrize(
    ("rule", "status", "said"),
    [
        ("failure within 1 min", "none", "no request at all"),
        ("tokens > 5 tokens within 1 min", "undecided", "depends on the request itself"),
        ("failure within 1 min and not (tokens > 5 tokens for 1 s)", "undecided", "itself"),
    ],
)
def test_a_state_in_which_nothing_is_allowed_is_told_from_one_that_the_request_moves(
    gov, path: Path, rule: str, status: str, said: str
) -> None:
    arguments = traced(path, f"rule r when {rule} deny\n", event(0, "failure"), asked(1_000))
    assert gov(*arguments, "--format", "json").json["nearest"]["status"] == status
    assert said in gov(*arguments).out


def test_a_request_by_itself_is_the_first_sample(gov, path: Path) -> None:
    path.write_text(HEADER + "rule gapped when tool is shell and gap > 1 h deny\n")
    ran = gov("explain", path, "--input", json.dumps(asked(0)["request"]))
    assert ran.out.splitlines()[-1] == '  tool were "read", not "shell"'


def test_after_a_clock_fault_no_request_would_be_allowed(gov, path: Path) -> None:
    arguments = traced(path, "rule r when failure within 1 min deny\n", asked(9), asked(8))
    ran = gov(*arguments)
    assert ran.out.startswith("deny  by `clock_fault`")
    assert "no request at all would be allowed" in ran.out


def test_only_what_comes_before_the_last_request_counts(gov, path: Path) -> None:
    steps = (asked(0), event(1, "done"), event(2, "failure"), asked(3), event(4, "failure"))
    ran = gov(*traced(path, "rule r when count(failure) in 1 min >= 2 deny\n", *steps))
    assert ran.out.startswith("allow  by `default`")
    assert "(1 so far)" in ran.out
    assert "`done` comes after nothing that calls for it" in ran.err


@pytest.mark.parametrize(
    "step",
    [
        asked(1) | {"request": 5},
        asked(1) | {"runtime": "x"},
        asked(-1),
        {"at_ms": 0, "signal": "load", "key": {"agent": "a"}},
        {"at_ms": 0, "event": "nothing", "key": {"agent": "a"}},
        {"at_ms": 0, "event": "failure", "key": {}},
        {"at_ms": 0, "tick": True, "key": 7},
        {"at_ms": 0},
    ],
)
def test_a_step_that_cannot_be_replayed_is_named(gov, path: Path, step: dict[str, Any]) -> None:
    arguments = traced(path, "rule r when failure within 1 s deny\n", step, asked(2))
    ran = gov(*arguments)
    assert ran.code == 2
    assert "GOV709" in ran.err
    assert "line 1" in ran.err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "needs one of `--input`, `--trace` and `--test`"),
        (["--test", "tow"], "has no test `tow`"),
        (["--test", "quiet"], "asks nothing"),
        (["--test", "quiet", "--now", "5"], "go with `--input`"),
    ],
)
def test_without_a_request_nothing_is_explained(
    gov, path: Path, arguments: list[str], why: str
) -> None:
    path.write_text(
        HEADER
        + 'rule r when failure within 1 s deny\ntest "quiet" { at 0 s event failure { agent "a" } }\n'
    )
    ran = gov("explain", path, *arguments)
    assert ran.code == 2
    assert why in ran.err


def test_a_failed_test_names_the_command_that_explains_it(gov, path: Path) -> None:
    request = 'request { agent "a", tool shell, tokens 1 tokens, spot "x" }'
    path.write_text(
        f"{HEADER}{MACHINE}rule r when breaker is open deny\n"
        'test "it\'s open" {\n  at 0 s event failure { agent "a" } expect breaker is closed\n'
        f"  at 5 s {request} expect allow\n  at 31 s {request} expect allow\n}}\n"
    )
    machine, found = gov("test", path, "--format", "json").json["findings"]
    assert "one that is due goes first" in machine["help"]
    command = shlex.split(found["help"].split("`")[1])
    ran = gov(*command[1:])
    assert ran.out.startswith("deny  by `r`")


def test_of_two_requests_of_a_test_that_fail_the_first_is_explained(gov, path: Path) -> None:
    request = 'request { agent "a", tool shell, tokens 1 tokens, spot "x" }'
    steps = f"  at 0 s {request} expect deny\n  at 1 s {request} expect throttle\n"
    path.write_text(f'{HEADER}rule r allow\ntest "both" {{\n{steps}}}\n')
    first, second = gov("test", path, "--format", "json").json["findings"]
    assert "--test both` says why" in first["help"]
    assert second["help"] == "a request before it failed, too: see to that one first"


def test_a_failed_test_over_requests_names_the_command_too(gov, policy: Path) -> None:
    policy.write_text(policy.read_text().replace("expect allow by light", "expect deny"))
    (found,) = gov("test", policy, "--format", "json").json["findings"]
    ran = gov(*shlex.split(found["help"].split("`")[1])[1:])
    assert ran.out.startswith("allow  by `light`")
