"""Rows of cells, once their columns are known.

In: a table's columns, its result, and rows whose cells were read without knowing their column.
Out: `ast.TableRow`s, or GOV114 for each row and cell that does not fit.
"""

from __future__ import annotations

from dataclasses import replace

from govlang.dsl import ast
from govlang.dsl.diagnostics import Diagnostics
from govlang.dsl.record import record
from govlang.dsl.source import Span

RawCell = ast.Cell | ast.Decision


@record
class RawRow:
    """The cells of a line."""

    cells: tuple[RawCell, ...]
    span: Span


@record
class Result:
    """What the last columns say: a limit of this field, or decisions, perhaps with reasons."""

    limit: ast.Name | None
    has_because: bool
    span: Span

    def headings(self) -> tuple[str, ...]:
        """The headings of the result's columns."""
        if self.limit is not None:
            return (self.limit.text,)
        return ("decision", "because") if self.has_because else ("decision",)


def typed_rows(
    name: ast.Name,
    columns: tuple[ast.Name, ...],
    result: Result,
    rows: tuple[RawRow, ...],
    found: Diagnostics,
) -> tuple[ast.TableRow, ...]:
    """The rows after the headings; rows that do not fit are reported and left out."""
    headings = (*(c.text for c in columns), *result.headings())
    if not rows and not found.has_errors:
        _error(found, f"the table `{name.text}` has no rows", name.span, _headings_help(headings))
    if not rows:
        return ()
    if tuple(_heading(cell) for cell in rows[0].cells) != headings:
        message = f"the headings of the table `{name.text}` are not its columns"
        _error(found, message, rows[0].span, _headings_help(headings))
    if len(rows) == 1 and not found.has_errors:
        _error(
            found, f"the table `{name.text}` has no rows", name.span, "add a row after the headings"
        )
    read = (typed_row(columns, result, r, found) for r in rows[1:])
    return tuple(r for r in read if r is not None)


def typed_row(
    columns: tuple[ast.Name, ...], result: Result, raw: RawRow, found: Diagnostics
) -> ast.TableRow | None:
    """One row, or None where it has another number of cells or one that does not fit."""
    wanted = len(columns) + len(result.headings())
    if len(raw.cells) != wanted:
        message = f"this row has {len(raw.cells)} cells, and the table {wanted} columns"
        _error(found, message, raw.span, "`_` holds for every value")
        return None
    conditions = [_condition(cell, found) for cell in raw.cells[: len(columns)]]
    decision = _result(result, raw.cells[len(columns)], found)
    because = _reason(raw.cells[-1], found) if result.has_because else None
    if decision is None or None in conditions:
        return None
    return ast.TableRow(tuple(c for c in conditions if c is not None), decision, because, raw.span)


def _as_value(cell: RawCell) -> RawCell:
    """A bare effect where none is expected is a name that is spelt so."""
    if isinstance(cell, ast.Decision) and not cell.obligations:
        return ast.CellValue(ast.Name(cell.effect.value, cell.span), cell.span)
    return cell


def _condition(raw: RawCell, found: Diagnostics) -> ast.Cell | None:
    cell = _as_value(raw)
    if not isinstance(cell, ast.Decision):
        return cell
    _error(
        found,
        "an effect stands in a column of conditions",
        cell.span,
        "effects stand in the last column",
    )
    return None


def _result(result: Result, cell: RawCell, found: Diagnostics) -> ast.Decision | None:
    if result.limit is None:
        if isinstance(cell, ast.Decision):
            return cell
        message, help_ = (
            "this cell is no decision",
            "write `allow`, `deny`, `throttle`, `require human` or `limit F to V`",
        )
    else:
        limit = _limit(result.limit, cell)
        if limit is not None:
            return ast.Decision(ast.Effect.LIMIT, (limit,), cell.span)
        message, help_ = (
            f"this cell is no limit of `{result.limit.text}`",
            "write a number with its unit, or a range `lo..hi`",
        )
    _error(found, message, cell.span, help_)
    return None


def _limit(field: ast.Name, cell: RawCell) -> ast.Limit | None:
    match _as_value(cell):
        case ast.CellValue(value=ast.Number() | ast.Name() as value):
            return ast.Limit(field, None, _expression(value), cell.span)
        case ast.CellRange(low=low, high=high):
            return ast.Limit(field, _expression(low), _expression(high), cell.span)
        case _:
            return None


def _expression(value: ast.Number | ast.Name) -> ast.Expr:
    """A literal as an expression, in which a sign is an operator."""
    if isinstance(value, ast.Number) and value.text.startswith("-"):
        return ast.Unary("-", replace(value, text=value.text[1:]), value.span)
    return value


def _reason(cell: RawCell, found: Diagnostics) -> ast.String | None:
    match cell:
        case ast.CellAny():
            return None
        case ast.CellValue(value=ast.String() as text):
            return text
        case _:
            _error(
                found, "this cell is no reason", cell.span, "write a text in double quotes, or `_`"
            )
            return None


def _heading(cell: RawCell) -> str | None:
    match cell:
        case ast.CellValue(value=ast.Name(text=text)):
            return text
        case ast.Decision(effect=effect, obligations=()):
            return effect.value
        case _:
            return None


def _headings_help(headings: tuple[str, ...]) -> str:
    return f"begin with the row `| {' | '.join(headings)} |`"


def _error(found: Diagnostics, message: str, span: Span, help_: str) -> None:
    found.error("GOV114", message, span, help=help_)
