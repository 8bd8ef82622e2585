"""Conflicts: two rules that both stand and say contradictory things.

In: a context.  Out: findings GOV301, each with a request; under `--overlaps` notes on settled ones.

What always holds: pairs that a column keeps apart are never looked at; a pair of boxes is settled by
a request in their intersection, what is left by the shared solver with a literal for each rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

import z3

from govlang.compiler import ir
from govlang.compiler.interpret import Environment
from govlang.compiler.ir import Effect
from govlang.compiler.obligations import argument
from govlang.verifier.columns import Point, argument_equal
from govlang.verifier.encode import Term
from govlang.verifier.findings import CONFLICT, Finding, Severity
from govlang.verifier.judge import Judged
from govlang.verifier.options import FINDINGS_A_KIND, FINDINGS_A_RULE, Context
from govlang.verifier.outcome import Decision
from govlang.verifier.shapes import intersection
from govlang.verifier.solve import Absent, Answer, Found
from govlang.verifier.sweep import BoxIndex

STRICT: Final = frozenset({Effect.REQUIRE_HUMAN, Effect.DENY})


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rules (or one, with itself) that may contradict one another, and how."""

    left: int
    right: int
    message: str
    help: str
    term: Term | None = None  # beside both standing, what makes it a conflict
    clashes: Callable[[Environment], bool] | None = None
    severity: Severity = Severity.ERROR
    fires_only: bool = False  # both need only fire


@dataclass
class _Sweep:
    """What has been found so far, a rule at a time."""

    context: Context
    counts: Counter[int] = field(default_factory=Counter)
    spared: Counter[int] = field(default_factory=Counter)
    reported: set[tuple[int, int, str]] = field(default_factory=set)


def find_conflicts(context: Context) -> None:
    """Add every conflict of a policy."""
    sweep = _Sweep(context)
    for pair in _pairs(context):
        rules = {pair.left, pair.right}
        full = len(sweep.reported) >= FINDINGS_A_KIND
        if full or any(sweep.counts[r] >= FINDINGS_A_RULE for r in rules):
            sweep.spared.update(rules)
            continue
        _settle(sweep, pair)
    _tell_spared(sweep)


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
    names = tuple(dict.fromkeys((rules[pair.left].id, rules[pair.right].id)))
    finding = Finding(
        CONFLICT,
        "conflict",
        pair.severity,
        names,
        pair.message,
        pair.help,
        span=rules[max(pair.left, pair.right)].span,
    )
    if not isinstance(answer, Absent):
        sweep.reported.add(key)
        sweep.counts.update({pair.left, pair.right})
    context.settle(finding, answer, shows)


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


# --- which pairs may contradict --------------------------------------------------------------------


def _pairs(context: Context) -> Iterator[Pair]:
    policy = context.policy
    if policy.combine is ir.Combine.STRICT:
        yield from _effect_pairs(context)
    if policy.combine is ir.Combine.UNIQUE:
        yield from _unique_pairs(context)
    yield from _do_pairs(context)
    yield from _limit_pairs(context)
    if context.options.overlaps:
        yield from _settled_pairs(context)


class _Side:
    """Some rules, indexed by their boxes."""

    def __init__(self, context: Context, rules: Iterable[int]) -> None:
        shapes = context.judge.shapes
        self._shapes = shapes
        own = [(i, term) for i in rules for term in shapes[i]]
        self._owner = [i for i, _ in own]
        self._index = BoxIndex([term.box for _, term in own])

    def meeting(self, rule: int) -> list[int]:
        """Rules of this side that may fire together with a rule."""
        found: set[int] = set()
        for term in self._shapes[rule]:
            found.update(self._owner[entry] for entry in self._index.overlapping(term.box))
        return sorted(found)


def _numbers(context: Context, keep: Callable[[ir.Rule], bool]) -> list[int]:
    return [i for i, rule in enumerate(context.judge.rules) if keep(rule)]


