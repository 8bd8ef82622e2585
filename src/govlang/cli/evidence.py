"""`gov evidence verify|show LEDGER`: whether a ledger is whole, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.output import format_option
from govlang.cli.guard import Exit, guarded
from govlang.cli.options import file_argument


@click.group(name="evidence")
def command() -> None:
    """Check and show evidence ledgers: JSONL files, or directories that hold LEDGER.jsonl."""


@command.command(name="verify")
@file_argument("ledger")
@click.option("--head", help="the hash of a head that was kept elsewhere", metavar="HASH")
@format_option()
@guarded
def verify(ledger: Path, head: str | None, style: str) -> int:
    """Find any change, drop, swap or cut in LEDGER; exit 1 if there is one."""
    from govlang.runtime.evidence.audit import audit

    kept = head if head is None or head.startswith("sha256:") else f"sha256:{head}"
    found = audit(ledger, kept)
    report = {
        "ledger": str(ledger),
        "status": "intact" if found.intact else "faulty",
        "records": found.records,
        "head": found.head,
        "faults": [{"code": f.code, "seq": f.seq, "message": f.message} for f in found.faults],
    }
    click.echo(json_text(report)) if style == "json" else _say(report)
    return Exit.OK if found.intact else Exit.FINDINGS


def _say(report: dict[str, Any]) -> None:
    for fault in report["faults"]:
        mark = f"error[{fault['code']}]"
        click.echo(f"{click.style(mark, fg='red', bold=True)}: {fault['message']}")
    colour = "green" if report["status"] == "intact" else "red"
    mark = click.style(report["status"], fg=colour, bold=True)
    click.echo(f"{mark}  {report['ledger']}: {report['records']} records, head {report['head']}")


@command.command(name="show")
@file_argument("ledger")
@click.option("--job", help="only records of this job", metavar="ID")
@click.option("--last", type=click.IntRange(min=1), help="only the last N records", metavar="N")
@format_option()
@guarded
def show(ledger: Path, job: str | None, last: int | None, style: str) -> int:
    """Show the records of LEDGER."""
    from govlang.runtime.evidence.audit import records

    found = [record for record in records(ledger) if job is None or record.get("job_id") == job]
    shown = found[-last:] if last else found
    if style == "json":
        for record in shown:
            click.echo(json_text(record))
    else:
        _show_table(shown)
    return Exit.OK


def _show_table(shown: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("seq", "at (ms)", "job", "topic", "decision", "rule", "approver", box=None)
    for record in shown:
        names = ("seq", "at_ms", "job_id", "topic", "decision", "rule_id", "approver")
        table.add_row(*(_cell(record.get(name)) for name in names))
    Console().print(table)


def _cell(value: Any) -> str:
    from rich.markup import escape

    return "" if value is None else escape(str(value))
