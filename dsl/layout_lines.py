"""Lines of output, and what several kinds of declarations make of them.

In: nodes of `ast`. Out: `Line`s; see `layout.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from govlang.dsl import ast
from govlang.dsl import expression_text as text
from govlang.dsl.precedence import Precedence
from govlang.dsl.record import record
from govlang.dsl.source import Span

WIDTH = 100


@record
class Line:
    """A line of output: `indent` steps of two blanks; `item` where a blank line may stand before;
    `comment` stands beside it.
    """

    indent: int
    text: str
    span: Span
    item: bool = False
    comment: str = ""

    def fits(self) -> bool:
        """Whether the line is no wider than the layout."""
        return 2 * self.indent + len(self.text) <= WIDTH


Lines = list[Line]


def close(span: Span, indent: int) -> Line:
    """The closing brace, which is the last character of its block."""
    return Line(indent, "}", Span(span.source, max(span.start, span.end - 1), span.end))


def fields_block(head: str, fields: tuple[ast.Field, ...], span: Span) -> Lines:
    """A block of fields, their colons aligned."""
    width = max((len(f.name.text) for f in fields), default=0)
    lines = [
        Line(
            1,
            f"{f.name.text:<{width}} : {text.type_(f.type)}{text.modifiers(f)}",
            f.span,
            item=True,
        )
        for f in fields
    ]
    wrapped = chain.from_iterable(wrap_commas(line) for line in lines)
    return [Line(0, head + " {", span), *wrapped, close(span, 0)]


def wrap_commas(line: Line) -> Iterator[Line]:
    """A long list broken after commas, the rest two steps further in."""
    while not line.fits():
        cut = line.text.rfind(", ", 0, WIDTH - 2 * line.indent)
        if cut < 0 or '"' in line.text[cut:]:
            break
        yield replace(line, text=line.text[: cut + 1])
        line = Line(3, line.text[cut + 2 :], line.span)
    yield line


def with_expression(head: str, value: ast.Expr, span: Span, indent: int) -> Lines:
    """`head value` where it fits, else the value on lines of its own."""
    whole = Line(indent, f"{head} {text.expression(value)}", span)
    if whole.fits():
        return [whole]
    return [Line(indent, head, span), *broken("", value, value.span, indent + 1)]


def broken(prefix: str, node: ast.Expr, span: Span, indent: int) -> Lines:
    """An expression on one line, or broken before its outermost operators."""
    whole = Line(indent, prefix + text.expression(node), span)
    if whole.fits():
        return [whole]
    match node:
        case ast.Implies(left=left, right=right):
            first = Line(indent, prefix + text.expression(left, Precedence.DISJUNCTION), span)
            return [first, *broken("implies ", right, right.span, indent + 1)]
        case ast.Logical(op=op, operands=nodes):
            parts = text.operands(node)
            rest = zip(nodes[1:], parts[1:], strict=True)
            more = [Line(indent + 1, f"{op} {part}", n.span) for n, part in rest]
            return [Line(indent, prefix + parts[0], span), *more]
        case _:
            return [whole]
