"""Decides recorded cases with a policy's WebAssembly module in wasm3, the interpreter of small boards.

In: the module's bytes, the variables and cells of the policy, cases.  Out: the numbers of the cases that
came out otherwise than recorded.

What always holds: every case starts from unset variables, and every cell of the outcome is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import wasm3

from benchmarks.board.cases import Case
from govlang.compiler.program import Cell, Variable

STACK_BYTES: Final = 64 * 1024
"""Of the interpreter, for its operands; a board chooses less."""

TAKEN: Final = frozenset({"commit", "decide", "memory", "text"})
"""Exports of every module: a field of such a name is exported as `field.` and the name (docs/edge.md)."""


class WasmBoard:
    """A module in wasm3, filled and asked as a board's firmware would."""

    def __init__(self, module: bytes, variables: Sequence[Variable], cells: Sequence[Cell]) -> None:
        self.variables = variables
        self.cells = cells
        environment = wasm3.Environment()
        self._runtime = environment.new_runtime(STACK_BYTES)
        self._module = environment.parse_module(module)
        self._runtime.load(self._module)
        self._decide = self._runtime.find_function("decide")

    def different(self, cases: Iterable[Case]) -> Iterator[int]:
        """The cases whose result or outcome is not the recorded one."""
        for number, case in enumerate(cases):
            self._fill(case)
            wanted = {c.name: signed(case.cells[c.name], c.width) for c in self.cells}
            if self._decide() != case.result or self._outcome() != wanted:
                yield number

    def _outcome(self) -> dict[str, int]:
        found = ((c, self._module.get_global(c.name)) for c in self.cells)
        return {c.name: signed(value, c.width) for c, value in found}

    def _fill(self, case: Case) -> None:
        for one in self.variables:
            value = case.variables.get(one.name, one.unset)
            self._module.set_global(_export(one.name), signed(value, one.width))
        for field, text in case.texts.items():
            start = self._module.get_global("text")
            self._runtime.get_memory(0)[start : start + len(text)] = text
            self._runtime.find_function(f"classify.{field}")(start, len(text))


def _export(variable: str) -> str:
    return f"field.{variable}" if variable in TAKEN else variable


def signed(value: int, width: int) -> int:
    """The same bits as a signed number, as wasm3's binding takes them."""
    value %= 1 << width
    return value - (1 << width) if value >> (width - 1) else value
