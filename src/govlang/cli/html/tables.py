"""What a page shows of the source: definitions, and tables as people read them.

In: the declarations of a syntax tree.  Out: their text, and the headings and cells of tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from govlang.dsl import ast
from govlang.dsl.expression_text import cell, result_cell


@dataclass(frozen=True, slots=True)
class PolicyTable:
    """A table's headings and its rows of cells, as text."""

    name: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def policy_tables(declarations: Iterable[ast.Declaration]) -> Iterator[PolicyTable]:
    """The tables among some declarations, those in tiers too."""
    for one in declarations:
        match one:
            case ast.Table():
                yield _table(one)
            case ast.TierBlock(members=members):
                yield from (_table(m) for m in members if isinstance(m, ast.Table))
            case _:
                pass


def definitions(declarations: Iterable[ast.Declaration]) -> Iterator[str]:
    """The names that rules use and the assumptions that requests must satisfy, as written."""
    for one in declarations:
        if isinstance(one, ast.LetDecl | ast.AssumeDecl):
            yield one.span.text


def _table(table: ast.Table) -> PolicyTable:
    result = f"limit {table.limit.text}" if table.limit else "decision"
    because = ("because",) if table.has_because else ()
    return PolicyTable(
        table.name.text,
        (*(column.text for column in table.columns), result, *because),
        tuple(_row(table, row) for row in table.rows),
    )


def _row(table: ast.Table, row: ast.TableRow) -> tuple[str, ...]:
    because = (row.because.value if row.because else "",) if table.has_because else ()
    return (*map(cell, row.cells), result_cell(row.decision, table.limit), *because)
