"""Bad input to a policy over time: a coded error that says where and what to write, and the state untouched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from govlang.cli.app import run
from govlang.native.errors import TableError
from govlang.runtime.policy import Policy

HEAD = """language 1
policy breaker version "1.0.0"
default allow

input {
  agent : key
  load  : number in 0..100 kg
}
event success after dispatched
event failure after dispatched { cost : number in 0..9 }
shared event storm
signal heat : number in 0..90 = 0
action cool
"""
BODY = """
rule open when breaker is open throttle retry 30 s
rule burst when count(allowed) in 1 min >= 20 throttle retry 1 min
rule hot when max(heat) in 10 s > 80 deny
rule stormy when storm within 10 s deny

machine breaker {
  start closed
  closed -> open    when count(failure) since success >= 2
  open   -> closed  after 30 s
}

test "the breaker opens" {
  at 0 s  request { agent "a", load 1 kg } expect allow
}
"""


# --- what is written ---

AUTONOMY = "autonomy for agent on act {\n low may x\n high may x, y when storm within 1 h\n}\n"

WRITTEN = [
    # a rule or declaration, code, text under the caret, part of the message, part of the help
    ("rule r when failure within 30 d deny",
     "GOV247", "30 d", "longer than the longest one, 1 d", "`longest window 30 d`"),
    ("longest window 1 h\nrule r when stale(heat, 2 h) deny",
     "GOV247", "2 h", "longest one, 1 h", "`longest window 2 h`"),
    ("rule r when count(failure) in 1 h deny", "GOV247", "count(failure) in 1 h", "can only be compared", ">= …"),
    ("rule r when sum(failure.cost) in 1 h > 9 deny",
     "GOV247", "sum(failure.cost) in 1 h", "keep every one", "by 5 min"),
    ("rule r when count(failure) in 1 h >= load deny",
     "GOV247", "count(failure) in 1 h >= load", "compares a count with what varies", "a parameter"),
    ("rule r when elapsed(failure) > load deny", "GOV247", "", "compares a time with none", "> 5 min"),
    ("rule r when falure within 1 h deny", "GOV201", "falure", "no event or condition", "`failure`"),
    ("rule r when count(heat) in 1 h >= 2 deny", "GOV201", "heat", "no event `heat`", "`failure`"),
    ("rule r when sum(failure.agent) in 1 h by 5 min > 9 deny", "GOV201", "agent", "", "`cost`"),
    ("rule r when fresh(failure, 1 h) deny", "GOV201", "failure", "no signal or field", "`heat`"),
    ("rule r when heat > 5 kg deny", "GOV205", "heat > 5 kg", "", "leave `kg` out"),
    # no time at all
    ("rule r when load > 5 kg for 0 s deny", "GOV207", "0 s", "no time at all", "leave `for` out"),
    ("rule r deny and do cool for 0 s", "GOV207", "0 s", "no time at all", "leave `for` out"),
    ("rule r throttle retry 0 s", "GOV207", "0 s", "no time at all", "leave `retry` out"),
    ("rule r require human expires 0 min", "GOV207", "0 min", "no time at all", "leave `expires` out"),
    ("longest window 0 s", "GOV207", "0 s", "no time at all", "leave it out for 24 h"),
    ("machine m {\n start a\n a -> b after 0 s\n b -> a on storm\n}", "GOV207", "0 s", "no time at all", "`on EVENT`"),
    ("contract c for agent on act {\n may x\n stop after 0 s\n}\ninput { act : one of x, y }",
     "GOV207", "0 s", "no time at all", "`on EVENT`"),
    ("rule r when sum(failure.cost) in 1 h by 0 s > 9 deny", "GOV247", "1 h by 0 s", "is cut into", "a pane"),
    ('test "t" { at 1 s lose heat for 0 s }', "GOV207", "0 s", "no time at all", "leave the step out"),
    ('test "t" { at 1 s clock back 0 s }', "GOV207", "0 s", "no time at all", "leave the step out"),
    # of which there is one
    (f"input {{ act : one of x, y }}\n{AUTONOMY}\n{AUTONOMY}",
     "GOV233", "autonomy for agent", "`autonomy` is written twice", "a `machine`"),
    # less than no time
    ("rule r when failure within -1 s deny", "GOV110", "-", "expected a number", "without a sign"),
    ("rule r when elapsed(failure) > -1 s deny", "GOV247", "", "less than no time", "> 5 min"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "place", "message", "help_line"), WRITTEN)
def test_what_makes_no_sense_over_time_is_an_error_at_its_place(
    gov, tmp_path: Path, text: str, code: str, place: str, message: str, help_line: str
) -> None:
    path = tmp_path / "p.gov"
    path.write_text(f"{HEAD}{text}\n", "utf-8")
    ran = gov("check", path, "--format", "json")
    assert ran.code == 2
    (found,) = ran.json["findings"]
    assert found["code"] == code, found
    span = found["span"]
    line = path.read_text("utf-8").splitlines()[span["line"] - 1]
    assert line[span["column"] - 1 :].startswith(place)
    assert message in found["message"], found
    assert help_line in found["help"], found


@pytest.mark.parametrize(
    "condition",
    [
        "failure within 0 s",
        "count(failure) in 0 s >= 2",
        "fresh(heat, 0 s)",
        "elapsed(failure) > 0 s",
        "failure between 0 s and 5 s ago",
        "(load > 5 kg) since (failure within 0 s)",
    ],
)
def test_a_window_of_0_is_this_very_millisecond(gov, tmp_path: Path, condition: str) -> None:
    path = tmp_path / "p.gov"
    path.write_text(f"{HEAD}rule r when {condition} deny\n", "utf-8")
    assert gov("check", path).code == 0


# --- what is reported ---

STEPS = [
    {"at_ms": 0, "request": {"agent": "a", "load": 1}, "runtime": {}},
    {"at_ms": 0, "event": "dispatched", "key": {"agent": "a"}},
    {"at_ms": 5, "event": "failure", "key": {"agent": "a"}, "fields": {"cost": 3}},
    {"at_ms": 6, "event": "dispatched", "key": {"agent": "a"}},
]
FAILS = {"at_ms": 9, "event": "failure", "key": {"agent": "a"}, "fields": {"cost": 1}}
ASKS = {"at_ms": 10, "request": {"agent": "a", "load": 1}, "runtime": {}}

REPORTED: list[tuple[dict[str, Any], str]] = [
    ({"event": "falure", "key": {"agent": "a"}}, "GOV415"),
    ({"event": "heat", "key": {"agent": "a"}}, "GOV415"),
    ({"signal": "storm", "value": 1}, "GOV415"),
    ({"event": "storm", "key": {"agent": "a"}}, "GOV415"),
    ({"event": "success"}, "GOV415"),
    ({"event": "failure", "key": {"agent": "a"}}, "GOV415"),
    ({"event": "failure", "key": {"agent": "a"}, "fields": {"cost": "3"}}, "GOV415"),
    ({"event": "failure", "key": {"agent": "a"}, "fields": {"cost": 1.5}}, "GOV415"),
    ({"event": "failure", "key": {"agent": "a"}, "fields": {"cost": 10}}, "GOV415"),
    ({"event": "failure", "key": {"agent": "a"}, "fields": {"cost": 1, "why": "x"}}, "GOV415"),
    ({"signal": "heat", "value": "hot", "key": {"agent": "a"}}, "GOV415"),
    ({"signal": "heat", "value": 91, "key": {"agent": "a"}}, "GOV415"),
    ({"signal": "heat", "value": True, "key": {"agent": "a"}}, "GOV415"),
    ({"event": "success", "key": {"agent": 7}}, "GOV415"),
    ({"event": "success", "key": {"agent": "b"}}, "GOV417"),
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The policy, built and proved."""
    folder = tmp_path_factory.mktemp("breaker")
    (folder / "breaker.gov").write_text(HEAD + BODY, "utf-8")
    assert run(["build", str(folder / "breaker.gov"), "-o", str(folder), "--format", "json"]) == 0
    return folder / "breaker-1.0.0.govb"


