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


def questions(window: str) -> int:
    """How many questions the solver is asked about a policy with such windows."""
    asked: list[object] = []
    report = verify(
        compiled(WINDOWS.format(window)), watch=lambda *question: asked.append(question)
    )
    assert report.status is Status.PROVED
    return len(asked)


def test_short_and_long_windows_cost_the_same_proof() -> None:
    short, long = questions("10 ms"), questions("30 d")
    assert short > 0
    assert abs(short - long) <= max(2, short // 5)
