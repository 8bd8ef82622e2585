"""Every kind of finding against brute force over all valid requests of small finite policies."""

from __future__ import annotations

import random

import pytest
from enumeration import Whole, finite_policy

from govlang.compiler import interpret, ir
from govlang.compiler.interpret import Environment
from govlang.verifier.findings import Finding, Report
from govlang.verifier.judge import Judge
from govlang.verifier.report import verify

BATCHES = 12
POLICIES = 12


def told(report: Report, code: str) -> list[Finding]:
    return [f for f in report.findings if f.code == code]


KINDS = {
    "allows what": "effect",
    "different arguments": "do",
    "leave no value": "limit",
    "both hold": "unique",
}


def told_conflicts(report: Report) -> set[tuple[frozenset[str], str]]:
    return {
        (frozenset(f.rules), next(kind for text, kind in KINDS.items() if text in f.message))
        for f in told(report, "GOV301")
    }


def assert_as_enumerated(policy: ir.Policy) -> None:
    whole = Whole(policy)
    if not whole.points:
        return
    report = verify(policy)
    assert not told(report, "GOV309")
    assert told_conflicts(report) == whole.conflicts()
    dead = {f.rules[0]: f for f in told(report, "GOV302")}
    assert set(dead) == whole.unreachable()
    silent = {name for name, f in dead.items() if "never fires" in f.message}
    assert silent == set(dead) - {r.id for fired in whole.fired for r in fired}
    assert_smallest_covers(whole, dead, silent)
    every = {r.id for r in policy.rules if whole.same_without(r.id)}
    redundant = {f.rules[0] for f in told(report, "GOV303")}
    assert redundant == whole.redundant() - set(dead)
    assert redundant >= whole.redundant() - every
    assert_vacuous(report, whole, silent)
    plain = whole.outcomes()
    gap = any(o.rule_id == interpret.DEFAULT_RULE for o in plain)
    assert bool([f for f in told(report, "GOV305") if not f.rules]) == gap
    wrong = {
        one.name
        for one in policy.properties
        for env, outcome in zip(whole.envs, plain, strict=True)
        if not Environment(policy, env.params, env.values, outcome.decision).holds(one.condition)
    }
    assert {f.property for f in told(report, "GOV306")} == wrong
    assert {p.property for p in report.proved if p.kind == "property"} == {
        one.name for one in policy.properties
    } - wrong


def assert_smallest_covers(whole: Whole, dead: dict[str, Finding], silent: set[str]) -> None:
    judge = Judge(whole.policy)
    gone: set[str] = set()
    for rule in reversed(whole.policy.rules):
        if rule.id not in dead:
            continue
        if rule.id not in silent:
            others = [
                r for r in judge.pick(judge.neighbours(judge.number[rule.id])) if r.id not in gone
            ]
            named = (dead[rule.id].detail or {}).get("covered_by", [])
            assert len(named) == whole.smallest_cover(rule, others)
        gone.add(rule.id)


def assert_vacuous(report: Report, whole: Whole, silent: set[str]) -> None:
    found = told(report, "GOV304")
    parts = {
        (f.rules[0], "true" if "always true" in f.message else "false")
        for f in found
        if "never drops" not in f.message and f.property is None
    }
    assert {f.property for f in found if f.property} == whole.empty_proofs()
    assert parts == whole.vacuous(silent)
    idle = {(f.rules[0], f.rules[1]) for f in found if "never drops" in f.message}
    assert idle == whole.idle_overrides()


@pytest.mark.parametrize("batch", range(BATCHES))
def test_findings_are_those_that_enumeration_finds(batch: int) -> None:
    rng = random.Random(f"enumeration {batch}")
    for _ in range(POLICIES):
        assert_as_enumerated(finite_policy(rng))


@pytest.mark.long
@pytest.mark.parametrize("batch", range(60))
def test_findings_are_those_that_enumeration_finds_at_length(batch: int) -> None:
    rng = random.Random(f"enumeration long {batch}")
    for _ in range(40):
        assert_as_enumerated(finite_policy(rng))
