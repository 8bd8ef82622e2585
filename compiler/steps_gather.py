"""What a rule gathers when it stands: its rank, and its obligations.

In: a policy, and where its words are.  Out: statements, given the condition that a rule stands.

Effect and number of a rule are one number, its *rank*, of which the smallest decides: the strictest
effect first where effects are joined, else the first rule.  What always holds: gathering twice, or in
another order, gives the same; what an outcome of deny forgets may be gathered or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from govlang.compiler import interface, ir
from govlang.compiler.edge_fields import width as field_width
from govlang.compiler.intervals import Interval, interval, policy_ranges
from govlang.compiler.ir import Effect, SetOp
from govlang.compiler.program import (
    Condition,
    Gather,
    Mark,
    MaskTest,
    Number,
    Read,
    Slot,
    Start,
    Statement,
    Value,
    Variable,
    Way,
)
from govlang.compiler.steps_asking import asking_of, asks, roles_of
from govlang.compiler.steps_logic import NO, both, negation
from govlang.compiler.steps_terms import Reading, widened, width

NEVER: Final = ir.INT64_MAX
"""`expires` before a rule has given a time."""

BEST: Final = "step.best"
"""The name of the slot of the least rank."""

_EFFECT_BITS: Final = 3


@dataclass(slots=True)
class Slots:
    """The slots of a program, in the order in which they were asked for.

    INVARIANT: no variable's name begins like the names of the other slots, `step.`.
    """

    found: dict[str, Slot] = field(default_factory=dict)

    def variable(self, one: Variable) -> Slot:
        """The slot that a variable is read into."""
        return self.found.setdefault(one.name, Slot(one.name, one.width, one.mask))

    def of(self, name: str, bits: int = 32, *, mask: bool = False) -> Slot:
        """The slot of something that the step finds out."""
        full = f"step.{name}"
        return self.found.setdefault(full, Slot(full, bits, mask))


# --- ranks -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ranks:
    """Effects and rules as numbers: `(4 − effect) << shift | rule` if effects are joined.

    Where a rule is taken whole, it is `rule << 3 | effect`.
    """

    policy: ir.Policy
    joined: bool
    shift: int

    def of(self, effect: Effect, rule: int) -> int:
        """The rank of a rule with the effect that it has now."""
        if self.joined:
            return (Effect.DENY - effect) << self.shift | rule
        return rule << _EFFECT_BITS | effect

    @property
    def start(self) -> int:
        """The rank before any rule stands: above all others, and what the default gives."""
        allows = self.joined or self.policy.default is ir.Default.ALLOW
        return self.of(Effect.ALLOW if allows else Effect.DENY, len(self.policy.rules))

    @property
    def denied(self) -> int:
        """Deny by default."""
        return self.of(Effect.DENY, len(self.policy.rules))


def ranks_of(policy: ir.Policy) -> Ranks:
    """The ranks of a policy; there is room for the two numbers behind those of the rules."""
    joined = policy.combine in (ir.Combine.STRICT, ir.Combine.MOST_RESTRICTIVE)
    return Ranks(policy, joined, (len(policy.rules) + 1).bit_length())


# --- what is gathered ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Span:
    """What limits make of a target: its slots (None: never limited there), and whether they may not meet."""

    number: int
    field: ir.Field
    lo: Slot | None
    hi: Slot | None
    clashes: bool


class Gathering:
    """The gathering slots of a policy, and what each rule does to them."""

    def __init__(self, policy: ir.Policy, reading: Reading, slots: Slots) -> None:
        self.policy = policy
        self.reading = reading
        self.ranks = ranks_of(policy)
        self.asking = asking_of(policy)
        self.best = slots.of("best")
        unique = policy.combine is ir.Combine.UNIQUE
        self.worst = slots.of("worst") if unique else None
        self.permits = slots.of("permits", mask=True) if _asks_for_permits(policy) else None
        self._duties = {do: i for i, do in enumerate(interface.duties(policy))}
        self._remedies = {one: i for i, one in enumerate(interface.remedies(policy))}
        self.cells = {cell.name.removeprefix("out."): cell for cell in interface.cells(policy)}
        self.spans = {one.field.name: one for one in self._spans(slots)}
        told = {"roles"} if self.asking else set()  # by the rank
        self.masks = {
            name: slots.of(name, cell.width, mask=True)
            for name, cell in self.cells.items()
            if cell.mask and name.split(".")[0] not in {"do", "remedy", *told}
        }
        timed = ["retry"] if "retry" in self.cells else []
        if self.asking is None and any(rule.expires_ms is not None for rule in policy.rules):
            timed.insert(0, "expires")
        self.times = {name: slots.of(name, 64) for name in timed}

    def starts(self) -> Iterator[Statement]:
        """The slots before any rule has been looked at."""
        yield Start(self.best, Number(self.ranks.start, 32))
        if self.worst is not None:
            yield Start(self.worst, Number(0, 32))
        if self.permits is not None:
            yield Start(self.permits, Number(0, 32))
        for span in self.spans.values():
            ends = ((span.lo, span.field.lo), (span.hi, span.field.hi))
            yield from (Start(s, Number(end, s.width)) for s, end in ends if s is not None)
        yield from (Start(slot, Number(0, slot.width)) for slot in self.masks.values())
        for name, slot in self.times.items():
            yield Start(slot, Number(NEVER if name == "expires" else -1, 64))

    # --- rules -------------------------------------------------------------------------------------

    def waiting(self, number: int, stands: Condition) -> Condition:
        """A rule stands and asks for a person who has not approved yet, if that makes a difference here."""
        rule = self.policy.rules[number]
        if not asks(rule) or (self.asking and self.asking.merged):
            return NO
        return both((stands, negation(self.approved(roles_of(self.policy, rule)))))

    def ranked(
        self, number: int, stands: Condition, waits: Condition
    ) -> Iterator[tuple[Condition, int]]:
        """When a rule takes which rank; it never takes two."""
        rule = self.policy.rules[number]
        if rule.effect is not Effect.REQUIRE_HUMAN:
            yield stands, self.ranks.of(rule.effect, number)
            return
        if not asks(rule):
            yield stands, self.ranks.of(Effect.ALLOW, number)
            return
        if self.asking is not None and self.asking.merged:
            yield stands, self.ranks.of(Effect.REQUIRE_HUMAN, number)
            return
        if waits != NO:
            yield waits, self.ranks.of(Effect.REQUIRE_HUMAN, number)
        approved = stands
        if waits != NO:
            approved = both((stands, self.approved(roles_of(self.policy, rule))))
        yield approved, self.ranks.of(Effect.ALLOW, number)

    def approved(self, roles: int) -> Condition:
        """All of the roles have approved."""
        return MaskTest(self.reading.slots[ir.APPROVED], SetOp.ALL, roles)

    def permitting(self, number: int, stands: Condition) -> Iterator[Statement]:
        """A rule that lifts a default which denies says so."""
        effect = self.policy.rules[number].effect
        if self.permits is not None and effect in (Effect.ALLOW, Effect.REQUIRE_HUMAN):
            yield Mark(self.permits, stands, 1)

    def obligations(
        self, number: int, stands: Condition, waits: Condition
    ) -> tuple[Statement, ...]:
        """What a rule asks of the host."""
        rule = self.policy.rules[number]
        found: list[Statement] = []
        if rule.effect is not Effect.DENY:
            found += self._limits(rule, stands)
            found += self._person(rule, waits)
            if rule.retry_ms is not None:
                value = Number(rule.retry_ms, 64)
                found.append(Gather(self.times["retry"], stands, value, Way.GREATEST))
        found += self._marks("dos", {self._duties[do] for do in rule.dos}, stands)
        if rule.remedy is not None:
            found += self._marks("remedies", {self._remedies[rule.remedy]}, stands)
        return tuple(found)

    def _marks(self, name: str, bits: Iterable[int], stands: Condition) -> Iterator[Statement]:
        words: dict[str, int] = {}
        for bit in sorted(bits):
            word = f"{name}.{bit // interface.WORD}"
            words[word] = words.get(word, 0) | 1 << bit % interface.WORD
        yield from (Mark(self.masks[word], stands, mask) for word, mask in words.items())

    def _limits(self, rule: ir.Rule, stands: Condition) -> Iterator[Statement]:
        targets = {self.spans[limit.target].number for limit in rule.limits}
        yield from self._marks("limited", targets, stands)
        for limit in rule.limits:
            span = self.spans[limit.target]
            if span.lo is not None and limit.lo != ir.IntConst(span.field.lo):
                yield Gather(span.lo, stands, self._end(limit.lo, span.lo), Way.GREATEST)
            if span.hi is not None and limit.hi != ir.IntConst(span.field.hi):
                yield Gather(span.hi, stands, self._end(limit.hi, span.hi), Way.LEAST)

    def _end(self, expr: ir.IntExpr, slot: Slot) -> Value:
        value = self.reading.value(expr)
        return widened(value) if slot.width == 64 else value

    def _person(self, rule: ir.Rule, waits: Condition) -> Iterator[Statement]:
        if not asks(rule) or self.asking is not None:
            return
        yield Mark(self.masks["roles"], waits, roles_of(self.policy, rule))
        if rule.expires_ms is not None:
            value = Number(rule.expires_ms, 64)
            yield Gather(self.times["expires"], waits, value, Way.LEAST)

    # --- limits ------------------------------------------------------------------------------------

    def _spans(self, slots: Slots) -> Iterator[Span]:
        ranges = policy_ranges(self.policy)
        for number, one in enumerate(interface.targets(self.policy)):
            limits = [limit for rule in self._limiting() for limit in rule.limits]
            own = [limit for limit in limits if limit.target == one.name]
            lows = [limit.lo for limit in own if limit.lo != ir.IntConst(one.lo)]
            highs = [limit.hi for limit in own if limit.hi != ir.IntConst(one.hi)]
            bits = max([field_width(one), *(width(self.reading.value(e)) for e in lows + highs)])
            yield Span(
                number,
                one,
                slots.of(f"lo.{one.name}", bits) if lows else None,
                slots.of(f"hi.{one.name}", bits) if highs else None,
                self._clashes(one, ranges),
            )

    def _limiting(self) -> list[ir.Rule]:
        """The rules whose limits count; a rule that denies forgets them."""
        return [rule for rule in self.policy.rules if rule.effect is not Effect.DENY]

    def _clashes(self, target: ir.Field, ranges: Mapping[str, Interval]) -> bool:
        """Whether limits that are taken together can leave no value of a target."""
        rules = self._limiting()
        groups = [rules] if self.ranks.joined else [[rule] for rule in rules]
        for group in groups:
            own = [x for rule in group for x in rule.limits if x.target == target.name]
            low = max([target.lo, *(interval(limit.lo, ranges)[1] for limit in own)])
            high = min([target.hi, *(interval(limit.hi, ranges)[0] for limit in own)])
            if low > high:
                return True
        return False


def _asks_for_permits(policy: ir.Policy) -> bool:
    """Whether a rank does not tell if some rule permits: the default denies, and rules only limit."""
    joined = policy.combine in (ir.Combine.STRICT, ir.Combine.MOST_RESTRICTIVE)
    limiting = any(rule.effect in (Effect.LIMIT, Effect.THROTTLE) for rule in policy.rules)
    return joined and policy.default is not ir.Default.ALLOW and limiting


def read(slot: Slot) -> Read:
    """The value of a slot, as wide as it is."""
    return Read(slot, slot.width)
