"""Every operator says of a whole history what its definition says, which keeps that history."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import pytest

from govlang.compiler import ir
from govlang.compiler.interpret import Environment
from govlang.compiler.ir import Stage
from govlang.compiler.monitors import Memory, Trigger
from govlang.compiler.monitors_panes import panes_of, summed
from govlang.compiler.monitors_signals import Signal, changes, deviates, keep, mean, previous
from govlang.compiler.step import Report, State, Tick, step

EVENTS = ("e", "f")
VALUE = ir.Field("$v", ir.Kind.NUMBER, 0, 50, origin=ir.Origin.SAMPLE)
AMOUNT = ir.Field("$e.x", ir.Kind.NUMBER, 0, 9, origin=ir.Origin.SAMPLE)
CELL = ir.cell_field("v", 0, 50)
SAMPLES = (
    ir.SampleType("e", ir.SampleKind.EVENT, fields=(AMOUNT,)),
    ir.SampleType("f", ir.SampleKind.EVENT),
    ir.SampleType("v", ir.SampleKind.SIGNAL, fields=(VALUE,)),
)
KINDS = {one.name: ir.FIRST_KIND + i for i, one in enumerate(SAMPLES)}


def event(name: str) -> Trigger:
    condition = ir.InRanges(ir.SAMPLE, ((KINDS[name], KINDS[name]),))
    return Trigger(name, Stage.TAKE, condition)


HIGH = Trigger(
    "high",
    Stage.HOLD,
    ir.conjunction((ir.InRanges("v.seen", ((1, 1),)), ir.InRanges("v", ((25, 50),)))),
)


@dataclass(frozen=True)
class Seen:
    """One position of a history: when, what, and the value of the signal."""

    at: int
    name: str | None
    value: int | None
    last: int | None

    @property
    def high(self) -> bool:
        return self.last is not None and self.last >= 25


History = Sequence[Seen]
Naive = Callable[[History], object]


@dataclass
class Case:
    """An operator's reading over cells, and its definition over a history."""

    read: Callable[[Memory, Signal], ir.BoolExpr | ir.IntExpr]
    naive: Naive
    memory: Memory = field(default_factory=Memory)


def happened(history: History, name: str) -> list[int]:
    return [one.at for one in history if one.name == name]


def within(name: str, window: int) -> Case:
    def naive(h: History) -> bool:
        return any(h[-1].at - window <= t for t in happened(h, name))

    return Case(lambda m, _: m.within(event(name), ir.SHARED, window), naive)


def counted(name: str, window: int, least: int) -> Case:
    def naive(h: History) -> bool:
        return sum(h[-1].at - window <= t for t in happened(h, name)) >= least

    return Case(lambda m, _: m.counted(event(name), ir.SHARED, window, least), naive)


def held_within(window: int) -> Case:
    def naive(h: History) -> bool:
        return any(one.high and h[-1].at - window <= one.at for one in h)

    return Case(lambda m, _: m.within(HIGH, ir.SHARED, window), naive)


def held_for(window: int) -> Case:
    def naive(h: History) -> bool:
        now = h[-1].at
        return any(
            one.at <= now - window and all(later.high for later in h[i:]) for i, one in enumerate(h)
        )

    return Case(lambda m, _: m.held_for(HIGH, ir.SHARED, window), naive)


def between(name: str, near: int, far: int) -> Case:
    def naive(h: History) -> bool:
        now = h[-1].at
        return any(now - far <= t <= now - near for t in happened(h, name))

    return Case(lambda m, _: m.between(event(name), ir.SHARED, near, far), naive)


def held_between(near: int, far: int) -> Case:
    def naive(h: History) -> bool:
        now = h[-1].at
        return any(one.high and now - far <= one.at <= now - near for one in h)

    return Case(lambda m, _: m.between(HIGH, ir.SHARED, near, far), naive)


def since(window: int | None) -> Case:
    def naive(h: History) -> bool:
        anchors = [i for i, one in enumerate(h) if one.name == "f"]
        if not anchors:
            return False
        in_time = window is None or h[-1].at - h[anchors[-1]].at <= window
        return in_time and all(one.high for one in h[anchors[-1] + 1 :])

    return Case(lambda m, _: m.since(HIGH, event("f"), ir.SHARED, window), naive)


def counter(top: int) -> Case:
    def naive(h: History) -> int:
        anchors = [i for i, one in enumerate(h) if one.name == "f"]
        start = anchors[-1] + 1 if anchors else 0
        return min(top, sum(one.name == "e" for one in h[start:]))

    def read(m: Memory, _: Signal) -> ir.IntExpr:
        return ir.FieldValue(m.counter(event("e"), event("f"), ir.SHARED, top))

    return Case(read, naive)


def panes(window: int, length: int, *, under: bool) -> Case:
    def naive(h: History) -> int:
        whole = window // length if under else -(-window // length)
        silence = (whole + 2) * length
        start = h[0].at
        total: dict[int, int] = {}
        for before, one in zip([h[0], *h], h, strict=False):
            if one.at - before.at - 0 + (before.at - start) % length >= silence:
                start, total = one.at, {}
            number = (one.at - start) // length
            if one.name == "e":
                total[number] = total.get(number, 0) + (one.value or 0)
        current, phase = divmod(h[-1].at - start, length)
        reach = (window - phase) // length if under else whole
        return sum(total.get(current - i, 0) for i in range(reach + 1))

    def read(m: Memory, _: Signal) -> ir.IntExpr:
        own = panes_of("sum", window, length, under=under)
        return summed(m, own, event("e"), ir.FieldValue(AMOUNT.name), ir.SHARED)

    return Case(read, naive)


