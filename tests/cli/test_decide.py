from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

REQUEST: dict[str, Any] = {"agent": "a", "load": 1, "zone": "rural", "urgent": False}


def asked(gov, policy: Path, request: Any, *more: str) -> Any:
    text = request if isinstance(request, str) else json.dumps(request)
    return gov("decide", policy, "--format", "json", "--input", text, *more)


@pytest.mark.parametrize(
    ("changes", "more", "decision", "rule"),
    [
        ({}, (), "allow", "light"),
        ({"load": 6}, (), "deny", "default"),
        ({"load": 6}, ("--param", "cap=7"), "allow", "light"),
        ({"load": 6}, ("--param", "cap=7 kg"), "allow", "light"),
        ({"load": 3, "zone": "urban"}, (), "require_human", "heavy_in_town"),
        (
            {"load": 3, "zone": "urban"},
            ("--runtime", '{"approved": ["boss"]}'),
            "allow",
            "heavy_in_town",
        ),
    ],
)
def test_a_request_is_decided(gov, fits, policy: Path, changes, more, decision, rule) -> None:
    ran = asked(gov, policy, REQUEST | changes, *more)
    assert ran.code == 0
    fits("decide", ran.json)
    assert (ran.json["decision"], ran.json["rule_id"]) == (decision, rule)


def invalid_requests() -> list[tuple[str, str]]:
    def text(**changes: Any) -> str:
        return json.dumps(REQUEST | changes)

    whole = '{"agent": "a", "load": %s, "zone": "rural", "urgent": false}'
    return [
        (json.dumps({k: v for k, v in REQUEST.items() if k != "load"}), "load"),
        (text(lod=1), "lod"),
        (text(load=11), "load"),
        (text(load=0.05), "load"),
        (text(load="1"), "load"),
        (text(urgent=1), "urgent"),
        (text(zone="sea"), "zone"),
        (text(approved=["boss"]), "approved"),
        (whole % ("1" * 5000), "load"),
        (whole % "1e400", "load"),
        (whole % '1, "load": 2', "load"),
        (whole % "NaN", "load"),
        (whole % "-Infinity", "load"),
        ("[]", "object"),
    ]


