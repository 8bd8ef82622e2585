"""What a compiled table says of what a policy remembers: scopes, cells, events and signals.

In: the bytes of a table that the engine has loaded.  Out: frozen records; `Schema.memory` makes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from govlang.native.layout import NONE, CellFlag, MemoryFlag, SampleFlag, Says, Section

if TYPE_CHECKING:
    from govlang.native.schema import Field, Schema


@dataclass(frozen=True, slots=True)
class Scope:
    """A kind of instances: `field` is the input that holds their key, None of the shared one."""

    field: int | None
    name: str
    cells: range
    bytes: int


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: where it lies in an instance, its range, its start; `definition` names what it means."""

    name: str
    scope: int
    offset: int
    bytes: int
    flags: CellFlag
    lo: int
    hi: int
    initial: int
    cap: int
    definition: int
    column: int


@dataclass(frozen=True, slots=True)
class SampleType:
    """An event or a signal with the fields that it carries beside its key."""

    name: str
    is_signal: bool
    is_shared: bool
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """Everything that a policy remembers; `key` is the scope of the policy's key, 0 if it has none."""

    key: int
    flags: MemoryFlag
    longest_ms: int
    scopes: tuple[Scope, ...]
    cells: tuple[Cell, ...]
    samples: tuple[SampleType, ...]

    @property
    def key_name(self) -> str | None:
        """The field of a request that holds the policy's key."""
        return self.scopes[self.key].name if self.key else None


def read_memory(schema: Schema) -> Memory | None:
    """What is remembered; None for a policy over single requests."""
    rows = schema.rows(Section.MEMORY)
    if not rows:
        return None
    row = rows[0]
    return Memory(
        key=row["key"],
        flags=MemoryFlag(row["flags"]),
        longest_ms=row["longest_ms"],
        scopes=tuple(_scopes(schema)),
        cells=tuple(_cells(schema)),
        samples=tuple(_samples(schema)),
    )


def _scopes(schema: Schema) -> list[Scope]:
    found = []
    for row in schema.rows(Section.SCOPES):
        field = None if row["field"] == NONE else row["field"]
        name = "" if field is None else schema.inputs[field].name
        cells = range(row["first_cell"], row["first_cell"] + row["cells"])
        found.append(Scope(field, name, cells, row["bytes"]))
    return found


def _cells(schema: Schema) -> list[Cell]:
    first = schema.request_columns + len(Says)
    columns = schema.rows(Section.COLUMNS)[first:]
    return [
        Cell(
            name=schema.string(row["name"]),
            scope=row["scope"],
            offset=row["offset"],
            bytes=row["bytes"],
            flags=CellFlag(row["flags"]),
            lo=column["lo"],
            hi=column["hi"],
            initial=row["initial"],
            cap=row["cap"],
            definition=row["definition"],
            column=first + number,
        )
        for number, (row, column) in enumerate(
            zip(schema.rows(Section.CELLS), columns, strict=False)
        )
    ]


def _samples(schema: Schema) -> list[SampleType]:
    return [
        SampleType(
            name=schema.string(row["name"]),
            is_signal=SampleFlag.IS_SIGNAL in SampleFlag(row["flags"]),
            is_shared=SampleFlag.IS_SHARED in SampleFlag(row["flags"]),
            fields=schema.all_fields[row["first_field"] : row["first_field"] + row["fields"]],
        )
        for row in schema.rows(Section.SAMPLES)
    ]
