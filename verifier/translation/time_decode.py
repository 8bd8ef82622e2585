"""What a table says of what its policy remembers, read back from the bytes.

In: a decoded table.  Out: `Memory`: scopes, cells, kinds of samples, updates and points as records, every
number in it resolved to what it names.  None of a table that does not remember.

Written from `native/gov_time.h`; shares only its constants with the emitter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from govlang.compiler import ir
from govlang.native.layout import (
    NONE,
    CellFlag,
    ColumnKind,
    MemoryFlag,
    SampleFlag,
    Says,
    Section,
)
from govlang.verifier.translation.decode import Decoded, Row
from govlang.verifier.translation.source import DECISION

SAYS: Final = {
    Says.KIND: ir.SAMPLE,
    Says.GAP: ir.GAP,
    Says.FAULT: ir.CLOCK_FAULT,
    Says.DECISION: DECISION,
}


@dataclass(frozen=True, slots=True)
class Scope:
    """A kind of instances: the input that holds their key (None: shared), its cells, its bytes."""

    field: str | None
    cells: range
    bytes: int


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its place in an instance of a scope, its column, how it starts and grows."""

    name: str
    scope: int
    offset: int
    bytes: int
    flags: CellFlag
    lo: int
    hi: int
    initial: int
    cap: int | None
    definition: int
    points: tuple[int, ...]
    column: int


@dataclass(frozen=True, slots=True)
class SampleType:
    """An event or a signal; `permit` is a cell by number."""

    name: str
    flags: SampleFlag
    fields: tuple[ir.Field, ...]
    permit: int | None


@dataclass(frozen=True, slots=True)
class Update:
    """One change of a cell; kind and condition None: at any sample, always.  Programs by number."""

    stage: int
    cell: int
    kind: int | None
    condition: int | None
    value: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Everything that the table says of what is remembered."""

    key: int
    flags: MemoryFlag
    longest_ms: int
    gap_points: tuple[int, ...]
    scopes: tuple[Scope, ...]
    cells: tuple[Cell, ...]
    samples: tuple[SampleType, ...]
    updates: tuple[Update, ...]
    columns: dict[int, str]
    """The name of every remembered column."""


def read_memory(decoded: Decoded) -> Memory | None:
    """What is remembered; None of a table that does not remember."""
    rows = decoded.rows(Section.MEMORY)
    if not rows:
        return None
    row, points = rows[0], decoded.words(Section.POINTS, "q")
    cells = _cells(decoded, points)
    samples = tuple(
        SampleType(
            decoded.strings[one["name"]],
            SampleFlag(one["flags"]),
            decoded.fields[one["first_field"] : one["first_field"] + one["fields"]],
            None if one["permit"] == NONE else one["permit"],
        )
        for one in decoded.rows(Section.SAMPLES)
    )
    return Memory(
        row["key"],
        MemoryFlag(row["flags"]),
        row["longest_ms"],
        points[: row["gap_points"]],
        tuple(_scope(decoded, one) for one in decoded.rows(Section.SCOPES)),
        cells,
        samples,
        tuple(map(_update, decoded.rows(Section.UPDATES))),
        _columns(decoded, cells),
    )


def _scope(decoded: Decoded, row: Row) -> Scope:
    first = row["first_cell"]
    field = None if row["field"] == NONE else decoded.fields[row["field"]].name
    return Scope(field, range(first, first + row["cells"]), row["bytes"])


def _cells(decoded: Decoded, points: tuple[int, ...]) -> tuple[Cell, ...]:
    columns = [
        (number, column)
        for number, column in enumerate(decoded.columns)
        if column.kind is ColumnKind.CELL
    ]
    found = []
    for row, (number, column) in zip(decoded.rows(Section.CELLS), columns, strict=True):
        flags = CellFlag(row["flags"])
        found.append(
            Cell(
                decoded.strings[row["name"]],
                row["scope"],
                row["offset"],
                row["bytes"],
                flags,
                column.lo,
                column.hi,
                row["initial"],
                row["cap"] if CellFlag.GROWS in flags else None,
                row["definition"],
                points[row["first_point"] : row["first_point"] + row["points"]],
                number,
            )
        )
    return tuple(found)


def _update(row: Row) -> Update:
    kind, condition = row["kind"], row["condition"]
    return Update(
        row["stage"],
        row["cell"],
        None if kind == NONE else kind,
        None if condition == NONE else condition,
        row["value"],
    )


def _columns(decoded: Decoded, cells: tuple[Cell, ...]) -> dict[int, str]:
    """The names of the remembered columns as rules and updates read them: `$deletion.size` of a field."""
    carried = _carried(decoded)
    found = {cell.column: cell.name for cell in cells}
    for number, column in enumerate(decoded.columns):
        if column.kind is ColumnKind.SAMPLE:
            found[number] = SAYS[Says(column.source)]
        elif column.kind is ColumnKind.CARRIED:
            found[number] = carried[column.source]
    return found


def _carried(decoded: Decoded) -> dict[int, str]:
    """The name of the column of each field of samples, by the number of the field."""
    found = {}
    for row in decoded.rows(Section.SAMPLES):
        name = decoded.strings[row["name"]]
        for number in range(row["first_field"], row["first_field"] + row["fields"]):
            is_signal = SampleFlag.IS_SIGNAL in SampleFlag(row["flags"])
            field = decoded.fields[number].name
            found[number] = f"${name}" if is_signal else f"${name}.{field}"
    return found