def _effect_pairs(context: Context) -> Iterator[Pair]:
    """Allow against require human or deny, unless the stricter rule is in the higher tier."""
    rules = context.judge.rules
    strict = _numbers(context, lambda r: r.effect in STRICT and r.kind is not ir.RuleKind.GUARD)
    allowing = _numbers(context, lambda r: r.effect is Effect.ALLOW)
    strict.sort(key=lambda i: rules[i].tier)
    for tier, group in groupby(strict, key=lambda i: rules[i].tier):
        side = _Side(context, (i for i in allowing if rules[i].tier <= tier))
        for i in group:
            context.tell("conflicts", i, len(rules))
            for j in side.meeting(i):
                yield _effect_pair(rules, i, j)


def _words(effect: Effect) -> str:
    return effect.word.replace("_", " ")


def _effect_pair(
    rules: tuple[ir.Rule, ...], strict: int, loose: int, severity: Severity = Severity.ERROR
) -> Pair:
    a, b = rules[loose].id, rules[strict].id
    words = _words(rules[strict].effect)
    return Pair(
        loose,
        strict,
        f"`{a}` allows what `{b}` answers with {words}",
        f"write `overrides {a}` on `{b}` (or the other way round), put `{b}` in a higher tier, "
        "or keep the conditions apart",
        severity=severity,
    )


def _unique_pairs(context: Context) -> Iterator[Pair]:
    """Any two rules, under `unique`."""
    rules = context.judge.rules
    some = _numbers(context, lambda r: r.kind is not ir.RuleKind.GUARD)
    side = _Side(context, some)
    for i in some:
        for j in side.meeting(i):
            if i < j:
                yield Pair(
                    i,
                    j,
                    f"`{rules[i].id}` and `{rules[j].id}` both hold where only one rule may",
                    "keep the conditions apart, or write `overrides` on one of them",
                )


def _do_pairs(context: Context) -> Iterator[Pair]:
    """Two different values of one action."""
    rules = context.judge.rules
    owners: dict[str, list[tuple[int, ir.Do]]] = {}
    for i, rule in enumerate(rules):
        for do in rule.dos:
            if do.args:
                owners.setdefault(do.action, []).append((i, do))
    whole = context.policy.combine in (ir.Combine.FIRST_MATCH, ir.Combine.UNIQUE)
    for action, own in owners.items():
        if len({do.args for _, do in own}) < 2:
            continue
        side = _Side(context, dict.fromkeys(i for i, _ in own))
        dos: dict[int, list[ir.Do]] = {}
        for i, do in own:
            dos.setdefault(i, []).append(do)
        for i, ours in dos.items():
            for j in (i,) if whole else side.meeting(i):
                if i <= j:
                    yield from _different_dos(context, action, (i, ours), (j, dos[j]))


def _different_dos(
    context: Context, action: str, left: tuple[int, list[ir.Do]], right: tuple[int, list[ir.Do]]
) -> Iterator[Pair]:
    rules = context.judge.rules
    (i, ours), (j, theirs) = left, right
    terms: list[Term] = []
    tests: list[tuple[ir.Do, ir.Do]] = []
    for x, a in enumerate(ours):
        for y, b in enumerate(theirs):
            if a.args != b.args and (i != j or x < y):
                same = [argument_equal(p, q) for p, q in zip(a.args, b.args, strict=True)]
                terms.append(z3.Not(z3.And([context.encoder.condition(s) for s in same])))
                tests.append((a, b))
    if not tests:
        return
    parameters = next(a.parameters for a in context.policy.actions if a.name == action)

    def differs(env: Environment) -> bool:
        return any(
            _arguments(env, a, parameters) != _arguments(env, b, parameters) for a, b in tests
        )

    who = f"`{rules[i].id}` and `{rules[j].id}` tell" if i != j else f"`{rules[i].id}` tells"
    yield Pair(
        i,
        j,
        f"{who} the host to do `{action}` with different arguments",
        "keep the conditions apart, or write `overrides` on one of them",
        z3.Or(terms),
        differs,
    )


