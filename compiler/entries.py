"""The entries of a policy: every rule as boxes, each with one effect, in order of rank.

In: a policy.  Out: entries, best rank first.  A rule becomes one entry a term of its condition
(see `terms.py`); for a table a `require human` rule becomes two of each, one for when its roles have
approved, so that every entry has one effect.

What always holds: a rule fires iff one of its entries does; at most one effect of a rule at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from govlang.compiler import ir
from govlang.compiler.boxes import Allowed, Axis, AxisKind, SetCube, meet_boxes
from govlang.compiler.ir import Effect
from govlang.compiler.nodes import Entry
from govlang.compiler.terms import Space, Term

_TESTS_MAX: Final = 60
"""Lookups that one entry may ask for; a block has room for 255."""


def rank_entries(policy: ir.Policy, space: Space, *, by_effect: bool = True) -> tuple[Entry, ...]:
    """All entries, best rank first: the strictest effect where effects are joined, then the rule.

    Unless `by_effect`, a `require human` rule keeps its own effect, whoever has approved.
    """
    found = [
        _entry(number, effect, term)
        for number, rule in enumerate(policy.rules)
        for effect, term in _variants(
            policy, rule, space.terms(rule.condition), by_effect=by_effect
        )
    ]
    joined = policy.combine in (ir.Combine.STRICT, ir.Combine.MOST_RESTRICTIVE)
    return tuple(sorted(found, key=lambda e: (-e.effect if joined else 0, e.rule)))


def _variants(
    policy: ir.Policy, rule: ir.Rule, terms: list[Term], *, by_effect: bool
) -> Iterator[tuple[Effect, Term]]:
    """The terms of each effect that a rule can have."""
    if rule.effect is not Effect.REQUIRE_HUMAN or not by_effect:
        yield from ((rule.effect, term) for term in terms)
        return
    axis = Axis(AxisKind.SET, ir.APPROVED)
    mask = sum(1 << policy.roles.index(role) for role in set(rule.roles))
    waiting = Term({axis: SetCube(forbid=mask)})
    if mask.bit_count() != 1:
        waiting = Term({}, (ir.Not(ir.SetTest(ir.APPROVED, ir.SetOp.ALL, mask)),))
    approved = Term({axis: SetCube(require=mask)} if mask else {})
    variants = [(Effect.REQUIRE_HUMAN, waiting)] if mask else []
    for effect, variant in (*variants, (Effect.ALLOW, approved)):
        for term in terms:
            box = meet_boxes(term.box, variant.box)
            if box is not None:
                yield effect, Term(box, (*term.residual, *variant.residual))


def _entry(rule: int, effect: Effect, term: Term) -> Entry:
    """An entry whose box holds nothing but what lookups can test, and not too much of it."""
    box: dict[Axis, Allowed] = {}
    beside: list[tuple[Axis, Allowed]] = []
    tests = 0
    for axis, allowed in term.box.items():
        soft, hard = _by_lookup(allowed)
        tests += _tests(soft)
        if tests > _TESTS_MAX:
            beside.append((axis, allowed))
            continue
        if hard is not None:
            beside.append((axis, hard))
        if soft != SetCube():
            box[axis] = soft
    return Entry(rule, effect, box, term.residual, tuple(beside))


def _by_lookup(allowed: Allowed) -> tuple[Allowed, Allowed | None]:
    """What lookups can test, and what they cannot: that a set lacks one of several members."""
    if not isinstance(allowed, SetCube):
        return allowed, None
    hard = frozenset(clause for clause in allowed.clauses if clause.missing)
    soft = SetCube(allowed.require, allowed.forbid, allowed.clauses - hard)
    return soft, SetCube(0, 0, hard) if hard else None


def _tests(allowed: Allowed) -> int:
    if not isinstance(allowed, SetCube):
        return 1
    return bool(allowed.require) + bool(allowed.forbid) + len(allowed.clauses)
