"""Overrides that never matter.

In: a context.  Out: warnings GOV304 for each `overrides` without which the same rules stand on every request.
"""

from __future__ import annotations

from govlang.compiler import ir
from govlang.verifier.columns import Point
from govlang.verifier.findings import VACUOUS, Finding, Severity, undecided
from govlang.verifier.firing import report_at_work
from govlang.verifier.options import Context
from govlang.verifier.outcome import Decision
from govlang.verifier.shapes import intersection
from govlang.verifier.solve import Absent, Claim, Found, Open


def find_idle_overrides(context: Context) -> None:
    """Add a finding for each override that never drops a rule."""
    judge = context.judge
    for rule in judge.rules:
        for name in rule.overrides:
            _settle(context, rule, judge.rules[judge.number[name]])


def _settle(context: Context, rule: ir.Rule, other: ir.Rule) -> None:
    """Whether there is a request on which leaving the one `overrides` out changes who stands."""
    judge, encoder = context.judge, context.encoder
    numbers = judge.above([judge.number[rule.id], judge.number[other.id]])
    decision = Decision(encoder, judge.pick(numbers), lambda r: encoder.condition(r.condition))
    without = Decision(
        encoder,
        decision.rules,
        lambda r: encoder.condition(r.condition),
        ignored=(rule.id, other.id),
    )

    def shows(point: Point) -> bool:
        judged = judge.judge(point)
        if judged is None:
            return False
        names = {one.id for one in judge.standing(judged)}
        fired = {judge.rules[i].id for i in judged.fired}
        above = [judge.rules[k].id for k in judge.overriders[other.id]]
        return {rule.id} == names & set(above) and other.id in fired

    answer = _settle_by_boxes(context, rule, other, shows) or context.session.find(
        [decision.stands(rule), encoder.condition(other.condition), without.stands(other)], shows
    )
    finding = Finding(
        VACUOUS,
        "vacuous",
        Severity.WARNING,
        (rule.id, other.id),
        f"`{rule.id}` overrides `{other.id}`, but never drops it",
        f"remove `overrides {other.id}`, or let the conditions overlap",
        span=rule.span,
        question=f"whether `{rule.id}`, which overrides `{other.id}`, ever drops it",
    )
    match answer:
        case Absent():
            report_at_work(context, finding, judge.number[rule.id])
        case Open(why=why):
            context.findings.append(undecided(finding, why))
        case Found():
            pass


def _settle_by_boxes(
    context: Context, rule: ir.Rule, other: ir.Rule, shows: Claim
) -> Found | Absent | None:
    """The corner of an intersection, or that the boxes never meet."""
    judge = context.judge
    empty = True
    for a in judge.shapes[judge.number[rule.id]]:
        for b in judge.shapes[judge.number[other.id]]:
            box = intersection(a.box, b.box)
            if box is not None:
                empty = False
                point = context.explorer.point(box)
                if point is not None and shows(point):
                    return Found(point)
    return Absent() if empty else None
