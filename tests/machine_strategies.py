"""Random functions in the language of decoders, over a few variables, and trees evaluated on values.

What always holds: a function sets every local before it reads it and ends with a return on every way;
constants are often those that matter: ends of domains, powers of two, small numbers.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from govlang.verifier.translation import machine
from govlang.verifier.translation.machine import Expr, Op, Statement, Test
from govlang.verifier.translation.machine_run import signed
from govlang.verifier.translation.tree import Tree

VARIABLES = {"few": 32, "many": 32, "wide": 64, "flag": 32, "set": 32, "set64": 64}
DOMAINS = {
    "few": (-5, 20),
    "many": (0, 70_000),
    "wide": (-(2**40), 2**40),
    "flag": (0, 1),
    "set": (0, 2**5 - 1),
    "set64": (0, 2**64 - 1),
}
SETS = ("set", "set64")
LOCALS = {"a": 32, "b": 32, "c": 64, "best": 32, "marks": 32, "wide_marks": 64}
CELLS = {"out.a": 32, "out.b": 64, "out.c": 32}

_TESTS = tuple(Test)
_POINTS = (-6, -5, -1, 0, 1, 2, 3, 5, 7, 8, 15, 16, 19, 20, 21, 31, 255, 256, 70_000, 2**31 - 1)


class Maker:
    """Makes a function; `depth` bounds nesting."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def function(self) -> machine.Function:
        """A whole function."""
        starts = tuple(machine.Set(name, self.const(width)) for name, width in LOCALS.items())
        stores = tuple(machine.Store(name, self.const(width)) for name, width in CELLS.items())
        body = (*starts, *stores, *self.block(3), *self.ends(), machine.Return(self.value(32, 1)))
        return machine.Function(LOCALS, {}, body)

    def ends(self) -> tuple[Statement, ...]:
        """What was gathered is stored."""
        return (
            machine.Store("out.a", self.rng.choice((self.local("a"), self.local("best")))),
            machine.Store("out.b", self.rng.choice((self.local("c"), self.local("wide_marks")))),
            machine.Store("out.c", self.local("marks")),
        )

    def local(self, name: str) -> machine.Local:
        """The value of a local."""
        return machine.Local(LOCALS[name], name)

    def block(self, depth: int) -> tuple[Statement, ...]:
        """Some statements."""
        return tuple(self.statement(depth) for _ in range(self.rng.randint(1, 4)))

    def statement(self, depth: int) -> Statement:
        """One statement."""
        rng = self.rng
        roll = rng.random()
        if depth and roll < 0.25:
            otherwise = self.block(depth - 1) if rng.random() < 0.5 else ()
            return machine.If(self.condition(2), self.branch(depth), otherwise)
        if depth and roll < 0.35:
            values = rng.sample(range(-5, 21), 4)
            parts = (
                ((values[0],), self.block(depth - 1)),
                ((values[1], values[2]), self.branch(depth)),
            )
            return machine.Switch(machine.Cell(32, "few"), parts, self.block(depth - 1))
        if roll < 0.6:
            return self.gathering()
        name = rng.choice(list(LOCALS))
        if roll < 0.7:
            cell = rng.choice(list(CELLS))
            return machine.Store(cell, self.value(CELLS[cell], 2))
        return machine.Set(name, self.value(LOCALS[name], 2))

    def branch(self, depth: int) -> tuple[Statement, ...]:
        """A block, which may end the function."""
        block = self.block(depth - 1)
        return (*block, machine.Return(self.const(32))) if self.rng.random() < 0.15 else block

    def gathering(self) -> Statement:
        """A local takes a value in one of the ways in which code writes that."""
        rng = self.rng
        name = rng.choice(("best", "marks", "wide_marks"))
        width = LOCALS[name]
        local = machine.Local(width, name)
        value = machine.Const(width, rng.randint(0, 40))
        if name != "best":
            bit = machine.Const(width, 1 << rng.randrange(width - 1))
            shown = rng.choice(
                (bit, machine.Select(width, self.condition(1), bit, machine.Const(width, 0)))
            )
            return self.maybe(machine.Set(name, machine.Binary(Op.OR, width, local, shown)))
        order = rng.choice((Test.LT_S, Test.GT_S, Test.LE_S, Test.GE_S))
        better: Expr = machine.Compared(order, width, value, local)
        if rng.random() < 0.3:
            kept = machine.Compared(order, width, local, value)
            return self.maybe(machine.Set(name, machine.Select(width, kept, local, value)))
        if rng.random() < 0.5:
            better = machine.Binary(Op.AND, 32, self.condition(1), better)
        return self.maybe(machine.Set(name, machine.Select(width, better, value, local)))

    def maybe(self, one: Statement) -> Statement:
        """The statement, perhaps under a condition."""
        return machine.If(self.condition(1), (one,)) if self.rng.random() < 0.5 else one

    # --- expressions -----------------------------------------------------------------------------

    def const(self, width: int) -> machine.Const:
        """A constant."""
        return machine.Const(width, self.rng.choice(_POINTS))

    def leaf(self, width: int) -> Expr:
        """A constant, a variable or a local."""
        rng = self.rng
        roll = rng.random()
        if roll < 0.3:
            return self.const(width)
        if roll < 0.8:
            names = [name for name, own in VARIABLES.items() if own == width and name not in SETS]
            return machine.Cell(width, rng.choice(names))
        return self.local(rng.choice([name for name, own in LOCALS.items() if own == width]))

    def value(self, width: int, depth: int) -> Expr:
        """A number."""
        rng = self.rng
        if not depth or rng.random() < 0.25:
            return self.leaf(width)
        match rng.randrange(8):
            case 7 if width == 32:
                numbers = tuple(rng.randint(0, 9) for _ in range(32))
                return machine.Lowest(self.word(), numbers, rng.randint(0, 9))
            case 0:
                return machine.Select(
                    width,
                    self.condition(depth - 1),
                    self.value(width, depth - 1),
                    self.value(width, depth - 1),
                )
            case 1 if width == 64:
                return machine.Extend(self.value(32, depth - 1), rng.random() < 0.5)
            case 1:
                return machine.Wrap(self.value(64, depth - 1))
            case 2:
                op = rng.choice((Op.DIV_S, Op.REM_S))
                divisor = machine.Const(width, rng.choice((1, 2, 3, 10)))
                return machine.Binary(op, width, self.value(width, depth - 1), divisor)
            case 3:
                return machine.Binary(
                    Op.SHR_S,
                    width,
                    self.value(width, depth - 1),
                    machine.Const(width, rng.randrange(5)),
                )
            case _:
                op = rng.choice((Op.ADD, Op.SUB, Op.MUL))
                exact = rng.random() < 0.3
                return machine.Binary(
                    op, width, self.value(width, depth - 1), self.value(width, depth - 1), exact
                )

    def word(self) -> Expr:
        """Something that has bits: a mask, or flags that are joined one below the other."""
        rng = self.rng
        if rng.random() < 0.4:
            return rng.choice((self.local("marks"), machine.Cell(32, "set"), self.condition(1)))
        flags: list[Expr] = [machine.Cell(32, "flag"), *(self.condition(1) for _ in range(3))]
        found: Expr = machine.Binary(Op.OR, 32, machine.Const(32, 2), rng.choice(flags))
        for _ in range(rng.randint(0, 4)):
            twice = machine.Binary(Op.MUL, 32, found, machine.Const(32, 2), exact=True)
            found = machine.Binary(Op.ADD, 32, twice, rng.choice(flags), rng.random() < 0.5)
        return found

    def condition(self, depth: int) -> Expr:
        """Mostly 0 or 1; now and then a mask, of which some bit is set."""
        rng = self.rng
        if depth and rng.random() < 0.4:
            op = rng.choice((Op.AND, Op.OR, Op.XOR))
            return machine.Binary(op, 32, self.condition(depth - 1), self.condition(depth - 1))
        if rng.random() < 0.3:
            return self.mask_test()
        if rng.random() < 0.1:
            return self.masked()
        if rng.random() < 0.1:
            window = machine.Binary(
                Op.SHR_U,
                32,
                machine.Const(32, rng.randint(-(2**31), 2**31 - 1)),
                machine.Binary(Op.ADD, 32, machine.Cell(32, "few"), machine.Const(32, 5)),
            )
            return machine.Binary(Op.AND, 32, window, machine.Const(32, 1))
        width = rng.choice((32, 64))
        return machine.Compared(
            rng.choice(_TESTS), width, self.value(width, depth), self.leaf(width)
        )

    def masked(self) -> Expr:
        """Some bits of a variable or a local, seldom more than one."""
        rng = self.rng
        one = rng.choice((machine.Cell(32, "set"), machine.Cell(32, "flag"), self.local("marks")))
        other = rng.choice((machine.Const(32, 1), machine.Const(32, 1), self.local("marks")))
        sides = rng.sample((one, other), 2)
        return machine.Binary(Op.AND, 32, *sides)

    def mask_test(self) -> Expr:
        """A test of the members of a set."""
        rng = self.rng
        name = rng.choice(SETS)
        width = VARIABLES[name]
        mask = machine.Const(
            width, signed(rng.getrandbits(width) & (-1 if name == "set64" else 31), width)
        )
        kept = machine.Binary(Op.AND, width, machine.Cell(width, name), mask)
        other = rng.choice((mask, machine.Const(width, 0)))
        return machine.Compared(rng.choice((Test.EQ, Test.NE)), width, kept, other)


