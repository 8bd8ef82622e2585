"""Events, machines, contracts and autonomy as indented lines; the part of `layout` for time.

In: nodes of `ast`. Out: `Line`s. Columns are aligned: sources and targets of transitions, clauses of
a contract, levels of autonomy.
"""

from __future__ import annotations

from govlang.dsl import ast
from govlang.dsl import expression_text as text
from govlang.dsl.layout_lines import Line, Lines, broken, close, fields_block, wrap_commas
from govlang.dsl.source import Span
from govlang.dsl.time_text import number, occurrences


def shared(said: bool) -> str:  # noqa: FBT001  # the node's own flag
    """The word before what concerns every key."""
    return "shared " if said else ""


def event(node: ast.EventDecl) -> Lines:
    """`event deletion after dispatched { … }`."""
    after = "" if node.after is None else f" after {node.after.text}"
    head = f"{shared(node.shared)}event {node.name.text}{after}"
    if not node.fields:
        return [Line(0, head, node.span)]
    return fields_block(head, node.fields, node.span)


# --- machines ---


def machine(node: ast.MachineDecl) -> Lines:
    """`machine breaker { start closed … }`."""
    per = "" if node.per is None else f" per {node.per.text}"
    sources = max((len(t.source.text) for t in node.transitions), default=0)
    targets = max((len(t.target.text) for t in node.transitions), default=0)
    lines = [
        Line(0, f"{shared(node.shared)}machine {node.name.text}{per} {{", node.span),
        Line(1, f"start {node.start.text}", node.start.span),
    ]
    for one in node.transitions:
        lines += _transition(one, f"{one.source.text:<{sources}} -> {one.target.text:<{targets}}")
    return [*lines, close(node.span, 0)]


def _transition(node: ast.Transition, arrow: str) -> Lines:
    words = [arrow]
    if node.on:
        words.append(f"on {occurrences(node.on)}")
    if node.after is not None:
        words.append(f"after {number(node.after)}")
    head = " ".join(words)
    if node.when is None:
        return [Line(1, head, node.span, item=True)]
    whole = Line(1, f"{head} when {text.expression(node.when)}", node.span, item=True)
    if whole.fits():
        return [whole]
    condition = broken("when ", node.when, node.when.span, 2)
    return [Line(1, head.rstrip(), node.span, item=True), *condition]


# --- contracts ---


def contract(node: ast.ContractDecl) -> Lines:
    """`contract NAME for KEY on FIELD { … }`."""
    head = f"contract {node.name.text} for {node.key.text} on {node.field.text} {{"
    lines = [Line(0, head, node.span), *_clause("may", text.labels(node.may), node.may[0].span)]
    if node.scope is not None:
        lines += broken(_word("scope"), node.scope, node.scope.span, 1)
    if node.needs:
        lines += _clause("needs", text.labels(node.needs), node.needs[0].span)
    if node.stop is not None:
        lines += _clause("stop", _stop(node.stop), node.stop.span)
    if node.revoke:
        lines += _clause("revoke", f"on {occurrences(node.revoke)}", node.revoke[0].span)
    return [*lines, close(node.span, 0)]


def _word(word: str) -> str:
    return f"{word:<7}"


def _clause(word: str, said: str, span: Span) -> Lines:
    return list(wrap_commas(Line(1, _word(word) + said, span, item=True)))


def _stop(node: ast.Stop) -> str:
    bounds = (number(bound) for bound in (node.after, node.calls) if bound is not None)
    first, *rest = [*bounds, *(f"on {occurrences((event,))}" for event in node.on)]
    after = "" if node.after is None and node.calls is None else "after "
    return after + ", or ".join([first, *rest])


# --- autonomy ---


def autonomy(node: ast.AutonomyDecl) -> Lines:
    """`autonomy for KEY on FIELD { … }`: the levels, then what drops to them."""
    names = max(len(level.name.text) for level in node.levels)
    lists = [text.labels(level.may) for level in node.levels]
    widths = [len(may) for may, level in zip(lists, node.levels, strict=True) if level.when]
    lines = [Line(0, f"autonomy for {node.key.text} on {node.field.text} {{", node.span)]
    for level, may in zip(node.levels, lists, strict=True):
        lines += _level(level, f"{level.name.text:<{names}} may ", may, max(widths, default=0))
    for drop in node.drops:
        said = f"drop to {drop.level.text} on {occurrences(drop.on)}"
        lines += wrap_commas(Line(1, said, drop.span, item=True))
    return [*lines, close(node.span, 0)]


def _level(node: ast.Level, head: str, may: str, width: int) -> Lines:
    if node.when is None:
        return list(wrap_commas(Line(1, head + may, node.span, item=True)))
    condition = text.expression(node.when)
    for padded in (f"{may:<{width}}", may):
        whole = Line(1, f"{head}{padded} when {condition}", node.span, item=True)
        if whole.fits():
            return [whole]
    first = wrap_commas(Line(1, head + may, node.span, item=True))
    return [*first, *broken("when ", node.when, node.when.span, 2)]
