"""`gov export jsonlogic FILE`: the policy as a JSON-Logic expression, on standard output."""

from __future__ import annotations

from pathlib import Path

import click

from govlang.cli.formats.exact_json import json_text
from govlang.cli.guard import Exit, guarded
from govlang.cli.options import file_argument
from govlang.cli.requests import param_option, read_params
from govlang.native.errors import CodedError


@click.group(name="export")
def command() -> None:
    """Write a policy in the format of another tool."""


@command.command(name="jsonlogic")
@file_argument()
@param_option
@click.option(
    "--decisions-only", is_flag=True, help="leave obligations out, which the format cannot say"
)
@guarded
def jsonlogic(file: Path, param: tuple[str, ...], decisions_only: bool) -> int:  # noqa: FBT001  # a flag of the command line
    """Write FILE as one JSON-Logic expression whose value is the decision's name."""
    from govlang.cli.subject import open_subject
    from govlang.compiler.jsonlogic import export_jsonlogic

    policy = open_subject(file).checked.policy
    if policy.time is not None:
        raise CodedError(
            "GOV715",
            f"`{policy.name}` remembers what came before a request; JSON-Logic reads one request and keeps nothing",
            "`gov build` makes its table and its module; or let the host compute each fact over time and pass it in "
            "as a field `from runtime`: `failed_lately : bool from runtime`",
        )
    params = read_params(policy, param)
    click.echo(json_text(export_jsonlogic(policy, params, decisions_only=decisions_only)))
    return Exit.OK
