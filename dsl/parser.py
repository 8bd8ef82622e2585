"""Text to syntax tree.

In: a `Source`. Out: `ast.Policy`, or `GovError` with every syntax error found in source order
(codes GOV1xx); nothing else is raised, whatever the text.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from govlang.dsl import ast, limits
from govlang.dsl.builder import Builder
from govlang.dsl.diagnostics import Diagnostics, GovError, TooManyError
from govlang.dsl.lexer import Tokens, tokenise
from govlang.dsl.reading import Reader
from govlang.dsl.source import Source, Span
from govlang.dsl.table_rows import RawCell

_LEADING = re.compile(r"(?:\s|//[^\n]*)*+")
_HEADER_HELP = 'put `language 1` and `policy my_policy version "1.0.0"` first'
_PART_HELP = "check the file that imports it"


def parse(source: Source) -> ast.Policy:
    """The policy of a whole file, header included."""
    found = Diagnostics(limits.MAX_ERRORS)
    policy = _file(source, found)
    if policy is None or policy.header is None:
        _no_header(source, found, policy)
    found.raise_errors()
    return _whole(policy)


def parse_fragment(source: Source) -> ast.Policy:
    """A file that another imports: its header may be missing."""
    found = Diagnostics(limits.MAX_ERRORS)
    policy = _file(source, found)
    found.raise_errors()
    return _whole(policy)


def parse_fields(source: Source) -> tuple[ast.Field, ...]:
    """The fields of a file of `input { … }` blocks and nothing else."""
    policy = parse_fragment(source)
    found = Diagnostics(limits.MAX_ERRORS)
    for other in policy.declarations:
        if not isinstance(other, ast.InputDecl):
            found.error(
                "GOV110",
                "expected only `input { … }` blocks here",
                other.span,
                help="move the other declarations into the policy",
            )
    found.raise_errors()
    blocks = (d for d in policy.declarations if isinstance(d, ast.InputDecl))
    return tuple(field for block in blocks for field in block.fields)


def parse_cell(source: Source, place: Span) -> RawCell:
    """One cell of a table; all its nodes stand at `place`."""
    found = Diagnostics(limits.MAX_ERRORS)
    limits.check(source)
    tokens = tokenise(source, found)
    cell = _read(source, tokens, found, "cell_source", place)
    found.raise_errors()
    return cell  # type: ignore[no-any-return]


def _file(source: Source, found: Diagnostics) -> ast.Policy | None:
    limits.check(source)
    tokens = tokenise(source, found)
    if len(tokens.terminals) == 1:
        limits.check(Source(source.name, ""))
    policy = _read(source, tokens, found, "file")
    if not isinstance(policy, ast.Policy):
        return None
    whole = source.span(0, len(source.text))
    return replace(policy, comments=tuple(tokens.comments), span=whole)


def _read(
    source: Source, tokens: Tokens, found: Diagnostics, start: str, place: Span | None = None
) -> Any:
    reader = Reader(tokens, Builder(source, found, place), found)
    try:
        return reader.read(start)
    except TooManyError:
        raise
    except GovError as error:
        for diagnostic in error.diagnostics:
            found.add(diagnostic)
        return None


def _no_header(source: Source, found: Diagnostics, policy: ast.Policy | None) -> None:
    """Report a missing header, unless the file begins with one that could not be read.

    What is whole but for the header may be a file that others import; of one with nothing but tests that is what
    it is.
    """
    start = _LEADING.match(source.text).end()  # type: ignore[union-attr]  # it matches nothing too
    begun = source.text.startswith(("language", "policy"), start)
    if begun or not all(d.span is None or d.span.start != start for d in found):
        return
    span = source.span(start, start + 1)
    declared = () if policy is None or found else policy.declarations
    message, help_ = "the header is missing", _HEADER_HELP
    if declared and all(isinstance(one, ast.Test) for one in declared):
        message, help_ = f"{message}: the file holds only tests", _PART_HELP
    elif declared:
        help_ = f"{_HEADER_HELP}; if it is a part of a policy, {_PART_HELP}"
    found.error("GOV111", message, span, help=help_)


def _whole(policy: ast.Policy | None) -> ast.Policy:
    assert policy is not None, "a file without errors has been read to its end"
    return policy