def replayed(gov: Any, bundle: Path, folder: Path, *steps: dict[str, Any]) -> Any:
    trace = folder / "trace.jsonl"
    trace.write_text("\n".join(map(json.dumps, steps)), "utf-8")
    return gov("decide", bundle, "--trace", trace, "--format", "json")


@pytest.mark.parametrize(("step", "code"), REPORTED)
def test_a_report_that_does_not_fit_changes_nothing(
    bundle: Path, step: dict[str, Any], code: str
) -> None:
    policy = policy_after(bundle)
    before = policy.save(now_ms=8)
    with pytest.raises(TableError, match=rf"^{code}: ") as caught:
        policy.observe({"at_ms": 8, **step})
    assert caught.value.help
    assert policy.save(now_ms=8) == before
    assert goes_on(policy) == goes_on(policy_after(bundle))


@pytest.mark.parametrize(("step", "code"), REPORTED)
def test_a_trace_says_by_code_which_step_does_not_fit(
    gov, bundle: Path, tmp_path: Path, step: dict[str, Any], code: str
) -> None:
    ran = replayed(gov, bundle, tmp_path, *STEPS, {"at_ms": 8, **step}, FAILS, ASKS)
    if code == "GOV417":  # a report that nothing called for is left out, and the replay goes on
        assert (ran.code, [line["rule_id"] for line in ran.lines]) == (0, ["default", "open"])
        assert "at 8 ms: GOV417: " in ran.err
    else:
        assert ran.code == 2
        assert "GOV709" in ran.out + ran.err


