"""From a checked policy to its compiled forms, in memory: core, snapshot, table, C and WebAssembly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from govlang.compiler import ir
from govlang.compiler.core import core_json, snapshot
from govlang.compiler.diagram import build_diagram
from govlang.compiler.nodes import Report
from govlang.compiler.residual import TableTooLargeError
from govlang.compiler.table import emit_table
from govlang.compiler.text_classes import PatternTooLargeError, classify_fields
from govlang.native.errors import CodedError


@dataclass(frozen=True, slots=True)
class Compiled:
    """A policy's core and table, and what the author may want to know of the structure."""

    core: bytes
    snapshot: str
    table: bytes
    structure: Report


def over_time(policy: ir.Policy, what: str) -> CodedError:
    """The error for a policy with rules over time where there is nothing for them yet (GOV715)."""
    return CodedError(
        "GOV715",
        f"`{policy.name}` has rules over time, for which there is no {what} in this version",
        "`gov verify`, `gov diff`, `gov build`, `gov test`, `gov decide` and `gov explain` take it",
    )


def compile_policy(policy: ir.Policy) -> Compiled:
    """The compiled form.

    Raises:
        CodedError: the policy passes a limit of the table's format.
    """
    core = core_json(policy)
    name = snapshot(core)
    try:
        classes = classify_fields(policy)
        diagram = build_diagram(policy, classes)
        table = emit_table(policy, diagram, classes, name)
    except (TableTooLargeError, PatternTooLargeError) as error:
        raise CodedError(
            error.code, str(error), "split the policy, or its longest condition"
        ) from None
    return Compiled(core, name, table, diagram.report)


EDGE_RULES_MAX: Final = 2_000
"""A bundle of a policy with more rules holds no C and no WebAssembly, unless they are asked for."""

MODULE: Final = "policy.wasm"
SOURCE: Final = "policy.c"
HEADER: Final = "policy.h"


def compile_module(policy: ir.Policy, snapshot_name: str) -> bytes:
    """The module of a policy over time.

    Raises:
        BoardError: GOV716 it remembers what a board has no place for.
    """
    from govlang.compiler.steps import build_program
    from govlang.compiler.wasm import wasm_module

    classes = classify_fields(policy)
    return wasm_module(build_program(policy, classes), classes, snapshot_name)


def compile_edge(policy: ir.Policy, snapshot_name: str) -> dict[str, bytes]:
    """The parts of a bundle that boards and browsers take: the module, the C file and its header."""
    from govlang.compiler.c_source import c_files
    from govlang.compiler.edge_automata import text_scans
    from govlang.compiler.steps import build_program
    from govlang.compiler.wasm import wasm_module

    classes = classify_fields(policy)
    program = build_program(policy, classes)
    header, source = c_files(program, text_scans(policy, classes))
    return {
        MODULE: wasm_module(program, classes, snapshot_name),
        SOURCE: source.encode(),
        HEADER: header.encode(),
    }
