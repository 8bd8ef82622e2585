"""A policy as a WebAssembly module: see docs/edge.md, which is its format.

In: a `program.Program`, the classes of its texts, the name of its meaning.  Out: the bytes of a module
of WebAssembly 1.0 (core) that imports nothing; written without any tool.

What always holds: the same policy gives the same bytes; `decide` only branches forward and has no
memory; `verifier/translation` proves the bytes equal to the policy without this file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from govlang.compiler import ir
from govlang.compiler.edge_automata import TextScan, text_scans
from govlang.compiler.edge_schema import schema_json
from govlang.compiler.ir import Effect
from govlang.compiler.program import Program
from govlang.compiler.program_tidy import tidied
from govlang.compiler.steps_deadline import DEADLINE
from govlang.compiler.text_classes import TextClasses
from govlang.compiler.wasm_binary import Global, Module, module_bytes
from govlang.compiler.wasm_decide import decide_function
from govlang.compiler.wasm_scan import (
    UNSET_LENGTH,
    Layout,
    classify_function,
    lay_out,
    length_name,
    memory,
)
from govlang.compiler.wasm_time import time_functions

SCHEMA_SECTION: Final = "gov.schema"

TAKEN: Final = frozenset({"commit", "decide", "memory", "text"})
"""Exports of every module; a field of such a name is exported as `field.` and its name."""


def wasm_module(program: Program, classes: Mapping[str, TextClasses], snapshot: str) -> bytes:
    """The module of a policy."""
    policy = program.policy
    scans = text_scans(policy, classes)
    layout = lay_out(scans) if scans else None
    shared = tuple(_globals(program, scans, layout))
    names = [name for name, _ in shared]
    number = {name: i for i, name in enumerate(names)}
    if policy.time is None:
        functions = [decide_function(tidied(program), number)]
    else:
        functions = [*time_functions(program, policy.time, number)]
    if layout:
        functions += [classify_function(s, layout, number, program.variables) for s in scans]
    return module_bytes(
        Module(
            policy.name,
            tuple(functions),
            tuple(one for _, one in shared),
            memory(layout) if layout else None,
            ((SCHEMA_SECTION, schema_json(policy, classes, snapshot)),),
        )
    )


TAKEN_OVER_TIME: Final = TAKEN | {"next_deadline", "state_ok", "tick"}
"""Those of a policy over time."""


def export_name(variable: str, taken: Collection[str] = TAKEN) -> str:
    """The name under which a variable is exported."""
    return f"field.{variable}" if variable in taken else variable


def _globals(
    program: Program, scans: Sequence[TextScan], layout: Layout | None
) -> Iterator[tuple[str, Global]]:
    """Every global by the name that docs/edge.md gives it, in its order."""
    for one in program.variables:
        name = export_name(one.name, TAKEN_OVER_TIME if program.timed else TAKEN)
        yield one.name, Global(name, one.width, one.unset)
    for cell in program.cells:
        first = int(Effect.DENY) if cell.name == "out.decision" else 0
        yield cell.name, Global(cell.name, cell.width, first)
    if program.timed:
        yield DEADLINE.name, Global(DEADLINE.name, DEADLINE.width, ir.INT64_MAX)
    for scan in scans:
        if scan.others:
            name = length_name(scan.field.name)
            yield name, Global(None, 32, UNSET_LENGTH)
    if layout:
        yield "", Global("text", 32, layout.text, mutable=False)