@pytest.mark.parametrize(("text", "named"), invalid_requests())
def test_an_invalid_request_is_denied_by_invalid_request(
    gov, fits, policy: Path, text: str, named: str
) -> None:
    ran = asked(gov, policy, text)
    assert ran.code == 0, ran.out
    fits("decide", ran.json)
    assert (ran.json["decision"], ran.json["rule_id"]) == ("deny", "invalid_request")
    assert named in ran.json["reason"]


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", '{"a": }', "[" * 100_000])
def test_json_that_does_not_parse_is_exit_2(gov, fits, policy: Path, text: str) -> None:
    ran = asked(gov, policy, text)
    assert ran.code == 2
    fits("unusable", ran.json)


def test_the_exit_status_can_speak_of_the_outcome(gov, policy: Path) -> None:
    assert asked(gov, policy, REQUEST, "--exit-status").code == 0
    assert asked(gov, policy, REQUEST | {"load": 9}, "--exit-status").code == 1


def test_a_trace_gives_one_line_a_request(gov, policy: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    steps = [
        {"at_ms": 0, "request": REQUEST},
        {"at_ms": 5, "tick": True},
        {"at_ms": 9, "request": REQUEST | {"load": 9}},
    ]
    trace.write_text("\n".join(json.dumps(step) for step in steps) + "\n")
    ran = gov("decide", policy, "--trace", trace, "--format", "json")
    assert [line["decision"] for line in ran.lines] == ["allow", "deny"]
    trace.write_text('{"at_ms": 0, "event": "restart"}\n')
    assert gov("decide", policy, "--trace", trace).code == 2


def test_text_is_for_people(gov, policy: Path) -> None:
    ran = gov("decide", policy, "--input", json.dumps(REQUEST | {"load": 3, "zone": "urban"}))
    assert "require human  by `heavy_in_town`: People live there" in ran.out
    assert '{"require": ["boss"], "expires_ms": 300000}' in ran.out


def test_a_rule_that_fired_is_named_where_the_default_decides(gov, tmp_path: Path) -> None:
    path = tmp_path / "p.gov"
    path.write_text(
        'language 1\npolicy p version "1"\ndefault deny\ninput { x : number in 0..9 }\n'
        "output y : number in 0..9\nrule cap when x > 3 limit y to 1\n"
    )
    ran = gov("decide", path, "--input", '{"x": 4}')
    assert ran.out == "deny  by `default`\n  fired   cap\n"


def test_the_request_may_come_from_a_file(gov, policy: Path, tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text(json.dumps(REQUEST))
    assert asked(gov, policy, f"@{path}").json["decision"] == "allow"
    assert asked(gov, policy, "@/no/such").code == 2


@pytest.mark.parametrize("param", ["cap", "cup=3", "cap=99", "cap=x", "cap=3.05"])
def test_a_parameter_that_does_not_fit_is_exit_2(gov, policy: Path, param: str) -> None:
    assert asked(gov, policy, REQUEST, "--param", param).code == 2


def test_decisions_go_on_the_record(gov, fits, policy: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "data"
    secret = REQUEST | {"load": 3, "zone": "urban", "note": "for Ada"}
    for runtime in ("{}", '{"approved": ["boss"]}'):
        more = ("--runtime", runtime, "--evidence", str(ledger), "--job", "j1", "--approver", "bo")
        assert asked(gov, policy, secret, *more).code == 0
    ran = gov("evidence", "verify", ledger, "--format", "json")
    assert ran.code == 0
    fits("evidence-verify", ran.json)
    records = gov("evidence", "show", ledger, "--format", "json").lines
    for record in records:
        fits("evidence-record", record)
        assert "Ada" not in json.dumps(record)
        assert record["decision"] == "REQUIRE_HUMAN"
    assert [r["labels"]["approval_granted"] for r in records] == ["false", "true"]
    path = ledger / "LEDGER.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"j1"', b'"j2"', 1))
    assert gov("evidence", "verify", ledger).code == 1
    assert gov("evidence", "verify", tmp_path / "none").code == 2


@pytest.mark.parametrize(
    "request_text", ["{}", '{"agent": "\\ud800"}', "[]", '{"load": 1, "load": 2}']
)
def test_an_invalid_request_is_recorded_too(
    gov, fits, policy: Path, tmp_path: Path, request_text
) -> None:
    ledger = tmp_path / "data"
    ran = asked(gov, policy, request_text, "--evidence", str(ledger), "--job", "j\udcff")
    assert ran.code == 0, ran.out
    (record,) = gov("evidence", "show", ledger, "--format", "json").lines
    fits("evidence-record", record)
    assert (record["decision"], record["rule_id"]) == ("DENY", "invalid_request")
    assert gov("evidence", "verify", ledger).code == 0


def test_a_record_that_cannot_be_written_stops_the_decision(gov, policy: Path) -> None:
    ran = asked(gov, policy, REQUEST, "--evidence", os.devnull + "/x")
    assert ran.code == 2
    assert "allow" not in ran.out


@pytest.mark.parametrize(
    ("param", "wanted"),
    [
        ("cap", "`cap` is given no value"),
        ("cpa=3", "did you mean `cap`?"),
        ("nonsense=3", "write one of `cap`"),
        ("cap=12", "GOV411"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(
    gov, policy: Path, param: str, wanted: str
) -> None:
    ran = gov("decide", policy, "--input", "{}", "--param", param)
    assert ran.code == 2
    assert wanted in ran.err


CLOCKED = """language 1
policy clocked version "1.0.0"
default allow
time zone "Europe/Berlin"
input { load : number in 0..1 }
rule week_end when weekday in {saturday, sunday} deny
"""


@pytest.fixture
def clocked(tmp_path: Path) -> Path:
    path = tmp_path / "clocked.gov"
    path.write_text(CLOCKED)
    return path


@pytest.mark.parametrize("verb", ["decide", "explain"])
@pytest.mark.parametrize("now", ["-1", "253402300800000", "99999999999999999999"])
def test_a_time_outside_the_calendar_is_refused(gov, clocked: Path, verb: str, now: str) -> None:
    ran = gov(verb, clocked, "--input", '{"load": 0}', f"--now={now}")
    assert ran.code == 2
    assert "--now" in ran.err


@pytest.mark.parametrize("at", ['"x"', "1.5", "true", "-1", "99999999999999999999"])
def test_a_step_at_no_time_is_refused(gov, clocked: Path, at: str) -> None:
    trace = clocked.with_suffix(".jsonl")
    trace.write_text(f'{{"at_ms": {at}, "request": {{"load": 0}}}}\n')
    ran = gov("decide", clocked, "--trace", trace)
    assert ran.code == 2
    assert "GOV709" in ran.err


def test_the_last_moment_of_the_calendar_is_decided_or_refused(gov, clocked: Path) -> None:
    ran = gov("decide", clocked, "--input", '{"load": 0}', "--now=253402300799999")
    assert ran.code == 0
    assert "`weekday` is missing" in ran.out, "in Berlin it is the year 10000 already"
