"""The step of a policy that remembers: what one sample does to the state, as a program (docs/edge.md).

In: a policy over time and the classes of its texts.  Out: a `Program` that takes a sample of any kind.

What always holds: a slot holds one thing (each stage gives the cells that it moves slots of their own), so an
update reads what was there before its stage by naming it; the state is written behind the last stage, after
everything that could refuse the sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final

from govlang.compiler import interface, ir
from govlang.compiler.edge_fields import width
from govlang.compiler.edge_state import NEVER, NOW, BoardScope, board_scopes
from govlang.compiler.intervals import Interval, interval, policy_ranges
from govlang.compiler.ir import ArithOp, CompareOp, Stage
from govlang.compiler.program import (
    DAMAGED,
    KIND,
    UNCALLED,
    Arith,
    Choose,
    Compare,
    Condition,
    Decide,
    End,
    Flag,
    Gather,
    Grown,
    Home,
    Keep,
    Let,
    Load,
    Number,
    Program,
    Read,
    Refuse,
    Slot,
    Start,
    Statement,
    Value,
    Variable,
    Way,
)
from govlang.compiler.program_walk import all_reads, all_writes
from govlang.compiler.steps_gather import Gathering, Slots, read
from govlang.compiler.steps_logic import NO, YES, both, either, negation
from govlang.compiler.steps_outcome import Ending
from govlang.compiler.steps_rules import rules_of
from govlang.compiler.steps_settled import settled
from govlang.compiler.steps_terms import Reading, chosen, widened
from govlang.compiler.steps_terms import width as width_of
from govlang.compiler.terms import Space
from govlang.compiler.text_classes import TextClasses

CHOICES: Final = 4
"""Updates of one cell in one stage up to which its new value is one expression."""

SINCE_MAX: Final = 2**31 - 1
"""What the time since a sample is cut to for cells of 32 bits: no such cell grows so far."""

NOBODY: Final = -1
"""`out.invalid` where no variable is to blame."""


def build_timed_program(
    policy: ir.Policy, time: ir.Time, classes: Mapping[str, TextClasses]
) -> Program:
    """The step of a policy over time.

    Raises:
        BoardError: it remembers what a board has no place for.
    """
    variables = interface.variables(policy, classes)
    return _Builder(policy, time, classes, variables, board_scopes(time)).program()


@dataclass(slots=True)
class _Builder:
    policy: ir.Policy
    time: ir.Time
    classes: Mapping[str, TextClasses]
    variables: tuple[Variable, ...]
    scopes: tuple[BoardScope, ...]
    slots: Slots = field(default_factory=Slots)
    ranges: Mapping[str, Interval] = field(init=False)
    now: dict[str, Slot] = field(default_factory=dict)
    """Where each column is at this place of the step, by its name in expressions; a cell's last slot."""

    def __post_init__(self) -> None:
        self.ranges = policy_ranges(self.policy)

    def program(self) -> Program:
        before = [*self._read(), *self._clocks(), *self._grown(), *self._refused()]
        before += [s for stage in self._stages(Stage.TURN, Stage.CLOSE - 1) for s in stage]
        first = list(self._kept(with_time=True))
        rules = list(self._rules())
        known = dict(self.now)
        closing = [s for stage in self._stages(Stage.CLOSE, Stage.CLOSE) for s in stage]
        moved = {name: slot for name, slot in self.now.items() if known[name] != slot}
        body = (
            *before,
            *first,
            End(negation(self.asked)),
            *rules,
            *closing,
            *self._kept_last(moved),
        )
        body = needed(body)
        used = {*all_reads(body), *all_writes(body)}
        kept = tuple(slot for slot in self.slots.found.values() if slot in used)
        return Program(
            self.policy, self.variables, interface.cells(self.policy), kept, body, timed=True
        )

    @property
    def reading(self) -> Reading:
        """What a column is here."""
        return Reading(Space(self.policy, self.classes), dict(self.now))

    # --- reading ---------------------------------------------------------------------------------

    @property
    def asked(self) -> Condition:
        """It is a request."""
        return Flag(self.slots.of("asked"))

    def _read(self) -> Iterator[Statement]:
        """Every variable, checked; those of other samples than this one count for nothing."""
        self.now[ir.SAMPLE] = KIND
        kinds = {
            f"sample.{one.name.removeprefix('$')}": n
            for n, s in self._samples()
            for one in s.fields
        }
        yield Decide(self.slots.of("asked"), _is_kind(ir.REQUEST))
        flags: dict[int, Slot] = {}
        for number, one in enumerate(self.variables):
            slot = self.slots.variable(one)
            asked, answer = None, -1
            if one.home is Home.REQUEST and not one.param and not one.has:
                asked = self.slots.of("asked")
            elif one.home is Home.SAMPLE:
                kind = kinds[one.name]
                if kind not in flags:
                    flags[kind] = self.slots.of(
                        f"is.{self.time.samples[kind - ir.FIRST_KIND].name}"
                    )
                    yield Decide(flags[kind], _is_kind(kind))
                asked = flags[kind]
            elif one.home in (Home.SHARED, Home.STATE):
                answer = DAMAGED
            yield Load(slot, one, number, asked, answer)
            self.now[_column_of(one)] = slot

    def _samples(self) -> Iterator[tuple[int, ir.SampleType]]:
        yield from enumerate(self.time.samples, ir.FIRST_KIND)

    # --- the clock -------------------------------------------------------------------------------

    def _addresses(self, scope: BoardScope) -> Condition:
        """The sample addresses a scope."""
        if scope.name is Home.SHARED or len(self.scopes) == 1:
            return YES
        others = [number for number, one in self._samples() if one.shared]
        return negation(either(map(_is_kind, others)))

    def _clocks(self) -> Iterator[Statement]:
        """The time since the last sample of each scope, and what the clock says."""
        late: list[Condition] = []
        for scope in self.scopes:
            at, now = self.now[scope.at], self.now[NOW]
            late.append(both((self._addresses(scope), Compare(CompareOp.LT, read(now), read(at)))))
            yield from clock(scope, now, at, self.slots)
        fault, gap = self.slots.of("clock_fault"), self.slots.of("gap", 64)
        yield Decide(fault, either(late))
        yield Let(gap, self._gap(self.scopes[-1]), (0, ir.GAP_MAX))
        self.now |= {ir.CLOCK_FAULT: fault, ir.GAP: gap}

    def _gap(self, own: BoardScope) -> Value:
        since = read(self.slots.of(f"since.{own.name}", 64))
        most = Number(ir.GAP_MAX, 64)
        never = Compare(CompareOp.EQ, read(self.now[own.at]), Number(NEVER, 64))
        longest = either(
            (negation(self._addresses(own)), never, Compare(CompareOp.LT, most, since))
        )
        return Choose(longest, most, since)

    def _grown(self) -> Iterator[Statement]:
        """Cells that count milliseconds, with the time since the last sample; brief ones begin."""
        for scope in self.scopes:
            for cell in scope.cells:
                if cell.cap is not None:
                    yield self._growth(scope, cell, cell.cap)
        for cell in self.time.cells:
            if cell.brief:
                slot = self.slots.of(f"begun.{cell.name}", width(cell.field))
                yield Let(slot, Number(cell.initial, slot.width), (cell.field.lo, cell.field.hi))
                self.now[cell.name] = slot

    def _growth(self, scope: BoardScope, cell: ir.Cell, cap: int) -> Statement:
        old = self.now[cell.name]
        value = growth(scope, cap, old, self.slots, still=cell.field.lo < 0)
        if cell.field.hi > cap:  # else growing by 0 changes nothing
            never = Compare(CompareOp.EQ, read(self.now[scope.at]), Number(NEVER, 64))
            value = Choose(never, read(old), value)
        self.now[cell.name] = self.slots.of(f"grown.{cell.name}", old.width)
        return Let(self.now[cell.name], value, (cell.field.lo, cell.field.hi))

    # --- what is refused -------------------------------------------------------------------------

    def _refused(self) -> Iterator[Statement]:
        """An event that nothing has called for; a request that breaks an assumption."""
        for kind, sample in self._samples():
            if sample.permit is not None:
                left = self.reading.condition(ir.InRanges(sample.permit, ((0, 0),)), {})
                yield Refuse(both((_is_kind(kind), left)), NOBODY, UNCALLED)
        asked_for = {one.name for one in self.policy.fields} | {
            p.field.name for p in self.policy.params
        }
        for number, assumption in enumerate(self.policy.assumptions, len(self.variables)):
            if not ir.fields_read(assumption.condition) <= asked_for:
                raise ValueError(f"the assumption `{assumption.text}` is not about a request alone")
            broken = negation(self.reading.condition(assumption.condition, {}))
            if broken != NO:
                yield Refuse(both((self.asked, broken)), number)

    # --- stages ----------------------------------------------------------------------------------

    def _stages(self, first: int, last: int) -> Iterator[list[Statement]]:
        """The updates of some stages, stage by stage; those of one read what was before it."""
        due = [update for update in self.time.updates if first <= update.stage <= last]
        for number, updates in groupby(sorted(due, key=lambda u: u.stage), lambda u: u.stage):
            found: list[Statement] = []
            reading = replace(self.reading, quotients=Quotients(self, found).of)
            if number == Stage.CLOSE:
                reading = replace(reading, decided=self.slots.of("decided"))
            by_cell: dict[str, list[ir.Update]] = {}
            for update in updates:
                by_cell.setdefault(update.cell, []).append(update)
            new: dict[str, Slot] = {}
            for name, own in by_cell.items():
                cell = self.time.cell(name)
                slot = self.slots.of(f"{_word(number)}.{name}", width(cell.field))
                moved = list(self._moved(cell, own, reading, slot, number))
                if moved:
                    new[name] = slot
                    found += moved
            self.now |= new
            yield found

    def _moved(
        self, cell: ir.Cell, updates: Sequence[ir.Update], reading: Reading, slot: Slot, stage: int
    ) -> Iterator[Statement]:
        """The value of a cell behind a stage: that of the first update whose condition holds."""
        old = read(self.now[cell.name])
        ways = [(reading.condition(u.condition, {}), reading.value(u.value)) for u in updates]
        ways = [(condition, value) for condition, value in ways if condition != NO]
        domain = (cell.field.lo, cell.field.hi)
        if not ways:
            return
        if len(ways) <= CHOICES:
            value: Value = old
            for condition, one in reversed(ways):
                value = chosen(condition, one, value)
            yield Let(slot, widened(value) if slot.width == 64 else value, domain)
            return
        bits = max(width_of(value) for value in (old, *(value for _, value in ways)))
        name = f"{_word(stage)}.{cell.name}"
        gathered = slot if bits == slot.width else self.slots.of(f"{name}.wide", bits)
        yield Start(gathered, old if bits == slot.width else widened(old))
        for condition, one in reversed(ways):
            wide = widened(one) if bits == 64 else one
            yield Gather(gathered, condition, wide, Way.LAST)
        if gathered != slot:
            yield Let(slot, read(gathered), domain)

    # --- the outcome -----------------------------------------------------------------------------

    def _rules(self) -> Iterator[Statement]:
        reading = self.reading
        gathering = Gathering(self.policy, reading, self.slots)
        rules = rules_of(self.policy, self.classes, reading, self.slots, gathering)
        fault = NO if self.time.rules_read_clock else Flag(self.now[ir.CLOCK_FAULT])
        decided = self.slots.of("decided")
        ending = Ending(self.policy, reading, self.slots, gathering, fault=fault, decided=decided)
        found = (*gathering.starts(), *rules.statements(), *ending.statements())
        yield from settled(found, {gathering.best})

    # --- writing ---------------------------------------------------------------------------------

    def _kept(self, *, with_time: bool) -> Iterator[Statement]:
        """What the state is behind the stages before the outcome."""
        for scope in self.scopes:
            variables = {one.name: one for one in self.variables}
            stores: list[tuple[Variable, Value]] = []
            if with_time:
                stores.append((variables[scope.at], read(self.now[NOW])))
            for cell in scope.cells:
                one = variables[scope.variable(cell)]
                if self.now[cell.name] != self.slots.variable(one):
                    stores.append((one, read(self.now[cell.name])))
            yield Keep(self._addresses(scope), tuple(stores))

    def _kept_last(self, moved: Mapping[str, Slot]) -> Iterator[Statement]:
        """What the outcome has moved; a request addresses every scope."""
        variables = {one.name: one for one in self.variables}
        stores = tuple(
            (variables[scope.variable(cell)], read(moved[cell.name]))
            for scope in self.scopes
            for cell in scope.cells
            if cell.name in moved
        )
        if stores:
            yield Keep(YES, stores)


