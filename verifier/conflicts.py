"""Conflicts: two rules that both stand and say contradictory things.

In: a context.  Out: findings GOV301, each with a request; under `--overlaps` notes on settled ones.

What always holds: pairs that a column keeps apart are never looked at; a pair of boxes is settled by
a request in their intersection, what is left by the shared solver with a literal for each rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import z3

from govlang.compiler import ir
from govlang.verifier.columns import Point
from govlang.verifier.encode import Term
from govlang.verifier.findings import CONFLICT, Finding, Severity, undecided
from govlang.verifier.judge import Judged
from govlang.verifier.options import FINDINGS_A_KIND, FINDINGS_A_RULE, Context
from govlang.verifier.outcome import Decision
from govlang.verifier.pairs import Pair, contradictory_pairs
from govlang.verifier.shapes import intersection
from govlang.verifier.solve import Absent, Answer, Found


@dataclass
class _Sweep:
    """What has been found so far, a rule at a time."""

    context: Context
    counts: Counter[int] = field(default_factory=Counter)
    spared: Counter[int] = field(default_factory=Counter)
    reported: set[tuple[int, int, str]] = field(default_factory=set)
    left: Pair | None = None  # the first that was not looked at since enough was found


def find_conflicts(context: Context) -> None:
    """Add every conflict of a policy."""
    sweep = _Sweep(context)
    for pair in contradictory_pairs(context):
        rules = {pair.left, pair.right}
        many = any(sweep.counts[r] >= FINDINGS_A_RULE for r in rules)
        if not many and len(sweep.reported) < FINDINGS_A_KIND:
            _settle(sweep, pair)
        elif pair.severity is Severity.ERROR and many:
            sweep.spared.update(rules)
        elif pair.severity is Severity.ERROR:
            sweep.left = sweep.left or pair
    _tell_spared(sweep)
    if sweep.left is not None:
        why = f"only {FINDINGS_A_KIND} conflicts are listed"
        context.findings.append(undecided(_finding(context, sweep.left), why))


def _tell_spared(sweep: _Sweep) -> None:
    rules = sweep.context.judge.rules
    for number, count in sorted(sweep.spared.items()):
        if sweep.counts[number] >= FINDINGS_A_RULE:
            sweep.context.findings.append(
                Finding(
                    CONFLICT,
                    "conflict",
                    Severity.ERROR,
                    (rules[number].id,),
                    f"`{rules[number].id}` may conflict with {count} more rules, which are not listed",
                    "mend the conflicts listed first",
                    span=rules[number].span,
                )
            )


def _settle(sweep: _Sweep, pair: Pair) -> None:
    context = sweep.context
    rules = context.judge.rules
    key = (pair.left, pair.right, pair.message)
    if key in sweep.reported or _one_drops_the_other(rules, pair):
        return

    def shows(point: Point) -> bool:
        judged = context.judge.judge(point)
        return judged is not None and _clash(context, pair, judged)

    answer = _by_boxes(context, pair) or _by_solver(context, pair, shows)
    if not isinstance(answer, Absent):
        sweep.reported.add(key)
        sweep.counts.update({pair.left, pair.right})
    context.settle(_finding(context, pair), answer, shows)


def _finding(context: Context, pair: Pair) -> Finding:
    rules = context.judge.rules
    return Finding(
        CONFLICT,
        "conflict",
        pair.severity,
        tuple(dict.fromkeys((rules[pair.left].id, rules[pair.right].id))),
        pair.message,
        pair.help,
        span=rules[max(pair.left, pair.right)].span,
    )


def _one_drops_the_other(rules: tuple[ir.Rule, ...], pair: Pair) -> bool:
    """Whether one of the two overrides the other, so that they never both stand."""
    a, b = rules[pair.left], rules[pair.right]
    return not pair.fires_only and (a.id in b.overrides or b.id in a.overrides)


def _clash(context: Context, pair: Pair, judged: Judged) -> bool:
    """Whether a request shows the conflict."""
    if pair.left not in judged.fired or pair.right not in judged.fired:
        return False
    if pair.clashes is not None and not pair.clashes(judged.env):
        return False
    if pair.fires_only:
        return True
    standing = context.judge.standing(judged)
    names = {context.judge.rules[i].id for i in (pair.left, pair.right)}
    if not names <= {rule.id for rule in standing}:
        return False
    guarded = standing[0].kind is ir.RuleKind.GUARD
    match context.policy.combine:
        case ir.Combine.FIRST_MATCH:
            return standing[0].id in names
        case ir.Combine.UNIQUE if len(names) > 1:
            return not guarded
        case ir.Combine.UNIQUE:
            return len(standing) == 1 or (guarded and standing[0].id in names)
        case _:
            return True


def _by_boxes(context: Context, pair: Pair) -> Answer | None:
    """A request from the corner of an intersection, or the certainty that there is none."""
    judge = context.judge
    empty = True
    for left in judge.shapes[pair.left]:
        for right in judge.shapes[pair.right]:
            box = intersection(left.box, right.box)
            if box is None:
                continue
            empty = False
            point = context.explorer.point(box)
            judged = None if point is None else judge.judge(point)
            if judged is not None and _clash(context, pair, judged):
                return Found(judged.point)
    return Absent() if empty else None


def _by_solver(context: Context, pair: Pair, shows: Callable[[Point], bool]) -> Answer:
    judge, session = context.judge, context.session
    extra = [] if pair.term is None else [pair.term]
    one = {judge.rules[i].id: judge.rules[i] for i in (pair.left, pair.right)}
    simple = pair.fires_only or not any(judge.overriders.get(name) for name in one)
    whole = context.policy.combine in (ir.Combine.UNIQUE, ir.Combine.FIRST_MATCH)
    if simple and not extra and not whole:
        literals = [
            session.name(name, context.encoder.condition(rule.condition))
            for name, rule in one.items()
        ]
        return session.find_named(literals, shows)
    return session.find([*_both_taken(context, pair), *extra], shows)


def _both_taken(context: Context, pair: Pair) -> list[Term]:
    """Both rules stand, or under `first_match` and `unique` would be looked at."""
    judge = context.judge
    related = {pair.left, pair.right}
    if context.policy.combine in (ir.Combine.UNIQUE, ir.Combine.FIRST_MATCH):
        related.update(judge.meeting(t.box for t in judge.shapes[pair.left]))
    decision = Decision(
        context.encoder,
        judge.pick(judge.above(related)),
        lambda rule: context.encoder.condition(rule.condition),
    )
    left, right = judge.rules[pair.left], judge.rules[pair.right]
    if pair.fires_only:
        return [decision.fires(left), decision.fires(right)]
    if pair.left == pair.right:
        return [decision.taken[left.id]]
    both = [decision.stands(left), decision.stands(right)]
    if context.policy.combine is ir.Combine.UNIQUE:
        both += [
            z3.Not(decision.stands(rule))
            for rule in decision.rules
            if rule.kind is ir.RuleKind.GUARD
        ]
    return both
