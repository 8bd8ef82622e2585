"""Generated tests of policies that remember: they pass when they are run, and reach what was missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tables import table_bytes

from govlang.cli.generate import Generated, missing_tests
from govlang.cli.passage import measure
from govlang.cli.testing import run_histories
from govlang.compiler.checked import Checked
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

BREAKER = """language 1
policy breaker version "1.0.0"
default allow
input { agent : key  load : number in 0..9 kg  tags : set of x, y  roles : one of p, q optional }
param most : number in 1..9 kg = 9 kg
event failure
event moved { size : number in 0..50 }
shared event storm
signal heat : number in -20..200 °C step 0.5

machine breaker {
  start closed
  closed -> open when count(failure) in 1 min >= 2
  open -> closed after 30 s
}

rule stopped when breaker is open deny
rule busy when load > 5 kg and failure within 10 s throttle retry 1 s
rule shaken when storm within 1 h and tags contains y deny
rule hot when fresh(heat, 10 s) and heat > 80 °C and not (has roles and roles is p) deny
rule large when sum(moved.size) in 1 h by 5 min > 60 deny
rule still when load > most deny
rule quiet when not (failure within 1 d) and previous(load) > 3 kg and tags is empty throttle retry 1 min
"""


def checked_of(text: str) -> Checked:
    return compile_source(Source("p.gov", text))


def generated(text: str) -> tuple[Generated, Checked]:
    """The tests that are missing, and the policy with them."""
    checked = checked_of(text)
    found = missing_tests(checked, measure(checked))
    return found, checked_of(f"{text}\n{found.text}")


def assert_complete(found: Generated, after: Checked) -> None:
    """The tests pass, and what they leave out is what was said."""
    results = list(run_histories(after, table_bytes(after.policy)))
    assert [one.message for result in results for one in result.failures] == []
    coverage = measure(after)
    left = [*coverage.rules.missing, *coverage.transitions.missing, *coverage.conditions.missing]
    assert {*left, *coverage.mcdc.missing} == {one.goal.what for one in found.unreached}


def test_a_policy_without_tests_gets_them() -> None:
    found, after = generated(BREAKER)
    assert_complete(found, after)
    assert [one.goal.title for one in found.unreached if not one.impossible] == []
    coverage = measure(after)
    assert coverage.rules.percent == coverage.transitions.percent == 100
    assert coverage.conditions.percent == 100


def test_with_these_tests_none_is_missing() -> None:
    _, after = generated(BREAKER)
    again = missing_tests(after, measure(after))
    assert (again.count, again.text) == (0, "")


def test_what_can_never_be_is_named() -> None:
    dead = "rule dead when failure within 1 min and not (failure within 1 h) throttle retry 1 s\n"
    found, after = generated(BREAKER.partition("rule busy")[0] + dead)
    assert_complete(found, after)
    assert ("dead fires", True) in {(one.goal.title, one.impossible) for one in found.unreached}


@pytest.mark.parametrize("name", ["breaker", "control_plane", "drone_fleet", "microgrid"])
def test_the_examples_are_completed(name: str) -> None:
    text = (EXAMPLES / f"{name}.gov").read_text("utf-8")
    assert_complete(*generated(text))


@pytest.mark.parametrize("name", ["breaker", "microgrid"])
def test_the_examples_without_their_tests_get_others(name: str) -> None:
    text = (EXAMPLES / f"{name}.gov").read_text("utf-8").partition('\ntest "')[0]
    found, after = generated(text)
    assert found.count > 3
    assert_complete(found, after)


def test_the_command_prints_tests_and_says_what_is_left(gov, tmp_path: Path) -> None:
    path = tmp_path / "p.gov"
    rule = "rule hot when failure within 10 s and not (failure within 5 s and failure within 9 s) deny\n"
    header = 'language 1\npolicy p version "1.0.0"\ndefault allow\ninput { agent : key }\nevent failure\n'
    path.write_text(header + rule, encoding="utf-8")
    ran = gov("test", path, "--generate")
    assert ran.code == 0
    assert 'test "hot fires" {\n  at 0 s event failure { agent "a" }\n' in ran.out
    assert "note[GOV717]: no test can reach this: hot turns on `failure within 9 s`" in ran.err
    path.write_text(header + rule + ran.out, encoding="utf-8")
    assert gov("test", path).code == 0
