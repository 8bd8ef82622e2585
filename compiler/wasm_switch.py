"""To the part of a switch that has a slot's value, as WebAssembly.

In: a slot, the label of the part for each value that has one, and the label of the switch's end.
Out: a `br_table` where values stand close together, else a search that halves what is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from govlang.compiler.program import Inside, Slot
from govlang.compiler.wasm_code import Label
from govlang.compiler.wasm_values import Expressions

Run = tuple[int, int, Label]

_SPARSE: Final = 3
"""A table may have so many entries for each value."""

_LINEAR: Final = 3
"""So many runs of values are tried one after another."""


def branch_by_value(
    expressions: Expressions, slot: Slot, to: Mapping[int, Label], end: Label
) -> None:
    """Branch to the label of the slot's value, or to the end."""
    code, lo, hi = expressions.code, min(to), max(to)
    dense = slot.width == 32 and hi - lo < _SPARSE * len(to)
    if dense and len(to) > _LINEAR:
        code.push(expressions.places[slot])
        if lo:
            code.const(lo)
            code.op("i32.sub")
        code.table([to.get(value, end) for value in range(lo, hi + 1)], end)
    else:
        _search(expressions, slot, _runs(to))
        code.branch("br", end)


def _runs(to: Mapping[int, Label]) -> list[Run]:
    """Neighbouring values that lead to one label, together."""
    found: list[Run] = []
    for value in sorted(to):
        if found and found[-1][1] == value - 1 and found[-1][2] is to[value]:
            found[-1] = (found[-1][0], value, to[value])
        else:
            found.append((value, value, to[value]))
    return found


def _search(expressions: Expressions, slot: Slot, runs: Sequence[Run]) -> None:
    """Branch to the label of the run that has the slot's value, if one has it."""
    code, width = expressions.code, slot.width
    if len(runs) <= _LINEAR:
        domain = (-(1 << width - 1), (1 << width - 1) - 1)
        for lo, hi, label in runs:
            expressions.condition(Inside(slot, ((lo, hi),), *domain))
            code.branch("br_if", label)
        return
    middle = len(runs) // 2
    code.push(expressions.places[slot])
    code.const(runs[middle][0], width)
    code.op(f"i{width}.lt_s")
    with code.block("if"):
        _search(expressions, slot, runs[:middle])
        code.op("else")
        _search(expressions, slot, runs[middle:])
