"""The sections of a table that say what a policy remembers: scopes, cells, samples, updates, points.

In: a policy over time, the schema of its table, its programs.  Out: the records of `native/gov_time.h`.

What always holds: cells stand by scope, in each the largest first, so that an instance has no gaps; updates
stand by stage and cell, those of one cell in the order of the policy, of which the first that applies counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import rfc8785

from govlang.compiler import ir
from govlang.compiler.core import plain
from govlang.compiler.residual import Programs
from govlang.compiler.table_schema import Columns, Schema, ordered_cells, scopes_of
from govlang.compiler.update_order import ordered
from govlang.native.layout import (
    NONE,
    STATE_HEAD,
    CellFlag,
    MemoryFlag,
    SampleFlag,
    Says,
    Section,
)

Row = dict[str, int]

WHOLE: Final = -1
"""A point that stands for: more of the value is read than whether it has reached some points."""


def decision_column(columns: Columns) -> int | None:
    """The column of the decision, which updates behind it read; None for a policy that remembers nothing."""
    return len(columns.axes) + Says.DECISION if columns.remembered else None


def memory_sections(schema: Schema, time: ir.Time, programs: Programs) -> dict[Section, list[Row]]:
    """Every section behind the nodes."""
    return _Memory(schema, time, programs, change_points(schema.policy, time)).sections()


@dataclass(slots=True)
class _Memory:
    schema: Schema
    time: ir.Time
    programs: Programs
    changes: Mapping[str, set[int]]
    points: list[Row] = field(default_factory=list)
    own: Mapping[str, list[ir.Update]] = field(init=False)
    signals: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        self.own = updates_by_cell(self.time)
        self.signals = frozenset(
            ir.FIRST_KIND + i
            for i, one in enumerate(self.time.samples)
            if one.kind is ir.SampleKind.SIGNAL
        )

    def sections(self) -> dict[Section, list[Row]]:
        memory = self._memory()
        cells = list(self._cells())
        return {
            Section.MEMORY: [memory],
            Section.SCOPES: list(self._scopes(cells)),
            Section.CELLS: cells,
            Section.SAMPLES: list(self._samples()),
            Section.UPDATES: list(self._updates()),
            Section.POINTS: self.points,
        }

    def _memory(self) -> Row:
        _, points, whole = self._pointed(ir.GAP, ir.GAP_MAX)
        flags = MemoryFlag.READS_FAULT if self.time.rules_read_clock else MemoryFlag(0)
        return {
            "key": scopes_of(self.time).index(self.time.key or ir.SHARED),
            "flags": flags | (MemoryFlag.GAP_WHOLE if whole else 0),
            "longest_ms": self.time.longest_ms,
            "gap_points": points,
        }

    def _pointed(self, name: str, cap: int) -> tuple[int, int, bool]:
        """Where the points of a column stand, how many there are, and whether it is read as a whole."""
        found = self.changes.get(name, set())
        own = sorted(point for point in found if 1 <= point <= cap)
        first = len(self.points)
        self.points += [{"value": point} for point in own]
        return first if own else 0, len(own), WHOLE in found

    def _scopes(self, cells: list[Row]) -> Iterator[Row]:
        first = 0
        for number, scope in enumerate(scopes_of(self.time)):
            own = [row for row in cells if row["scope"] == number]
            yield {
                "field": NONE if scope == ir.SHARED else self.schema.input(scope),
                "first_cell": first if own else 0,
                "cells": len(own),
                "bytes": STATE_HEAD + sum(row["bytes"] for row in own),
            }
            first += len(own)

    def _cells(self) -> Iterator[Row]:
        scopes = scopes_of(self.time)
        ends = dict.fromkeys(scopes, STATE_HEAD)
        for cell in ordered_cells(self.time):
            first, points, whole = self._pointed(cell.name, cell.cap or 0)
            flags = CellFlag.BRIEF if cell.brief else CellFlag(0)
            flags |= CellFlag.GROWS if cell.cap is not None else 0
            flags |= CellFlag.FRESHNESS if self._is_freshness(cell) else 0
            flags |= CellFlag.WHOLE if whole and cell.cap is not None else 0
            yield {
                "name": self.schema.strings.number(cell.name),
                "scope": scopes.index(cell.scope),
                "offset": 0 if cell.brief else ends[cell.scope],
                "bytes": cell.bytes,
                "flags": flags,
                "initial": cell.initial,
                "cap": cell.cap or 0,
                "definition": definition(self.time, cell, self.own.get(cell.name, [])),
                "first_point": first,
                "points": points,
            }
            ends[cell.scope] += cell.bytes

    def _is_freshness(self, cell: ir.Cell) -> bool:
        """Whether it is the age of the last sample of a signal."""
        own = self.own.get(cell.name, [])
        gates = [gate(u.condition) for u in own]
        at_samples = all(kind in self.signals and rest == ir.TRUE for kind, rest in gates)
        starts = all(u.value == ir.IntConst(0) for u in own)
        return cell.cap is not None and bool(own) and at_samples and starts

    def _samples(self) -> Iterator[Row]:
        cells = [cell.name for cell in ordered_cells(self.time)]
        first = self.schema.first_carried
        for one in self.time.samples:
            flags = SampleFlag.IS_SIGNAL if one.kind is ir.SampleKind.SIGNAL else SampleFlag(0)
            flags |= SampleFlag.IS_SHARED if one.shared else 0
            yield {
                "name": self.schema.strings.number(one.name),
                "flags": flags,
                "first_field": first if one.fields else 0,
                "fields": len(one.fields),
                "permit": NONE if one.permit is None else cells.index(one.permit),
            }
            first += len(one.fields)

    def _updates(self) -> Iterator[Row]:
        cells = {cell.name: number for number, cell in enumerate(ordered_cells(self.time))}
        for update in sorted(self.time.updates, key=lambda u: (u.stage, cells[u.cell])):
            kind, rest = gate(update.condition)
            yield {
                "stage": int(update.stage),
                "cell": cells[update.cell],
                "kind": NONE if kind is None else kind,
                "condition": NONE if rest == ir.TRUE else self.programs.condition(rest),
                "value": self.programs.integer(update.value),
            }


def gate(condition: ir.BoolExpr) -> tuple[int | None, ir.BoolExpr]:
    """The one kind of sample at which a condition can hold, if it says so, and what it asks beside that."""
    parts = condition.operands if isinstance(condition, ir.And) else (condition,)
    for part in parts:
        match part:
            case ir.InRanges(name=ir.SAMPLE, ranges=((lo, hi),)) if lo == hi >= 0:
                return lo, ir.conjunction(other for other in parts if other is not part)
    return None, condition


# --- definitions ---------------------------------------------------------------------------------


def updates_by_cell(time: ir.Time) -> dict[str, list[ir.Update]]:
    """The updates of each cell that has some, in their order."""
    found: dict[str, list[ir.Update]] = {}
    for one in time.updates:
        found.setdefault(one.cell, []).append(one)
    return found


def definition(time: ir.Time, cell: ir.Cell, updates: Sequence[ir.Update]) -> int:
    """A number of 64 bits that follows from what a cell means: its range, where it starts, what moves it.

    Kinds of samples count by their names, so that a new event elsewhere leaves it as it was, and updates in one order,
    so that transitions that go before each other only on paper may be written either way.
    """
    written = [
        rfc8785.dumps(_with_names(time, [int(u.stage), plain(u.condition), plain(u.value)]))
        for u in updates
    ]
    moved = b",".join(written[place] for place in ordered(updates, written))
    text = b"[%b,[%b]]" % (rfc8785.dumps(_with_names(time, plain(cell))), moved)
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little")


def _with_names(time: ir.Time, node: Any) -> Any:
    match node:
        case {"is": "InRanges", "name": ir.SAMPLE, "ranges": ranges}:
            names = ["request", "tick", *(one.name for one in time.samples)]
            return [
                names[kind] for lo, hi in ranges for kind in range(lo, min(hi, len(names) - 1) + 1)
            ]
        case dict():
            return {name: _with_names(time, part) for name, part in node.items()}
        case list():
            return [_with_names(time, part) for part in node]
        case _:
            return node


# --- points --------------------------------------------------------------------------------------


def change_points(policy: ir.Policy, time: ir.Time) -> dict[str, set[int]]:
    """By column: the values from which on a condition on it may change; `WHOLE` if that is not all.

    Of cells only what a request or a tick looks at: what an event brings about is no matter of silence.
    """
    caps = {cell.name: cell.cap for cell in time.cells if cell.cap is not None}
    silent = [u for u in time.updates if gate(u.condition)[0] in (None, ir.REQUEST, ir.TICK)]
    found: dict[str, set[int]] = {}
    _collect(_conditions(policy, silent), caps, found)
    _collect(_conditions(policy, time.updates), {ir.GAP: 0}, found)
    _carry_back([u for u in silent if u.stage < ir.Stage.CLOSE], caps, found)
    return found


def _collect(
    conditions: Iterable[ir.BoolExpr], caps: Mapping[str, int | None], found: dict[str, set[int]]
) -> None:
    for atom in (atom for condition in conditions for atom in ir.atoms(condition)):
        match atom:
            case ir.InRanges(name=name, ranges=ranges) if name in caps:
                found.setdefault(name, set()).update(
                    p for lo, hi in ranges for p in (max(lo, 0), hi + 1)
                )
            case ir.Compare(left=left, right=right):
                for name, points in (*_compared(left, caps), *_compared(right, caps)):
                    found.setdefault(name, set()).update(points)


def _conditions(policy: ir.Policy, updates: Iterable[ir.Update]) -> Iterator[ir.BoolExpr]:
    listed = list(updates)
    exprs = [expr for rule in policy.rules for expr in ir.rule_expressions(rule)]
    exprs += [update.value for update in listed]
    yield from (rule.condition for rule in policy.rules)
    yield from (assumption.condition for assumption in policy.assumptions)
    yield from (update.condition for update in listed)
    for expr in exprs:
        yield from (p.condition for p in ir.int_parts(expr) if isinstance(p, ir.Choose))


def _carry_back(
    updates: Iterable[ir.Update], caps: Mapping[str, int | None], found: dict[str, set[int]]
) -> None:
    """What is asked of a cell is asked of the growing cell that it takes over."""
    copies: dict[str, set[str]] = {}
    for update in updates:
        match update.value:
            case ir.FieldValue(name=name) | ir.Arith(
                ir.ArithOp.LEAST, ir.FieldValue(name=name), ir.IntConst()
            ) if name in caps:
                copies.setdefault(update.cell, set()).add(name)
            case ir.Arith(
                ir.ArithOp.SUB,
                ir.FieldValue(name=name),
                ir.Arith(
                    ir.ArithOp.MUL,
                    ir.FloorDiv(ir.FieldValue(name=same), length),
                    ir.IntConst(times),
                ),
            ) if name == same == update.cell and name in caps and length == times > 0:
                _repeat(found.setdefault(name, set()), length, caps[name] or 0)
            case _:
                for name, points in _compared(update.value, caps):
                    found.setdefault(name, set()).update(points)
    pending = list(copies)
    while pending:
        cell = pending.pop()
        for name in copies.get(cell, ()):
            before = found.setdefault(name, set())
            more = found.get(cell, set()) - before
            if more:
                before |= more
                pending.append(name)


def _repeat(points: set[int], length: int, cap: int) -> None:
    """A time within panes: what happens in one happens in each."""
    if cap // length > 4096:
        points.add(WHOLE)
        return
    own = {p for p in points if 0 <= p < length} | {0}
    points.update(start + p for start in range(0, cap + 1, length) for p in own)


def _compared(
    expr: ir.IntExpr, caps: Mapping[str, int | None]
) -> Iterator[tuple[str, Iterable[int]]]:
    """The columns that a side of a comparison reads, each with its points."""
    match expr:
        case ir.FieldValue(name=name) if name in caps:
            yield name, (WHOLE,)
        case ir.FloorDiv(dividend=ir.FieldValue(name=name), divisor=divisor) if name in caps:
            cap = caps[name] or 0
            few = divisor > 0 and 0 < cap // divisor <= 4096
            yield name, range(divisor, cap + 1, divisor) if few else (WHOLE,)
        case ir.Arith(left=left, right=right):
            yield from _compared(left, caps)
            yield from _compared(right, caps)
        case ir.FloorDiv(dividend=dividend):
            yield from _compared(dividend, caps)
        case ir.Choose(then=then, otherwise=otherwise):
            yield from _compared(then, caps)
            yield from _compared(otherwise, caps)
        case _:
            return