def signals(h: History) -> list[int]:
    return [one.value or 0 for one in h if one.name == "v"]


def smoothed(alpha: Fraction) -> Case:
    def naive(h: History) -> int:
        found = 0
        for i, value in enumerate(signals(h)):
            fixed = value << 16
            found = found + (fixed - found) * alpha.numerator // alpha.denominator if i else fixed
        return found

    def read(m: Memory, signal: Signal) -> ir.IntExpr:
        return ir.FieldValue(mean(m, signal, alpha, "smooth"))

    return Case(read, naive)


def deviating(alpha: Fraction, by: Fraction, floor: Fraction, after: int) -> Case:
    def naive(h: History) -> bool:
        level = dev = 0
        verdict = False
        for i, value in enumerate(signals(h)):
            fixed = value << 16
            if i == 0:
                level = fixed
                continue
            away = abs(fixed - level)
            verdict = i >= after and away > by * max(
                dev, floor.numerator * 2**16 // floor.denominator
            )
            dev += (away - dev) * alpha.numerator // alpha.denominator
            level += (fixed - level) * alpha.numerator // alpha.denominator
        return verdict

    return Case(lambda m, s: deviates(m, s, alpha, by, floor, after), naive)


def before() -> Case:
    def naive(h: History) -> int:
        taken = signals(h)
        return taken[-2] if len(taken) > 1 else taken[-1] if taken else 0

    return Case(lambda m, s: ir.FieldValue(previous(m, s, CELL)), naive)


def changed(window: int) -> Case:
    def naive(h: History) -> bool:
        taken = [(one.at, one.value) for one in h if one.name == "v"]
        pairs = pairwise(taken)
        return any(b[1] != a[1] and h[-1].at - window <= b[0] for a, b in pairs)

    def read(m: Memory, s: Signal) -> ir.BoolExpr:
        return m.within(Trigger("changed", Stage.TAKE, changes(s, CELL)), ir.SHARED, window)

    return Case(read, naive)


CASES = {
    "within": lambda: within("e", 7),
    "within at once": lambda: within("e", 0),
    "count": lambda: counted("e", 9, 3),
    "count of one": lambda: counted("f", 20, 1),
    "condition within": lambda: held_within(5),
    "condition for": lambda: held_for(6),
    "between": lambda: between("e", 3, 8),
    "between, one moment": lambda: between("e", 5, 5),
    "between, from now": lambda: between("e", 0, 6),
    "between, long ago": lambda: between("e", 17, 19),
    "condition between": lambda: held_between(2, 9),
    "since": lambda: since(None),
    "since within": lambda: since(12),
    "count since": lambda: counter(4),
    "panes": lambda: panes(20, 5, under=False),
    "panes that do not divide the window": lambda: panes(17, 5, under=False),
    "panes under": lambda: panes(20, 5, under=True),
    "panes under, not divided": lambda: panes(18, 5, under=True),
    "mean": lambda: smoothed(Fraction(3, 10)),
    "deviates": lambda: deviating(Fraction(3, 10), Fraction(3), Fraction(1, 2), 4),
    "deviates, fine": lambda: deviating(Fraction(1, 7), Fraction(5, 4), Fraction(0), 0),
    "previous": before,
    "changed": lambda: changed(6),
}


def history(rng: random.Random, count: int) -> list[Seen]:
    """Samples at odd times, many at once, some long after; now and then the clock goes back (dt = 0)."""
    at, last = 0, None
    found = []
    for _ in range(count):
        at += (
            rng.choice((0, 0, 1, 1, 2, 3, 5, 8, 13)) if rng.random() < 0.95 else rng.randint(20, 90)
        )
        name = rng.choice(("e", "f", "v", "v", None))
        value = rng.randint(0, 9) if name == "e" else None
        if name == "v":
            last = value = rng.choice((rng.randint(0, 50), last or 0))
        found.append(Seen(at, name, value, last))
    return found


def hold(case: Case, seen: History) -> set[object]:
    """What the cells say after every sample is what the definition says; all that was said."""
    signal = Signal("v", ir.SHARED, VALUE, ir.InRanges(ir.SAMPLE, ((KINDS["v"], KINDS["v"]),)))
    keep(case.memory, signal, CELL)
    read = case.read(case.memory, signal)
    cells, updates = case.memory.finish()
    time = ir.Time(cells, updates, SAMPLES, None, 100)
    policy = ir.Policy("p", "1", 1, ir.Combine.STRICT, ir.Default.DENY, (), (), time=time)
    state, said = State(), set()
    for i, one in enumerate(seen):
        state, _ = step(policy, {}, state, sample(one))
        env = Environment(policy, {}, dict(state.instances[ir.SHARED, ""].cells))
        found = env.evaluate(read) if isinstance(read, _INTEGERS) else env.holds(read)
        assert found == case.naive(seen[: i + 1]), seen[: i + 1]
        for cell in cells:
            assert cell.field.lo <= env.number(cell.name) <= cell.field.hi, cell
        said.add(found)
    return said


_INTEGERS = (ir.IntConst, ir.FieldValue, ir.ParamValue, ir.Arith, ir.FloorDiv, ir.Choose)


def sample(one: Seen) -> Report | Tick:
    if one.name is None:
        return Tick(one.at)
    columns = {"e": {AMOUNT.name: one.value}, "v": {VALUE.name: one.value}}.get(one.name, {})
    return Report(one.name, {k: v for k, v in columns.items() if v is not None}, one.at)


@pytest.mark.parametrize("name", CASES)
def test_an_operator_agrees_with_its_definition(name: str) -> None:
    rng = random.Random(name)
    said: set[object] = set()
    for _ in range(40):
        said |= hold(CASES[name](), history(rng, 50))
    assert len(said) > 1
