"""A CSV decision table in, a policy out: the first row that matches decides, no row: deny.

The first line names the columns, then `decision` and perhaps `because`; cells are written as in a table of
the language.  A heading may give its column's type (`battery : number in 0..100 % step 0.1`); without one,
words make an enumeration, `true` and `false` a bool, texts a text.  A range is never guessed: a column of
numbers without a type is an error.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Final, assert_never

from govlang.compiler.importers.trees import header, is_word, name, policy_name
from govlang.dsl import ast
from govlang.dsl.csv_table import read_rows
from govlang.dsl.diagnostics import Diagnostics, GovError, fail
from govlang.dsl.parser import parse_fields
from govlang.dsl.source import Source, Span

CANNOT: Final = "GOV601"
UNREADABLE: Final = "GOV603"
RESULTS: Final = (("decision",), ("decision", "because"))


def import_csv(source: Source, stem: str) -> ast.Policy:
    """The policy that the table is.

    Raises:
        GovError: GOV601 a column whose type is not known · GOV603 no heading line · what the language
            says of a cell.
    """
    headings = _headings(source)
    columns = [h for h in headings if h.partition(":")[0].strip() not in {"decision", "because"}]
    words = [heading.partition(":")[0].strip() for heading in headings]
    if tuple(words[len(columns) :]) not in RESULTS:
        help_line = "end the first line with `decision`, or with `decision,because`"
        raise fail(
            UNREADABLE, "the headings do not end with the decision", _first(source), help=help_line
        )
    table = _table(policy_name(stem), words, len(columns))
    rows = read_rows(table, _plain_headings(source, headings))
    fields = _fields(columns, rows, source)
    return ast.Policy(
        header(policy_name(stem)),
        (
            ast.CombineDecl(ast.Combine.FIRST_MATCH),
            ast.DefaultDecl(ast.Effect.DENY),
            ast.InputDecl(fields),
            _with_rows(table, rows),
        ),
    )


def _first(source: Source) -> Span:
    return source.span(0, len(source.line_text(1)))


def _headings(source: Source) -> list[str]:
    """The cells of the first line."""
    line = source.line_text(1)
    try:
        cells = next(csv.reader(io.StringIO(line), strict=True), [])
    except csv.Error as error:
        raise fail(UNREADABLE, f"the first line is no CSV: {error}", _first(source)) from None
    words = [cell.partition(":")[0].strip() for cell in cells]
    for word in words:
        if not is_word(word) and word != "decision":
            help_line = "use letters, digits and `_`"
            raise fail(UNREADABLE, f"`{word}` cannot name a field", _first(source), help=help_line)
    if len(set(words)) != len(words):
        raise fail(UNREADABLE, "a heading stands twice", _first(source), help="rename one")
    return cells


def _plain_headings(source: Source, headings: Sequence[str]) -> Source:
    """The same text with the names alone in the first line, padded so that no place moves."""
    first = source.line_text(1)
    plain = ",".join(heading.partition(":")[0].strip() for heading in headings)
    return Source(source.name, plain.ljust(len(first)) + source.text[len(first) :])


def _table(stem: str, words: Sequence[str], columns: int) -> ast.Table:
    return ast.Table(
        name(f"{stem}_rows"),
        tuple(name(word) for word in words[:columns]),
        None,
        has_because=len(words) - columns == 2,
    )


def _with_rows(table: ast.Table, rows: tuple[ast.TableRow, ...]) -> ast.Table:
    return ast.Table(table.name, table.columns, None, table.has_because, rows=rows)


def _fields(
    columns: Sequence[str], rows: Sequence[ast.TableRow], source: Source
) -> tuple[ast.Field, ...]:
    found = Diagnostics()
    fields = [
        _declared(heading, found, source)
        if ":" in heading
        else _inferred(heading.strip(), [row.cells[i] for row in rows], found, source)
        for i, heading in enumerate(columns)
    ]
    found.raise_errors()
    return tuple(field for field in fields if field is not None)


def _declared(heading: str, found: Diagnostics, source: Source) -> ast.Field | None:
    """The field that a heading declares in the language's own words."""
    try:
        fields = parse_fields(Source(source.name, f"input {{ {heading} }}"))
    except GovError as error:
        for d in error.diagnostics:
            found.error(
                d.code, f"in the heading `{heading}`: {d.message}", _first(source), help=d.help
            )
        return None
    if len(fields) != 1:
        found.error(
            UNREADABLE,
            f"the heading `{heading}` declares {len(fields)} fields",
            _first(source),
            help="put commas between the headings",
        )
        return None
    return fields[0]


def _inferred(
    word: str, cells: Sequence[ast.Cell], found: Diagnostics, source: Source
) -> ast.Field | None:
    """The field whose type the cells show."""
    literals = [literal for cell in cells for literal in _literals(cell)]
    if any(isinstance(one, ast.Number) for one in literals) or not literals:
        found.error(
            CANNOT,
            f"the type of the column `{word}` is not known",
            _first(source),
            help=f"write it into the heading, as in `{word} : number in 0..100`",
        )
        return None
    return ast.Field(name(word), _type(cells, literals))


def _type(cells: Sequence[ast.Cell], literals: Sequence[ast.Literal]) -> ast.Type:
    if any(isinstance(one, ast.String) for one in literals):
        return ast.TextType(is_path=any(isinstance(cell, ast.CellUnder) for cell in cells))
    if all(isinstance(one, ast.Bool) for one in literals):
        return ast.PlainType(ast.Plain.BOOL)
    words = dict.fromkeys(one.text for one in literals if isinstance(one, ast.Name))
    listed = tuple(name(member) for member in words)
    is_set = any(isinstance(cell, ast.CellContains) for cell in cells)
    return ast.SetType(listed) if is_set else ast.EnumType(listed)


def _literals(cell: ast.Cell) -> Iterator[ast.Literal]:
    """The values that a cell speaks of."""
    match cell:
        case ast.CellAny():
            return
        case ast.CellValue(value=value) | ast.CellCompare(value=value):
            yield from value.members if isinstance(value, ast.SetLiteral) else (value,)
        case ast.CellRange(low=low, high=high):
            yield from (low, high)
        case ast.CellSet(members=members) | ast.CellContains(members=members):
            yield from members.members
        case ast.CellLike(pattern=pattern):
            yield pattern
        case ast.CellUnder(prefix=prefix):
            yield prefix
        case ast.CellNot(cell=inner):
            yield from _literals(inner)
        case ast.CellAnd(cells=parts):
            for part in parts:
                yield from _literals(part)
        case _:
            assert_never(cell)
