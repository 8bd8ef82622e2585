"""Rules that never matter, and rules that only give another reason.

In: a context.  Out: findings GOV302 (a rule that in no valid request decides nor adds anything, with
the smallest set that covers it) and GOV303 (a rule whose removal would change only the reason).

What always holds: a rule matters where the interpreter's decision, `rule_id` or obligations would
change without it.  Most rules are shown to matter by a request near a corner of their box; the rest
is one query a rule over the rules whose boxes overlap it.  Of several rules that are dead only as
long as the others stand (twins), one is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import z3

from govlang.compiler import ir
from govlang.compiler.interpret import Outcome
from govlang.compiler.ir import Effect
from govlang.verifier.columns import Point
from govlang.verifier.cover import SETTLED, covering, replaces, silences
from govlang.verifier.differences import (
    decision_differs,
    obligations_differ,
    outcomes_differ,
    removal_differs,
)
from govlang.verifier.encode import Term
from govlang.verifier.findings import (
    REDUNDANT,
    UNREACHABLE,
    Finding,
    Severity,
    undecided,
)
from govlang.verifier.firing import fires, firing, report_near_miss
from govlang.verifier.judge import Judged, same_effect, same_outcome
from govlang.verifier.options import Context
from govlang.verifier.outcome import Decision
from govlang.verifier.regions import regions
from govlang.verifier.solve import Absent, Found, Open

PERMITS = frozenset({Effect.ALLOW, Effect.REQUIRE_HUMAN})
PARTNERS_MAX = 6
NEIGHBOURS_MAX = 300  # with more neighbours a cover found by cutting boxes is small enough

Same = Callable[[Outcome, Outcome], bool]


@dataclass
class _Marks:
    """What is known of each rule: that it matters, and that it changes more than the reason."""

    matters: set[int] = field(default_factory=set)
    needed: set[int] = field(default_factory=set)
    spared: set[int] = field(default_factory=set)  # proved not to be needed
    covers: dict[int, list[int]] = field(default_factory=dict)  # proved never to matter


def find_unreachable(context: Context) -> frozenset[int]:
    """Add what never matters or only gives a reason; the rules that never fire come back."""
    judge = context.judge
    marks = _Marks()
    rules = [i for i, r in enumerate(judge.rules) if r.kind is not ir.RuleKind.GUARD]
    for place, i in enumerate(rules):
        context.tell("rules that matter", place, len(rules))
        _mark_by_boxes(context, marks, i)
        _mark_by_requests(context, marks, i)
    doubtful = [i for i in rules if i not in marks.matters]
    dead, silent = _report_dead(context, marks, doubtful)
    for place, i in enumerate(rules):
        context.tell("rules that are needed", place, len(rules))
        if i not in marks.needed and i not in dead:
            _report_redundant(context, marks, i)
    return frozenset(silent)


def _mark_by_boxes(context: Context, marks: _Marks, i: int) -> None:
    """Prove by cutting boxes that others give all that a rule gives."""
    judge = context.judge
    boxes = [term.box for term in judge.shapes[i]]
    idle = _is_idle(context, judge.rules[i])
    if idle or covering(judge, boxes, replaces(judge, i)) is not None:
        marks.spared.add(i)
        cover = covering(judge, boxes, silences(judge, i))
        if cover is not None:
            marks.covers[i] = cover


def _is_idle(context: Context, rule: ir.Rule) -> bool:
    """An allow where the default allows: it can only give the reason."""
    policy = context.policy
    settled = policy.combine in SETTLED and policy.default is ir.Default.ALLOW
    bare = not (rule.dos or rule.remedy or rule.overrides or rule.limits or rule.retry_ms)
    return settled and bare and rule.effect is Effect.ALLOW


def _mark_by_requests(context: Context, marks: _Marks, i: int) -> None:
    """Look for requests that show what a rule is good for, and note what they show of others."""

    def matters(judged: Judged) -> bool:
        _note(context, marks, judged, i)
        return i in marks.matters

    def needed(judged: Judged) -> bool:
        _note(context, marks, judged, i)
        return i in marks.needed

    if i not in marks.needed and i not in marks.spared:
        found = context.explorer.search(i, needed)
        partners = [] if found else _partners(context, i)
        for partner in partners:
            if context.explorer.search(i, needed, [partner]):
                break
    if i not in marks.matters and i not in marks.covers:
        context.explorer.search(i, matters, before=partial(_before, context, i))


def _before(context: Context, i: int, j: int) -> bool:
    """Whether another rule is likely to decide instead of one."""
    rule, other = context.judge.rules[i], context.judge.rules[j]
    return other.effect > rule.effect or (other.effect is rule.effect and j < i)


def _note(context: Context, marks: _Marks, judged: Judged, i: int) -> None:
    judge = context.judge
    outcome = judge.outcome(judged)
    context.remember(judged)
    decider = judge.number.get(outcome.rule_id)
    if decider is not None:
        marks.matters.add(decider)
    for one in {i, decider} - {None}:
        assert one is not None
        if one in marks.needed or one not in judged.fired:
            continue
        other = judge.outcome(judged, without=one)
        if not same_effect(outcome, other):
            marks.needed.add(one)
            marks.matters.add(one)
        elif not same_outcome(outcome, other):
            marks.matters.add(one)


def _partners(context: Context, i: int) -> list[int]:
    """Rules that permit and may fire together with one that matters only then."""
    rule, policy = context.judge.rules[i], context.policy
    if policy.default is ir.Default.ALLOW or rule.effect in PERMITS:
        return []
    if policy.combine in (ir.Combine.FIRST_MATCH, ir.Combine.UNIQUE):
        return []
    found = []
    for j in context.judge.neighbours(i):
        if context.judge.rules[j].effect in PERMITS:
            found.append(j)
            if len(found) == PARTNERS_MAX:
                break
    return found


# --- dead rules ------------------------------------------------------------------------------------


def _report_dead(
    context: Context, marks: _Marks, doubtful: Sequence[int]
) -> tuple[set[int], set[int]]:
    """The rules that never matter, and those of them that never fire."""
    dead: set[int] = set()
    silent: set[int] = set()
    for i in reversed(doubtful):
        rule = context.judge.rules[i]
        example = firing(context, i)
        if isinstance(example, Absent):
            dead.add(i)
            silent.add(i)
            message = f"`{rule.id}` never fires: its condition cannot hold"
            near = "widen its condition (the request comes as near as one can), or remove it"
            report_near_miss(context, replace(_finding(rule, message, []), help=near), i)
            continue
        cover = _box_cover(context, marks, i, dead)
        if cover is not None:
            dead.add(i)
            names = [context.judge.rules[j].id for j in cover]
            _add_covered(context, i, _finding(rule, _why(rule, names), names), example)
            continue
        answer = _ask(context, i, (), _changes(context, i, same_outcome), reason=True)
        if isinstance(answer, Open):
            context.findings.append(
                undecided(_finding(rule, f"`{rule.id}` matters", []), answer.why)
            )
            dead.add(i)
        elif isinstance(answer, Absent):
            if dead and not isinstance(_ask(context, i, dead, lambda _: True, reason=True), Absent):
                continue
            left = [j for j in context.judge.neighbours(i) if j not in dead]
            dead.add(i)
            _add_covered(context, i, _covered(context, i, left), example)
    return dead, silent


def _box_cover(context: Context, marks: _Marks, i: int, dead: set[int]) -> list[int] | None:
    """A cover of one living rule, or of more where the solver is not to be asked for fewer."""
    if i not in marks.covers:
        return None
    judge = context.judge
    weak = judge.rules[i].effect in (Effect.LIMIT, Effect.THROTTLE)
    if weak and context.policy.default is not ir.Default.ALLOW:
        return None  # it may be dead because nothing permits, whatever covers it
    blocks = silences(judge, i)
    boxes = [term.box for term in judge.shapes[i]]
    cover = covering(judge, boxes, lambda j: j not in dead and blocks(j))
    if cover is None or len(cover) == 1:
        return cover
    return cover if len(judge.neighbours(i)) > NEIGHBOURS_MAX else None


def _add_covered(context: Context, i: int, finding: Finding, example: Found | Open) -> None:
    """Add the finding, with a request that fires the rule and is decided without it."""
    if isinstance(example, Found):
        context.report(finding, example.point, partial(fires, context, i))
    else:
        context.findings.append(finding)


def _ask(
    context: Context,
    i: int,
    gone: Collection[int],
    claim: Callable[[Judged], bool],
    *,
    reason: bool,
) -> Found | Absent | Open:
    """A request on which the outcome of all rules but `gone` differs without a rule."""
    judge = context.judge
    fires = context.encoder.condition(judge.rules[i].condition)
    differ = _differ(context, reason=reason)

    def shows(point: Point) -> bool:
        judged = judge.judge(point)
        return judged is not None and claim(judged)

    for term in judge.shapes[i]:
        for region in regions(context, term.box):
            others = [j for j in region.rules if j != i and j not in gone]
            with_, without = _two(
                context, i, others, lambda r: context.encoder.condition(r.condition)
            )
            here = context.encoder.box(region.box)
            answer = context.session.find([fires, *here, differ(with_, without, i)], shows)
            if not isinstance(answer, Absent):
                return answer
    return Absent()


def _changes(context: Context, i: int, same: Same) -> Callable[[Judged], bool]:
    """Whether a request shows that the outcome differs without a rule."""
    judge = context.judge

    def claim(judged: Judged) -> bool:
        return not same(judge.outcome(judged), judge.outcome(judged, without=i))

    return claim


def _two(
    context: Context, i: int, others: Sequence[int], fires: Callable[[ir.Rule], Term]
) -> tuple[Decision, Decision]:
    """The decision with a rule and without it, where the rule fires."""
    judge = context.judge
    rule = judge.rules[i]

    def here(one: ir.Rule) -> Term:
        return z3.BoolVal(True) if one is rule else fires(one)

    own = judge.pick(sorted({*others, i}))
    rest = [r for r in own if r is not rule]
    with_ = Decision(context.encoder, own, here)
    without = Decision(context.encoder, rest, here)
    if _independent(context, rule):
        with_.extends(without, rule)
    return with_, without


def _independent(context: Context, rule: ir.Rule) -> bool:
    """Whether dropping a rule leaves what is taken of the others as it was."""
    settled = context.policy.combine in (ir.Combine.STRICT, ir.Combine.MOST_RESTRICTIVE)
    return settled and not rule.overrides


def _covered(context: Context, i: int, others: Sequence[int]) -> Finding:
    """The finding, with the smallest set of rules because of which the rule never matters."""
    judge, encoder = context.judge, context.encoder
    rule = judge.rules[i]
    free = {judge.rules[j].id: z3.Bool(f"f:{j}") for j in others}
    with_, without = _two(context, i, others, lambda r: free[r.id])
    fixed = [encoder.condition(rule.condition), _differ(context, reason=True)(with_, without, i)]
    soft = [free[judge.rules[j].id] == encoder.condition(judge.rules[j].condition) for j in others]
    core = context.session.core(fixed, soft)
    if core is None:  # the solver gave up on the reason, not on the fact
        return _finding(rule, f"`{rule.id}` never decides and adds nothing", [])
    cover = [judge.rules[others[k]].id for k in core]
    return _finding(rule, _why(rule, cover), cover)


def _why(rule: ir.Rule, cover: Sequence[str]) -> str:
    shown = [f"`{name}`" for name in cover]
    if not shown:
        return f"`{rule.id}` never decides and adds nothing: nothing that permits holds with it"
    if len(shown) == 1:
        return f"`{rule.id}` never decides and adds nothing: {shown[0]} covers it"
    listed = ", ".join(shown[:-1]) + f" and {shown[-1]}"
    return f"`{rule.id}` never decides and adds nothing: {listed} together cover it"


def _finding(rule: ir.Rule, message: str, cover: Sequence[str]) -> Finding:
    return Finding(
        UNREACHABLE,
        "unreachable",
        Severity.ERROR,
        (rule.id,),
        message,
        f"remove `{rule.id}`, widen its condition, or narrow what covers it",
        span=rule.span,
        detail={"covered_by": list(cover)} if cover else None,
    )


# --- redundant rules -------------------------------------------------------------------------------


def _report_redundant(context: Context, marks: _Marks, i: int) -> None:
    rule = context.judge.rules[i]
    without_gap = "" if context.policy.default is not ir.Default.NONE else " if that leaves no gap"
    finding = Finding(
        REDUNDANT,
        "redundant",
        Severity.NOTE,
        (rule.id,),
        f"`{rule.id}` decides, but without it only the reason would change",
        f"keep it if the reason helps people, else remove it{without_gap}",
        span=rule.span,
        question=f"whether `{rule.id}` changes more than the reason",
    )
    if i in marks.spared or _plainly_redundant(context, rule, i):
        context.findings.append(finding)
        return
    claim = _changes(context, i, same_effect)
    match _ask(context, i, (), claim, reason=False):
        case Absent():
            context.findings.append(finding)
        case Open(why=why):
            context.findings.append(undecided(finding, why))
        case Found():
            marks.needed.add(i)


def _differ(context: Context, *, reason: bool) -> Callable[[Decision, Decision, int], Term]:
    """What counts as a difference: also who decides, or not."""

    def differ(with_: Decision, without: Decision, i: int) -> Term:
        rule = context.judge.rules[i]
        if _independent(context, rule):
            return removal_differs(with_, without, rule, reason=reason)
        if reason and context.judge.first_counts:
            return with_.taken[rule.id]
        if reason:
            return outcomes_differ(with_, without)
        return z3.Or(decision_differs(with_, without), obligations_differ(with_, without))

    return differ


def _plainly_redundant(context: Context, rule: ir.Rule, i: int) -> bool:
    """A bare deny where the default denies and nothing that permits overlaps it."""
    policy = context.policy
    bare = not (rule.dos or rule.remedy or rule.overrides)
    settled = policy.combine in (ir.Combine.STRICT, ir.Combine.MOST_RESTRICTIVE)
    if rule.effect is not Effect.DENY or not bare or not settled:
        return False
    if policy.default is ir.Default.ALLOW:
        return False
    judge = context.judge
    return not any(judge.rules[j].effect in PERMITS for j in judge.neighbours(i))
