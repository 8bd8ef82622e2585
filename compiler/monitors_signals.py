"""Operators over the samples of one signal: the sample before, smoothing, deviation.

In: a signal's columns, constants as exact fractions.  Out: cells, conditions and numbers over them.

Means are fixed-point numbers with 16 fraction bits of a step; every division is floored.  `deviates` tests
a sample against mean and deviation of those before it, then takes it in (language.md).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from govlang.compiler import ir
from govlang.compiler.ir import ArithOp, BoolExpr, CompareOp, IntExpr, Stage
from govlang.compiler.meanings import Deviation, Earlier, Moment, Sampled
from govlang.compiler.monitors import Memory
from govlang.dsl.record import record

ONE: Final = 2**16
"""A step in a mean."""


@record
class Signal:
    """A signal: `sampled` holds at its samples, where `taken` is the new value; cells keep the last one.

    `value` is the cell of the last sample, `seen` the cell of whether there was one.
    """

    name: str
    scope: str
    field: ir.Field
    sampled: BoolExpr
    is_asked: bool = False
    """Its samples are requests."""

    @property
    def taken(self) -> ir.FieldValue:
        """The value that a sample brings."""
        return ir.FieldValue(self.field.name)

    @property
    def seen(self) -> str:
        """The cell of whether there was a sample."""
        return f"{self.name}.seen"


def keep(memory: Memory, signal: Signal, column: ir.Field, start: int | None = None) -> None:
    """The cells of the last sample: `column` is its cell's; `start` its value before the first one."""
    memory.meanings[signal.seen] = Sampled()
    memory.add(
        ir.Cell(ir.cell_field(signal.seen, 0, 1, ir.Kind.BOOL), signal.scope, 0),
        ir.Update(Stage.TAKE, signal.seen, signal.sampled, ir.IntConst(1)),
    )
    memory.add(
        ir.Cell(column, signal.scope, column.lo if start is None else start),
        ir.Update(Stage.TAKE, column.name, signal.sampled, signal.taken),
    )
    if start is None:
        memory.lacking[column.name] = signal.seen


def _begun(memory: Memory, signal: Signal, name: str) -> None:
    """A cell that has no value before the first sample."""
    memory.lacking[name] = signal.seen
    if signal.is_asked:
        memory.unasked[name] = signal.seen


def previous(memory: Memory, signal: Signal, value: ir.Field) -> str:
    """The cell of the sample before the last one; of a single sample, that sample."""
    name = f"{signal.name}.previous"
    first = ir.conjunction((signal.sampled, ir.InRanges(signal.seen, ((0, 0),))))
    column = ir.Field(
        name, value.kind, value.lo, value.hi, value.step_num, value.step_den, value.unit,
        value.members, origin=ir.Origin.STATE,
    )  # fmt: skip
    _begun(memory, signal, name)
    memory.meanings[name] = Earlier()
    return memory.add(
        ir.Cell(column, signal.scope, value.lo),
        ir.Update(Stage.TAKE, name, first, signal.taken),
        ir.Update(Stage.TAKE, name, signal.sampled, ir.FieldValue(value.name)),
    )


def changes(signal: Signal, value: ir.Field) -> BoolExpr:
    """A sample comes that differs from the one before it."""
    differs = ir.Compare(CompareOp.NE, signal.taken, ir.FieldValue(value.name))
    return ir.conjunction((signal.sampled, ir.InRanges(signal.seen, ((1, 1),)), differs))


def changed(memory: Memory, signal: Signal, value: ir.Field) -> BoolExpr:
    """This sample differs from the one before it, asked when it has been taken in."""
    name = f"changed({signal.name})"
    memory.moments.add(name)
    memory.meanings[name] = Moment()
    memory.add(
        ir.Cell(ir.cell_field(name, 0, 1, ir.Kind.BOOL), signal.scope, 0, brief=True),
        ir.Update(Stage.TAKE, name, changes(signal, value), ir.IntConst(1)),
    )
    return ir.InRanges(name, ((1, 1),))


