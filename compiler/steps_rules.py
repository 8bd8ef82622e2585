"""Which rules fire, which of them stand, and what they gather then.

In: a policy, its gathering slots, and (for many rules) its diagram.  Out: statements.

Few rules are tested one after another, each into a flag of its own; then ranks are taken from the
worst to the best, so that the last one wins without a comparison.  Many are told apart by a walk,
gather where they are found, and take a rank only if it is smaller.  Rules that override or are
overridden gather behind the walk, overriders first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from graphlib import TopologicalSorter
from typing import Final

from govlang.compiler import ir
from govlang.compiler.diagram import CODE, build_diagram
from govlang.compiler.interface import WORD
from govlang.compiler.nodes import Diagram
from govlang.compiler.program import (
    Bit,
    Condition,
    Decide,
    Flag,
    Gather,
    Mark,
    MaskTest,
    Number,
    Start,
    Statement,
    Way,
)
from govlang.compiler.steps_gather import Gathering, Slots
from govlang.compiler.steps_logic import NO, YES, both, either, negation
from govlang.compiler.steps_terms import Reading
from govlang.compiler.steps_walk import Walk, when
from govlang.compiler.text_classes import TextClasses

FEW: Final = 24
"""Rules that are tested one after another rather than told apart."""

OBLIGATIONS_INLINE: Final = 1
"""Statements behind a rule of a walk that are not worth a branch."""


def overriders(policy: ir.Policy) -> dict[int, frozenset[int]]:
    """Every rule that overrides or is overridden, with those that override it; overriders come first."""
    number = {rule.id: i for i, rule in enumerate(policy.rules)}
    above: dict[int, set[int]] = {}
    for i, rule in enumerate(policy.rules):
        for name in rule.overrides:
            above.setdefault(number[name], set()).add(i)
    order = TopologicalSorter({k: sorted(v) for k, v in sorted(above.items())}).static_order()
    return {i: frozenset(above.get(i, ())) for i in order}


def rules_of(
    policy: ir.Policy,
    classes: Mapping[str, TextClasses],
    reading: Reading,
    slots: Slots,
    gathering: Gathering,
) -> Few | Many:
    """How the rules of a policy are found."""
    if len(policy.rules) <= FEW:
        return Few(policy, reading, slots, gathering)
    return Many(policy, reading, slots, gathering, build_diagram(policy, classes, CODE))


class Few:
    """Every rule is tested."""

    def __init__(
        self, policy: ir.Policy, reading: Reading, slots: Slots, gathering: Gathering
    ) -> None:
        self._policy = policy
        self._reading = reading
        self._slots = slots
        self._gathering = gathering

    def statements(self) -> Iterator[Statement]:
        """Flags, then what standing rules gather."""
        stands: dict[int, Condition] = {}
        for number, rule in enumerate(self._policy.rules):
            condition = self._reading.condition(rule.condition, {})
            if condition != NO:
                slot = self._slots.of(f"fires.{rule.id}")
                yield Decide(slot, condition, rule.id)
                stands[number] = Flag(slot)
        yield from self._standing(stands)
        waits: dict[int, Condition] = {}
        for number, flag in stands.items():
            waits[number] = self._gathering.waiting(number, flag)
            if waits[number] != NO:
                rule = self._policy.rules[number]
                slot = self._slots.of(f"waits.{rule.id}")
                yield Decide(slot, waits[number], rule.id)
                waits[number] = Flag(slot)
        yield from _ranked(self._gathering, stands, waits)
        yield from _merged(self._gathered(stands, waits))

    def _gathered(
        self, stands: dict[int, Condition], waits: dict[int, Condition]
    ) -> Iterator[Statement]:
        for number, flag in stands.items():
            yield from self._gathering.permitting(number, flag)
            if self._gathering.ranks.joined:
                yield from self._gathering.obligations(number, flag, waits[number])

    def _standing(self, stands: dict[int, Condition]) -> Iterator[Statement]:
        """Flags of rules that may be overridden become those of standing ones."""
        for number, above in overriders(self._policy).items():
            against = [negation(stands[one]) for one in sorted(above) if one in stands]
            if number in stands and against:
                rule = self._policy.rules[number]
                slot = self._slots.of(f"stands.{rule.id}")
                yield Decide(slot, both((stands[number], *against)), rule.id)
                stands[number] = Flag(slot)


def _ranked(
    gathering: Gathering, stands: dict[int, Condition], waits: dict[int, Condition]
) -> Iterator[Statement]:
    """The ranks of all rules, each into a slot where no better one can stand yet."""
    found = ((n, flag, waits[n]) for n, flag in stands.items())
    ranked = [pair for one in found for pair in gathering.ranked(*one)]
    ranked.sort(key=lambda pair: pair[1])
    for condition, rank in reversed(ranked):
        yield Gather(gathering.best, condition, Number(rank, 32), Way.LAST)
    if gathering.worst is not None:
        for condition, rank in ranked:
            yield Gather(gathering.worst, condition, Number(rank, 32), Way.LAST)


def _merged(found: Iterable[Statement]) -> Iterator[Statement]:
    """Rules that gather the same do so at once."""
    conditions: dict[Statement, list[Condition]] = {}
    for one in found:
        assert isinstance(one, Gather | Mark)
        conditions.setdefault(replace(one, condition=YES), []).append(one.condition)
    for one, some in conditions.items():
        assert isinstance(one, Gather | Mark)
        yield replace(one, condition=either(some))


class Many:
    """Rules are told apart."""

    def __init__(
        self,
        policy: ir.Policy,
        reading: Reading,
        slots: Slots,
        gathering: Gathering,
        diagram: Diagram,
    ) -> None:
        self._policy = policy
        self._gathering = gathering
        self._flag = slots.of("flag")
        self._waits = slots.of("waits")
        self._above = overriders(policy)
        self._bits = {rule: bit for bit, rule in enumerate(self._above)}
        count = -(-len(self._bits) // WORD)
        self._fired = [slots.of(f"fired.{word}", mask=True) for word in range(count)]
        self._stands = [slots.of(f"stands.{word}", mask=True) for word in range(count)]
        self._walk = Walk(policy, diagram, reading, self._fire)

    def statements(self) -> Iterator[Statement]:
        """The walk, then what is left of the rules that override or are overridden."""
        yield from (Start(slot, Number(0, 32)) for slot in (*self._fired, *self._stands))
        yield from self._walk.statements()
        for number, above in self._above.items():
            yield from self._standing(number, above)

    def _fire(self, number: int, condition: Condition) -> Sequence[Statement]:
        found: list[Statement] = []
        if condition != YES:
            found.append(Decide(self._flag, condition, self._policy.rules[number].id))
            condition = Flag(self._flag)
        if number in self._bits:
            word, bit = divmod(self._bits[number], WORD)
            return (*found, Mark(self._fired[word], condition, 1 << bit))
        return (*found, *self._gather(number, condition))

    def _standing(self, number: int, above: frozenset[int]) -> Iterator[Statement]:
        word, bit = divmod(self._bits[number], WORD)
        masks: dict[int, int] = {}
        for one in above:
            where, which = divmod(self._bits[one], WORD)
            masks[where] = masks.get(where, 0) | 1 << which
        free = (
            negation(MaskTest(self._stands[where], ir.SetOp.ANY, mask))
            for where, mask in sorted(masks.items())
        )
        fired: Condition = Bit(self._fired[word], bit)
        rule = self._policy.rules[number]
        yield Decide(self._flag, both((fired, *free)), rule.id)
        if rule.overrides:
            yield Mark(self._stands[word], Flag(self._flag), 1 << bit)
        yield from self._gather(number, Flag(self._flag))

    def _gather(self, number: int, stands: Condition) -> Iterator[Statement]:
        gathering = self._gathering
        waits = gathering.waiting(number, stands)
        if waits != NO:
            yield Decide(self._waits, waits)
            waits = Flag(self._waits)
        for condition, rank in gathering.ranked(number, stands, waits):
            yield Gather(gathering.best, condition, Number(rank, 32), Way.LEAST)
            if gathering.worst is not None:
                yield Gather(gathering.worst, condition, Number(rank, 32), Way.GREATEST)
        yield from gathering.permitting(number, stands)
        if not gathering.ranks.joined:
            return
        found = gathering.obligations(number, stands, waits)
        if len(found) > OBLIGATIONS_INLINE:
            yield from when(stands, gathering.obligations(number, YES, waits))
        else:
            yield from found
