"""Declarations as indented lines: the one layout of `gov fmt`, comments aside.

In: nodes of `ast`. Out: `Line`s; each knows where in the source what it shows begins, so that
`printer.py` can put comments and blank lines back. The layout depends on the tree alone: a rule
stands on one line where it fits and has neither reason, remedy nor overrides; conditions break
before `implies`, `or` and `and`; fields and table cells are aligned.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from govlang.dsl import ast
from govlang.dsl import expression_text as text
from govlang.dsl.layout_lines import (
    Line,
    Lines,
    broken,
    close,
    fields_block,
    with_expression,
)
from govlang.dsl.layout_tests import test
from govlang.dsl.layout_time import autonomy, contract, event, machine, shared
from govlang.dsl.source import Source, Span
from govlang.dsl.time_text import number


def header(node: ast.Header) -> Lines:
    """`language 1` and the policy's name."""
    name = node.name.span
    first = Line(0, f"language {node.language}", node.span, item=True)
    return [first, Line(0, f"policy {node.name.text} version {text.literal(node.version)}", name)]


def declaration(node: ast.Declaration, indent: int = 0) -> Lines:
    """The lines of a declaration; the first is an item."""
    match node:
        case ast.Rule():
            lines = _rule(node, indent)
        case ast.Table():
            lines = _table(node, indent)
        case ast.TierBlock():
            lines = _tier(node)
        case ast.InputDecl(fields=fields):
            lines = fields_block("input", fields, node.span)
        case ast.ActionDecl(name=name, parameters=fields) if fields:
            lines = fields_block(f"action {name.text}", fields, node.span)
        case ast.Test():
            lines = test(node)
        case ast.EventDecl():
            lines = event(node)
        case ast.MachineDecl():
            lines = machine(node)
        case ast.ContractDecl():
            lines = contract(node)
        case ast.AutonomyDecl():
            lines = autonomy(node)
        case ast.LetDecl(name=name, value=value):
            lines = with_expression(f"let {name.text} =", value, node.span, indent)
        case ast.AssumeDecl(condition=value):
            lines = with_expression("assume", value, node.span, indent)
        case ast.Invariant(name=name, condition=value):
            lines = with_expression(f"invariant {text.label(name)}:", value, node.span, indent)
        case ast.Prove(name=name, claim=value):
            lines = with_expression(f"prove {text.label(name)}:", value, node.span, indent)
        case _:
            lines = [Line(indent, _one_line(node), node.span)]
    return [replace(lines[0], item=True), *lines[1:]]


def _one_line(
    node: ast.CombineDecl | ast.DefaultDecl | ast.TiersDecl | ast.OutputDecl | ast.ActionDecl
    | ast.ParamDecl | ast.AcceptDecl | ast.ImportDecl | ast.TimeZoneDecl | ast.LongestWindowDecl
    | ast.SignalDecl,
) -> str:  # fmt: skip
    match node:
        case ast.CombineDecl(combine=combine):
            return f"combine {combine.value}"
        case ast.DefaultDecl(effect=effect):
            return "default none" if effect is None else f"default {effect.value}"
        case ast.TiersDecl(names=names):
            return f"tiers {text.labels(names)}"
        case ast.OutputDecl(field=field):
            return f"output {field.name.text} : {text.type_(field.type)}"
        case ast.ActionDecl(name=name):
            return f"action {name.text}"
        case ast.ParamDecl(name=name, type=type_, default=default):
            return f"param {name.text} : {text.type_(type_)} = {text.literal(default)}"
        case ast.AcceptDecl(code=code, names=names, because=because):
            return f"accept {code.text} on {text.labels(names)} because {text.literal(because)}"
        case ast.ImportDecl(path=path):
            return f"import {text.literal(path)}"
        case ast.TimeZoneDecl(zone=zone):
            return f"time zone {text.literal(zone)}"
        case ast.LongestWindowDecl(duration=duration):
            return f"longest window {number(duration)}"
        case ast.SignalDecl(name=name, type=type_, initial=initial, shared=said):
            value = "" if initial is None else f" = {text.literal(initial)}"
            return f"{shared(said)}signal {name.text} : {text.type_(type_)}{value}"
        case _:
            assert_never(node)


# --- blocks ---


