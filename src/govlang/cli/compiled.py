"""From a checked policy to its compiled form, in memory: core, snapshot, table, what it costs."""

from __future__ import annotations

from dataclasses import dataclass

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
