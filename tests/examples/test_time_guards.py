"""Every guard of an example over time is needed: without it a proof fails, and a history shows how."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from weakened import Weakened, weakened

from govlang.compiler.frontend import compile_source
from govlang.dsl import ast
from govlang.dsl.parser import parse
from govlang.dsl.printer import print_policy
from govlang.dsl.source import Source
from govlang.verifier.findings import AMBIGUOUS, Finding, Trace
from govlang.verifier.options import Options
from govlang.verifier.report import context_of
from govlang.verifier.time.context import TimeContext
from govlang.verifier.time.divide import written_machines
from govlang.verifier.time.machines import find_idle_machines
from govlang.verifier.time.possible import find_impossible
from govlang.verifier.time.properties import settle_claim

TIME = Path(__file__).resolve().parents[2] / "examples"
POLICIES = {
    path.stem: parse(Source(path.name, path.read_text("utf-8"))) for path in TIME.glob("*.gov")
}
CASES = [(name, one) for name, policy in sorted(POLICIES.items()) for one in weakened(policy)]
QUICK = ("microgrid", "drone_fleet")
"""Examples whose proofs take no more than a second."""

FEW = [
    ("breaker", "transition 1: closed -> forced"),
    ("breaker", "condition 1 of transition 5: open -> half_open"),
    ("control_plane", "rule burst"),
    ("coding_agent", "scope"),
]
"""Others that every run looks at."""


def refuted(policy: ast.Policy) -> Iterator[Finding]:
    """The claims written in a policy that are not proved, and what is ambiguous in its machines."""
    untested = [one for one in policy.declarations if not isinstance(one, ast.Test)]
    text = print_policy(ast.Policy(policy.header, tuple(untested)))
    checked = compile_source(Source("weakened.gov", text))
    context = context_of(checked.policy, Options(timeout_s=20))
    assert isinstance(context, TimeContext)
    written = {one.name.text for one in policy.declarations if isinstance(one, ast.Prove)}
    for claim in context.remembering.properties:
        if claim.name in written and not claim.possible:
            settle_claim(context, claim)
            yield from context.findings
            context.findings.clear()
    find_impossible(context)
    yield from context.findings
    context.findings.clear()
    find_idle_machines(context, written_machines(context.remembering, context.time))
    yield from (one for one in context.findings if one.code == AMBIGUOUS)


def shows(found: Finding) -> bool:
    """Whether a finding is a refutation with a history."""
    return isinstance(found.witness, Trace) and bool(found.witness.steps)


def assert_needed(one: Weakened) -> None:
    assert any(shows(found) for found in refuted(one.policy)), one.name


def named(case: tuple[str, Weakened]) -> str:
    return f"{case[0]}: {case[1].name}"


OFTEN = [c for c in CASES if c[0] in QUICK or (c[0], c[1].name) in FEW]
SELDOM = [c for c in CASES if c not in OFTEN]


def test_every_kind_of_guard_is_taken_away() -> None:
    assert len(OFTEN) >= len(FEW) + 12
    assert len(CASES) >= 45
    kinds = {one.name.split()[0] for _, one in CASES}
    assert kinds == {
        "rule", "row", "invariant", "transition", "condition", "scope", "needs", "stop", "revoke", "drop",
    }  # fmt: skip


@pytest.mark.parametrize("case", OFTEN, ids=map(named, OFTEN))
def test_without_a_guard_a_proof_fails_with_a_trace(case: tuple[str, Weakened]) -> None:
    assert_needed(case[1])


@pytest.mark.long
@pytest.mark.parametrize("case", SELDOM, ids=map(named, SELDOM))
def test_without_any_other_guard_too(case: tuple[str, Weakened]) -> None:
    assert_needed(case[1])
