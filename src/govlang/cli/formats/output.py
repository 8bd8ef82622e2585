"""Prints reports in the format that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import click

from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.findings import Report
from govlang.cli.formats.text import show_findings
from govlang.dsl.source import Source

Command = Callable[..., Any]

PLAIN: Final = ("text", "json")
ALL: Final = ("text", "json", "sarif", "junit", "github")


def format_option(choices: Sequence[str] = PLAIN) -> Callable[[Command], Command]:
    """The option `--format`."""
    return click.option(
        "--format",
        "style",
        type=click.Choice(choices),
        default="text",
        show_default=True,
        help="how the result is written",
    )


def show_reports(
    reports: Sequence[Report],
    sources: Sequence[Source],
    style: str,
    text: Callable[[Report], str] | None = None,
) -> None:
    """Print the reports; `text` gives the closing line of a report for people."""
    match style:
        case "json":
            for report in reports:
                click.echo(json_text(report))
        case "sarif":
            from govlang.cli.formats.sarif import sarif

            click.echo(json_text(sarif(reports)))
        case "junit":
            from govlang.cli.formats.junit import junit

            click.echo(junit(reports))
        case "github":
            from govlang.cli.formats.github import github

            for line in github(reports):
                click.echo(line)
        case _:
            for report in reports:
                show_findings(report["findings"], sources, err=False)
                if text is not None:
                    click.echo(text(report))
