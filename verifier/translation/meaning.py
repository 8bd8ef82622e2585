"""What a policy says about the outcome, as trees: what an artefact must come to.

In: a policy laid out over columns.  Out: the conditions of its rules and assumptions in normal form,
and the value of every cell of the outcome of a valid request (see docs/edge.md, `interpret.py`,
`obligations.py`).

Limits, `retry`, roles and `expires` of a rule that denies are left out: where such a rule is taken the
outcome is deny, which forgets them.  Roles and `expires` are those of rules that wait for a person:
where one is taken and the outcome is not deny, it is `require human`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any

from govlang.compiler import ir
from govlang.compiler.ir import Effect
from govlang.verifier.translation.edge_interface import Computed, Interface
from govlang.verifier.translation.gathered import Gathered, Way
from govlang.verifier.translation.guards import Guards
from govlang.verifier.translation.integers import ZERO, const
from govlang.verifier.translation.machine_run import signed
from govlang.verifier.translation.normal_form import normal_condition, normal_integer
from govlang.verifier.translation.paths import FREE
from govlang.verifier.translation.source import Layout
from govlang.verifier.translation.tree import FALSE, TRUE, Tree

_WORD = 32
_PERMITTING = (Effect.ALLOW, Effect.REQUIRE_HUMAN)


@dataclass(frozen=True, slots=True)
class Variant:
    """A rule with an effect that it can have, and when it is taken with it, if no better one is."""

    rule: int
    effect: Effect
    condition: Tree


@dataclass
class Meaning:
    """The outcome that a policy asks for.  `guards` must have been made of `conditions`."""

    layout: Layout
    interface: Interface
    guards: Guards
    policy: ir.Policy = field(init=False)
    _stands: dict[int, Tree] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.policy = self.layout.policy
        self.words = self.guards.words
        self.domain = self.words.domain
        self.joined = self.policy.combine in (ir.Combine.STRICT, ir.Combine.MOST_RESTRICTIVE)
        self._name_standing()

    def condition(self, condition: ir.BoolExpr) -> Tree:
        """A condition in normal form."""
        return normal_condition(self.layout.condition(condition), self.words)

    def integer(self, expr: ir.IntExpr) -> Tree:
        """An expression in normal form."""
        return normal_integer(self.layout.integer(expr), self.words)

    # --- rules that stand ------------------------------------------------------------------------

    def _name_standing(self) -> None:
        """Every rule that may be overridden stands under a name, `("stand", rule)`."""
        number = {rule.id: i for i, rule in enumerate(self.policy.rules)}
        above: dict[int, list[int]] = {i: [] for i in range(len(self.policy.rules))}
        for i, rule in enumerate(self.policy.rules):
            for name in dict.fromkeys(rule.overrides):
                above[number[name]].append(i)
        for i in TopologicalSorter(above).static_order():
            fires = self.guards.atoms[i]
            against = [self.domain.neg(self._stands[one]) for one in above[i]]
            stands = self.domain.conj([fires, *against])
            if against and stands not in (TRUE, FALSE):
                stands = self.guards.names.setdefault(stands, ("stand", i))
            self._stands[i] = stands

    @property
    def standing(self) -> dict[Tree, Tree]:
        """The name of each rule that may be overridden, and what it stands for."""
        return {name: tree for tree, name in self.guards.names.items()}

    @cached_property
    def variants(self) -> list[Variant]:
        """What rules can decide, the best one first."""
        found = []
        for number, rule in enumerate(self.policy.rules):
            stands = self._stands[number]
            if rule.effect is not Effect.REQUIRE_HUMAN:
                found.append(Variant(number, rule.effect, stands))
                continue
            approved = self.approved(rule)
            waits = self.domain.conj([stands, self.domain.neg(approved)])
            found.append(Variant(number, Effect.REQUIRE_HUMAN, waits))
            allowed = self.domain.conj([stands, approved])
            found.append(Variant(number, Effect.ALLOW, allowed))
        return sorted(found, key=lambda v: (-v.effect if self.joined else 0, v.rule, v.effect))

    def approved(self, rule: ir.Rule) -> Tree:
        """All roles that a rule asks for have approved."""
        mask = self.roles(rule)
        return self.domain.all_of(self.layout.value[ir.APPROVED], mask) if mask else TRUE

    def roles(self, rule: ir.Rule) -> int:
        """The roles that a rule asks for, as a mask."""
        return sum(1 << self.policy.roles.index(role) for role in set(rule.roles))

    # --- the decision ----------------------------------------------------------------------------

    def gather(self, way: Way, start: Tree, items: Iterable[tuple[Tree, Tree]]) -> Tree:
        """The value that is gathered of conditions and values."""
        found = Gathered(way, start)
        for condition, value in items:
            path = FREE.narrowed(condition, self.domain)
            if path is not None:
                found = found.added(path, value)
        return self.guards.read(found, FREE)

    def some(self, conditions: Iterable[Tree]) -> Tree:
        """Some of the conditions."""
        paths = (FREE.narrowed(condition, self.domain) for condition in conditions)
        kept = [path for path in paths if path is not None]
        return self.guards.condition(kept) if kept else FALSE

    @cached_property
    def best(self) -> Tree:
        """The number of the variant that decides, unless the default does; behind the last one: none."""
        items = [(variant.condition, const(i)) for i, variant in enumerate(self.variants)]
        return self.gather(Way.LEAST, const(len(items)), items)

    def of_best(self, value: Callable[[Variant | None], int]) -> Tree:
        """What the best variant has, or none."""
        values = [*map(value, self.variants), value(None)]
        found = self.words.pointwise(lambda i, _: values[i], self.best, ZERO)
        assert found is not None
        return found

    @cached_property
    def several(self) -> Tree:
        """More than one rule stands where only one may, and no guard of an invariant is the first."""
        if self.policy.combine is not ir.Combine.UNIQUE:
            return FALSE
        ranked = [(variant.condition, const(i + 1)) for i, variant in enumerate(self.variants)]
        first = self.words.exact("+", self.best, const(1))
        last = self.gather(Way.GREATEST, ZERO, ranked)
        guards = self.of_best(lambda v: int(v is not None and self._is_guard(v.rule)))
        below = self.words.compared("lt", first, last)
        return self.domain.conj([below, self.domain.neg(self.words.truth(guards))])

    def _is_guard(self, rule: int) -> bool:
        return self.policy.rules[rule].kind is ir.RuleKind.GUARD

    def taken(self, number: int) -> Tree:
        """A rule is taken: it stands, and `combine` looks at it."""
        if self.joined:
            return self._stands[number]
        own = self.of_best(lambda v: int(v is not None and v.rule == number))
        return self.domain.conj([self.words.truth(own), self.domain.neg(self.several)])

    def waits(self, number: int) -> Tree:
        """A rule is taken and not all of its roles have approved."""
        rule = self.policy.rules[number]
        if rule.effect is not Effect.REQUIRE_HUMAN:
            return FALSE
        return self.domain.conj([self.taken(number), self.domain.neg(self.approved(rule))])

    @cached_property
    def by_default(self) -> Tree:
        """Effects are joined, and no rule denies or permits where the default denies."""
        if not self.joined or self.policy.default is ir.Default.ALLOW:
            return FALSE
        rules = self.policy.rules
        lenient = [i for i, rule in enumerate(rules) if rule.effect is not Effect.DENY]
        if all(rules[i].effect in _PERMITTING for i in lenient):
            return self.words.truth(self.of_best(lambda v: int(v is None)))
        mild = self.of_best(lambda v: int(v is None or v.effect is not Effect.DENY))
        permits = self.some(self._stands[i] for i in lenient if rules[i].effect in _PERMITTING)
        return self.domain.conj([self.words.truth(mild), self.domain.neg(permits)])

    @cached_property
    def fallback(self) -> Effect:
        """The effect where no rule is taken, the joining of the default apart."""
        allows = self.joined or self.policy.default is ir.Default.ALLOW
        return Effect.ALLOW if allows else Effect.DENY

    @cached_property
    def decision(self) -> Tree:
        """The effect before limits that do not meet deny."""
        effect = self.of_best(lambda v: int(v.effect if v else self.fallback))
        denied = self.domain.disj([self.by_default, self.several])
        return self.words.chosen(denied, const(int(Effect.DENY)), effect)

    @cached_property
    def rule(self) -> Tree:
        """The number of the deciding rule."""
        count = len(self.policy.rules)
        rule = self.of_best(lambda v: v.rule if v else count)
        denied = self.domain.disj([self.by_default, self.several])
        return self.words.chosen(denied, const(count), rule)

    # --- limits ----------------------------------------------------------------------------------

    @cached_property
    def limiting(self) -> list[int]:
        """The rules whose limits count."""
        rules = enumerate(self.policy.rules)
        return [i for i, rule in rules if rule.effect is not Effect.DENY]

    def end(self, target: ir.Field, *, low: bool) -> Tree:
        """The low or high end of what a target may be."""
        items = [
            (self.taken(i), self.integer(limit.lo if low else limit.hi))
            for i in self.limiting
            for limit in self.policy.rules[i].limits
            if limit.target == target.name
        ]
        way, start = (Way.GREATEST, target.lo) if low else (Way.LEAST, target.hi)
        return self.gather(way, const(start), items)

    @cached_property
    def empty(self) -> Tree:
        """The limits of some target do not meet."""
        return self.domain.disj(
            [
                self.words.compared("lt", self.end(one, low=False), self.end(one, low=True))
                for one in self.interface.targets
            ]
        )

    @cached_property
    def denied(self) -> Tree:
        """The outcome is deny."""
        deny = int(Effect.DENY)
        return self.domain.disj([self.words.within(self.decision, ((deny, deny),)), self.empty])

    # --- cells -----------------------------------------------------------------------------------

    def cells(self) -> dict[str, Tree]:
        """The value of every cell for a valid request."""
        found = {
            "out.decision": self.words.chosen(self.empty, const(int(Effect.DENY)), self.decision),
            "out.rule": self.rule,
            "out.invalid": const(-1),
        }
        found.update(self._limits())
        found.update(
            self._marked("out.dos", [set(r.dos) for r in self.policy.rules], self.interface.duties)
        )
        found.update(self._times())
        remedies = [{r.remedy} if r.remedy else set() for r in self.policy.rules]
        found.update(self._marked("out.remedies", remedies, self.interface.remedies))
        for word, computed in (
            ("out.dos", self.interface.do_values),
            ("out.remedies", self.interface.remedy_values),
        ):
            for one in computed:
                found[one.cell] = self._computed(one, found[f"{word}.{one.number // _WORD}"])
        return {cell.name: found[cell.name] for cell in self.interface.cells}

    def _kept(self, value: Tree, neutral: int) -> Tree:
        return self.words.chosen(self.denied, const(neutral), value)

    def _word(self, conditions: Sequence[Tree], width: int = _WORD) -> Tree:
        return self.words.word(width, dict(enumerate(conditions)))

    def _limits(self) -> dict[str, Tree]:
        found = {}
        targets = self.interface.targets
        limited = [
            self.some(
                self.taken(i)
                for i in self.limiting
                if any(limit.target == one.name for limit in self.policy.rules[i].limits)
            )
            for one in targets
        ]
        for at in range(0, len(targets), _WORD):
            word = self._word(limited[at : at + _WORD])
            found[f"out.limited.{at // _WORD}"] = self._kept(word, 0)
        for one in targets:
            found[f"out.lo.{one.name}"] = self._kept(self.end(one, low=True), one.lo)
            found[f"out.hi.{one.name}"] = self._kept(self.end(one, low=False), one.hi)
        return found

    def _marked(self, name: str, own: Sequence[set[Any]], every: Sequence[Any]) -> dict[str, Tree]:
        """The words of a mask with a bit for each thing that rules ask for."""
        conditions = [
            self.some(self.taken(i) for i, things in enumerate(own) if thing in things)
            for thing in every
        ]
        return {
            f"{name}.{at // _WORD}": self._word(conditions[at : at + _WORD])
            for at in range(0, len(conditions), _WORD)
        }

    def _person(self) -> tuple[Tree, Tree]:
        """Who must approve, and within which time (-1: none), where the outcome waits for a person."""
        joined = self.policy.combine in (ir.Combine.STRICT, ir.Combine.MOST_RESTRICTIVE)
        asking = [
            (i, rule, mask)
            for i, rule in enumerate(self.policy.rules)
            if rule.effect is Effect.REQUIRE_HUMAN and (mask := self.roles(rule))
        ]
        asked = {(mask, rule.expires_ms) for _, rule, mask in asking}
        if joined and len(asked) == 1:
            return self._by_decision(*asked.pop())
        bits = range(len(self.policy.roles))
        conditions = [
            self.some(self.waits(i) for i, _, m in asking if m >> bit & 1) for bit in bits
        ]
        never = const(ir.INT64_MAX)
        times = [
            (self.waits(i), const(rule.expires_ms))
            for i, rule, _ in asking
            if rule.expires_ms is not None
        ]
        expires = self.gather(Way.LEAST, never, times)
        none = self.words.compared("eq", expires, never)
        return self._word(conditions, 64), self.words.chosen(none, const(-1), expires)

    def _by_decision(self, mask: int, expires_ms: int | None) -> tuple[Tree, Tree]:
        """The same where all rules ask for the same: joined effects are REQUIRE_HUMAN exactly where a rule
        that waits is taken and none denies, and nobody waits for a rule without roles.
        """
        human = int(Effect.REQUIRE_HUMAN)
        waits = self.words.within(self.decision, ((human, human),))
        expires = -1 if expires_ms is None else expires_ms
        return (
            self.words.chosen(waits, const(signed(mask, 64)), const(0)),
            self.words.chosen(waits, const(expires), const(-1)),
        )

    def _times(self) -> dict[str, Tree]:
        roles, expires = self._person()
        retry = self.gather(
            Way.GREATEST,
            const(-1),
            (
                (self.taken(i), const(self.policy.rules[i].retry_ms or 0))
                for i in self.limiting
                if self.policy.rules[i].retry_ms is not None
            ),
        )
        return {
            "out.roles": self._kept(roles, 0),
            "out.expires": self._kept(expires, -1),
            "out.retry": self._kept(retry, -1),
        }

    def _computed(self, one: Computed, word: Tree) -> Tree:
        bits = self.words.bits(word, _WORD)
        assert bits is not None
        asked = bits.get(one.number % _WORD, FALSE)
        return self.words.chosen(asked, self.integer(one.expr), ZERO)
