"""`gov check FILE…`: parse and type-check; imports neither the solver nor the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from govlang.cli.formats.findings import Report, capped, from_diagnostic
from govlang.cli.formats.output import ALL, format_option, show_reports
from govlang.cli.guard import Exit, findings_of, guarded, worst
from govlang.cli.options import files_argument, files_or_project
from govlang.compiler.checked import Checked
from govlang.dsl.diagnostics import GovError
from govlang.dsl.source import Source
from govlang.native.errors import CodedError


@click.command(name="check")
@files_argument
@format_option(ALL)
@guarded
def command(files: tuple[Path, ...], style: str) -> int:
    """Parse and type-check each FILE; every fault at once, each with the way out."""
    sources: list[Source] = []
    reports = [check_file(path, sources) for path in files_or_project(files)]
    show_reports(reports, sources, style, closing)
    return worst(Exit.UNUSABLE if r["status"] == "unusable" else Exit.OK for r in reports)


def check_file(path: Path, sources: list[Source]) -> Report:
    """The report on one file; its sources are added to `sources`."""
    from govlang.cli.subject import open_subject

    try:
        checked = open_subject(path).checked
    except (GovError, CodedError, OSError) as error:
        return unusable(path, error, sources)
    sources.extend(checked.sources)
    return _usable(path, checked)


def unusable(path: Path, error: Exception, sources: list[Source]) -> Report:
    """The report on a file that cannot be used; the sources that it speaks of are added to `sources`."""
    found = [d.span.source for d in getattr(error, "diagnostics", ()) if d.span is not None]
    sources.extend(found)
    return {
        "file": str(path),
        "policy": None,
        "version": None,
        "snapshot": None,
        "status": "unusable",
        "findings": capped(findings_of(error)),
    }


def _usable(path: Path, checked: Checked) -> Report:
    from govlang.compiler.core import core_json, snapshot

    policy = checked.policy
    report: dict[str, Any] = {
        "file": str(path),
        "policy": policy.name,
        "version": policy.version,
        "snapshot": snapshot(core_json(policy)),
        "status": "usable",
        "findings": capped(from_diagnostic(d) for d in checked.warnings),
    }
    return report | {"rules": len(policy.rules), "fields": len(policy.fields)}


def closing(report: Report) -> str:
    """The last line for people."""
    if report["status"] == "unusable":
        errors = sum(f["severity"] == "error" for f in report["findings"])
        mark = click.style("unusable", fg="red", bold=True)
        return f"{mark}  {report['file']}: {errors} error{'s' if errors != 1 else ''}"
    mark = click.style("ok", fg="green", bold=True)
    about = f"{report['policy']} {report['version']}: {report['rules']} rules on {report['fields']} fields"
    return f"{mark}  {report['file']}: {about}, {report['snapshot'][:19]}…"
