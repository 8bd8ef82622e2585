"""`gov import FORMAT SRC`: the policy of another tool, as .gov on standard output.

What always holds: what is printed parses and checks; what cannot be carried over is an error that names it
and its place, and then nothing is printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from govlang.cli.guard import Exit, guarded
from govlang.cli.options import file_argument
from govlang.dsl import ast
from govlang.dsl.source import Source
from govlang.native.files import read_at_most

EFFECTS = {"allow": ast.Effect.ALLOW, "deny": ast.Effect.DENY}


@click.group(name="import")
def command() -> None:
    """Turn the policy of another tool into .gov, on standard output."""


@command.command(name="safety-yaml")
@file_argument("src")
@click.option(
    "--default", type=click.Choice(list(EFFECTS)), help="what holds where no rule matches"
)
@guarded
def safety_yaml(src: Path, default: str | None) -> int:
    """Turn a safety.yaml into .gov."""
    from govlang.compiler.importers.safety_yaml import NOTES, import_safety_yaml

    chosen = EFFECTS[default] if default else None
    return _print(import_safety_yaml(_read(src), src.stem, chosen), NOTES)


@command.command(name="jsonlogic")
@file_argument("src")
@click.option(
    "--schema",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FIELDS.gov",
    help="an `input { }` block that declares what the expression reads",
)
@click.option(
    "--true",
    "when_true",
    type=click.Choice(list(EFFECTS)),
    default="allow",
    show_default=True,
    help="the decision where the expression is true; elsewhere the other holds",
)
@guarded
def jsonlogic(src: Path, schema: Path, when_true: str) -> int:
    """Turn a JSON-Logic expression into .gov."""
    from govlang.cli.formats.exact_json import read_json
    from govlang.compiler.importers.logic import import_jsonlogic
    from govlang.dsl.parser import parse_fields

    fields = parse_fields(_read(schema))
    logic = read_json(_read(src).text, f"`{src}`")
    policy = import_jsonlogic(logic, fields, src.stem, EFFECTS[when_true])
    return _print(policy, (f"imported from the JSON-Logic expression in {src.name}",))


@command.command(name="csv")
@file_argument("src")
@guarded
def csv_(src: Path) -> int:
    """Turn a CSV decision table into .gov."""
    from govlang.compiler.importers.csv_rules import import_csv

    return _print(import_csv(_read(src), src.stem), (f"imported from the table in {src.name}",))


def _read(path: Path) -> Source:
    from govlang.dsl.limits import MAX_BYTES, decode

    return decode(str(path), read_at_most(path, MAX_BYTES))


def _print(policy: ast.Policy, notes: Sequence[str]) -> int:
    from govlang.compiler.frontend import compile_source
    from govlang.dsl.printer import print_policy

    text = "".join(f"// {note}\n" for note in notes) + print_policy(policy)
    compile_source(Source("<imported>", text))
    click.echo(text, nl=False)
    return Exit.OK
