"""All valid requests of small finite policies, and what brute force over them finds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, product

from ir_strategies import all_requests, request_count, small_policy

from govlang.compiler import interpret, ir
from govlang.compiler.interpret import Environment, Outcome
from govlang.compiler.ir import Effect
from govlang.compiler.obligations import argument
from govlang.verifier.columns import Point
from govlang.verifier.judge import same_effect, same_outcome
from govlang.verifier.parts import children, replaced

REQUESTS_MAX = 1500


class Loose(Environment):
    """An environment in which absent fields read as any value."""

    absent: frozenset[str] = frozenset()

    def holds(self, condition: ir.BoolExpr) -> bool:
        if isinstance(condition, ir.Has):
            return condition.name not in self.absent
        return super().holds(condition)


class Whole:
    """All valid requests of a policy, with what fires on each."""

    def __init__(self, policy: ir.Policy) -> None:
        self.policy = policy
        self.points = [
            Point(values, params)
            for values in all_requests(policy)
            for params in all_params(policy)
            if all(
                Environment(policy, params, values).holds(a.condition) for a in policy.assumptions
            )
        ]
        self.envs = [Environment(policy, p.params, p.values) for p in self.points]
        self.fired = [tuple(r for r in policy.rules if env.holds(r.condition)) for env in self.envs]

    def outcomes(self, without: frozenset[str] = frozenset()) -> list[Outcome]:
        return [
            interpret.combine(self.policy, env, tuple(r for r in fired if r.id not in without))
            for env, fired in zip(self.envs, self.fired, strict=True)
        ]

    # --- conflicts -----------------------------------------------------------------------------

    def conflicts(self) -> set[tuple[frozenset[str], str]]:
        return {
            c for env, f in zip(self.envs, self.fired, strict=True) for c in self.clashes(env, f)
        }

    def clashes(
        self, env: Environment, fired: tuple[ir.Rule, ...]
    ) -> Iterator[tuple[frozenset[str], str]]:
        combine = self.policy.combine
        standing = interpret.standing(fired)
        if combine is ir.Combine.FIRST_MATCH:
            standing = standing[:1]
        guarded = any(r.kind is ir.RuleKind.GUARD for r in standing)
        if combine is ir.Combine.UNIQUE:
            if not guarded:
                for a, b in combinations(standing, 2):
                    yield frozenset((a.id, b.id)), "unique"
            standing = standing[:1] if guarded or len(standing) == 1 else ()
        for i, a in enumerate(standing):
            for b in standing[i:]:
                names = frozenset((a.id, b.id))
                if combine is ir.Combine.STRICT and self.contradict(a, b):
                    yield names, "effect"
                if self.dos_differ(env, a, b):
                    yield names, "do"
                if self.limits_apart(env, a, b):
                    yield names, "limit"

    def contradict(self, a: ir.Rule, b: ir.Rule) -> bool:
        loose, strict = sorted((a, b), key=lambda r: r.effect)
        if loose.effect is not Effect.ALLOW or strict.effect < Effect.REQUIRE_HUMAN:
            return False
        return strict.kind is not ir.RuleKind.GUARD and not strict.tier < loose.tier

    def dos_differ(self, env: Environment, a: ir.Rule, b: ir.Rule) -> bool:
        actions = {x.name: x for x in self.policy.actions}
        return any(
            x.action == y.action
            and self.args(env, x, actions[x.action]) != self.args(env, y, actions[x.action])
            for x in a.dos
            for y in b.dos
        )

    def args(self, env: Environment, do: ir.Do, action: ir.Action) -> list[object]:
        found: list[object] = []
        for value, parameter in zip(do.args, action.parameters, strict=True):
            match value:
                case ir.TextConst(text=text):
                    found.append(text)
                case ir.TextField(name=name):
                    found.append(env.text(name))
                case _:
                    found.append(argument(env.evaluate(value), parameter))
        return found

    def limits_apart(self, env: Environment, a: ir.Rule, b: ir.Rule) -> bool:
        return any(
            x.target == y.target
            and (env.evaluate(x.lo) > env.evaluate(y.hi) or env.evaluate(y.lo) > env.evaluate(x.hi))
            for x in a.limits
            for y in b.limits
        )

    # --- rules that do not matter ----------------------------------------------------------------

    def same_without(self, rule: str, gone: frozenset[str] = frozenset()) -> bool:
        pairs = zip(self.outcomes(gone), self.outcomes(gone | {rule}), strict=True)
        return all(same_outcome(a, b) for a, b in pairs)

    def unreachable(self) -> set[str]:
        gone: frozenset[str] = frozenset()
        for rule in reversed(self.policy.rules):
            dead = rule.kind is not ir.RuleKind.GUARD and self.same_without(rule.id)
            if dead and self.same_without(rule.id, gone):
                gone |= {rule.id}
        return set(gone)

    def redundant(self) -> set[str]:
        plain = self.outcomes()
        return {
            rule.id
            for rule in self.policy.rules
            if rule.kind is not ir.RuleKind.GUARD
            and all(
                same_effect(a, b)
                for a, b in zip(plain, self.outcomes(frozenset({rule.id})), strict=True)
            )
        }

    def smallest_cover(self, rule: ir.Rule, others: list[ir.Rule]) -> int:
        """The least number of rules whose conditions make a rule dead, whatever the others do."""
        here = [
            (env, fired) for env, fired in zip(self.envs, self.fired, strict=True) if rule in fired
        ]
        for count in range(len(others) + 1):
            for known in combinations(others, count):
                if all(self.dead_at(env, fired, rule, known, others) for env, fired in here):
                    return count
        raise AssertionError("the rule is not dead")

    def dead_at(
        self,
        env: Environment,
        fired: tuple[ir.Rule, ...],
        rule: ir.Rule,
        known: tuple[ir.Rule, ...],
        others: list[ir.Rule],
    ) -> bool:
        free = [r for r in others if r not in known]
        for bits in product((False, True), repeat=len(free)):
            on = {r.id for r, bit in zip(free, bits, strict=True) if bit}
            on |= {r.id for r in known if r in fired}
            now = tuple(r for r in self.policy.rules if r.id in on or r is rule)
            then = tuple(r for r in now if r is not rule)
            a = interpret.combine(self.policy, env, now)
            if not same_outcome(a, interpret.combine(self.policy, env, then)):
                return False
        return True

    # --- conditions that do not matter -----------------------------------------------------------

    def loose_envs(self) -> list[Loose]:
        found = []
        optional = [f for f in self.policy.fields if f.optional]
        full = replace(
            self.policy, fields=tuple(replace(f, optional=False) for f in self.policy.fields)
        )
        for values in all_requests(full):
            for absent in subsets([f.name for f in optional]):
                for params in all_params(self.policy):
                    env = Loose(self.policy, params, values)
                    env.absent = absent
                    if all(env.holds(a.condition) for a in self.policy.assumptions):
                        found.append(env)
        return found

    def vacuous(self, silent: set[str]) -> set[tuple[str, str]]:
        envs = self.loose_envs()
        found: set[tuple[str, str]] = set()
        for rule in self.policy.rules:
            if rule.id in silent or rule.kind is ir.RuleKind.GUARD:
                continue
            stack: list[tuple[tuple[int, ...], ir.BoolExpr]] = [((), rule.condition)]
            while stack:
                path, node = stack.pop()
                if isinstance(node, ir.BoolConst):
                    continue
                word = self.constant(rule.condition, path, envs)
                if word:
                    found.add((rule.id, word))
                else:
                    stack += [((*path, k), c) for k, c in enumerate(children(node))]
        return found

    def constant(self, condition: ir.BoolExpr, path: tuple[int, ...], envs: list[Loose]) -> str:
        for value in (True, False):
            changed = replaced(condition, path, ir.BoolConst(value))
            if all(env.holds(condition) == env.holds(changed) for env in envs):
                return str(value).lower()
        return ""

    def empty_proofs(self) -> set[str]:
        """Properties about the decision that hold because a part without it always does."""
        found = set()
        for one in self.policy.properties:
            parts = one.condition.operands if isinstance(one.condition, ir.Or) else ()
            for part in parts if one.mentions_decision else ():
                spoken = any(isinstance(atom, ir.DecisionIn) for atom in ir.atoms(part))
                if not spoken and all(env.holds(part) for env in self.envs):
                    found.add(one.name)
        return found

    def idle_overrides(self) -> set[tuple[str, str]]:
        edges = [(r, name) for r in self.policy.rules for name in r.overrides]
        found = set()
        for rule, name in edges:
            cut = replace(rule, overrides=tuple(n for n in rule.overrides if n != name))
            if all(
                [r.id for r in interpret.standing(fired)]
                == [r.id for r in interpret.standing(tuple(cut if r is rule else r for r in fired))]
                for fired in self.fired
            ):
                found.add((rule.id, name))
        return found


def subsets(names: list[str]) -> Iterator[frozenset[str]]:
    for count in range(len(names) + 1):
        yield from (frozenset(some) for some in combinations(names, count))


def all_params(policy: ir.Policy) -> Iterator[dict[str, int]]:
    names = [p.field.name for p in policy.params]
    for values in product(*(range(p.field.lo, p.field.hi + 1) for p in policy.params)):
        yield dict(zip(names, values, strict=True))


def finite_policy(rng: random.Random) -> ir.Policy:
    """A random policy with few requests, parameters of two values, and properties."""
    while True:
        policy = small_policy(rng)
        params = tuple(
            replace(p, field=replace(p.field, lo=p.default, hi=min(p.field.hi, p.default + 1)))
            for p in policy.params
        )
        if request_count(policy) * 2 ** len(params) > REQUESTS_MAX:
            continue
        if sum(f.optional for f in policy.fields) > 2:
            continue
        policy = replace(policy, params=params)
        return replace(policy, properties=tuple(random_properties(rng, policy)))


def random_properties(rng: random.Random, policy: ir.Policy) -> Iterator[ir.Property]:
    for n in range(3):
        parts: list[ir.BoolExpr] = [
            ir.DecisionIn(frozenset(rng.sample(list(Effect), rng.randint(1, 4))))
        ]
        if policy.rules:
            condition = rng.choice(policy.rules).condition
            parts += rng.choice(([], [condition], [ir.negation(condition)]))
            if n == 2:
                parts = [condition, ir.negation(rng.choice(policy.rules).condition)]
        yield ir.Property(f"p{n}", ir.disjunction(parts))
