"""Coverage of policies that remember: rules at requests, transitions at every sample."""

from __future__ import annotations

from pathlib import Path

import pytest

BREAKER = """language 1
policy breaker version "1.0.0"
default allow
input { agent : key  load : number in 0..9 }
event failure
event ok

machine breaker {
  start closed
  closed -> open when count(failure) in 1 min >= 2
  open -> closed after 30 s
  open -> closed on ok
}

rule stopped when breaker is open deny
rule busy when load > 5 and failure within 10 s throttle retry 1 s
"""

FIRST = """
test "two failures stop it" {
  at 0 s request { agent "a", load 9 } expect allow
  at 1 s event failure { agent "a" }
  at 2 s request { agent "a", load 5 } expect allow
  at 3 s request { agent "a", load 6 } expect throttle by busy
  at 4 s event failure { agent "a" } expect breaker is open
  at 5 s request { agent "a", load 0 } expect deny by stopped
}
"""

OTHERS = """
test "it closes after a while" {
  at 0 s event failure { agent "a" }
  at 0 s event failure { agent "b" }
  at 0 s event failure { agent "a" } expect breaker is open
  at 61 s tick expect breaker is closed
}

test "a result closes it" {
  at 0 s event failure { agent "a" }
  at 0 s event failure { agent "a" }
  at 29 s event ok { agent "a" } expect breaker is closed
}
"""


@pytest.fixture
def breaker(tmp_path: Path) -> Path:
    path = tmp_path / "breaker.gov"
    path.write_text(BREAKER + FIRST, encoding="utf-8")
    return path


def test_what_no_history_reaches_is_named(gov, breaker: Path) -> None:
    coverage = gov("test", breaker, "--coverage", "--format", "json").json["coverage"]
    assert [(name, one["covered"], one["of"]) for name, one in coverage.items()] == [
        ("rules", 2, 2),
        ("conditions", 6, 6),
        ("mcdc", 6, 6),
        ("transitions", 1, 3),
    ]
    assert coverage["transitions"]["missing"] == [
        {"machine": "breaker", "transition": "open -> closed after 30 s"},
        {"machine": "breaker", "transition": "open -> closed on ok"},
    ]


def test_the_text_names_the_transitions(gov, breaker: Path) -> None:
    out = gov("test", breaker, "--coverage").out
    assert "  transitions 1 of 3, 33.3 %\n" in out
    assert "    never taken: `open -> closed on ok` of `breaker`\n" in out


def test_the_threshold_asks_for_transitions_too(gov, breaker: Path) -> None:
    ran = gov("test", breaker, "--threshold", "90")
    assert ran.code == 1
    assert "the tests reach 33.3 % of the transitions, not 90 %" in ran.out
    breaker.write_text(BREAKER + FIRST + OTHERS, encoding="utf-8")
    assert gov("test", breaker, "--threshold", "100").code == 0


def test_a_clock_that_goes_back_decides_no_rule(gov, breaker: Path) -> None:
    went_back = """
test "back" {
  at 5 s request { agent "a", load 9 } expect allow
  at 5 s event failure { agent "a" }
  at 6 s clock back 3 s
  at 6 s request { agent "a", load 9 } expect deny by clock_fault
}
"""
    breaker.write_text(BREAKER + went_back, encoding="utf-8")
    ran = gov("test", breaker, "--coverage", "--format", "json").json
    assert ran["status"] == "passed"
    assert ran["coverage"]["rules"]["covered"] == 0


def test_contracts_and_autonomy_have_transitions(gov) -> None:
    example = Path(__file__).resolve().parents[2] / "examples" / "coding_agent.gov"
    coverage = gov("test", example, "--coverage", "--format", "json").json["coverage"]
    named = {one["machine"] for one in coverage["transitions"]["missing"]}
    assert coverage["transitions"]["of"] == 13
    assert named <= {"autonomy", "refactor_billing"}


@pytest.mark.parametrize(
    ("condition", "written", "never"),
    [
        ('t != "x"', 't != "x"', True),
        ('not (t != "y")', 'not (t != "y")', True),
        ('not (t == "x")', 't == "x"', False),
        ("s is not empty", "s is not empty", True),
        ("not b", "b", False),
        ("elapsed(e) > 3 s", "elapsed(e) > 3 s", False),
        ("not (elapsed(e) > 3 s)", "not (elapsed(e) > 3 s)", True),
        ("b for 2 s", "b for 2 s", True),
        ("stale(v, 5 s)", "stale(v, 5 s)", False),
        ("count(e) in 1 min < 3", "count(e) in 1 min < 3", False),
    ],
)
def test_what_a_condition_never_was_is_said_of_its_text(
    gov, tmp_path: Path, condition: str, written: str, *, never: bool
) -> None:
    path = tmp_path / "p.gov"
    path.write_text(
        'language 1\npolicy p version "1"\ndefault allow\n'
        "input { agent : key  t : text  s : set of m, n  b : bool }\nevent e\n"
        f"signal v : number in 0..9\nrule r when {condition} deny\n"
        "rule o when e within 1 s throttle\n"
        'test "one" { request { agent "a", t "x", s {}, b true } expect allow }\n',  # or not
        "utf-8",
    )
    report = gov("test", path, "--coverage", "--format", "json").json
    missing = [one for one in report["coverage"]["conditions"]["missing"] if one["rule"] == "r"]
    assert missing == [{"rule": "r", "condition": written, "never": never}]


OPERATORS = """language 1
policy feeder version "1.0.0"
combine most_restrictive
default allow
input { feeder : key  load : number in 0..9 }
signal freq : number in 45..55 Hz step 0.01
event trip
rule ago   when trip between 1 and 5 min ago and load > 3 throttle
rule twice when load > 3 and count(trip) in 10 min == 2 throttle
rule other when load != 3 and elapsed(trip) > 3 s deny
"""


def test_an_operator_is_one_condition_whatever_it_became(gov, tmp_path: Path) -> None:
    path = tmp_path / "feeder.gov"
    path.write_text(OPERATORS + 'test "t" { request { feeder "f", load 4 } expect deny by other }')
    found = gov("test", path, "--coverage", "--format", "json").json["coverage"]["conditions"]
    assert (found["of"], found["covered"]) == (12, 6)
    assert [(one["condition"], one["never"]) for one in found["missing"]] == [
        ("trip between 1 and 5 min ago", True),
        ("load > 3", False),
        ("load > 3", False),
        ("count(trip) in 10 min == 2", True),
        ("load != 3", False),
        ("elapsed(trip) > 3 s", False),
    ]


def test_tests_are_written_for_operators_and_none_for_what_they_became(gov, tmp_path: Path) -> None:
    path = tmp_path / "feeder.gov"
    path.write_text(OPERATORS)
    written = gov("test", path, "--generate")
    assert "GOV717" not in written.err
    path.write_text(OPERATORS + written.out)
    found = gov("test", path, "--coverage", "--format", "json").json["coverage"]
    assert [found[name]["missing"] for name in ("rules", "conditions", "mcdc")] == [[], [], []]
