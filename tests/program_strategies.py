"""Random programs: every statement, condition and value that `program.py` has, in every shape.

What always holds: what `program.py` promises of a program; `program_run.py` checks it on the way.
"""

from __future__ import annotations

import random

from tables import policy_of

from govlang.compiler.ir import ArithOp, CompareOp, Ranges, SetOp
from govlang.compiler.program import (
    Arith,
    Bit,
    Both,
    Cell,
    Choose,
    Compare,
    Condition,
    Decide,
    Either,
    Flag,
    FloorDiv,
    Gather,
    Inside,
    Load,
    Mark,
    MaskTest,
    Negation,
    Number,
    Program,
    Read,
    Refuse,
    Slot,
    Start,
    Statement,
    Store,
    Switch,
    Truth,
    Unpacked,
    Value,
    Variable,
    Way,
    When,
)

VARIABLES = (
    Variable("few", 32, -5, 20, 21),
    Variable("some", 32, 0, 5000, 5001),
    Variable("many", 64, -(2**35), 2**35, 2**35 + 1),
    Variable("narrow64", 64, 3, 60, 61),
    Variable("all", 32, -(2**31), 2**31 - 2, 2**31 - 1),
    Variable("flag", 32, 0, 1, 2),
    Variable("rank", 32, 0, 4000, 4001),
    Variable("set31", 32, 0, 2**31 - 1, -1, mask=True),
    Variable("set64", 64, 0, 2**64 - 1, 0, mask=True),
    Variable("maybe", 32, -9, 9, 10, has=(5,), absent=-9),
)
SLOTS = {one.name: Slot(one.name, one.width, one.mask) for one in VARIABLES}
RANGED = ("few", "some", "many", "narrow64", "all", "maybe")
MASKED = ("set31", "set64")
GATHERED = tuple(Slot(f"g{width}.{i}", width) for width in (32, 64) for i in range(2))
MARKED = (Slot("marks32", 32, mask=True), Slot("marks64", 64, mask=True))
TRUTHS = tuple(Slot(f"truth{i}", 32) for i in range(3))


def random_program(rng: random.Random) -> Program:
    """A program of a few statements; it stores every slot that it writes."""
    maker = _Maker(rng)
    written = (*GATHERED, *MARKED, *TRUTHS)
    loads = tuple(Load(SLOTS[v.name], v, i) for i, v in enumerate(VARIABLES))
    starts = tuple(Start(slot, maker.start(slot)) for slot in written)
    body = (*loads, *starts, *maker.refusals(), *maker.statements(3, 3))
    cells = tuple(Cell(f"out.{s.name}", s.width, 3, s.mask) for s in written)
    stores = tuple(Store(c, Read(s, s.width)) for c, s in zip(cells, written, strict=True))
    invalid = Cell("out.invalid", 32, -1)
    last = Store(invalid, Number(-1, 32))
    slots = (*SLOTS.values(), *written)
    return Program(policy_of(), VARIABLES, (*cells, invalid), slots, (*body, *stores, last))


def random_variables(rng: random.Random) -> dict[str, int]:
    """Mostly inside the domains."""
    found = {}
    for one in VARIABLES:
        near = (one.lo, one.hi, rng.randint(one.lo, one.hi), rng.randint(one.lo, one.hi))
        found[one.name] = max(one.lo, min(one.hi, rng.choice((*near, rng.randint(-9, 40)))))
    if rng.random() < 0.1:
        one = rng.choice(VARIABLES)
        found[one.name] = one.unset
    return found


