"""What a table remembers against the policy: everything but the updates and the points.

In: what the policy remembers, what the table says of it.  Out: what differs, named.

What always holds where nothing differs: a new instance holds the cells of the policy at their initial values,
each in a place of its own that has room for its range; it grows as the policy's does; samples are numbered,
named and addressed alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, zip_longest

from govlang.compiler import ir
from govlang.compiler.requests import columns_of
from govlang.native.layout import STATE_HEAD, CellFlag, MemoryFlag, SampleFlag, Says
from govlang.verifier.translation.records import Mismatch, recorded
from govlang.verifier.translation.time_decode import SAYS, Cell, Memory, SampleType
from govlang.verifier.translation.time_definitions import definition_of


def memory_mismatches(policy: ir.Policy, memory: Memory | None) -> Iterator[Mismatch]:
    """Everything in which policy and table differ; none may follow where one of them does not remember."""
    time = policy.time
    if time is None or memory is None:
        if time is not None or memory is not None:
            yield Mismatch("whether the policy remembers", bare=True)
        return
    for what in (
        *_record(time, memory),
        *_scopes(time, memory),
        *_samples(time, memory),
        *_cells(time, memory),
        *_places(memory),
        *_columns(policy, memory),
    ):
        yield Mismatch(what, bare=True)


def _record(time: ir.Time, memory: Memory) -> Iterator[str]:
    if memory.longest_ms != time.longest_ms:
        yield "the longest window"
    if (MemoryFlag.READS_FAULT in memory.flags) is not time.rules_read_clock:
        yield "whether a rule reads the clock fault"
    keys = [scope.field or ir.SHARED for scope in memory.scopes]
    if keys[memory.key] != (time.key or ir.SHARED):
        yield "the key"


def _scopes(time: ir.Time, memory: Memory) -> Iterator[str]:
    """The kinds of instances that a sample can address; the loader takes no two about one field."""
    ours = {ir.SHARED, time.key or ir.SHARED, *(cell.scope for cell in time.cells)}
    theirs = {scope.field or ir.SHARED for scope in memory.scopes}
    yield from (f"the instances of {_of(scope)}" for scope in sorted(ours ^ theirs))


def _of(scope: str) -> str:
    return f"`{scope}`" if scope else "all"


# --- samples -------------------------------------------------------------------------------------


def _samples(time: ir.Time, memory: Memory) -> Iterator[str]:
    """Kinds are numbers, so they must stand in the same order."""
    for number, (one, other) in enumerate(zip_longest(time.samples, memory.samples)):
        if one is None or other is None:
            yield f"event or signal {number}"
        else:
            yield from _sample(one, other, memory)


def _sample(one: ir.SampleType, other: SampleType, memory: Memory) -> Iterator[str]:
    flags = SampleFlag(0)
    flags |= SampleFlag.IS_SIGNAL if one.kind is ir.SampleKind.SIGNAL else 0
    flags |= SampleFlag.IS_SHARED if one.shared else 0
    fields = tuple(_carried(field, name) for name, field in columns_of(one).items())
    permit = None if other.permit is None else memory.cells[other.permit].name
    parts = {
        "name": (one.name, other.name),
        "kind": (flags, other.flags),
        "fields": (fields, other.fields),
        "permit": (one.permit, permit),
    }
    for part, (ours, theirs) in parts.items():
        if ours != theirs:
            yield f"the {part} of `{one.name}`"


def _carried(field: ir.Field, name: str) -> ir.Field:
    """A field of a sample as a table records it: a host sets it."""
    return replace(recorded(field), name=name, origin=ir.Origin.REQUEST)


# --- cells ---------------------------------------------------------------------------------------


def _cells(time: ir.Time, memory: Memory) -> Iterator[str]:
    ours = {cell.name: cell for cell in time.cells}
    theirs = {cell.name: cell for cell in memory.cells}
    if len(theirs) != len(memory.cells):
        yield "the names of the cells"
    yield from (f"cell `{name}`" for name in sorted(ours.keys() ^ theirs.keys()))
    for name in ours.keys() & theirs.keys():
        for part in _cell(time, ours[name], theirs[name], memory):
            yield f"the {part} of cell `{name}`"


def _cell(time: ir.Time, one: ir.Cell, other: Cell, memory: Memory) -> Iterator[str]:
    parts = {
        "scope": (one.scope, memory.scopes[other.scope].field or ir.SHARED),
        "range": (_range(one.field), (other.lo, other.hi)),
        "start": (one.initial, other.initial),
        "growth": (one.cap, other.cap),
        "definition": (definition_of(time, one), other.definition),
    }
    flags = {
        "part in the state": (one.brief, CellFlag.BRIEF),
        "freshness": (is_freshness(time, one), CellFlag.FRESHNESS),
    }
    yield from (part for part, (ours, theirs) in parts.items() if ours != theirs)
    yield from (part for part, (ours, flag) in flags.items() if ours is not (flag in other.flags))


def _range(field: ir.Field) -> tuple[int, int]:
    """The words of a cell; a set is a mask over its members, as an int64."""
    if field.kind is ir.Kind.SET and field.hi >> 63:
        return field.lo, field.hi - (1 << 64)
    return field.lo, field.hi


def is_freshness(time: ir.Time, cell: ir.Cell) -> bool:
    """Whether a cell is the age of a signal's last sample: it grows, and starts anew at samples of signals only."""
    signals = {
        ir.FIRST_KIND + number
        for number, one in enumerate(time.samples)
        if one.kind is ir.SampleKind.SIGNAL
    }
    own = [one for one in time.updates if one.cell == cell.name]
    return bool(own) and cell.cap is not None and all(_restarts(one, signals) for one in own)


def _restarts(update: ir.Update, kinds: set[int]) -> bool:
    match update:
        case ir.Update(
            condition=ir.InRanges(name=ir.SAMPLE, ranges=((lo, hi),)), value=ir.IntConst(value=0)
        ):
            return lo == hi and lo in kinds
        case _:
            return False


def _places(memory: Memory) -> Iterator[str]:
    """Each cell has bytes of its own, behind the time and inside the instance, enough for its range."""
    for number, scope in enumerate(memory.scopes):
        name = _of(scope.field or ir.SHARED)
        own = [memory.cells[i] for i in scope.cells if not _is_brief(memory.cells[i])]
        if any(memory.cells[i].scope != number for i in scope.cells):
            yield f"the cells of an instance of {name}"
        spans = sorted((cell.offset, cell.offset + cell.bytes) for cell in own)
        spans = [(0, STATE_HEAD), *spans, (scope.bytes, scope.bytes)]
        if any(end > start for (_, end), (start, _) in pairwise(spans)):
            yield f"the places in an instance of {name}"
        yield from (f"the bytes of cell `{cell.name}`" for cell in own if not _has_room(cell))


def _is_brief(cell: Cell) -> bool:
    return CellFlag.BRIEF in cell.flags


def _has_room(cell: Cell) -> bool:
    """Whether the range fits the bytes; it has a sign if it begins below 0."""
    bits = 8 * cell.bytes
    if cell.lo < 0:
        return -(1 << bits - 1) <= cell.lo and cell.hi < 1 << bits - 1
    return cell.hi < 1 << bits


def _columns(policy: ir.Policy, memory: Memory) -> Iterator[str]:
    """Everything that rules and updates read has its column."""
    texts = {field.name for field in policy.columns if field.is_text}
    ours = {field.name for field in policy.columns} - texts | {SAYS[Says.DECISION]}
    yield from (f"the column of `{name}`" for name in sorted(ours ^ {*memory.columns.values()}))
