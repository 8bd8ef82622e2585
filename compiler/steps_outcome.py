"""The outcome, from what the rules have gathered.

In: the gathering slots of a policy.  Out: statements that end a step: the default joins in, a rule
that is taken whole gives its obligations, and every cell is stored.

What always holds: on deny only duties and remedies remain.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from govlang.compiler import interface, ir
from govlang.compiler.boxes import ranges_of
from govlang.compiler.ir import CompareOp, Effect
from govlang.compiler.program import (
    Bit,
    Cell,
    Compare,
    Condition,
    Decide,
    Flag,
    Gather,
    Inside,
    Let,
    Number,
    Slot,
    Start,
    Statement,
    Store,
    Switch,
    Unpacked,
    Value,
    Way,
)
from govlang.compiler.program_walk import all_reads
from govlang.compiler.steps_gather import NEVER, Gathering, Slots, read
from govlang.compiler.steps_logic import NO, YES, both, either, negation
from govlang.compiler.steps_terms import Reading, chosen, widened
from govlang.compiler.steps_walk import when

_EFFECT: Final = 7
"""The bits of an effect in a rank that begins with the rule."""


class Ending:
    """The end of a step."""

    def __init__(
        self,
        policy: ir.Policy,
        reading: Reading,
        slots: Slots,
        gathering: Gathering,
        *,
        fault: Condition = NO,
        decided: Slot | None = None,
    ) -> None:
        """`fault`: when the clock denies; `decided`: where the decision is kept for what comes behind it."""
        self._policy = policy
        self._reading = reading
        self._slots = slots
        self._gathering = gathering
        self._ranks = gathering.ranks
        self._fault = fault
        self._decided = decided

    def statements(self) -> Iterator[Statement]:
        """From ranks to cells."""
        yield from self._defaulted()
        decision, rule = self._unpacked()
        if not self._ranks.joined:
            decided, taken = self._slots.of("decision"), self._slots.of("rule")
            yield from (Start(decided, decision), Start(taken, rule))
            yield from self._whole(taken, Compare(CompareOp.EQ, read(decided), _effect(_HUMAN)))
            decision, rule = read(decided), read(taken)
        yield from self._stores(decision, rule)

    def refused(self) -> tuple[tuple[Slot, int], ...]:
        """What a refused step leaves to the stores, together with masks that are empty."""
        rule, denied = len(self._policy.rules) + 1, (self._slots.of("denied"), 1)
        if self._ranks.joined:
            asks = self._slots.of("asks"), 0
            return (self._gathering.best, self._ranks.of(Effect.DENY, rule)), denied, asks
        return (self._slots.of("decision"), Effect.DENY), (self._slots.of("rule"), rule), denied

    # --- the default -------------------------------------------------------------------------------

    def _defaulted(self) -> Iterator[Statement]:
        denied = self._denied_by_default()
        if denied != NO:
            yield Gather(self._gathering.best, denied, Number(self._ranks.denied, 32), Way.LAST)

    def _denied_by_default(self) -> Condition:
        """Where no rank says that the step is denied, but it is."""
        best = read(self._gathering.best)
        if self._gathering.worst is not None:
            return self._many(best)
        if not self._ranks.joined or self._policy.default is ir.Default.ALLOW:
            return NO
        if self._gathering.permits is None:
            return Compare(CompareOp.EQ, best, Number(self._ranks.start, 32))
        return both((negation(Bit(self._gathering.permits, 0)), negation(self._strict(best))))

    def _many(self, best: Value) -> Condition:
        """More than one rule stands, and none of them is the guard of an invariant."""
        assert self._gathering.worst is not None
        several = Compare(CompareOp.LT, best, read(self._gathering.worst))
        guards = [rule.kind is ir.RuleKind.GUARD for rule in self._policy.rules]
        numbers = [number for number, guard in enumerate(guards) if guard]
        if not numbers:
            return several
        lowest = [
            Inside(
                self._gathering.best,
                ((self._ranks.of(Effect.ALLOW, number), self._ranks.of(Effect.DENY, number)),),
                0,
                self._ranks.start,
            )
            for number in numbers
        ]
        return both((several, negation(either(lowest))))

    def _strict(self, best: Value) -> Condition:
        """A rule denies."""
        return Compare(CompareOp.LT, best, Number(1 << self._ranks.shift, 32))

    def _unpacked(self) -> tuple[Value, Value]:
        best, shift = self._gathering.best, self._ranks.shift
        if self._ranks.joined:
            decision = Unpacked(best, shift, None, int(Effect.DENY))
            return decision, Unpacked(best, 0, (1 << shift) - 1)
        return Unpacked(best, 0, _EFFECT), Unpacked(best, _EFFECT.bit_length())

    # --- a rule taken whole ------------------------------------------------------------------------

    def _whole(self, taken: Slot, waits: Condition) -> Iterator[Statement]:
        """The obligations of the deciding rule; `waits`: a person has yet to approve."""
        parts: dict[tuple[Statement, ...], list[int]] = {}
        for number in range(len(self._policy.rules)):
            body = self._gathering.obligations(number, YES, waits)
            if body:
                parts.setdefault(body, []).append(number)
        if len(parts) == 1:
            ((body, numbers),) = parts.items()
            yield from when(self._is(taken, numbers), body)
        elif parts:
            yield Switch(taken, tuple((tuple(values), body) for body, values in parts.items()))

    def _is(self, taken: Slot, numbers: list[int]) -> Condition:
        return Inside(taken, ranges_of(numbers), 0, len(self._policy.rules))

    # --- cells -------------------------------------------------------------------------------------

    def _stores(self, decision: Value, rule: Value) -> Iterator[Statement]:
        empty = either(
            Compare(CompareOp.LT, _end(span.hi, span.field.hi), _end(span.lo, span.field.lo))
            for span in self._gathering.spans.values()
            if span.clashes
        )
        if empty != NO:
            slot = self._slots.of("empty")
            yield Decide(slot, empty)
            empty = Flag(slot)
        denied, asks = self._slots.of("denied"), self._slots.of("asks")
        waits, approved = self._asked()
        allowed = chosen(approved, _effect(Effect.ALLOW), decision)
        final = chosen(either((empty, self._fault)), _effect(Effect.DENY), allowed)
        by_clock = Number(len(self._policy.rules) + 2, 32)
        first = {
            "decision": final if self._decided is None else read(self._decided),
            "rule": chosen(self._fault, by_clock, rule),
            "invalid": Number(-1, 32),
            **dict(self._person(Flag(asks))),
        }
        stores = [
            Store(cell, first.get(name) or self._cell(name, cell, Flag(denied)))
            for name, cell in self._gathering.cells.items()
        ]
        if self._decided is not None:
            yield Let(self._decided, final, (int(Effect.ALLOW), int(Effect.DENY)))
        if denied in all_reads(stores):
            yield Decide(denied, either((self._denied(decision), empty, self._fault)))
        if asks in all_reads(stores):
            yield Decide(asks, both((waits, negation(either((empty, self._fault))))))
        yield from stores

    def _asked(self) -> tuple[Condition, Condition]:
        """The rank says that a person is asked; or would be, had nobody approved.

        Both never hold where a rank of its own says that everybody asked has approved, or where what is
        asked for is gathered rule by rule.
        """
        asking = self._gathering.asking
        if asking is None:
            return NO, NO
        decision = Unpacked(self._gathering.best, self._ranks.shift)
        human = Compare(CompareOp.EQ, decision, Number(Effect.DENY - _HUMAN, 32))
        if not asking.merged:
            return human, NO
        approved = self._gathering.approved(asking.roles)
        return both((human, negation(approved))), both((human, approved))

    def _person(self, asks: Condition) -> Iterator[tuple[str, Value]]:
        """Who must approve within which time, where all rules ask for the same."""
        asking = self._gathering.asking
        if asking is not None:
            yield "roles", chosen(asks, Number(asking.roles, 64), Number(0, 64))
            if asking.expires_ms is not None:
                yield "expires", chosen(asks, Number(asking.expires_ms, 64), Number(-1, 64))

    def _denied(self, decision: Value) -> Condition:
        if self._ranks.joined:
            return self._strict(read(self._gathering.best))
        return Compare(CompareOp.EQ, decision, _effect(Effect.DENY))

    def _cell(self, name: str, cell: Cell, denied: Condition) -> Value:
        kind, _, rest = name.partition(".")
        match kind:
            case "lo" | "hi":
                span = self._gathering.spans[rest]
                slot = span.lo if kind == "lo" else span.hi
                return _kept(cell, denied, slot)
            case "dos" | "remedies":
                return chosen(self._fault, Number(0, 32), read(self._gathering.masks[name]))
            case "do" | "remedy":
                return self._argument(kind, rest)
            case "limited" | "roles":
                return _kept(cell, denied, self._gathering.masks[name])
            case "expires" if name in self._gathering.times:
                slot = self._gathering.times[name]
                none = Compare(CompareOp.EQ, read(slot), Number(NEVER, 64))
                return chosen(either((denied, none)), Number(-1, 64), read(slot))
            case _:
                return _kept(cell, denied, self._gathering.times.get(name))

    def _argument(self, kind: str, rest: str) -> Value:
        """A computed argument, where its duty or remedy is asked for."""
        number, _, name = rest.partition(".")
        word, bit = divmod(int(number), interface.WORD)
        if kind == "do":
            do = interface.duties(self._policy)[int(number)]
            fields = interface.parameters(self._policy, do)
            value = next(v for f, v in zip(fields, do.args, strict=True) if f.name == name)
            asked = self._gathering.masks[f"dos.{word}"]
        else:
            remedy = interface.remedies(self._policy)[int(number)]
            value = dict(remedy.values)[name]
            asked = self._gathering.masks[f"remedies.{word}"]
        expr = interface.computed(value)
        assert expr is not None
        is_asked = both((Bit(asked, bit), negation(self._fault)))
        return chosen(is_asked, widened(self._reading.value(expr)), Number(0, 64))


_HUMAN: Final = Effect.REQUIRE_HUMAN


def _effect(effect: Effect) -> Number:
    return Number(int(effect), 32)


def _end(slot: Slot | None, end: int) -> Value:
    return Number(end, 64) if slot is None else widened(read(slot))


def _kept(cell: Cell, denied: Condition, slot: Slot | None) -> Value:
    """What a slot holds, forgotten on deny; the neutral value where nothing is ever gathered."""
    if slot is None:
        return Number(cell.neutral, cell.width)
    return chosen(denied, Number(cell.neutral, slot.width), read(slot))