def _tier(node: ast.TierBlock) -> Lines:
    when = "" if node.condition is None else f" when {_before_brace(node.condition)}"
    members = [declaration(member, 1) for member in node.members]
    head = Line(0, f"tier {node.name.text}{when} {{", node.span)
    return [head, *spaced(members), close(node.span, 0)]


def _before_brace(condition: ast.Expr) -> str:
    """In parentheses where it ends in a label that would begin `any {` or `all {`."""
    whole = text.expression(condition)
    return f"({whole})" if whole.endswith((" any", " all")) else whole


def spaced(groups: list[Lines]) -> Lines:
    """The groups one after another; a group of several lines has blank lines around it."""
    out: Lines = []
    for i, group in enumerate(groups):
        if i and (len(group) > 1 or len(groups[i - 1]) > 1 or _other_kind(groups[i - 1], group)):
            out.append(Line(0, "", group[0].span))
        out += group
    return out


def _other_kind(before: Lines, group: Lines) -> bool:
    """Whether a program built the node, so that no author's blank lines are known, and it is new."""
    unplaced = not group[0].span.source.text
    return unplaced and before[0].text.split()[0] != group[0].text.split()[0]


# --- rules ---


def _rule(node: ast.Rule, indent: int) -> Lines:
    head = f"rule {text.label(node.name)}"
    decision = Line(indent + 1, text.decision(node.decision), node.decision.span)
    clauses = [*_condition(node.condition, indent + 1), decision, *_reasons(node, indent + 1)]
    short = node.because is None and node.remedy is None and not node.overrides
    whole = Line(indent, " ".join([head, *(line.text for line in clauses)]), node.span)
    if short and whole.fits() and len(clauses) <= 2:
        return [whole]
    return [Line(indent, head, node.span), *clauses]


def _condition(condition: ast.Expr | None, indent: int) -> Lines:
    return [] if condition is None else broken("when ", condition, condition.span, indent)


def _reasons(node: ast.Rule, indent: int) -> Lines:
    lines: Lines = []
    if node.because is not None:
        lines.append(Line(indent, f"because {text.literal(node.because)}", node.because.span))
    if node.remedy is not None:
        lines.append(Line(indent, _remedy(node.remedy), node.remedy.span))
    if node.overrides:
        span = node.overrides[0].span
        lines.append(Line(indent, f"overrides {text.labels(node.overrides)}", span))
    return lines


def _remedy(node: ast.Remedy) -> str:
    said = f"remedy {text.literal(node.text)}"
    return f"{said} with {text.arguments(node.arguments)}" if node.arguments else said


# --- tables ---


def _table(node: ast.Table, indent: int) -> Lines:
    if node.limit is not None:
        result, headings = f"limit {node.limit.text}", [node.limit.text]
    elif node.has_because:
        result, headings = "decision, because", ["decision", "because"]
    else:
        result, headings = "decision", ["decision"]
    because = "" if node.because is None else f" because {text.literal(node.because)}"
    head = f"table {node.name.text}({text.labels(node.columns)}) -> {result}{because}"
    if node.csv is not None:
        return [Line(indent, f"{head} from {text.literal(node.csv)}", node.span)]
    grid = [[*(c.text for c in node.columns), *headings], *(_row(node, r) for r in node.rows)]
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    spans = [_headings_span(node), *(r.span for r in node.rows)]
    rows = [
        Line(indent + 1, _bars(cells, widths), span, item=i > 0)
        for i, (cells, span) in enumerate(zip(grid, spans, strict=True))
    ]
    return [Line(indent, head + " {", node.span), *rows, close(node.span, indent)]


def _row(table: ast.Table, row: ast.TableRow) -> list[str]:
    cells = [*map(text.cell, row.cells), text.result_cell(row.decision, table.limit)]
    if table.has_because:
        cells.append("_" if row.because is None else text.literal(row.because))
    return cells


def _bars(cells: list[str], widths: list[int]) -> str:
    return "| " + " | ".join(f"{c:<{w}}" for c, w in zip(cells, widths, strict=True)) + " |"


def _headings_span(node: ast.Table) -> Span:
    """Where the row of headings begins: at the first bar of the source's table."""
    source: Source = node.span.source
    start = source.text.find("|", node.span.start, node.span.end)
    return node.span if start < 0 else Span(source, start, start + 1)
