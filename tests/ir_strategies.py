"""Random checked policies and valid requests, for every test that holds two backends together.

In: a seeded `random.Random` (and a size).  Out: `ir.Policy` with every operator, kind, effect,
combine and default there is; requests as values in steps, biased to the constants of the policy.

What always holds: what the front end guarantees (see `ir.py`): no overflow, reads of optional
fields guarded, ranges inside their fields, acyclic overrides to the same or a lower tier.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st
from ir_expressions import BOUND, Expressions
from ir_requests import WORDS, Requests, all_requests, random_params, random_request, request_count

from govlang.compiler import ir

__all__ = [
    "Requests",
    "Shape",
    "all_requests",
    "policies",
    "random_params",
    "random_policy",
    "random_request",
    "request_count",
    "small_policy",
]

STEPS = ((1, 1), (1, 10), (1, 100), (1, 1000), (5, 1), (1, 4))
SPANS = ((0, 1), (0, 5), (-3, 3), (0, 100), (-50, 1000), (0, 10**6), (1, 5))
WIDE = ((-(2**63), 2**63 - 1), (0, 2**63 - 1), (-(2**53) - 5, 2**53 + 5))


@dataclass(slots=True)
class Shape:
    """How large and how odd a policy may be."""

    fields: int = 7
    rules: int = 9
    depth: int = 3
    wide: bool = True
    small: bool = False  # finite: every request can be enumerated


def policies(shape: Shape | None = None) -> st.SearchStrategy[ir.Policy]:
    """Hypothesis over seeds of `random_policy`."""
    return st.integers(0, 2**32).map(lambda seed: random_policy(random.Random(seed), shape))


def random_policy(rng: random.Random, shape: Shape | None = None) -> ir.Policy:
    """A policy of any kind."""
    return _Maker(rng, shape=shape or random_shape(rng)).policy()


def small_policy(rng: random.Random) -> ir.Policy:
    """A policy whose requests can be enumerated."""
    shape = Shape(rng.randint(1, 4), rng.randint(1, 7), 2, wide=False, small=True)
    return _Maker(rng, shape=shape).policy()


def random_shape(rng: random.Random) -> Shape:
    """Mostly small, now and then with more rules than one block of a table holds."""
    rules = rng.choice(
        (1, 3, 5, 8, 8, 12, 12, 20, 70, 150) if rng.random() < 0.2 else (2, 4, 6, 8, 10)
    )
    return Shape(rng.randint(1, 9), rules, rng.randint(1, 4))


@dataclass(slots=True)
class _Maker(Expressions):
    shape: Shape = field(default_factory=Shape)
    outputs: list[ir.Field] = field(default_factory=list)
    actions: list[ir.Action] = field(default_factory=list)
    tiers: int = 0

    # --- declarations ---------------------------------------------------------------------------

    def policy(self) -> ir.Policy:
        rng = self.rng
        combine = rng.choice(list(ir.Combine))
        self.fields = [self.field(f"f{i}") for i in range(self.shape.fields)]
        roles = tuple(f"role{i}" for i in range(rng.choice((1, 2, 3, 3, 64))))
        if rng.random() < (0.3 if self.shape.small else 0.7):
            roles = roles[:2] if self.shape.small else roles
            self.fields.append(approved_field(roles))
        else:
            roles = ()
        self.params = [self.param(f"p{i}") for i in range(rng.choice((0, 0, 1, 2)))]
        self.outputs = [self.number(f"o{i}") for i in range(rng.choice((0, 1, 2)))]
        self.actions = [self.action(f"act{i}") for i in range(rng.randint(0, 3))]
        self.tiers = rng.choice((0, 0, 1, 2, 3))
        rules = self.ordered(
            self.rule(f"r{i}", roles) for i in range(rng.randint(0, self.shape.rules))
        )
        if combine is not ir.Combine.FIRST_MATCH:
            rules = self.overriding(rules)
        return ir.Policy(
            "random",
            "1.2.3",
            1,
            combine,
            self.pick_default(),
            tuple(self.fields),
            tuple(rules),
            tuple(self.outputs),
            tuple(self.actions),
            tuple(self.params),
            tuple(self.assumptions()),
            (),
            tuple(f"t{i}" for i in range(self.tiers)),
        )

    def pick_default(self) -> ir.Default:
        return self.rng.choice(
            (ir.Default.ALLOW, ir.Default.ALLOW, ir.Default.DENY, ir.Default.NONE)
        )

    def field(self, name: str) -> ir.Field:
        kinds = (
            list(ir.Kind)
            if not self.shape.small
            else [
                ir.Kind.NUMBER,
                ir.Kind.ENUM,
                ir.Kind.SET,
                ir.Kind.BOOL,
                ir.Kind.DURATION,
            ]
        )
        kind = self.rng.choice(kinds)
        one = self.of_kind(name, kind)
        origin = self.rng.choice((ir.Origin.REQUEST,) * 4 + (ir.Origin.RUNTIME,))
        return replace(
            one, optional=self.rng.random() < 0.25, private=self.rng.random() < 0.1, origin=origin
        )

    def of_kind(self, name: str, kind: ir.Kind) -> ir.Field:
        rng = self.rng
        members = tuple(
            f"m{i}" for i in range(rng.choice((1, 2, 3, 4, 7) if not self.shape.small else (2, 3)))
        )
        match kind:
            case ir.Kind.NUMBER:
                return self.number(name)
            case ir.Kind.ENUM:
                return ir.Field(name, kind, 0, len(members) - 1, members=members)
            case ir.Kind.SET:
                if not self.shape.small and rng.random() < 0.1:
                    members = tuple(f"m{i}" for i in range(64))
                return ir.Field(name, kind, 0, (1 << len(members)) - 1, members=members)
            case ir.Kind.BOOL:
                return ir.Field(name, kind, 0, 1)
            case ir.Kind.TIME | ir.Kind.DURATION:
                return ir.Field(
                    name, kind, 0, 3 if self.shape.small else rng.choice((100, 86_400_000, 2**62))
                )
            case ir.Kind.TEXT | ir.Kind.PATH | ir.Kind.KEY:
                return ir.Field(name, kind, max_bytes=rng.choice((8, 64, 256)))

    def number(self, name: str) -> ir.Field:
        rng = self.rng
        lo, hi = rng.choice(SPANS[:3] if self.shape.small else SPANS)
        if self.shape.wide and rng.random() < 0.05:
            lo, hi = rng.choice(WIDE)
        num, den = rng.choice(STEPS)
        if max(abs(lo), hi) > BOUND:
            num, den = 1, 1
        return ir.Field(
            name,
            ir.Kind.NUMBER,
            lo,
            hi,
            num,
            den,
            rng.choice(("", "kg", "%")),
            rounding=rng.choice(list(ir.Rounding)),
        )

    def param(self, name: str) -> ir.Param:
        lo, hi = self.rng.choice(SPANS)
        return ir.Param(ir.Field(name, ir.Kind.NUMBER, lo, hi), self.rng.randint(lo, hi))

    def action(self, name: str) -> ir.Action:
        kinds = [
            ir.Kind.NUMBER,
            ir.Kind.ENUM,
            ir.Kind.SET,
            ir.Kind.BOOL,
            ir.Kind.TEXT,
            ir.Kind.DURATION,
        ]
        chosen = self.rng.choices(kinds, k=self.rng.choice((0, 0, 1, 2)))
        return ir.Action(name, tuple(self.of_kind(f"a{i}", k) for i, k in enumerate(chosen)))

    def assumptions(self) -> Iterator[ir.Assumption]:
        if self.rng.random() < 0.25:
            some = ir.disjunction(self.condition(2) for _ in range(3))
            yield ir.Assumption("something holds", some)

    # --- rules -----------------------------------------------------------------------------------

    def ordered(self, rules: Iterator[ir.Rule]) -> list[ir.Rule]:
        return sorted(rules, key=lambda rule: rule.tier)

    def rule(self, name: str, roles: tuple[str, ...]) -> ir.Rule:
        rng = self.rng
        if rng.random() < 0.05:
            return ir.Rule(
                name, self.condition(1), ir.Effect.DENY, -1, ir.RuleKind.GUARD, because=name
            )
        effects = [
            ir.Effect.ALLOW,
            ir.Effect.ALLOW,
            ir.Effect.LIMIT,
            ir.Effect.THROTTLE,
            ir.Effect.DENY,
        ]
        effects += [ir.Effect.REQUIRE_HUMAN] * 2 if roles else []
        targets = self.targets()
        effect = rng.choice(effects)
        if effect is ir.Effect.LIMIT and not targets:
            effect = ir.Effect.THROTTLE
        human = effect is ir.Effect.REQUIRE_HUMAN
        limits = rng.choice((1, 1, 2)) if effect is ir.Effect.LIMIT else 0
        return ir.Rule(
            name,
            self.condition(self.shape.depth),
            effect,
            rng.randint(0, self.tiers),
            rng.choice((ir.RuleKind.RULE, ir.RuleKind.RULE, ir.RuleKind.ROW)),
            tuple(self.limit(rng.choice(targets)) for _ in range(limits)),
            tuple(self.do() for _ in range(rng.choice((0, 0, 1, 2)) if self.actions else 0)),
            tuple(rng.sample(roles, rng.randint(1, min(3, len(roles))))) if human else (),
            rng.choice((None, 1000, 60_000)) if human else None,
            rng.choice((None, 500, 30_000)) if effect is ir.Effect.THROTTLE else None,
            rng.choice(("", f"because {name}", "wegen Ü")),
            self.remedy() if rng.random() < 0.15 else None,
        )

    def overriding(self, rules: list[ir.Rule]) -> list[ir.Rule]:
        if self.rng.random() < 0.5 or len(rules) < 2:
            return rules
        depth = {rule.id: i for i, rule in enumerate(self.rng.sample(rules, len(rules)))}
        found = []
        for rule in rules:
            lower = [
                r.id
                for r in rules
                if r.tier >= rule.tier and depth[r.id] > depth[rule.id] and r.tier >= 0
            ]
            count = self.rng.choice((0, 0, 1, 2)) if rule.tier >= 0 else 0
            found.append(
                replace(rule, overrides=tuple(self.rng.sample(lower, min(count, len(lower)))))
            )
        return found

    def targets(self) -> list[ir.Field]:
        narrow = [f for f in self.numbers() if f.kind is ir.Kind.NUMBER and not f.optional]
        return [*self.outputs, *narrow]

    def limit(self, target: ir.Field) -> ir.Limit:
        lo: ir.IntExpr = ir.IntConst(target.lo)
        if self.rng.random() < 0.35:
            lo = self.clamped(target)
        return ir.Limit(target.name, lo, self.clamped(target))

    def clamped(self, target: ir.Field) -> ir.IntExpr:
        if self.rng.random() < 0.6 or max(abs(target.lo), target.hi) > BOUND:
            return ir.IntConst(self.point(target))
        inner, _ = self.integer(2, guarded=False)
        low = ir.Arith(ir.ArithOp.GREATEST, ir.IntConst(target.lo), inner)
        return ir.Arith(ir.ArithOp.LEAST, low, ir.IntConst(target.hi))

    def do(self) -> ir.Do:
        action = self.rng.choice(self.actions)
        args = tuple(self.argument(parameter) for parameter in action.parameters)
        return ir.Do(action.name, args, self.rng.choice((None, None, 600_000, 1)))

    def argument(self, parameter: ir.Field) -> ir.ArgValue:
        if parameter.is_text:
            texts = [f.name for f in self.fields if f.is_text and not f.optional]
            if texts and parameter.kind is ir.Kind.TEXT and self.rng.random() < 0.5:
                return ir.TextField(self.rng.choice(texts))
            return ir.TextConst(self.rng.choice(WORDS))
        if parameter.kind is ir.Kind.SET:
            return ir.IntConst(self.rng.randint(0, parameter.hi) & parameter.hi)
        return self.clamped(parameter)

    def remedy(self) -> ir.Remedy:
        chosen = self.rng.sample(self.fields, min(len(self.fields), self.rng.choice((0, 1, 2))))
        return ir.Remedy("do this instead", tuple((f.name, self.argument(f)) for f in chosen))


def approved_field(roles: tuple[str, ...]) -> ir.Field:
    """The built-in runtime set of roles."""
    return ir.Field(
        ir.APPROVED,
        ir.Kind.SET,
        0,
        (1 << len(roles)) - 1,
        members=roles,
        origin=ir.Origin.RUNTIME,
        implied=0,
    )