def random_values(rng: random.Random) -> dict[str, int]:
    """A value of every variable, biased to ends and small numbers."""
    found = {}
    for name, (lo, hi) in DOMAINS.items():
        near = max(lo, min(hi, rng.randint(-6, 25)))
        value = rng.choice((lo, hi, near, rng.randint(lo, hi)))
        found[name] = signed(value, VARIABLES[name])
    return found


# --- trees on values -----------------------------------------------------------------------------


class Values:
    """Values of columns, by which trees are evaluated; `firsts` and `gathers` are those of a reader."""

    def __init__(
        self,
        columns: Sequence[int],
        firsts: Mapping[int, Sequence[Tree]] | None = None,
        gathers: Mapping[Tree, Any] | None = None,
    ) -> None:
        self.columns = columns
        self.firsts = firsts or {}
        self.gathers = gathers or {}

    def column(self, number: int) -> int:
        """The word of a column."""
        if number in self.firsts:
            conditions = self.firsts[number]
            return next((i for i, c in enumerate(conditions) if self.holds(c)), len(conditions))
        return self.columns[number]

    def holds(self, tree: Tree) -> bool:
        """Whether a condition holds."""
        match tree[0]:
            case "true" | "false":
                return tree[0] == "true"
            case "and":
                return all(self.holds(part) for part in tree[1:])
            case "or":
                return any(self.holds(part) for part in tree[1:])
            case "not":
                return not self.holds(tree[1])
            case "in":
                return any(lo <= self.column(tree[1]) <= hi for lo, hi in tree[2])
            case "bit":
                return bool(self.column(tree[1]) >> tree[2] & 1)
            case "any":
                return bool(self.column(tree[1]) & tree[2])
            case "eq":
                return self.integer(tree[1]) == self.integer(tree[2])
            case "lt":
                return self.integer(tree[1]) < self.integer(tree[2])
            case "le":
                return self.integer(tree[1]) <= self.integer(tree[2])
            case _:
                assert tree[0] == "below", tree
                return self.column(tree[1]) < tree[3][self.column(tree[2])]

    def integer(self, tree: Tree) -> int:
        """The value of an integer."""
        match tree[0]:
            case "const":
                return int(tree[1])
            case "load":
                return self.column(tree[1])
            case "truth":
                return int(self.holds(tree[1]))
            case "if":
                return self.integer(tree[2] if self.holds(tree[1]) else tree[3])
            case "map":
                return int(tree[2][self.column(tree[1])])
            case "word":
                return sum(weight for weight, condition in tree[1] if self.holds(condition))
            case "cases":
                held = [value for condition, value in tree[1] if self.holds(condition)]
                assert len(held) <= 1
                return int(held[0] if held else tree[2])
            case "union":
                return self.integer(tree[1]) | self.integer(tree[2])
            case "common":
                return self.integer(tree[1]) & self.integer(tree[2])
            case "wrap":
                return signed(self.integer(tree[2]), tree[1])
            case "window":
                _, width, mask, count, _ = tree
                return signed(mask >> self.integer(count) % width, width)
            case "floor":
                return self.integer(tree[1]) // int(tree[2])
            case "trunc":
                value = self.integer(tree[1])
                return abs(value) // tree[2] * (1 if value >= 0 else -1)
            case "rem":
                value = self.integer(tree[1])
                return abs(value) % tree[2] * (1 if value >= 0 else -1)
            case "gathered":
                way, start, pairs = self.gathers[tree]
                pick = min if way == "least" else max
                return int(
                    pick(
                        [self.integer(start), *(self.integer(v) for c, v in pairs if self.holds(c))]
                    )
                )
            case _:
                a, b = self.integer(tree[1]), self.integer(tree[2])
                return int(
                    {"+": a + b, "-": a - b, "*": a * b, "least": min(a, b), "greatest": max(a, b)}[
                        tree[0]
                    ]
                )
