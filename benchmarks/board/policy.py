"""A policy for the board: its C, its module, what both are called, and the figures of recorded cases.

In: a checked policy and cases.  Out: the image that decides them, or the cases in wasm3.

What always holds: names come from the compiler, expectations never do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.board import image
from benchmarks.board.cases import Case, Classes, cases_of, random_requests
from benchmarks.board.cases_c import Member, Names, cases_c
from benchmarks.board.image import Image, Source
from benchmarks.board.modules import WasmBoard
from govlang.compiler import ir
from govlang.compiler.c_names import names_of
from govlang.compiler.c_source import c_files
from govlang.compiler.core import core_json, snapshot
from govlang.compiler.edge_automata import text_scans
from govlang.compiler.program import Cell, Program, Variable
from govlang.compiler.steps import build_program
from govlang.compiler.text_classes import classify_fields
from govlang.compiler.wasm import wasm_module


@dataclass(frozen=True, slots=True)
class EdgePolicy:
    """A policy with all that its artefacts are printed from."""

    policy: ir.Policy
    classes: Classes
    program: Program

    def random_cases(self, count: int, seed: int) -> list[Case]:
        """Recorded cases of a policy whose rules read no text."""
        requests = random_requests(self.policy, count, seed)
        return cases_of(self.policy, self.classes, requests, seed)

    def c_files(self) -> tuple[str, str]:
        """The header and the source."""
        return c_files(self.program, text_scans(self.policy, self.classes))

    def image(self, cases: list[Case], place: Path) -> Image:
        """The policy and cases for the board, built in a folder that is there."""
        names = c_interface(self.program)
        header, text = self.c_files()
        return image.build(Source(names.policy, text, header), cases_c(names, cases), place)

    def module(self) -> bytes:
        """The policy's WebAssembly module."""
        return wasm_module(self.program, self.classes, snapshot(core_json(self.policy)))

    def in_wasm3(self) -> WasmBoard:
        """The module in wasm3."""
        return WasmBoard(self.module(), self.program.variables, self.program.cells)


def edge_policy(policy: ir.Policy) -> EdgePolicy:
    """A policy made ready for its artefacts."""
    classes = classify_fields(policy)
    return EdgePolicy(policy, classes, build_program(policy, classes))


def c_interface(program: Program) -> Names:
    """What the header of a policy calls things."""
    names = names_of(program)

    def member(one: Variable | Cell, name: str) -> Member:
        return Member(one.name, name, one.width, one.mask)

    variables = [(one, member(one, names.members[one.name])) for one in program.variables]
    return Names(
        names.policy,
        tuple(found for one, found in variables if not one.param),
        tuple(found for one, found in variables if one.param),
        tuple(member(cell, names.cells[cell.name]) for cell in program.cells),
        tuple(names.classify.items()),
    )
