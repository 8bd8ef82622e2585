"""Temporal operators as cells and updates.

In: what happens at some samples (`Trigger`), windows in ms.  Out: conditions and numbers over cells, and
at the end the cells with their updates.  Each operator needs what the table of docs/language.md says.

What always holds: ages stop just above the longest window that reads them, so a cell's size follows from
its window and no state wraps; equal triggers in one scope share their ages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from govlang.compiler import ir
from govlang.compiler.ir import ArithOp, BoolExpr, IntExpr, Stage
from govlang.compiler.meanings import Amount, Lasting, Meaning, Past, Times, Unbroken, Words
from govlang.dsl.record import record

COUNT_MAX: Final = 1_000
"""Ages of a `count(E) in d`; beyond, `by p` counts in panes."""


@record
class Trigger:
    """Something that happens at some samples, known in a stage; `name` begins the names of its cells."""

    name: str
    stage: int
    condition: BoolExpr


@dataclass(slots=True)
class _Ring:
    """The ages of the last times that something happened; `caps[i]` is the longest window that reads age i."""

    trigger: Trigger
    scope: str
    caps: list[int] = field(default_factory=list)

    def read(self, index: int, window_ms: int) -> str:
        """The name of the age of the index-th last time, which a window reads."""
        missing = index + 1 - len(self.caps)
        self.caps += [0] * missing
        for i in range(index + 1):
            self.caps[i] = max(self.caps[i], window_ms + 1)
        return self.name(index)

    def name(self, index: int) -> str:
        return f"{self.trigger.name}.age" + (f".{index + 1}" if index else "")


@dataclass(slots=True)
class Memory:
    """The cells that operators ask for."""

    cells: dict[str, ir.Cell] = field(default_factory=dict)
    updates: list[ir.Update] = field(default_factory=list)
    moments: set[str] = field(default_factory=set)
    """Columns that are true at single samples: a machine enters a state, a value changes."""
    lacking: dict[str, str] = field(default_factory=dict)
    """Cells without a value before a first sample, and the cell of whether there was one."""
    unasked: dict[str, str] = field(default_factory=dict)
    """The same of cells whose samples are requests, which come without a guard."""
    meanings: dict[str, Meaning] = field(default_factory=dict)
    amounts: dict[tuple[str, IntExpr], Amount] = field(default_factory=dict)
    _expected: dict[str, tuple[int, str]] = field(default_factory=dict)
    _rings: dict[tuple[str, str], _Ring] = field(default_factory=dict)
    _holds: dict[tuple[str, str], tuple[Trigger, int]] = field(default_factory=dict)

    # --- cells -----------------------------------------------------------------------------------

    def expect(self, name: str, stage: int, scope: str) -> None:
        """A cell of this name will come, and is known behind that stage."""
        self._expected[name] = stage, scope

    def home(self, name: str) -> str | None:
        """The scope of a cell; None if there is none of that name."""
        expected = self._expected.get(name)
        return None if expected is None else expected[1]

    def stage(self, name: str) -> int:
        """The stage behind which a column of a sample is known; what the outcome moves counts from before."""
        return self._expected.get(name, (Stage.TAKE, ""))[0]

    def add(self, cell: ir.Cell, *updates: ir.Update) -> str:
        """A cell with its updates; the name under which it is read."""
        if cell.name not in self.cells:
            self.cells[cell.name] = cell
            self.updates += updates
            self.expect(cell.name, _known(u.stage for u in updates), cell.scope)
        return cell.name

    def finish(self) -> tuple[tuple[ir.Cell, ...], tuple[ir.Update, ...]]:
        """All cells and updates, now that every window is known."""
        cells, updates = list(self.cells.values()), list(self.updates)
        for ring in self._rings.values():
            for cell, update in _ring_cells(ring):
                cells.append(cell)
                updates.append(update)
        for (name, scope), (trigger, cap) in self._holds.items():
            cells.append(ir.Cell(ir.cell_field(name, -1, cap), scope, -1, cap))
            updates += _hold_updates(name, trigger)
        return tuple(cells), tuple(updates)

    def words(self) -> Words:
        """What the cells mean, now that all are known."""
        rings = {
            ring.name(i): Times(tuple(ring.name(k) for k in range(i + 1)))
            for ring in self._rings.values()
            for i in range(len(ring.caps))
        }
        held = {name: Lasting() for name, _ in self._holds}
        return Words({**self.meanings, **rings, **held}, tuple(self.amounts.values()))

    # --- operators -------------------------------------------------------------------------------

    def within(self, trigger: Trigger, scope: str, window_ms: int) -> BoolExpr:
        """It happened at some t' in [t - window, t]."""
        return self.counted(trigger, scope, window_ms, 1)

    def counted(self, trigger: Trigger, scope: str, window_ms: int, least: int) -> BoolExpr:
        """It happened at least `least` times in [t - window, t], equal ones counted apart."""
        if least <= 0:
            return ir.TRUE
        name = self._ring(trigger, scope).read(least - 1, window_ms)
        self.expect(name, _known([trigger.stage]), scope)
        return ir.InRanges(name, ((0, window_ms),))

    def _ring(self, trigger: Trigger, scope: str) -> _Ring:
        return self._rings.setdefault((trigger.name, scope), _Ring(trigger, scope))

    def held_for(self, trigger: Trigger, scope: str, window_ms: int) -> BoolExpr:
        """It held at some t' <= t - window and at every sample since."""
        name = f"{trigger.name}.held"
        _, cap = self._holds.get((name, scope), (trigger, 0))
        self._holds[name, scope] = trigger, max(cap, window_ms)
        self.expect(name, trigger.stage, scope)
        return ir.negation(ir.InRanges(name, _below(window_ms)))

    def between(self, trigger: Trigger, scope: str, near_ms: int, far_ms: int) -> BoolExpr:
        """It happened at some t' in [t - far, t - near]; near <= far.

        Times less than the window's length apart are one interval: no window of that length lies between
        two of them, so which of them happened makes no difference.
        """
        gap = far_ms - near_ms + 1
        count = 1 + far_ms // (gap + 1)
        stem = f"{trigger.name}.between.{near_ms}.{far_ms}"
        names = [(f"{stem}.near.{i + 1}", f"{stem}.far.{i + 1}") for i in range(count)]
        joins = ir.InRanges(names[0][0], ((0, gap),))
        apart = ir.conjunction((trigger.condition, ir.negation(joins)))
        cap = far_ms + 1
        self.meanings |= {name: Past(tuple(n for n, _ in names)) for pair in names for name in pair}
        for i, pair in enumerate(names):
            for end, name in enumerate(pair):
                shifted: IntExpr = ir.FieldValue(names[i - 1][end]) if i else ir.IntConst(0)
                own = [ir.Update(trigger.stage, name, apart, shifted)]
                if i == 0 and end == 0:
                    own.append(ir.Update(trigger.stage, name, trigger.condition, ir.IntConst(0)))
                self.add(ir.Cell(ir.cell_field(name, 0, cap), scope, cap, cap), *own)
        return ir.disjunction(
            ir.conjunction((ir.InRanges(near, ((0, far_ms),)), ir.InRanges(far, ((near_ms, cap),))))
            for near, far in names
        )

    def since(self, holds: Trigger, anchor: Trigger, scope: str, window_ms: int | None) -> BoolExpr:
        """It held at every sample after the last anchor, and the anchor happened (in the window)."""
        broken = ir.negation(holds.condition)
        name = f"{holds.name}.since.{anchor.name}"
        name += "" if window_ms is None else f".{window_ms}"
        if window_ms is None:
            cell = ir.Cell(ir.cell_field(name, 0, 1), scope, 0)
            begun, off = ir.IntConst(1), ir.IntConst(0)
            read: BoolExpr = ir.InRanges(name, ((1, 1),))
        else:
            cell = ir.Cell(ir.cell_field(name, -1, window_ms + 1), scope, -1, window_ms + 1)
            begun, off = ir.IntConst(0), ir.IntConst(-1)
            read = ir.InRanges(name, ((0, window_ms),))
        self.meanings[name] = Unbroken(anchor.name)
        self.add(
            cell,
            # the sample of the anchor is not behind it, so where both are known at once it goes first
            ir.Update(max(holds.stage, anchor.stage), name, anchor.condition, begun),
            ir.Update(holds.stage, name, broken, off),
        )
        return read

    def counter(self, trigger: Trigger, anchor: Trigger, scope: str, top: int) -> str:
        """The cell that counts how often it happened after the last anchor, up to `top`."""
        name = f"count({trigger.name}).since.{anchor.name}.{top}"
        more = ir.conjunction((trigger.condition, ir.InRanges(name, ((0, top - 1),))))
        plus = ir.Arith(ArithOp.ADD, ir.FieldValue(name), ir.IntConst(1))
        return self.add(
            ir.Cell(ir.cell_field(name, 0, top), scope, 0),
            ir.Update(anchor.stage, name, anchor.condition, ir.IntConst(0)),
            ir.Update(trigger.stage, name, more, plus),
        )


