"""Tests on texts as atoms of the IR.

In: a text field and the literals, globs or prefixes that it is held against.  Out: `TextTest` and
`TextEqual`; a literal that no valid value of the field equals is refused, since the test would
never hold.
"""

from __future__ import annotations

from collections.abc import Sequence

from govlang.compiler import ir
from govlang.compiler.refusal import RefusalError
from govlang.compiler.types import Literal
from govlang.compiler.values import kind_words
from govlang.dsl import ast
from govlang.dsl.source import Span


def equal_to(field: ir.Field, literals: Sequence[Literal], span: Span) -> ir.TextTest:
    """The field equals one of the literals."""
    for literal in literals:
        check_text(field, literal.text, literal.span)
    texts = dict.fromkeys(literal.text for literal in literals)
    patterns = tuple(ir.Pattern(ir.PatternKind.LITERAL, text) for text in texts)
    return ir.TextTest(field.name, patterns, span)


def like(field: ir.Field, pattern: ast.String, span: Span) -> ir.TextTest:
    """The field matches a glob.

    Raises:
        RefusalError: the field is a key (GOV204), or no valid value of it matches.
    """
    if field.kind is ir.Kind.KEY:
        raise RefusalError(
            "GOV204",
            f"`{field.name}` is a key, which is compared for equality only",
            span,
            f"declare `{field.name}` as `text`, or write `{field.name} in {{…}}`",
        )
    glob = pattern.value
    literal = glob.replace("*", "")
    _check_length(field, literal, pattern.span)
    if field.kind is ir.Kind.PATH and (glob.startswith("/") or glob.endswith("/") or not glob):
        raise _no_path(glob, pattern.span, "write it relative, without a slash at its ends")
    if field.kind is ir.Kind.PATH:
        _check_characters(glob, pattern.span)
    return ir.TextTest(field.name, (ir.Pattern(ir.PatternKind.GLOB, glob),), span)


def under(field: ir.Field, prefix: ast.String, span: Span) -> ir.TextTest:
    """The path lies in a directory.

    Raises:
        RefusalError: the field is no path, or the text names no directory (GOV216); no path begins so (GOV215).
    """
    text = prefix.value
    if field.kind is not ir.Kind.PATH:
        raise RefusalError(
            "GOV216",
            f"`under` is for paths, `{field.name}` is {kind_words(field.kind)}",
            span,
            f'write `{field.name} like "{text.rstrip("/")}**"`, or declare it `path`',
        )
    if not text.endswith("/"):
        raise RefusalError(
            "GOV216",
            f"`{text}` names no directory: the prefix of `under` ends in `/`",
            prefix.span,
            f'write `under "{text}/"`',
        )
    check_text(field, text[:-1], prefix.span)
    return ir.TextTest(field.name, (ir.Pattern(ir.PatternKind.UNDER, text),), span)


def same(left: ir.Field, right: ir.Field, span: Span) -> ir.TextEqual:
    """Two fields hold the same bytes.

    Raises:
        RefusalError: they are one field (GOV204).
    """
    if left.name == right.name:
        raise RefusalError(
            "GOV204", f"`{left.name}` is compared with itself", span, "name two different fields"
        )
    first, second = sorted((left.name, right.name))
    return ir.TextEqual(first, second, span)


def check_text(field: ir.Field, text: str, span: Span) -> None:
    """Refuse a text that is no valid value of the field (GOV215)."""
    _check_length(field, text, span)
    if field.kind is not ir.Kind.PATH:
        return
    _check_characters(text, span)
    for segment in text.split("/"):
        if segment in ("", ".", ".."):
            shown = f"the segment `{segment}`" if segment else "an empty segment"
            raise _no_path(
                text, span, f"a path is relative and has no `.` or `..`; this has {shown}"
            )


def _check_length(field: ir.Field, text: str, span: Span) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > field.max_bytes:
        raise RefusalError(
            "GOV215",
            f"the text has {size} bytes, a valid `{field.name}` at most {field.max_bytes}",
            span,
            f"shorten it, or declare `{field.name}` with `max {size}`",
        )


def _check_characters(text: str, span: Span) -> None:
    if "\\" in text or "\0" in text:
        raise _no_path(text, span, "separate segments with `/`")


def _no_path(text: str, span: Span, way_out: str) -> RefusalError:
    return RefusalError("GOV215", f"`{text}` is no valid path", span, way_out)
