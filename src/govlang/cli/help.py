"""`gov help CODE`: the page of a code; without a code, the list of all."""

from __future__ import annotations

from dataclasses import asdict

import click

from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.output import format_option
from govlang.cli.guard import Exit, guarded
from govlang.dsl.codes import CODES, Page
from govlang.dsl.diagnostics import did_you_mean
from govlang.native.errors import CodedError


@click.command(name="help")
@click.argument("code", required=False)
@format_option()
@guarded
def command(code: str | None, style: str) -> int:
    """Say what CODE means, with an example and the way out."""
    if code is None:
        _show_list(style)
    else:
        _show_page(*_page(code), style)
    return Exit.OK


def _page(code: str) -> tuple[str, Page]:
    name = code.upper()
    if name.isdigit():
        name = f"GOV{name}"
    if name not in CODES:
        help_line = did_you_mean(name, CODES) or "`gov help` lists all codes"
        raise CodedError("GOV705", f"there is no code `{code}`", help_line)
    return name, CODES[name]


def _show_list(style: str) -> None:
    if style == "json":
        click.echo(json_text({code: page.title for code, page in sorted(CODES.items())}))
        return
    for code, page in sorted(CODES.items()):
        click.echo(f"{click.style(code, bold=True)}  {page.title}")


def _show_page(code: str, page: Page, style: str) -> None:
    if style == "json":
        click.echo(json_text({"code": code} | asdict(page)))
        return
    click.echo(f"{click.style(code, bold=True)}  {page.title}\n\n{page.explanation}\n")
    for head, text in (("for example", page.example), ("the way out", page.way_out)):
        click.echo(click.style(head, fg="green"))
        click.echo("\n".join(f"    {line}" for line in text.splitlines()) + "\n")