def _known(stages: Iterable[int]) -> int:
    """The last stage before the outcome in which a cell moves."""
    return max((stage for stage in stages if stage < Stage.CLOSE), default=Stage.TAKE)


def _below(window_ms: int) -> ir.Ranges:
    return ((-1, window_ms - 1),)


def _ring_cells(ring: _Ring) -> Iterator[tuple[ir.Cell, ir.Update]]:
    """Each age takes over the one before it; the first one starts anew."""
    for i, cap in enumerate(ring.caps):
        name = ring.name(i)
        before: IntExpr = ir.FieldValue(ring.name(i - 1)) if i else ir.IntConst(0)
        if i and ring.caps[i - 1] > cap:
            before = ir.Arith(ArithOp.LEAST, before, ir.IntConst(cap))
        cell = ir.Cell(ir.cell_field(name, 0, cap), ring.scope, cap, cap)
        yield cell, ir.Update(ring.trigger.stage, name, ring.trigger.condition, before)


def _hold_updates(name: str, trigger: Trigger) -> Iterator[ir.Update]:
    stage, idle = trigger.stage, ir.InRanges(name, ((-1, -1),))
    yield ir.Update(stage, name, ir.negation(trigger.condition), ir.IntConst(-1))
    yield ir.Update(stage, name, idle, ir.IntConst(0))