def mean(memory: Memory, signal: Signal, alpha: Fraction, stem: str) -> str:
    """The cell of the exponentially weighted mean: the first sample, then mean + alpha (x - mean)."""
    name = f"{stem}.mean"
    first = ir.conjunction((signal.sampled, ir.InRanges(signal.seen, ((0, 0),))))
    lo, hi = signal.field.lo * ONE, signal.field.hi * ONE
    _begun(memory, signal, name)
    return memory.add(
        ir.Cell(ir.cell_field(name, lo, hi), signal.scope, lo),
        ir.Update(Stage.TAKE, name, first, _fixed(signal)),
        ir.Update(Stage.TAKE, name, signal.sampled, _moved(name, _fixed(signal), alpha)),
    )


def deviates(
    memory: Memory,
    signal: Signal,
    alpha: Fraction,
    by: Fraction,
    floor: Fraction,
    after: int,
) -> BoolExpr:
    """|x - mean| > by * max(dev, floor) at the last sample of the signal; false for the first `after`.

    `floor` counts steps of the signal.
    """
    stem = f"{signal.name}.deviates.{alpha}.{by}.{floor}.{after}"
    level = mean(memory, signal, alpha, stem)
    away = _distance(_fixed(signal), ir.FieldValue(level))
    dev = _deviation(memory, signal, f"{stem}.dev", away, alpha)
    first = max(after, 1)
    taken = _samples(memory, signal, f"{stem}.taken", first)
    least = ir.IntConst(floor.numerator * ONE // floor.denominator)
    bound = ir.Arith(ArithOp.GREATEST, ir.FieldValue(dev), least)
    out = ir.Compare(
        CompareOp.LT,
        ir.Arith(ArithOp.MUL, bound, ir.IntConst(by.numerator)),
        ir.Arith(ArithOp.MUL, away, ir.IntConst(by.denominator)),
    )
    enough = ir.InRanges(taken, ((first, first),))
    verdict = memory.add(
        ir.Cell(ir.cell_field(f"{stem}.verdict", 0, 1, ir.Kind.BOOL), signal.scope, 0),
        ir.Update(
            Stage.TAKE,
            f"{stem}.verdict",
            ir.conjunction((signal.sampled, enough, out)),
            ir.IntConst(1),
        ),
        ir.Update(Stage.TAKE, f"{stem}.verdict", signal.sampled, ir.IntConst(0)),
    )
    memory.meanings[verdict] = Deviation(taken, first)
    return ir.InRanges(verdict, ((1, 1),))


def _deviation(memory: Memory, signal: Signal, name: str, away: IntExpr, alpha: Fraction) -> str:
    """The cell of the weighted mean of how far samples lay from the mean; 0 before the second one."""
    widest = (signal.field.hi - signal.field.lo) * ONE
    known = ir.InRanges(signal.seen, ((1, 1),))
    return memory.add(
        ir.Cell(ir.cell_field(name, 0, widest), signal.scope, 0),
        ir.Update(
            Stage.TAKE,
            name,
            ir.conjunction((signal.sampled, known)),
            _moved(name, away, alpha),
        ),
    )


def _samples(memory: Memory, signal: Signal, name: str, top: int) -> str:
    """The cell of how many samples came, up to `top`."""
    more = ir.Arith(ArithOp.ADD, ir.FieldValue(name), ir.IntConst(1))
    below = ir.InRanges(name, ((0, top - 1),))
    return memory.add(
        ir.Cell(ir.cell_field(name, 0, top), signal.scope, 0),
        ir.Update(Stage.TAKE, name, ir.conjunction((signal.sampled, below)), more),
    )


def _fixed(signal: Signal) -> IntExpr:
    return ir.Arith(ArithOp.MUL, signal.taken, ir.IntConst(ONE))


def _moved(name: str, to: IntExpr, alpha: Fraction) -> IntExpr:
    """The value of a cell, moved by alpha of the way."""
    here = ir.FieldValue(name)
    way = ir.Arith(ArithOp.MUL, ir.Arith(ArithOp.SUB, to, here), ir.IntConst(alpha.numerator))
    return ir.Arith(ArithOp.ADD, here, ir.FloorDiv(way, alpha.denominator))


def _distance(a: IntExpr, b: IntExpr) -> IntExpr:
    return ir.Arith(
        ArithOp.GREATEST,
        ir.Arith(ArithOp.SUB, a, b),
        ir.Arith(ArithOp.SUB, b, a),
    )
