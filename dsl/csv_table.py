"""The rows of a table that stand in a CSV file (RFC 4180).

In: a `table … from "file.csv"` and the file's text. Out: its rows, or `GovError` with all that is
wrong, each error at its cell (GOV115; GOV110 and GOV114 from the cells). The first line names the
columns and then the results as the declaration does, in the same order. A cell is written as in a
table in the policy, with two reliefs: an empty cell is `_`, and a single word without blanks that
starts with a letter may hold `.`, `-`, `/`, `:` and `@` without quotes (`us-east-1`). The column
`because` holds plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from govlang.dsl import ast, limits
from govlang.dsl.diagnostics import Diagnostics, GovError, fail
from govlang.dsl.parser import parse_cell
from govlang.dsl.record import record
from govlang.dsl.source import Source, Span
from govlang.dsl.table_rows import RawCell, RawRow, Result, typed_row

_CELL = re.compile(r'[ \t]*+(?:"((?:[^"]|"")*+)"[ \t]*+|([^",\r\n]*+))(,|\r\n|\n|\r|\Z)')
_BARE_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[-./:@]+[A-Za-z0-9_]+)+")


@record
class _Text:
    """One cell: its text without CSV quotes, and its place."""

    value: str
    span: Span


def read_rows(table: ast.Table, source: Source) -> tuple[ast.TableRow, ...]:
    """The rows of the file, in its order.

    Raises:
        GovError: GOV115, GOV110 or GOV114 for each cell that is wrong; the limits of a source.
    """
    if source.text.strip():
        limits.check(source)
    found = Diagnostics(limits.MAX_ERRORS)
    result = Result(table.limit, table.has_because, table.span)
    lines = list(_lines(source, found))
    found.raise_errors()
    if not lines or not source.text.strip():
        raise fail(
            "GOV115",
            f"`{source.name}` has no headings",
            source.span(0, 0),
            help=_first_line(table, result),
        )
    _check_headings(table, result, lines[0], found)
    if len(lines) == 1:
        found.error(
            "GOV115",
            f"`{source.name}` has no rows",
            lines[0][0].span,
            help="add a row after the headings",
        )
    rows = [_row(table, result, line, found) for line in lines[1:]]
    found.raise_errors()
    return tuple(row for row in rows if row is not None)


def _lines(source: Source, found: Diagnostics) -> Iterator[list[_Text]]:
    """The lines that hold anything, as cells."""
    text, at, line = source.text, 0, list[_Text]()
    while at <= len(text):
        match = _CELL.match(text, at)
        if match is None:
            span = source.span(at, min(at + 1, len(text)))
            found.error("GOV115", "a quote in this cell does not close, or stands inside the text", span,
                        help='quote the whole cell and double the quotes in it: `"like ""infra.*"""`')  # fmt: skip
            return
        group = 1 if match[1] is not None else 2
        value = match[1].replace('""', '"') if group == 1 else match[2].strip()
        line.append(_Text(value, source.span(*match.span(group))))
        at = match.end()
        if match[3] != ",":
            if any(cell.value for cell in line):
                yield line
            line = []
            if not match[3]:
                return


def _check_headings(
    table: ast.Table, result: Result, line: list[_Text], found: Diagnostics
) -> None:
    if [cell.value for cell in line] != _headings(table, result):
        found.error(
            "GOV115",
            f"the headings of the table `{table.name.text}` are not its columns",
            line[0].span.to(line[-1].span),
            help=_first_line(table, result),
        )


def _headings(table: ast.Table, result: Result) -> list[str]:
    return [*(c.text for c in table.columns), *result.headings()]


def _first_line(table: ast.Table, result: Result) -> str:
    return f"begin the file with the line `{','.join(_headings(table, result))}`"


def _row(
    table: ast.Table, result: Result, line: list[_Text], found: Diagnostics
) -> ast.TableRow | None:
    cells = [
        _reason(cell) if result.has_because and i == len(table.columns) + 1 else _cell(cell, found)
        for i, cell in enumerate(line)
    ]
    read = tuple(cell for cell in cells if cell is not None)
    if len(read) < len(cells):
        return None
    return typed_row(table.columns, result, RawRow(read, line[0].span.to(line[-1].span)), found)


def _cell(cell: _Text, found: Diagnostics) -> RawCell | None:
    if not cell.value.strip():
        return ast.CellAny(cell.span)
    if _BARE_TEXT.fullmatch(cell.value):
        return ast.CellValue(ast.String(cell.value, cell.span), cell.span)
    try:
        return parse_cell(Source(cell.span.file, cell.value), cell.span)
    except GovError as error:
        for d in error.diagnostics:
            found.error(d.code, f"in the cell `{cell.value}`: {d.message}", cell.span, help=d.help)
        return None


def _reason(cell: _Text) -> RawCell:
    if not cell.value:
        return ast.CellAny(cell.span)
    return ast.CellValue(ast.String(cell.value, cell.span), cell.span)
