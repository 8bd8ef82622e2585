"""The search for what changed between two versions of a policy.

In: OLD, NEW and both in one space.  Out: a finding for every kind of request whose outcome changed, with a
request that shows it.  What always holds is said in `diff`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from fractions import Fraction
from typing import Any

import z3

from govlang.compiler import interpret, ir
from govlang.compiler.interpret import Outcome
from govlang.compiler.ir import Effect
from govlang.compiler.obligations import argument
from govlang.compiler.requests import read_sample, write_request
from govlang.compiler.step import initial_state, step
from govlang.verifier.changes import (
    Change,
    Side,
    Spans,
    change_of,
    differs,
    looser,
    with_starts,
)
from govlang.verifier.columns import Point
from govlang.verifier.encode import Term
from govlang.verifier.findings import DIFF, Finding, Severity, Witness, undecided
from govlang.verifier.merge import Merged, Version
from govlang.verifier.options import FINDINGS_A_KIND, Context, Replay
from govlang.verifier.outcome import Decision
from govlang.verifier.regions import Region, regions
from govlang.verifier.shapes import Box
from govlang.verifier.solve import Absent, Found, Open
from govlang.verifier.wording import altered, told, units_of


def change_finding(
    message: str, rules: tuple[str, ...], change: Change | None, severity: Severity
) -> Finding:
    """A finding of the difference; `change` is told to machines, too."""
    detail = None
    if change is not None:
        detail = {
            "direction": change.direction,
            "old": {"decision": change.old[0].word, "rule_id": change.old[1]},
            "new": {"decision": change.new[0].word, "rule_id": change.new[1]},
        }
    helps = "read the request; `gov explain` shows each version's rules on it"
    return Finding(DIFF, "diff", severity, rules, message, helps, detail=detail)


def kind_of(one: Finding) -> tuple[object, ...]:
    """What tells a finding of the difference from others: effects, rules and direction, or its message."""
    detail = one.detail or {}
    if "old" not in detail:
        return (one.message,)
    sides = (detail["old"], detail["new"])
    return detail["direction"], *((side["decision"], side["rule_id"]) for side in sides)


def _open(why: str) -> Finding:
    return undecided(change_finding("more requests changed", (), None, Severity.NOTE), why)


class Search:
    """Looks for changes, kind by kind."""

    def __init__(
        self,
        old: ir.Policy,
        new: ir.Policy,
        merged: Merged,
        context: Context,
        replays: tuple[Replay | None, Replay | None] = (None, None),
    ) -> None:
        """`context` is of the rules of both, OLD's first."""
        self.policies = (old, new)
        self.merged = merged
        self.replays = replays
        self.context = context
        self.seen: dict[Change, Point] = {}
        self.is_full = False
        self.spans, self.units = spans_of(merged.space), units_of(merged.space)

    def findings(self) -> Iterator[Finding]:
        """Every kind of change, in the order of the rules."""
        for box in self._boxes():
            for region in regions(self.context, box):
                yield from self._in_region(region)
                if self.is_full:
                    return

    # --- where to look -------------------------------------------------------------------------

    def _boxes(self) -> Iterator[Box]:
        """Boxes outside which nothing can have changed."""
        old, new = self.merged.old, self.merged.new
        if self._anywhere():
            yield {}
            return
        a, b = old.policy, new.policy
        shapes = self.context.judge.shapes
        for number in _changed_rules(a.rules, b.rules):
            yield from (term.box for term in shapes[number])

    def _anywhere(self) -> bool:
        """Whether there may be changes where no changed rule fires."""
        return differ_anywhere(self.merged)

    # --- one region ----------------------------------------------------------------------------

    def _in_region(self, region: Region) -> Iterator[Finding]:
        encoder, session = self.context.encoder, self.context.session
        old, new = self._sides(region)
        fixed = [
            *encoder.box(region.box),
            z3.Or(*(encoder.condition(v.valid) for v in (self.merged.old, self.merged.new))),
            differs(old, new),
        ]
        terms = (looser(old, new), looser(new, old))
        blocked = [z3.Not(_kind(old, new, terms, change)) for change in self.seen]
        while True:
            answer = session.find([*fixed, *blocked], self._shows)
            match answer:
                case Absent():
                    return
                case Open(why=why):
                    yield _open(why)
                    return
                case Found(point=point):
                    change = self._change(point)
                    assert change is not None
                    why = self._why_no_further(change)
                    if why:
                        yield _open(why)
                        return
                    self.seen[change] = point
                    blocked.append(z3.Not(_kind(old, new, terms, change)))
                    yield self._told(change, point)

    def _why_no_further(self, change: Change) -> str:
        """Why the search ends with a change that it found; empty if it goes on."""
        if change in self.seen:
            return "the solver and the interpreter disagree on a change"
        self.is_full = len(self.seen) >= FINDINGS_A_KIND
        return f"only {FINDINGS_A_KIND} kinds of change are listed" if self.is_full else ""

    def _sides(self, region: Region) -> tuple[Side, Side]:
        border = len(self.merged.old.policy.rules)
        rules = self.context.judge.rules
        return (
            self._side(self.merged.old, [rules[i] for i in region.rules if i < border]),
            self._side(self.merged.new, [rules[i] for i in region.rules if i >= border]),
        )

    def _side(self, version: Version, rules: Sequence[ir.Rule]) -> Side:
        encoder = self.context.encoder
        valid = encoder.condition(version.valid)

        def fires(rule: ir.Rule) -> Term:
            return z3.And(valid, encoder.condition(rule.condition))

        return Side(Decision(encoder, rules, fires, policy=version.policy), valid)

    def _shows(self, point: Point) -> bool:
        """Whether a request is what is looked for."""
        return self._change(point) is not None

    # --- requests ------------------------------------------------------------------------------

    def _change(self, point: Point) -> Change | None:
        """What the interpreters say became of a request."""
        old, new = (self._decided(one, point) for one in self.policies)
        return change_of(old, new, self.spans)

    def _json(
        self, policy: ir.Policy, point: Point
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """A request as one version gets it: what it declares."""
        names = {f.name for f in policy.fields}
        parts = write_request(self.merged.space, point.values)
        origins = {f.name: f.origin is ir.Origin.REQUEST for f in policy.fields}
        merged = {n: v for part in parts for n, v in part.items() if n in names}
        params = {p.field.name: p.field for p in self.merged.space.params}
        own = {p.field.name for p in policy.params}
        return (
            {n: v for n, v in merged.items() if origins[n]},
            {n: v for n, v in merged.items() if not origins[n]},
            {n: argument(v, params[n]) for n, v in point.params.items() if n in own},
        )

    def _decided(self, policy: ir.Policy, point: Point) -> Outcome:
        request, runtime, _ = self._json(policy, point)
        sample = read_sample(policy, request, runtime)
        params = dict(self._own_params(policy, point))
        state = initial_state(policy)
        if any(not p.field.lo <= params[p.field.name] <= p.field.hi for p in policy.params):
            return interpret.invalid_outcome(None, "a parameter is out of range")
        _, outcome = step(policy, params, state, sample)
        assert outcome is not None
        return with_starts(outcome, policy, self.spans)

    def _own_params(self, policy: ir.Policy, point: Point) -> Iterator[tuple[str, int]]:
        """Parameters in this version's steps."""
        common = {p.field.name: p.field for p in self.merged.space.params}
        for one in (p.field for p in policy.params):
            there = common[one.name]
            value = Fraction(point.params[one.name] * there.step_num, there.step_den)
            yield one.name, int(value * one.step_den / one.step_num)

    def _finding(self, change: Change, outcomes: Sequence[Outcome]) -> Finding:
        """What became of a kind of requests, with the two outcomes of one of them."""
        (a, by_a), (b, by_b) = change.old, change.new
        rules = tuple(
            dict.fromkeys(
                n for n in (by_a, by_b) if any(r.id == n for p in self.policies for r in p.rules)
            )
        )
        what = "stays" if change.old == change.new else f"became {_said(b, by_b)}"
        message = f"{_said(a, by_a)} {what}: {change.direction}"
        others = altered(outcomes[0], outcomes[1], self.units)
        message += f" ({others})" if others else ""
        span = next((r.span for r in self.policies[1].rules if r.id in rules), None)
        found = change_finding(message, rules, change, Severity.NOTE)
        both = zip(("old", "new"), map(told, outcomes), strict=True)
        return replace(found, span=span, detail={**(found.detail or {}), **dict(both)})

    def _told(self, change: Change, point: Point) -> Finding:
        point = self.context.explorer.simplified(point, lambda p: self._change(p) == change)
        old, new = self.policies
        finding = self._finding(change, [self._decided(one, point) for one in self.policies])
        for policy, replay in zip((old, new), self.replays, strict=True):
            request, runtime, params = self._json(policy, point)
            outcome = self._decided(policy, point)
            if replay is not None and outcome.rule_id != interpret.INVALID_REQUEST:
                other = replay(request, runtime, params)
                if (str(other.decision), other.rule_id) != (outcome.decision.word, outcome.rule_id):
                    return undecided(finding, "the compiled table and the interpreter disagree")
        outcome = self._decided(new, point)
        request, runtime, params = self._json(new, point)
        words = (outcome.decision.word, outcome.rule_id, outcome.matched)
        witness = Witness(request, runtime, params, *words)
        return replace(finding, witness=witness)


def spans_of(space: ir.Policy) -> Spans:
    """By target: its whole range, in its unit."""
    return {
        f.name: (Fraction(f.lo * f.step_num, f.step_den), Fraction(f.hi * f.step_num, f.step_den))
        for f in (*space.fields, *space.outputs)
        if not f.is_text
    }


def _said(effect: Effect, by: str) -> str:
    return f"{effect.word.replace('_', ' ')} by `{by}`"


def _kind(old: Side, new: Side, terms: tuple[Term, Term], change: Change) -> Term:
    """A request is of this kind of change."""
    false = z3.BoolVal(False)
    return z3.And(
        old.effect[change.old[0]],
        old.deciders.get(change.old[1], false),
        new.effect[change.new[0]],
        new.deciders.get(change.new[1], false),
        terms[0] == z3.BoolVal(change.looser),
        terms[1] == z3.BoolVal(change.tighter),
    )


def differ_anywhere(merged: Merged) -> bool:
    """Whether two versions may differ where no changed rule fires."""
    old, new = merged.old, merged.new
    a, b = old.policy, new.policy
    return (a.combine, a.default) != (b.combine, b.default) or old.valid != new.valid


def has_changed_rules(merged: Merged) -> bool:
    """Whether a rule was added, removed, changed or moved."""
    return bool(changed_rules(merged))


def changed_rules(merged: Merged) -> list[int]:
    """Numbers, OLD's first, of the rules that were added, removed, changed or moved."""
    return list(_changed_rules(merged.old.policy.rules, merged.new.policy.rules))


def _changed_rules(old: Sequence[ir.Rule], new: Sequence[ir.Rule]) -> Iterator[int]:
    """Numbers, OLD's first, of rules that were added, removed, changed or moved."""
    keys: dict[ir.Rule, int] = {}
    a, b = ([keys.setdefault(_key(r), len(keys)) for r in rules] for rules in (old, new))
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    for word, i1, i2, j1, j2 in matcher.get_opcodes():
        if word != "equal":
            yield from range(i1, i2)
            yield from range(len(old) + j1, len(old) + j2)


def _key(rule: ir.Rule) -> ir.Rule:
    """A rule without what changes no outcome's effect."""
    return replace(rule, because="", tier=0, kind=_guard_or_rule(rule.kind))


def _guard_or_rule(kind: ir.RuleKind) -> ir.RuleKind:
    return kind if kind is ir.RuleKind.GUARD else ir.RuleKind.RULE