def _arguments(env: Environment, do: ir.Do, parameters: tuple[ir.Field, ...]) -> list[Any]:
    return [_argument(env, a, p) for a, p in zip(do.args, parameters, strict=True)]


def _argument(env: Environment, value: ir.ArgValue, parameter: ir.Field) -> Any:
    match value:
        case ir.TextConst(text=text):
            return text
        case ir.TextField(name=name):
            return env.text(name)
        case _:
            return argument(env.evaluate(value), parameter)


def _limit_pairs(context: Context) -> Iterator[Pair]:
    """Two ranges of one target that do not meet; on a line, ranges that all meet in pairs all meet."""
    rules = context.judge.rules
    owners: dict[str, dict[int, list[ir.Limit]]] = {}
    for i, rule in enumerate(rules):
        for limit in rule.limits:
            owners.setdefault(limit.target, {}).setdefault(i, []).append(limit)
    whole = context.policy.combine in (ir.Combine.FIRST_MATCH, ir.Combine.UNIQUE)
    for target, own in owners.items():
        start = context.policy.target(target).lo
        floors = [i for i, ls in own.items() if any(x.lo != ir.IntConst(start) for x in ls)]
        side = _Side(context, own) if floors and not whole else None
        for i in floors:
            for j in side.meeting(i) if side else (i,):
                yield from _apart(context, target, (i, own[i]), (j, own[j]))


def _apart(
    context: Context,
    target: str,
    left: tuple[int, list[ir.Limit]],
    right: tuple[int, list[ir.Limit]],
) -> Iterator[Pair]:
    rules = context.judge.rules
    (i, ours), (j, theirs) = left, right
    pairs = [(a.lo, b.hi) for a in ours for b in theirs if _may_exceed(a.lo, b.hi)]
    if not pairs:
        return

    def exceeds(env: Environment) -> bool:
        return any(env.evaluate(lo) > env.evaluate(hi) for lo, hi in pairs)

    integer = context.encoder.integer
    a, b = rules[i].id, rules[j].id
    what = f"the limits of `{a}` and `{b}`" if i != j else f"the limits of `{a}`"
    yield Pair(
        min(i, j),
        max(i, j),
        f"{what} leave no value for `{target}`",
        "let the ranges meet, keep the conditions apart, or write `overrides` on one of the rules",
        z3.Or([integer(lo) > integer(hi) for lo, hi in pairs]),
        exceeds,
    )


def _may_exceed(lo: ir.IntExpr, hi: ir.IntExpr) -> bool:
    if isinstance(lo, ir.IntConst) and isinstance(hi, ir.IntConst):
        return lo.value > hi.value
    return True


def _settled_pairs(context: Context) -> Iterator[Pair]:
    """Rules of contradictory effects that fire together, settled by tiers, `combine` or overrides."""
    rules = context.judge.rules
    errors = context.policy.combine is ir.Combine.STRICT
    strict = _numbers(context, lambda r: r.effect in STRICT and r.kind is not ir.RuleKind.GUARD)
    side = _Side(context, _numbers(context, lambda r: r.effect is Effect.ALLOW))
    for i in strict:
        for j in side.meeting(i):
            by = _settled_by(rules[i], rules[j], errors=errors)
            if by:
                yield Pair(
                    min(i, j),
                    max(i, j),
                    f"`{rules[j].id}` allows what `{rules[i].id}` answers with "
                    f"{_words(rules[i].effect)}; settled by {by}",
                    "nothing to do",
                    severity=Severity.NOTE,
                    fires_only=True,
                )


def _settled_by(strict: ir.Rule, loose: ir.Rule, *, errors: bool) -> str:
    if not errors:
        return "`combine`"
    if loose.id in strict.overrides or strict.id in loose.overrides:
        return "`overrides`"
    return "their tiers" if strict.tier < loose.tier else ""
