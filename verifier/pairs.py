"""Which rules may contradict one another: the questions that `conflicts.py` settles.

In: a context.  Out: pairs of rules (or a rule with itself), each with what would make it a conflict.

What always holds: a pair whose boxes do not meet never comes up; neither does one that tiers or
`combine` settle, unless settled overlaps are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import z3

from govlang.compiler import ir
from govlang.compiler.interpret import Environment
from govlang.compiler.ir import Effect
from govlang.compiler.obligations import passed
from govlang.verifier.columns import argument_equal
from govlang.verifier.encode import Term
from govlang.verifier.findings import Severity
from govlang.verifier.options import Context
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


def contradictory_pairs(context: Context) -> Iterator[Pair]:
    """Every pair that `combine` does not settle and no column keeps apart."""
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
    return [passed(env, a, p) for a, p in zip(do.args, parameters, strict=True)]


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
