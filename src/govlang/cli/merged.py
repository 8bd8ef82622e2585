"""The sources of a policy as one file: imports in place, rows of CSV files in their tables.

What always holds: the result compiles to the same IR as the files that it was merged from.
"""

from __future__ import annotations

from pathlib import Path

from govlang.cli.subject import Subject
from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.imports import Program, gather, read_root
from govlang.dsl import ast
from govlang.dsl.printer import print_policy
from govlang.dsl.source import Source
from govlang.native.errors import CodedError


def read_program(path: Path) -> Program:
    """The declarations of a policy and of all that it imports."""
    source, read = read_root(path)
    return gather(source, read)


def program_of(subject: Subject) -> Program:
    """The declarations of a policy on disk, or of the sources in a bundle."""
    if subject.bundle is None:
        return read_program(subject.path)
    return gather(Source(f"{subject.path}!policy.gov", subject.bundle.source), None)


def merged_source(program: Program, policy: ir.Policy) -> bytes:
    """The one file, which compiles to `policy`.

    Raises:
        CodedError: GOV700 it would mean something else, which is a fault of ours.
    """
    text = print_policy(ast.Policy(program.header, program.declarations))
    again = compile_source(Source("policy.gov", text))
    if again.policy != policy:
        help_line = "this is a fault of gov; report it with the sources"
        raise CodedError("GOV700", "the merged sources compile to another policy", help_line)
    return text.encode("utf-8")
