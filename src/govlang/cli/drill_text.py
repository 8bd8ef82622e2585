"""Drills for people: steps of an outage and incidents in, tables and timelines on the terminal out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from govlang.runtime.control.drills.outage import Step
    from govlang.runtime.evidence.audit import Audit
    from govlang.runtime.evidence.incident import Incident, Incidents
    from govlang.runtime.evidence.timeline import Row

WIDTH: Final = 140
"""Where the output is no terminal."""

COLOURS: Final = {
    "intent": "cyan",
    "decision": "blue",
    "approval": "magenta",
    "dispatch": "green",
    "result": "white",
    "revocation": "red",
    "undo": "yellow",
    "event": "bright_red",
    "phase": "cyan",
}


def console() -> Console:
    """The terminal, or lines of one width."""
    return Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)


def show_outage(steps: Sequence[Step]) -> None:
    """What was tried, and whether it went as written; what was expected only where it did not."""
    table = Table("", "fail mode", "check", "tried", "what came", box=None, pad_edge=False)
    before = ("", "")
    for one in steps:
        mark = "[green]ok[/]" if one.is_as_written else "[red]NO[/]"
        at = (one.fail_mode, one.check)
        mode = "" if at[0] == before[0] else at[0]
        check = "" if at == before else at[1]
        found = one.found if one.is_as_written else f"{one.found}, not {one.expected}"
        table.add_row(mark, mode, check, escape(one.tried), escape(found))
        before = at
    console().print(table)
    wrong = sum(not one.is_as_written for one in steps)
    told = f"{len(steps)} steps as written" if not wrong else f"{wrong} of {len(steps)} steps"
    mark = click.style("otherwise", fg="red") if wrong else click.style("passed", fg="green")
    click.echo(f"{mark}  {told}")


def show_incidents(place: Path, checked: Audit, found: Incidents) -> None:
    """Whether the ledger is whole, then each incident."""
    for fault in checked.faults:
        click.echo(f"{click.style(f'error[{fault.code}]', fg='red', bold=True)}: {fault.message}")
    mark = click.style("intact", fg="green") if checked.intact else click.style("faulty", fg="red")
    click.echo(f"{mark}  {place}: {checked.records} records, head {checked.head}")
    if not checked.intact:
        click.echo("nothing is rebuilt from it")
        return
    if not found.found:
        click.echo(
            "no incident  no job failed, was revoked, quarantined, denied at dispatch or given up"
        )
    if found.earlier:
        click.echo(f"{found.earlier} earlier incidents are not shown (`--limit`)")
    for one in found.found:
        _show(one, found)


def _show(one: Incident, found: Incidents) -> None:
    from govlang.runtime.evidence.timeline import seconds, timeline

    kinds = ", ".join(kind.replace("_", " ") for kind in one.kinds) or "nothing went wrong"
    click.echo(f"\n{click.style(one.run_id, bold=True)}  {kinds}")
    rows = list(timeline(one))
    for snapshot in dict.fromkeys(row.policy for row in rows if row.policy is not None):
        click.echo(f"  policy    {found.policies.get(snapshot, '')}  {snapshot}")
    if one.detect_ms is not None:
        click.echo(f"  detected  {seconds(one.detect_ms)} after it happened")
    if one.revoke_ms is not None:
        click.echo(f"  revoked   the worker let go {seconds(one.revoke_ms)} after the report")
    _draw(rows, one.run_id)
    for job in one.jobs.values():
        approvers = ", ".join(f"{who} ({role})" for role, who in job.approved_by.items())
        by = f", approved by {approvers}" if approvers else ""
        chain = f", on behalf of {' < '.join(job.delegation)}" if job.delegation else ""
        undone = f", undone by {job.undone_by}" if job.undone_by else ""
        click.echo(f"  {job.state:10} {job.job_id}  {job.agent}{chain}{by}{undone}")


def _draw(rows: Sequence[Row], run_id: str) -> None:
    """The rail: one mark a row, a gap where time passes."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
    table.add_column(justify="right", no_wrap=True)
    for _ in range(4):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    before_ms = 0
    for row in rows:
        if row.after_ms > before_ms:
            table.add_row("", "│", "", "", "", "")
        colour = COLOURS[row.stage]
        moved = row.after_ms > before_ms or row is rows[0]
        table.add_row(
            f"  {row.after_ms / 1000:+.3f} s" if moved else "",
            f"[{colour}]●[/]",
            f"[{colour}]{row.stage}[/]",
            escape(row.job_id.removeprefix(f"{run_id}:")),
            escape(row.who),
            escape(row.what),
        )
        before_ms = row.after_ms
    console().print(table)
