"""Large policies in parts, and proofs that do not depend on how long a window is."""

from __future__ import annotations

from collections import Counter

import pytest
from benchmarks.generate_time import generate_time_policy

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.verifier.findings import Severity, Status
from govlang.verifier.report import verify
from govlang.verifier.time.divide import divided

WINDOWS = """language 1
policy windows version "1"
longest window 30 d
default allow
input {{ agent : key }}
event failure
event restart
rule often when count(failure) in {0} >= 3 deny
rule soon when restart within {0} throttle retry 1 s
prove counted: count(failure) in {0} >= 3 implies failure within {0}
"""

MORE_WINDOWS = (
    WINDOWS
    + """signal heat : number in 0..100 = 0
event success
machine line {{
  start closed
  closed -> open when count(failure) since success >= 2
  open -> closed after {0}
}}
rule hot when (heat > 50) for {0} deny
rule shut when line is open deny
prove shut_is_recent: line is open implies enters line.open within {0}
"""
)


def compiled(text: str) -> ir.Policy:
    return compile_source(Source("p.gov", text)).policy


@pytest.fixture(scope="module")
def large() -> ir.Policy:
    return compiled(generate_time_policy(40, 1))


def test_every_rule_is_in_one_part_with_all_that_its_cells_come_from(large: ir.Policy) -> None:
    parts = divided(large)
    assert parts is not None
    assert Counter(r.id for p in parts for r in p.policy.rules) == Counter(
        r.id for r in large.rules
    )
    assert max(len(p.policy.rules) for p in parts) <= 3
    for part in parts:
        assert part.policy.time is not None
        assert large.time is not None
        own = {cell.name for cell in part.policy.time.cells}
        every = {cell.name for cell in large.time.cells}
        for update in part.policy.time.updates:
            assert ir.fields_read(update.condition) & every <= own
        for rule in part.policy.rules:
            assert ir.fields_read(rule.condition) & every <= own


def test_a_fault_in_one_part_is_found_and_shown_on_the_whole(large: ir.Policy) -> None:
    text = generate_time_policy(40, 1)
    faulty = text + "rule loose when tool is tool0 and failure within 1 h allow\n"
    report = verify(compiled(faulty))
    found = [one for one in report.findings if one.severity is Severity.ERROR]
    assert {one.code for one in found} == {"GOV301"}
    assert all("loose" in one.rules and one.witness is not None for one in found)
    assert verify(large).status is Status.PROVED


def questions(policy: str, window: str) -> Counter[str]:
    """What the solver is asked about a policy with such windows, by the verdicts."""
    asked: Counter[str] = Counter()

    def watch(_question: str, verdict: str) -> None:
        asked[verdict] += 1

    report = verify(compiled(policy.format(window)), watch=watch)
    assert report.status is Status.PROVED
    return asked


@pytest.mark.parametrize("window", ["1 s", "7 min", "30 d"])
def test_short_and_long_windows_are_proved_by_as_many_questions(window: str) -> None:
    short = questions(WINDOWS, "10 ms")
    assert short["unsat"] > 0
    assert questions(WINDOWS, window) == short


@pytest.mark.parametrize("window", ["1 s", "7 min", "30 d"])
def test_the_length_of_a_window_changes_no_proof_beside_a_machine(window: str) -> None:
    """As many proofs; of the guesses that fail a model may show one more or less at once.

    Which numbers the solver puts into a model depends on the length, and so does which of the guesses that are left
    are false in it.
    """
    short, other = questions(MORE_WINDOWS, "10 ms"), questions(MORE_WINDOWS, window)
    assert other["unsat"] == short["unsat"]
    assert abs(other["sat"] - short["sat"]) <= 2