def clock(scope: BoardScope, now: Slot, at: Slot, slots: Slots) -> Iterator[Statement]:
    """The time since the last sample of a scope; and the same cut, for cells of 32 bits."""
    since, soon = slots.of(f"since.{scope.name}", 64), slots.of(f"soon.{scope.name}")
    never = Compare(CompareOp.EQ, read(at), Number(NEVER, 64))
    back = Compare(CompareOp.LT, read(now), read(at))
    passed = Arith(ArithOp.SUB, read(now), read(at))
    yield Let(since, Choose(either((never, back)), Number(0, 64), passed), (0, 2 * ir.GAP_MAX))
    long = Compare(CompareOp.LT, Number(SINCE_MAX, 64), read(since))
    yield Let(soon, Choose(long, Number(SINCE_MAX, 64), read(since)), (0, SINCE_MAX))


def growth(scope: BoardScope, cap: int, old: Slot, slots: Slots, *, still: bool) -> Value:
    """What a cell that counts milliseconds has become; `still`: it may lie below 0."""
    narrow = old.width == 32
    since = slots.of(f"soon.{scope.name}") if narrow else slots.of(f"since.{scope.name}", 64)
    return Grown(old, since, cap, still)


@dataclass(slots=True)
class Quotients:
    """The quotients of one stage, each worked out once: small machines divide slowly."""

    builder: _Builder
    found: list[Statement]
    known: dict[Value, Slot] = field(default_factory=dict)

    def of(self, expr: ir.FloorDiv, value: Value) -> Value:
        """What stands for a quotient."""
        if value not in self.known:
            slots, (lo, hi) = self.builder.slots, interval(expr, self.builder.ranges)
            narrow = lo >= -SINCE_MAX and hi <= SINCE_MAX
            number = sum(name.startswith("step.quotient.") for name in slots.found)
            self.known[value] = slots.of(f"quotient.{number}", 32 if narrow else 64)
            self.found.append(Let(self.known[value], value, (lo, hi)))
        return read(self.known[value])


def _column_of(one: Variable) -> str:
    """The name of what a variable holds in expressions: of a cell or what a sample brings, without its home."""
    match one.home:
        case Home.SAMPLE:
            return f"${one.name.removeprefix('sample.')}"
        case Home.SHARED | Home.STATE if one.bytes:
            return one.name.removeprefix(f"{one.home}.")
        case _:
            return one.name


def _is_kind(kind: int) -> Condition:
    return Compare(CompareOp.EQ, Read(KIND, 32), Number(kind, 32))


def _word(stage: int) -> str:
    """What a stage is called in names of slots: `take`, `hold2`."""
    base = max(one for one in Stage if one <= stage)
    return base.name.lower() + (str(stage - base) if stage > base else "")


def needed(body: Iterable[Statement]) -> tuple[Statement, ...]:
    """The statements without those whose slots nothing reads."""
    kept = tuple(body)
    while True:
        wanted = set(all_reads(kept))
        fewer = tuple(
            one for one in kept
            if not isinstance(one, Let | Decide | Start | Gather) or one.slot in wanted
        )  # fmt: skip
        if len(fewer) == len(kept):
            return kept
        kept = fewer
