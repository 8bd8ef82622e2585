"""A history is shown only if the compiled table answers it as the reference step does."""

from __future__ import annotations

import pytest
from tables import table_bytes

from govlang.cli.verification import rerun_on
from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.verifier.findings import Finding
from govlang.verifier.report import verify

HEADER = """language 1
policy p version "1.0.0"
default deny
input { agent : key }
event restart
event ok after dispatched
"""
POLICY = """rule a when restart within 5 min and not (ok within 1 min) allow
prove never: decision is deny
prove quiet: count(ok) in 1 min < 2
"""


def compiled(rest: str) -> ir.Policy:
    return compile_source(Source("p.gov", HEADER + rest)).policy


def found(table: ir.Policy) -> dict[str | None, Finding]:
    """What is found of the policy's claims where histories run on the table of that one."""
    report = verify(compiled(POLICY), rerun=rerun_on(table_bytes(table)))
    return {one.property: one for one in report.findings if one.property is not None}


def test_histories_are_shown_where_the_table_is_that_of_the_policy() -> None:
    for name, one in found(compiled(POLICY)).items():
        assert (one.code, one.witness is not None) == ("GOV306", True), name


@pytest.mark.parametrize(
    ("was", "becomes", "claim", "why"),
    [
        ("rule a", "rule b", "never", "allow by `a`, the compiled table allow by `b`"),
        (
            "restart within 5 min",
            "count(restart) in 5 min >= 2",
            "never",
            "allow by `a`, the compiled table deny by `default`",
        ),
        ("dispatched", "restart", "quiet", "does not take a step"),
    ],
)
def test_a_history_that_the_table_answers_otherwise_is_undecided(
    was: str, becomes: str, claim: str, why: str
) -> None:
    other = (HEADER + POLICY).replace(was, becomes)
    one = found(compile_source(Source("p.gov", other)).policy)[claim]
    assert (one.code, one.witness) == ("GOV309", None)
    assert why in f"{one.message} {one.help}", one