class _Maker:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def start(self, slot: Slot) -> Number:
        return Number(self.rng.choice((0, 0, 1 if slot in TRUTHS else 7)), slot.width)

    def refusals(self) -> list[Statement]:
        if self.rng.random() < 0.7:
            return []
        few = Inside(SLOTS["few"], ((19, 20),), -5, 20)
        return [Refuse(Both((few, self.condition(1))), len(VARIABLES))]

    # --- statements -----------------------------------------------------------------------------

    def statements(self, count: int, depth: int) -> tuple[Statement, ...]:
        return tuple(self.statement(depth) for _ in range(self.rng.randint(1, 2 * count)))

    def statement(self, depth: int) -> Statement:
        rng = self.rng
        roll = rng.randrange(10)
        if depth > 0 and roll == 0:
            otherwise = self.statements(1, depth - 1) if rng.random() < 0.5 else ()
            then = self.statements(1, depth - 1) if rng.random() < 0.9 else ()
            return When(self.condition(2), then, otherwise)
        if depth > 0 and roll == 1:
            return self.switch(depth)
        if roll < 4:
            return Decide(rng.choice(TRUTHS), self.condition(3))
        if roll < 6:
            slot = rng.choice(MARKED)
            bits = rng.choice((1, 2, 5)) if rng.random() < 0.8 else rng.getrandbits(slot.width)
            return Mark(slot, self.condition(2), bits or 1)
        slot = rng.choice(GATHERED)
        always = rng.random() < 0.2
        condition = Truth(True) if always else self.condition(2)
        value = self.narrow() if slot.width == 32 else self.value(2)
        return Gather(slot, condition, value, rng.choice(list(Way)))

    def switch(self, depth: int) -> Switch:
        rng = self.rng
        slot = SLOTS[rng.choice(("few", "some", "many", "narrow64"))]
        spread = rng.choice((1, 1, 40))
        first = rng.choice((0, 3, 3))
        values = [first + spread * i for i in range(rng.choice((1, 2, 5, 17)))]
        groups: dict[int, list[int]] = {}
        for value in values:
            groups.setdefault(rng.randrange(4), []).append(value)
        bodies = ((), self.statements(1, depth - 1), self.statements(1, depth - 1))
        parts = tuple(
            (tuple(group), bodies[i % 3] if i else self.statements(1, depth - 1))
            for i, group in enumerate(groups.values())
        )
        return Switch(slot, parts)

    # --- values ---------------------------------------------------------------------------------

    def narrow(self) -> Value:
        """A value of 32 bits."""
        rng = self.rng
        roll = rng.random()
        if roll < 0.4:
            return Number(rng.choice((0, 1, -1, 64, rng.randint(-(2**31), 2**31 - 1))), 32)
        if roll < 0.6:
            rank = SLOTS["rank"]
            return rng.choice(
                (Unpacked(rank, 0, 15), Unpacked(rank, 8, None, 4), Unpacked(rank, 3))
            )
        if roll < 0.75:
            return Choose(self.condition(1), self.narrow(), self.narrow())
        return Read(SLOTS[rng.choice(("few", "some", "all", "flag"))], 32)

    def value(self, depth: int) -> Value:
        """A value of 64 bits, below 2**40 * 100 ** depth in size."""
        rng = self.rng
        if depth <= 0 or rng.random() < 0.3:
            number = Number(rng.choice((0, 1, -1, 5, rng.randint(-(2**40), 2**40))), 64)
            names = ("few", "some", "many", "narrow64", "all", "maybe", "set31")
            return rng.choice((number, *(Read(SLOTS[n], 64) for n in names)))
        roll = rng.randrange(4)
        if roll == 0:
            return FloorDiv(self.value(depth - 1), rng.choice((2, 3, 10, 1000, 2**31 + 7)))
        if roll == 1:
            return Choose(self.condition(1), self.value(depth - 1), self.value(depth - 1))
        if roll == 2:
            small = rng.choice((Read(SLOTS["few"], 64), Number(-7, 64)))
            return Arith(ArithOp.MUL, self.value(depth - 1), small)
        op = rng.choice((ArithOp.ADD, ArithOp.SUB, ArithOp.LEAST, ArithOp.GREATEST))
        return Arith(op, self.value(depth - 1), self.value(depth - 1))

    # --- conditions -----------------------------------------------------------------------------

    def condition(self, depth: int) -> Condition:
        rng = self.rng
        roll = rng.random()
        if depth > 0 and roll < 0.45:
            count = rng.choice((2, 2, 3, 12))
            parts = tuple(self.condition(depth - 1) for _ in range(count))
            return rng.choice((Both, Either))(parts)
        if depth > 0 and roll < 0.6:
            return Negation(self.condition(depth - 1))
        return self.atom()

    def atom(self) -> Condition:
        rng = self.rng
        match rng.randrange(7):
            case 0:
                return Truth(rng.random() < 0.5)
            case 1:
                return Flag(rng.choice((SLOTS["flag"], *TRUTHS)))
            case 2:
                slot = SLOTS[rng.choice(MASKED)]
                return Bit(slot, rng.choice((0, 1, 30, slot.width - 1)))
            case 3:
                slot = SLOTS[rng.choice(MASKED)]
                masks = (1, 6, 1 << slot.width - 2, rng.getrandbits(slot.width - 1), 0)
                return MaskTest(slot, rng.choice(list(SetOp)), rng.choice(masks))
            case 4:
                op = rng.choice(list(CompareOp))
                if rng.random() < 0.5:
                    return Compare(op, self.narrow(), rng.choice((Number(0, 32), self.narrow())))
                return Compare(op, self.value(1), rng.choice((Number(0, 64), self.value(1))))
            case _:
                return self.inside()

    def inside(self) -> Inside:
        rng = self.rng
        one = rng.choice([v for v in VARIABLES if v.name in RANGED])
        return Inside(SLOTS[one.name], self.ranges(one), one.lo, one.hi)

    def ranges(self, one: Variable) -> Ranges:
        """Ranges inside a domain, that do not touch and are not all of it."""
        rng = self.rng
        reach = range(one.lo, min(one.hi, one.lo + 400) + 1)
        count = min(2 * rng.choice((1, 1, 2, 3, 20)), len(reach) // 3 * 2)
        points = sorted(rng.sample(reach, count))
        if rng.random() < 0.3:
            points[-1] = one.hi
        if rng.random() < 0.3:
            points[0] = one.lo
        found: list[tuple[int, int]] = []
        for lo, hi in zip(points[::2], points[1::2], strict=True):
            last = lo if rng.random() < 0.4 else hi
            if not found or lo > found[-1][1] + 1:
                found.append((lo, last))
        return tuple(found) if found != [(one.lo, one.hi)] else ((one.lo, one.lo),)
