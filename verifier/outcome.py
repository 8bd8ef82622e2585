"""The decision function as Z3 terms: what the interpreter's `combine` comes to.

In: an encoder, the rules that can fire where one looks, and the term for each rule's firing.  Out:
who stands, who is taken, the effect, the deciding rule, and when two outcomes differ.

What always holds: wherever no other rule fires, these terms equal the interpreter's outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import assert_never

import z3

from govlang.compiler import ir
from govlang.compiler.ir import Effect
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.smtlib import total

PERMITS = frozenset({Effect.ALLOW, Effect.REQUIRE_HUMAN})
Fires = Callable[[ir.Rule], Term]


def false() -> Term:
    """False, in the solver's context of the moment."""
    return z3.BoolVal(False)


def any_of(terms: Iterable[Term]) -> Term:
    """Some of the terms holds."""
    found = [t for t in terms if not z3.is_false(t)]
    return found[0] if len(found) == 1 else z3.Or(found)


class Decision:
    """The outcome of some rules, in order of precedence."""

    def __init__(
        self,
        encoder: Encoder,
        rules: Sequence[ir.Rule],
        fires: Fires,
        ignored: tuple[str, str] | None = None,
        policy: ir.Policy | None = None,
    ) -> None:
        """`ignored` is a pair (rule, overridden rule) whose `overrides` is left out.

        `policy` None: the encoder's, whose `combine`, default and targets count.
        """
        self.encoder = encoder
        self.policy = policy or encoder.columns.policy
        self.rules = tuple(rules)
        self.fires = fires
        self.ignored = ignored
        self._overriders = self._read_overrides()
        self._stands: dict[str, Term] = {}

    def _read_overrides(self) -> dict[str, list[ir.Rule]]:
        found: dict[str, list[ir.Rule]] = {}
        for rule in self.rules:
            for name in rule.overrides:
                if (rule.id, name) != self.ignored:
                    found.setdefault(name, []).append(rule)
        return found

    def stands(self, rule: ir.Rule) -> Term:
        """The rule fires and nothing that stands overrides it."""
        found = self._stands.get(rule.id)
        if found is None:
            others = self._overriders.get(rule.id, ())
            above = [z3.Not(self.stands(other)) for other in others]
            found = z3.And([self.fires(rule), *above]) if above else self.fires(rule)
            self._stands[rule.id] = found
        return found

    @cached_property
    def standing(self) -> dict[str, Term]:
        """When each rule stands."""
        return {rule.id: self.stands(rule) for rule in self.rules}

    @cached_property
    def taken(self) -> dict[str, Term]:
        """When `combine` looks at each rule."""
        match self.policy.combine:
            case ir.Combine.STRICT | ir.Combine.MOST_RESTRICTIVE:
                return self.standing
            case ir.Combine.FIRST_MATCH:
                return dict(self._first(self.rules, false()))
            case ir.Combine.UNIQUE:
                return dict(self._only())
            case _:
                assert_never(self.policy.combine)

    def _first(self, rules: Sequence[ir.Rule], before: Term) -> Iterator[tuple[str, Term]]:
        for rule in rules:
            own = self.standing[rule.id]
            yield rule.id, z3.And(own, z3.Not(before))
            before = any_of((before, own))

    def _only(self) -> Iterator[tuple[str, Term]]:
        """The first guard that stands, else the only rule that does."""
        guards = [rule for rule in self.rules if rule.kind is ir.RuleKind.GUARD]
        yield from self._first(guards, false())
        guarded = any_of(self.standing[rule.id] for rule in guards)
        others = [rule for rule in self.rules if rule.kind is not ir.RuleKind.GUARD]
        count = total([z3.If(self.standing[r.id], 1, 0) for r in others])
        for rule in others:
            yield rule.id, z3.And(self.standing[rule.id], count == 1, z3.Not(guarded))

    @cached_property
    def effects(self) -> dict[str, tuple[tuple[Effect, Term], ...]]:
        """What each rule gives when it is taken: one effect, or two with their conditions."""
        return {rule.id: tuple(self._effects(rule)) for rule in self.rules}

    def _effects(self, rule: ir.Rule) -> Iterator[tuple[Effect, Term]]:
        taken = self.taken[rule.id]
        if rule.effect is Effect.REQUIRE_HUMAN:
            approved = self.encoder.approved(rule)
            yield Effect.REQUIRE_HUMAN, z3.And(taken, z3.Not(approved))
            yield Effect.ALLOW, z3.And(taken, approved)
        else:
            yield rule.effect, taken

    @cached_property
    def given(self) -> dict[Effect, Term]:
        """When some rule that is taken gives each effect."""
        return {
            effect: any_of(t for own in self.effects.values() for e, t in own if e is effect)
            for effect in Effect
        }

    def extends(self, other: Decision, rule: ir.Rule) -> None:
        """Share the terms of a decision that lacks a rule which changes nothing for the others."""
        self.taken = {**other.taken, rule.id: self.stands(rule)}
        own = tuple(self._effects(rule))
        self.effects = {**other.effects, rule.id: own}
        self.given = {
            effect: any_of((other.given[effect], *(t for e, t in own if e is effect)))
            for effect in Effect
        }
        permits = [self.taken[rule.id]] if rule.effect in PERMITS else []
        self.permitted = any_of((other.permitted, *permits))

    @cached_property
    def permitted(self) -> Term:
        """Some rule that is taken permits."""
        return any_of(self.taken[rule.id] for rule in self.rules if rule.effect in PERMITS)

    @cached_property
    def joined(self) -> dict[Effect, Term]:
        """When the outcome is each effect, before limits that do not meet."""
        found: dict[Effect, Term] = {}
        deny = z3.Or(self.given[Effect.DENY], self._default_denies())
        stricter: list[Term] = []
        for effect in reversed(Effect):
            own = deny if effect is Effect.DENY else self.given[effect]
            if effect is Effect.ALLOW:
                own = z3.BoolVal(True)
            found[effect] = z3.And([own, *(z3.Not(s) for s in stricter)])
            stricter.append(own)
        return found

    def _default_denies(self) -> Term:
        """No rule permits and the default denies; or several stand where only one may."""
        denies = z3.BoolVal(self.policy.default is not ir.Default.ALLOW)
        if self.policy.combine in (ir.Combine.FIRST_MATCH, ir.Combine.UNIQUE):
            taken = any_of(self.taken.values())
            stands = any_of(self.standing.values())
            return z3.And(z3.Not(taken), z3.Or(denies, stands))
        return z3.And(z3.Not(self.permitted), denies)

    @cached_property
    def effect(self) -> dict[Effect, Term]:
        """When the outcome is each effect."""
        apart = z3.Not(self.limits_meet)
        return {
            effect: z3.Or(term, apart) if effect is Effect.DENY else z3.And(term, z3.Not(apart))
            for effect, term in self.joined.items()
        }

    @cached_property
    def deciders(self) -> dict[str, Term]:
        """When each rule is the outcome's `rule_id`."""
        found: dict[str, list[Term]] = {rule.id: [] for rule in self.rules}
        for effect in Effect:
            before: list[Term] = []
            for rule in self.rules:
                for own, term in self.effects[rule.id]:
                    if own is effect:
                        first = [self.joined[effect], term, *(z3.Not(b) for b in before)]
                        found[rule.id].append(z3.And(first))
                        before = [any_of((*before, term))]
        return {name: any_of(terms) for name, terms in found.items()}

    @cached_property
    def by_default(self) -> Term:
        """The outcome is the default's: no rule that is taken gives the joined effect."""
        return any_of(z3.And(self.joined[effect], z3.Not(self.given[effect])) for effect in Effect)

    def decides(self, rule: ir.Rule) -> Term:
        """A rule is the outcome's `rule_id`."""
        before = self.rules[: self.rules.index(rule)]
        found = []
        for effect, term in self.effects[rule.id]:
            earlier = any_of(t for r in before for e, t in self.effects[r.id] if e is effect)
            found.append(z3.And(self.joined[effect], term, z3.Not(earlier)))
        return any_of(found)

    # --- limits ------------------------------------------------------------------------------------

    @cached_property
    def limited(self) -> dict[str, tuple[Term, Term, Term]]:
        """By target: whether a limit is given, and the range that is left."""
        found: dict[str, tuple[Term, Term, Term]] = {}
        for rule in self.rules:
            for limit in rule.limits:
                target = self.policy.target(limit.target)
                given, low, high = found.get(
                    limit.target, (false(), z3.IntVal(target.lo), z3.IntVal(target.hi))
                )
                taken = self.taken[rule.id]
                lo, hi = self.encoder.integer(limit.lo), self.encoder.integer(limit.hi)
                if limit.lo != ir.IntConst(target.lo):
                    low = z3.If(z3.And(taken, lo > low), lo, low)
                high = z3.If(z3.And(taken, hi < high), hi, high)
                found[limit.target] = any_of((given, taken)), low, high
        return found

    @cached_property
    def limits_meet(self) -> Term:
        """Every limited target has a value left."""
        return z3.And([low <= high for _, low, high in self.limited.values()])

    # --- other obligations -------------------------------------------------------------------------

    def waiting(self, rule: ir.Rule) -> Term:
        """The rule is taken and waits for people."""
        return next(t for e, t in self.effects[rule.id] if e is Effect.REQUIRE_HUMAN)

    def asks(self, role: str) -> Term:
        """A rule that waits for people names the role."""
        return any_of(
            self.waiting(rule)
            for rule in self.rules
            if rule.effect is Effect.REQUIRE_HUMAN and role in rule.roles
        )

    def expires_by(self, ms: int) -> Term:
        """A rule that waits for people expires in at most this time."""
        return any_of(
            self.waiting(rule)
            for rule in self.rules
            if rule.effect is Effect.REQUIRE_HUMAN
            and rule.expires_ms is not None
            and rule.expires_ms <= ms
        )

    def retries_after(self, ms: int) -> Term:
        """A rule that is taken asks to wait at least this time."""
        return any_of(
            self.taken[rule.id]
            for rule in self.rules
            if rule.retry_ms is not None and rule.retry_ms >= ms
        )

    def does(self, do: ir.Do) -> Term:
        """A rule that is taken does at least this: the same action and arguments, no shorter."""
        return any_of(
            z3.And(self.taken[rule.id], self._same_args(do, own))
            for rule in self.rules
            for own in rule.dos
            if own.action == do.action and _no_shorter(own.for_ms, do.for_ms)
        )

    def _same_args(self, a: ir.Do, b: ir.Do) -> Term:
        if a.args == b.args:
            return z3.BoolVal(True)
        if len(a.args) != len(b.args):
            return false()
        return z3.And([self.same(x, y) for x, y in zip(a.args, b.args, strict=True)])

    def same(self, a: ir.ArgValue, b: ir.ArgValue) -> Term:
        """Two arguments have one value."""
        return self.encoder.same(a, b)

    def remedies(self, remedy: ir.Remedy) -> Term:
        """A rule that is taken offers this remedy."""
        return any_of(
            z3.And(self.taken[rule.id], self._same_remedy(remedy, rule.remedy))
            for rule in self.rules
            if rule.remedy is not None and _alike(rule.remedy, remedy)
        )

    def _same_remedy(self, a: ir.Remedy, b: ir.Remedy) -> Term:
        ours, theirs = dict(a.values), dict(b.values)
        return z3.And([self.same(value, theirs[name]) for name, value in ours.items()])


def _no_shorter(own: int | None, than: int | None) -> bool:
    return own is None or (than is not None and own >= than)


def _alike(a: ir.Remedy, b: ir.Remedy) -> bool:
    return a.text == b.text and {n for n, _ in a.values} == {n for n, _ in b.values}
