"""Syntax tree: tables, their rows and cells. Read them as `ast.X`."""

# `span_field()` makes a dataclass field, not a shared default

from __future__ import annotations

from govlang.dsl.ast_expressions import Literal, Name, Number, Quantifier, SetLiteral, String
from govlang.dsl.ast_fields import Decision
from govlang.dsl.record import record
from govlang.dsl.source import Span, span_field


@record
class CellAny:
    """`_`, or an empty CSV cell: holds whatever the column's value, absent or not."""

    span: Span = span_field()


@record
class CellValue:
    """`urban`, `"text"`, `50 %`, `true`: the column equals it; as a result, the value itself."""

    value: Literal
    span: Span = span_field()


@record
class CellCompare:
    """`>= 50 %`: op one of `== != < <= > >=`, the column on the left."""

    op: str
    value: Literal
    span: Span = span_field()


@record
class CellRange:
    """`10..20 %`: both ends belong to it."""

    low: Number
    high: Number
    span: Span = span_field()


@record
class CellSet:
    """`{a, b}`: the column is in it."""

    members: SetLiteral
    span: Span = span_field()


@record
class CellLike:
    """`like "glob"`."""

    pattern: String
    span: Span = span_field()


@record
class CellUnder:
    """`under "dir/"`."""

    prefix: String
    span: Span = span_field()


@record
class CellContains:
    """`contains a`, `contains any {a, b}`, `contains all {a, b}`."""

    quantifier: Quantifier
    members: SetLiteral
    span: Span = span_field()


@record
class CellNot:
    """`not urban`, `not {a, b}`: the cell after it does not hold."""

    cell: Cell
    span: Span = span_field()


@record
class CellAnd:
    """`>= 10 and < 20`: all of the parts hold; at least two."""

    cells: tuple[Cell, ...]
    span: Span = span_field()


Cell = (
    CellAny
    | CellValue
    | CellCompare
    | CellRange
    | CellSet
    | CellLike
    | CellUnder
    | CellContains
    | CellNot
    | CellAnd
)
"""A condition on the field that heads its column."""


@record
class TableRow:
    """One rule, named `TABLE#n` with n from 1: all cells hold, then the decision.

    INVARIANT: one cell for each column of the table.
    """

    cells: tuple[Cell, ...]
    decision: Decision
    because: String | None = None
    span: Span = span_field()


@record
class Table:
    """`table NAME(columns) -> limit F { … }` or `-> decision { … }`, or rows `from "file.csv"`.

    `limit` names the field that the last column limits (the row's decision is that limit); None
    means that the last column holds whole decisions. `has_because`: `-> decision, because`, a
    further column of reasons. `because` is the reason of all rows that have none of their own.
    Exactly one of `rows` and `csv` says something: `csv` None when the rows are written here;
    `csv_table.read_rows` reads the others.
    """

    name: Name
    columns: tuple[Name, ...]
    limit: Name | None
    has_because: bool = False
    because: String | None = None
    csv: String | None = None
    rows: tuple[TableRow, ...] = ()
    span: Span = span_field()
