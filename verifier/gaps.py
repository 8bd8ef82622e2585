"""Gaps: requests that only the default covers.

In: a context.  Out: GOV305 for the policy (an error under `default none`) and a note for each table
with inputs that no row covers.

What always holds: a gap is shown by a request; that there is none is proved region by region.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import z3

from govlang.compiler import ir
from govlang.compiler.interpret import DEFAULT_RULE
from govlang.compiler.ir import Effect
from govlang.verifier.columns import Point
from govlang.verifier.findings import GAP, Finding, Proved, Severity
from govlang.verifier.options import Context
from govlang.verifier.outcome import Decision
from govlang.verifier.regions import Region, regions
from govlang.verifier.solve import Absent, Answer, Found

RULES_MAX: Final = 50
"""Rules beside which a request is looked for before the solver is asked."""


def find_gaps(context: Context) -> None:
    """Add the gap of the policy and those of its tables."""
    find_policy_gap(context)
    find_table_gaps(context)


def find_table_gaps(context: Context) -> None:
    """Add the gaps of the tables."""
    tables: dict[str, list[int]] = {}
    for i, rule in enumerate(context.judge.rules):
        if rule.kind is ir.RuleKind.ROW and "#" in rule.id:
            tables.setdefault(rule.id.rpartition("#")[0], []).append(i)
    for name, rows in tables.items():
        _table_gap(context, name, rows)


def find_policy_gap(context: Context) -> None:
    """Add the gap of the policy."""
    judge, policy = context.judge, context.policy

    def shows(point: Point) -> bool:
        judged = judge.judge(point)
        return judged is not None and judge.outcome(judged).rule_id == DEFAULT_RULE

    answer = _first(context, shows) or _in_regions(context, shows, _by_default)
    none = policy.default is ir.Default.NONE
    says = (
        "a request that no rule decides is denied"
        if none
        else f"the default ({policy.default}) decides"
    )
    finding = Finding(
        GAP,
        "gap",
        Severity.ERROR if none else Severity.NOTE,
        (),
        f"no rule decides some requests: {says}",
        "add a rule for them" if none else "add a rule if the default is not what is meant",
        question="whether a rule decides every request",
    )
    if not context.settle(finding, answer, shows):
        context.proved.append(Proved("every request is decided by a rule", "gap", "regions", 0))


def _by_default(context: Context, region: Region) -> z3.BoolRef:
    decision = Decision(
        context.encoder,
        context.judge.pick(region.rules),
        lambda rule: context.encoder.condition(rule.condition),
    )
    return decision.by_default


def _first(context: Context, shows: Callable[[Point], bool]) -> Answer | None:
    """A request that is at hand: the simplest one, or one near a rule."""
    plain = context.explorer.point({})
    if plain is not None and shows(plain):
        return Found(plain)
    for judged in context.seen[:100]:
        for point in _beside(context, judged.fired[:2]):
            if shows(point):
                return Found(point)
    if not context.seen:
        some = range(min(len(context.judge.rules), RULES_MAX))
        return next((Found(p) for p in _beside(context, some) if shows(p)), None)
    return None


def _beside(context: Context, rules: Iterable[int]) -> Iterator[Point]:
    """Requests just outside some rules."""
    explorer = context.explorer
    points = (explorer.point(box) for i in rules for box in explorer.outside(i))
    return (p for p in points if p is not None)


def _in_regions(
    context: Context,
    shows: Callable[[Point], bool],
    wanted: Callable[[Context, Region], z3.BoolRef],
) -> Answer:
    """A request somewhere; absent if there is none in any region."""
    for region in regions(context, {}, closed=_closed(context)):
        term = wanted(context, region)
        answer = context.session.find([*context.encoder.box(region.box), term], shows)
        if not isinstance(answer, Absent):
            return answer
    return Absent()


def _closed(context: Context) -> Callable[[int], bool]:
    """Which rules leave nothing to the default wherever they fire."""
    judge = context.judge
    settled = context.policy.combine is not ir.Combine.UNIQUE
    loose = context.policy.default is ir.Default.ALLOW

    def closes(i: int) -> bool:
        rule = judge.rules[i]
        stands = not judge.overriders.get(rule.id)
        return settled and stands and (loose or rule.effect not in (Effect.LIMIT, Effect.THROTTLE))

    return closes


def _table_gap(context: Context, name: str, rows: Sequence[int]) -> None:
    judge = context.judge

    def shows(point: Point) -> bool:
        judged = judge.judge(point)
        return judged is not None and not set(rows) & set(judged.fired)

    conditions = [context.encoder.condition(judge.rules[i].condition) for i in rows]
    answer = _first(context, shows) or context.session.find([z3.Not(z3.Or(conditions))], shows)
    finding = Finding(
        GAP,
        "gap",
        Severity.NOTE,
        (judge.rules[rows[-1]].id,),
        f"no row of `{name}` covers some requests",
        "add a row with `_` if one is missing",
        span=judge.rules[rows[-1]].span,
        question=f"whether the rows of `{name}` cover every request",
    )
    if not context.settle(finding, answer, shows):
        context.proved.append(Proved(f"`{name}` covers every request", "gap", "z3", 0))
