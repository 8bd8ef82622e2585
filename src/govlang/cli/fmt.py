"""`gov fmt FILE…`: the one layout; `--check` only says which files do not have it."""

from __future__ import annotations

import stat
from pathlib import Path

import click

from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.output import format_option
from govlang.cli.guard import Exit, guarded, refuse, worst
from govlang.cli.options import files_argument, files_or_project
from govlang.dsl.diagnostics import GovError
from govlang.native.errors import CodedError


@click.command(name="fmt")
@files_argument
@click.option("--check", is_flag=True, help="write nothing; exit 1 if a file would change")
@format_option()
@guarded
def command(files: tuple[Path, ...], check: bool, style: str) -> int:  # noqa: FBT001  # a flag of the command line
    """Lay each FILE out in the one layout."""
    return worst(_lay_out(path, check=check, style=style) for path in files_or_project(files))


def _lay_out(path: Path, *, check: bool, style: str) -> Exit:
    try:
        changed = lay_out(path, write=not check)
    except (GovError, CodedError, OSError) as error:
        return refuse(error, as_json=style == "json")
    if style == "json":
        click.echo(
            json_text({"file": str(path), "changed": changed, "written": changed and not check})
        )
    elif changed:
        click.echo(f"{'would change' if check else 'laid out'}  {path}")
    return Exit.FINDINGS if changed and check else Exit.OK


def lay_out(path: Path, *, write: bool) -> bool:
    """Whether the file has another layout; with `write` it has the one layout afterwards."""
    from govlang.dsl.limits import MAX_BYTES, decode
    from govlang.dsl.parser import parse_fragment
    from govlang.dsl.printer import print_policy
    from govlang.native.files import read_at_most, write_whole

    source = decode(str(path), read_at_most(path, MAX_BYTES))
    text = print_policy(parse_fragment(source))
    if text == source.text:
        return False
    if write:
        file = path.resolve()
        write_whole(file, text.encode("utf-8"), stat.S_IMODE(file.stat().st_mode))
    return True
