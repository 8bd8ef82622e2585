"""Random policies that remember, as IR, and random histories for them.

In: a seeded `random.Random`.  Out: a policy of `ir_strategies` with two more fields (the key and another
text), cells in three scopes, every operator of `monitors*.py`, a machine, permits, cells moved by any
expression; samples with equal times, gaps and clocks that go back.

What always holds: conditions on cells of a scope read that scope and the shared one only, as lowering makes
them; values of updates stay in the range of their cell.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from ir_requests import Requests
from ir_strategies import Shape, random_policy

from govlang.compiler import ir
from govlang.compiler.ir import ArithOp, Stage
from govlang.compiler.monitors import Memory, Trigger
from govlang.compiler.monitors_panes import panes_of, summed
from govlang.compiler.monitors_signals import Signal, changes, deviates, keep, mean, previous
from govlang.compiler.step import Report, Request, Sample, Tick

KEY = ir.Field("who", ir.Kind.KEY, max_bytes=32)
OTHER = ir.Field("target", ir.Kind.TEXT, max_bytes=32)
KEYS = ("a", "b", "agent-7", "é", "")
X = ir.Field("$e.x", ir.Kind.NUMBER, 0, 9, origin=ir.Origin.SAMPLE)
TARGET = replace(OTHER, name="$e.target", origin=ir.Origin.SAMPLE)
V = ir.Field("$v", ir.Kind.NUMBER, -20, 50, origin=ir.Origin.SAMPLE)
S = ir.Field("$s", ir.Kind.ENUM, 0, 2, members=("lo", "mid", "hi"), origin=ir.Origin.SAMPLE)
PERMIT = "d without a result"
EVENT, SIGNAL = ir.SampleKind.EVENT, ir.SampleKind.SIGNAL
SAMPLES = (
    ir.SampleType("e", EVENT, fields=(X, TARGET)),
    ir.SampleType("f", EVENT),
    ir.SampleType("g", EVENT, shared=True),
    ir.SampleType("d", EVENT),
    ir.SampleType("r", EVENT, permit=PERMIT),
    ir.SampleType("v", SIGNAL, fields=(V,)),
    ir.SampleType("s", SIGNAL, shared=True, fields=(S,)),
)
KINDS = {one.name: ir.FIRST_KIND + i for i, one in enumerate(SAMPLES)}
SCOPES = (ir.SHARED, KEY.name, OTHER.name)
WINDOWS = (0, 1, 7, 60, 1_000, 5_000, 2**33)


def sampled(name: str) -> ir.BoolExpr:
    """This sample is that event or signal."""
    return ir.InRanges(ir.SAMPLE, ((KINDS[name], KINDS[name]),))


def ranges_without(value: int, lo: int, hi: int) -> ir.Ranges:
    """What is left of `lo..hi` without a value."""
    ends = ((lo, min(hi, value - 1)), (max(lo, value + 1), hi))
    return tuple(dict.fromkeys((a, b) for a, b in ends if a <= b))


@dataclass(frozen=True, slots=True)
class Keeping:
    """Whose state is kept: scopes, the key, and whether some samples are shared."""

    scopes: tuple[str, ...] = SCOPES
    key: str | None = KEY.name
    shared: bool = True


EVERYWHERE = Keeping()
BOARDS = (
    Keeping((ir.SHARED, KEY.name)),
    Keeping((KEY.name,), shared=False),
    Keeping((ir.SHARED,), key=None),
)
"""What a board can keep."""


def random_time_policy(rng: random.Random, keeping: Keeping = EVERYWHERE) -> ir.Policy:
    """A policy that remembers."""
    base = random_policy(rng, Shape(fields=4, rules=6, depth=2))
    return _Maker(rng, replace(base, fields=(*base.fields, KEY, OTHER)), keeping).policy()


@dataclass(slots=True)
class _Maker:
    rng: random.Random
    base: ir.Policy
    keeping: Keeping
    memory: Memory = field(default_factory=Memory)
    read: list[tuple[str, ir.BoolExpr]] = field(default_factory=list)
    """Conditions over cells, each with the scope of its cells."""

    extra: list[ir.Update] = field(default_factory=list)
    cells: list[ir.Cell] = field(default_factory=list)

    def policy(self) -> ir.Policy:
        rng = self.rng
        for scope in self.keeping.scopes:
            if rng.random() < 0.7:
                self.scope(scope)
        self.permit()
        cells, updates = self.memory.finish()
        time = ir.Time(
            (*cells, *self.cells),
            (*updates, *self.extra),
            tuple(replace(s, shared=s.shared and self.keeping.shared) for s in SAMPLES),
            self.keeping.key,
            2**40,
            tuple(one for one in (ir.GAP_FIELD, ir.FAULT_FIELD) if rng.random() < 0.3),
            rules_read_clock=rng.random() < 0.3,
        )
        self.read += [("", self.clock(one)) for one in time.reads]
        rules = tuple(self.ruled(rule) for rule in self.base.rules)
        return replace(self.base, rules=rules, time=time)

    def clock(self, one: ir.Field) -> ir.BoolExpr:
        if one.name == ir.CLOCK_FAULT:
            return ir.InRanges(one.name, ((1, 1),))
        return ir.InRanges(one.name, ((self.window() + 1, ir.GAP_MAX),))

    def window(self) -> int:
        return self.rng.choice(WINDOWS)

    # --- operators -------------------------------------------------------------------------------

    def scope(self, scope: str) -> None:
        """Some operators over what is kept in a scope."""
        rng = self.rng
        own = {ir.SHARED: "efgdvs", KEY.name: "efdv", OTHER.name: "e"}[scope]
        events = [Trigger(f"{n}@{scope}", Stage.TAKE, sampled(n)) for n in own]
        effects = frozenset(rng.sample(list(ir.Effect), rng.randint(1, 3)))
        events.append(Trigger(f"decided@{scope}", Stage.CLOSE, ir.DecisionIn(effects)))
        asked = ir.InRanges(ir.SAMPLE, ((ir.REQUEST, ir.REQUEST),))
        some = rng.choice(self.base.rules).condition if self.base.rules else ir.TRUE
        held = Trigger(f"asked@{scope}", Stage.HOLD, ir.conjunction((asked, some)))
        triggers = [*events, held]
        for number in range(rng.randint(1, 5)):
            self.read.append((scope, self.operator(scope, triggers, number)))
        if scope != OTHER.name and rng.random() < 0.6:
            self.signal(scope)
        if rng.random() < 0.6:
            self.machine(scope)
        for number in range(rng.randint(0, 3)):
            self.free_cell(scope, number)

    def operator(self, scope: str, triggers: list[Trigger], number: int) -> ir.BoolExpr:
        rng, memory = self.rng, self.memory
        one, other = rng.choice(triggers), rng.choice(triggers)
        near, far = sorted((self.window(), rng.choice(WINDOWS[:-1])))
        match rng.randrange(7):
            case 0:
                return memory.within(one, scope, self.window())
            case 1:
                return memory.counted(one, scope, self.window(), rng.randint(1, 4))
            case 2:
                return memory.held_for(one, scope, self.window())
            case 3 if far // (far - near + 2) < 8:
                return memory.between(one, scope, near, far)
            case 4:
                return memory.since(one, other, scope, rng.choice((None, self.window())))
            case 5:
                top = rng.randint(1, 300)
                name = memory.counter(one, other, scope, top)
                return ir.InRanges(name, ((rng.randint(1, min(top, 4)), top),))
            case _:
                length = rng.choice((1, 7, 100))
                panes = panes_of(
                    f"sum{number}@{scope}", length * rng.randint(1, 4) + rng.randint(0, 5), length,
                    under=rng.random() < 0.5,
                )  # fmt: skip
                total = summed(memory, panes, triggers[0], ir.IntConst(rng.randint(1, 9)), scope)
                return ir.Compare(ir.CompareOp.LT, ir.IntConst(rng.randint(0, 20)), total)

    def signal(self, scope: str) -> None:
        rng, memory = self.rng, self.memory
        name = "s" if scope == ir.SHARED else "v"
        column = S if name == "s" else V
        signal = Signal(f"{name}@{scope}", scope, column, sampled(name))
        cell = replace(column, name=signal.name, origin=ir.Origin.STATE)
        keep(memory, signal, cell)
        trigger = Trigger(f"{name} comes@{scope}", Stage.TAKE, sampled(name))
        self.read.append((scope, memory.within(trigger, scope, self.window())))
        if name == "s":
            before = previous(memory, signal, cell)
            self.read.append((scope, ir.InRanges(before, ((1, 2),))))
            return
        changed = Trigger(f"{name} changes@{scope}", Stage.TAKE, changes(signal, cell))
        self.read.append((scope, memory.within(changed, scope, self.window())))
        alpha = Fraction(rng.randint(1, 5), 7)
        level = mean(memory, signal, alpha, f"ewma@{scope}")
        bound = ir.IntConst(rng.randint(-10, 40) << 16)
        self.read.append((scope, ir.Compare(ir.CompareOp.LT, bound, ir.FieldValue(level))))
        away = deviates(memory, signal, alpha, Fraction(3, 2), Fraction(1, 3), rng.randint(0, 4))
        self.read.append((scope, away))

    def machine(self, scope: str) -> None:
        rng = self.rng
        name, age, entry = f"m@{scope}", f"m@{scope}.age", f"m@{scope}.enters"
        members = ("idle", "open", "half")
        state = ir.Field(name, ir.Kind.ENUM, 0, 2, members=members, origin=ir.Origin.STATE)
        cap = max(1, self.window())
        self.cells += [
            ir.Cell(state, scope, rng.randint(0, 2)),
            ir.Cell(ir.cell_field(age, 0, cap), scope, 0, cap),
            ir.Cell(ir.cell_field(entry, 0, 1, ir.Kind.BOOL), scope, 0, brief=True),
        ]
        for _ in range(rng.randint(1, 5)):
            source, target = rng.randint(0, 2), rng.randint(0, 2)
            parts = [ir.InRanges(name, ((source, source),)), self.move(scope, age, cap)]
            taken = ir.conjunction(parts)
            self.extra += [
                ir.Update(Stage.MOVE, name, taken, ir.IntConst(target)),
                ir.Update(Stage.MOVE, age, taken, ir.IntConst(0)),
                ir.Update(Stage.MOVE, entry, taken, ir.IntConst(int(target == 1))),
            ]
        entered = Trigger(f"{entry} open", Stage.LOOK, ir.InRanges(entry, ((1, 1),)))
        self.read.append((scope, self.memory.within(entered, scope, self.window())))
        self.read.append((scope, ir.InRanges(name, ((1, 2),))))

    def move(self, scope: str, age: str, cap: int) -> ir.BoolExpr:
        rng = self.rng
        kept = [condition for home, condition in self.read if home in (scope, ir.SHARED)]
        roll = rng.random()
        if roll < 0.3:
            return ir.InRanges(age, ((rng.randint(0, cap), cap),))
        if kept and roll < 0.6:
            return rng.choice(kept)
        return sampled(rng.choice("efgv"))

    def free_cell(self, scope: str, number: int) -> None:
        """A cell that anything moves, of any size and sign."""
        rng = self.rng
        name = f"cell {number}@{scope}"
        lo = rng.choice((0, 0, -1, -200, -40_000, -(2**40)))
        hi = lo + rng.choice((1, 200, 255, 256, 65_535, 70_000, 2**32 - 1, 2**41))
        initial = rng.randint(lo, hi)
        cap = rng.randint(0, hi) if hi >= 0 and rng.random() < 0.5 else None
        self.cells.append(ir.Cell(ir.cell_field(name, lo, hi), scope, initial, cap))
        for _ in range(rng.randint(1, 4)):
            stage = rng.choice([*Stage, Stage.HOLD + 1, Stage.LOOK + 2])
            condition = self.condition(scope, stage)
            value = self.value(name, lo, hi)
            if (
                stage < Stage.TAKE
            ):  # what turns over reads its own instance, and nothing that is as at its start
                low = rng.randint(lo, hi)
                condition = ir.InRanges(name, ranges_without(initial, low, rng.randint(low, hi)))
                value = ir.IntConst(rng.randint(lo, hi))
            self.extra.append(ir.Update(stage, name, condition, value))
        self.read.append((scope, ir.InRanges(name, ((rng.randint(lo, hi), hi),))))

    def condition(self, scope: str, stage: int) -> ir.BoolExpr:
        rng = self.rng
        kept = [condition for home, condition in self.read if home in (scope, ir.SHARED)]
        parts = [sampled(rng.choice("efgdrvs")), ir.TRUE]
        parts += [rng.choice(kept)] if kept else []
        parts.append(ir.negation(rng.choice(parts)))
        if stage == Stage.CLOSE:
            parts.append(ir.DecisionIn(frozenset(rng.sample(list(ir.Effect), 2))))
        join = rng.choice((ir.conjunction, ir.disjunction))
        return join(rng.sample(parts, rng.randint(1, 2)))

    def value(self, name: str, lo: int, hi: int) -> ir.IntExpr:
        rng = self.rng
        own = ir.FieldValue(name)
        raw = rng.choice(
            (
                ir.IntConst(rng.randint(lo, hi)),
                ir.Arith(ArithOp.ADD, own, ir.IntConst(rng.randint(-3, 3))),
                ir.Arith(ArithOp.MUL, ir.FloorDiv(own, 3), ir.IntConst(2)),
                ir.Arith(ArithOp.SUB, ir.FieldValue(ir.SAMPLE), own),
            )
        )
        least = ir.Arith(ArithOp.LEAST, raw, ir.IntConst(hi))
        return ir.Arith(ArithOp.GREATEST, least, ir.IntConst(lo))

    def permit(self) -> None:
        here = ir.FieldValue(PERMIT)
        home = self.keeping.scopes[-1] if OTHER.name not in self.keeping.scopes else KEY.name
        self.cells.append(ir.Cell(ir.cell_field(PERMIT, 0, 3), home, 0))
        more = ir.Arith(ArithOp.LEAST, ir.Arith(ArithOp.ADD, here, ir.IntConst(1)), ir.IntConst(3))
        spent = ir.conjunction((sampled("r"), ir.InRanges(PERMIT, ((1, 3),))))
        self.extra += [
            ir.Update(Stage.TAKE, PERMIT, sampled("d"), more),
            ir.Update(Stage.TAKE, PERMIT, spent, ir.Arith(ArithOp.SUB, here, ir.IntConst(1))),
        ]
        self.read.append((home, ir.InRanges(PERMIT, ((1, 3),))))

    # --- rules -----------------------------------------------------------------------------------

    def ruled(self, rule: ir.Rule) -> ir.Rule:
        """A rule that reads what is kept, mostly."""
        rng = self.rng
        kept = [condition for _, condition in self.read]
        some = [rng.choice(kept) for _ in range(rng.randint(1, 2))]
        some = [ir.negation(one) if rng.random() < 0.4 else one for one in some]
        match rng.randrange(4):
            case 0:
                return rule
            case 1:
                return replace(rule, condition=ir.conjunction(some))
            case 2:
                return replace(rule, condition=ir.disjunction((rule.condition, *some)))
            case _:
                return replace(rule, condition=ir.conjunction((rule.condition, *some)))


# --- histories -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Histories:
    """Samples of one policy."""

    policy: ir.Policy
    rng: random.Random
    keys: tuple[str, ...] = KEYS
    requests: Requests = field(init=False)

    def __post_init__(self) -> None:
        plain = [f for f in self.policy.fields if f not in (KEY, OTHER)]
        remembered = {one.name for one in self.policy.columns}
        self.requests = Requests(replace(self.policy, fields=(*plain, *self.policy.columns)))
        self.requests.policy = replace(self.policy, fields=tuple(plain))
        self.requests.equal = {
            pair
            for pair in self.requests.equal
            if not {KEY.name, OTHER.name, *remembered} & {*pair}
        }

    def history(self, length: int) -> Iterator[Sample]:
        """Samples with irregular, equal and falling times."""
        rng = self.rng
        at = rng.choice((0, 1_700_000_000_000, -5))
        for _ in range(length):
            roll = rng.random()
            if roll < 0.05:
                at -= rng.choice((1, 50, 10_000))
            elif roll > 0.3:
                at += max(0, rng.choice(WINDOWS[:-1]) + rng.randint(-1, 1))
            elif roll > 0.28:
                at += 2**34
            yield self.sample(at)

    def sample(self, at: int) -> Sample:
        rng = self.rng
        who = rng.choice(self.keys)
        assert self.policy.time is not None
        keyed = self.policy.time.key is not None
        match rng.randrange(9):
            case 0 if len(self.keys) == 1:
                return Tick(at, who if keyed else None)
            case 0:
                return Tick(at, rng.choice((None, who)))
            case 1 | 2 | 3 | 4:
                values = self.requests.request(rng)
                values |= {KEY.name: who, OTHER.name: rng.choice(KEYS)}
                return Request(values, at)
            case _:
                one = rng.choice(self.policy.time.samples)
                carried = {f.name: self.carried(f) for f in one.fields}
                return Report(one.name, carried, at, who if keyed and not one.shared else None)

    def carried(self, one: ir.Field) -> int | str:
        return self.rng.choice(KEYS) if one.is_text else self.rng.randint(one.lo, one.hi)