def test_a_failure_of_what_was_never_dispatched_opens_nothing(
    gov, bundle: Path, tmp_path: Path
) -> None:
    unasked = [STEPS[0], FAILS, FAILS, ASKS]
    ran = replayed(gov, bundle, tmp_path, *unasked)
    assert [line["rule_id"] for line in ran.lines] == ["default", "default"]
    assert ran.err.count("GOV417") == 2
    ran = replayed(gov, bundle, tmp_path, *STEPS, FAILS, ASKS)
    assert [line["rule_id"] for line in ran.lines] == ["default", "open"]


def test_an_invalid_request_is_denied_and_not_remembered(bundle: Path) -> None:
    policy = policy_after(bundle)
    before = policy.save(now_ms=8)
    for request in ({"agent": "a"}, {"agent": "a", "load": "1"}, {"agent": "a", "load": 101}):
        outcome = policy.commit(request, now_ms=8)
        assert (outcome.decision.value, outcome.rule_id) == ("deny", "invalid_request")
    assert policy.save(now_ms=8) == before


# --- what is restored ---


def policy_after(bundle: Path, *steps: dict[str, Any]) -> Policy:
    """The policy behind some steps, from the first on."""
    policy = Policy.load(bundle)
    for step in steps or STEPS:
        if "request" in step:
            policy.commit(step["request"], now_ms=step["at_ms"])
        else:
            policy.observe(step)
    return policy


def goes_on(policy: Policy) -> list[str]:
    policy.observe(FAILS)
    return [str(policy.commit(ASKS["request"], now_ms=at).rule_id) for at in (10, 30_010)]


def damaged(blob: bytes) -> Iterator[bytes]:
    """Every bit flipped, every shorter one, one byte more."""
    for at, byte in enumerate(blob):
        for bit in range(8):
            yield blob[:at] + bytes([byte ^ 1 << bit]) + blob[at + 1 :]
        yield blob[:at]
    yield blob + b"\0"


def test_a_damaged_state_is_refused_and_what_was_there_goes_on(bundle: Path) -> None:
    blob = policy_after(bundle).save(now_ms=8)
    policy = policy_after(bundle, STEPS[0])
    before = policy.save(now_ms=8)
    for bad in damaged(blob):
        with pytest.raises(TableError, match=r"^GOV419: "):
            policy.restore(bad, downtime_ms=0, now_ms=8)
    assert policy.save(now_ms=8) == before
    assert policy.restore(blob, downtime_ms=0, now_ms=8) == ()
    assert goes_on(policy) == goes_on(policy_after(bundle)) == ["open", "default"]


def test_the_state_of_another_policy_is_refused(gov, bundle: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gov"
    other.write_text((HEAD + BODY).replace("policy breaker", "policy other"), "utf-8")
    ran = gov("build", other, "-o", tmp_path)
    assert ran.code == 0, ran.out
    policy = policy_after(bundle)
    before = policy.save(now_ms=8)
    with pytest.raises(TableError, match=r"^GOV419: .*other") as caught:
        policy.restore(policy_after(tmp_path / "other-1.0.0.govb").save(now_ms=8), downtime_ms=0)
    assert caught.value.help
    assert policy.save(now_ms=8) == before
