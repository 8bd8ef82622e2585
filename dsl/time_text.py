"""What happens, and expressions that remember, as text; the part of `expression_text` for time.

In: nodes of `ast` and the function that prints the expressions in them. Out: text without line ends
and how tightly it binds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from govlang.dsl import ast
from govlang.dsl.precedence import Precedence

Print = Callable[[ast.Expr, Precedence], str]
"""An expression, in parentheses where it binds less tightly than the level."""


def number(node: ast.Number) -> str:
    """`1_000 kg`."""
    return node.text if node.unit is None else f"{node.text} {node.unit}"


def occurrence(node: ast.Occurrence) -> str:
    """`failure`, `deletion per resource`, `enters breaker.open`."""
    match node:
        case ast.Enters(machine=machine, state=state):
            return f"enters {machine.text}.{state.text}"
        case ast.EventRef(name=name, member=member, per=per):
            whole = name.text if member is None else f"{name.text}.{member.text}"
            return whole if per is None else f"{whole} per {per.text}"
        case _:
            assert_never(node)


def occurrences(nodes: tuple[ast.Occurrence, ...]) -> str:
    """Those with commas."""
    return ", ".join(map(occurrence, nodes))


def window(node: ast.Window) -> str:
    """`1 h by 5 min, under`."""
    pane = "" if node.pane is None else f" by {number(node.pane)}"
    return number(node.duration) + pane + (", under" if node.under else "")


def temporal(node: ast.Temporal, shown: Print) -> tuple[str, Precedence]:
    """An expression that reads more than this sample."""
    match node:
        case ast.HappenedWithin() | ast.Ago() | ast.HeldFor() | ast.Since():
            operand = shown(node.operand, Precedence.COMPARISON)
            return f"{operand} {_lasting(node)}", Precedence.OVER_TIME
        case ast.EventRef() | ast.Enters():
            return occurrence(node), Precedence.PRIMARY
        case _:
            return _history(node, shown), Precedence.PRIMARY


def _lasting(node: ast.OverTime) -> str:
    match node:
        case ast.HappenedWithin(duration=duration):
            return f"within {number(duration)}"
        case ast.HeldFor(duration=duration):
            return f"for {number(duration)}"
        case ast.Ago(newest=newest, oldest=oldest):
            first = newest.text if newest.unit == oldest.unit else number(newest)
            return f"between {first} and {number(oldest)} ago"
        case ast.Since(event=event, within=within):
            last = occurrence(event)
            return f"since {last}" if within is None else f"since ({last} within {number(within)})"
        case _:
            assert_never(node)


def _history(
    node: ast.Count | ast.Total | ast.Extreme | ast.Elapsed | ast.Ewma | ast.Deviates | ast.Fresh
    | ast.Stale | ast.Previous | ast.Changed | ast.Reserved | ast.Possible,
    shown: Print,
) -> str:  # fmt: skip
    match node:
        case ast.Count(event=event, since=since):
            return f"count({occurrence(event)}) {_since(since)}"
        case ast.Total(function=function, of=of, window=over):
            return f"{function}({occurrence(of)}) in {window(over)}"
        case ast.Extreme(function=function, operand=operand, duration=duration):
            return f"{function}({shown(operand, Precedence.SUM)}) in {number(duration)}"
        case ast.Elapsed(event=event):
            return f"elapsed({occurrence(event)})"
        case ast.Ewma(reading=reading, alpha=alpha):
            return f"ewma({_reading(reading)}, alpha {number(alpha)})"
        case ast.Deviates():
            return _deviates(node)
        case ast.Fresh(reading=reading, duration=duration):
            return f"fresh({_reading(reading)}, {number(duration)})"
        case ast.Stale(reading=reading, duration=duration):
            return f"stale({_reading(reading)}, {number(duration)})"
        case ast.Previous(reading=reading):
            return f"previous({_reading(reading)})"
        case ast.Changed(reading=reading):
            return f"changed({_reading(reading)})"
        case ast.Reserved(field=field):
            return f"reserved({field.text})"
        case ast.Possible(condition=condition):
            return f"always possible ({shown(condition, Precedence.EXPRESSION)})"
        case _:
            assert_never(node)


def _since(node: ast.Window | ast.Occurrence) -> str:
    return f"in {window(node)}" if isinstance(node, ast.Window) else f"since {occurrence(node)}"


def _deviates(node: ast.Deviates) -> str:
    words = ("alpha", node.alpha), ("by", node.by), ("floor", node.floor), ("after", node.after)
    said = (f", {word} {number(value)}" for word, value in words if value is not None)
    return f"deviates({_reading(node.reading)}{''.join(said)})"


def _reading(node: ast.Reading) -> str:
    return node.text if isinstance(node, ast.Name) else occurrence(node)
