"""Tests as indented lines; the part of `layout` for them.

In: nodes of `ast`. Out: `Line`s. A step stands on one line where it fits; else its time, what
happens and what is expected have lines of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import assert_never

from govlang.dsl import ast
from govlang.dsl import expression_text as text
from govlang.dsl.layout_lines import Line, Lines, close
from govlang.dsl.source import Span
from govlang.dsl.time_text import number, occurrence


def test(node: ast.Test) -> Lines:
    """`test "claim" { … }`."""
    lines = [Line(0, f"test {text.literal(node.name)} {{", node.span)]
    if node.params:
        lines += _bindings("params", node.params, node.params[0].span, 1)
    for step in node.steps:
        first, *rest = _step(step)
        lines += [replace(first, item=True), *rest]
    return [*lines, close(node.span, 0)]


def _step(step: ast.Step) -> Lines:
    at = "" if step.at is None else f"at {number(step.at)}"
    parts = list(_parts(step))
    words = [at, *(part[0].text for part in parts)] if at else [part[0].text for part in parts]
    whole = Line(1, " ".join(words), step.span)
    if whole.fits() and all(len(part) == 1 for part in parts):
        return [whole]
    if at:
        return [Line(1, at, step.span), *chain.from_iterable(parts)]
    first = [replace(line, indent=line.indent - 1) for line in parts[0]]
    return [*first, *chain.from_iterable(parts[1:])]


def _parts(step: ast.Step) -> Iterator[Lines]:
    """What happens, and each thing that is expected."""
    match step:
        case ast.RequestStep(request=request, runtime=runtime):
            yield _bindings("request", request, _span(request, step.span), 2)
            if runtime:
                yield _bindings("runtime", runtime, runtime[0].span, 2)
            yield [Line(2, f"expect {text.expected(step.expect)}", step.expect.span)]
            yield from _states(step.states)
        case ast.EventStep(event=event, values=values):
            yield _happened(f"event {occurrence(event)}", values, step.span)
            if step.refused:
                yield [Line(2, "expect refused", step.span)]
            yield from _states(step.states)
        case ast.SignalStep(signal=signal, value=value, key=key):
            yield _happened(f"signal {signal.text} {text.literal(value)}", key, step.span)
            yield from _states(step.states)
        case ast.TickStep():
            yield [Line(2, "tick", step.span)]
            yield from _states(step.states)
        case ast.FaultStep():
            yield _faulty(step)
        case ast.ClockStep(back=back):
            yield [Line(2, f"clock back {number(back)}", step.span)]
        case _:
            assert_never(step)


def _span(values: tuple[ast.Argument, ...], otherwise: Span) -> Span:
    return values[0].span if values else otherwise


def _states(states: tuple[ast.StateIs, ...]) -> Iterator[Lines]:
    for one in states:
        negated = "not " if one.negated else ""
        yield [Line(2, f"expect {one.machine.text} is {negated}{one.state.text}", one.span)]


def _happened(said: str, values: tuple[ast.Argument, ...], span: Span) -> Lines:
    """What happens, with braces only where something stands in them."""
    return _bindings(said, values, values[0].span, 2) if values else [Line(2, said, span)]


def _faulty(step: ast.FaultStep) -> Lines:
    *lines, last = _happened(f"{step.fault.value} {step.signal.text}", step.key, step.span)
    lasting = "" if step.duration is None else f" for {number(step.duration)}"
    return [*lines, replace(last, text=last.text + lasting)]


def _bindings(word: str, values: tuple[ast.Argument, ...], span: Span, indent: int) -> Lines:
    """`request { a 1, b 2 }`, broken after commas where it is too wide."""
    if not values:
        return [Line(indent, word + " { }", span)]
    head = f"{word} {{ "
    lines: Lines = []
    for value in values:
        shown = f"{value.name.text} {text.literal(value.value)},"
        last = lines[-1] if lines else Line(indent, head[:-1], span)
        longer = replace(last, text=f"{last.text} {shown}")
        if longer.fits() or not lines:
            lines[-1:] = [longer]
        else:
            lines.append(Line(indent, " " * len(head) + shown, value.span))
    return [*lines[:-1], replace(lines[-1], text=lines[-1].text.removesuffix(",") + " }")]
