"""`gov drill outage|replay`: what the control plane does when something fails, and what the ledger tells of it."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.output import format_option
from govlang.cli.guard import Exit, guarded
from govlang.native.errors import CodedError

if TYPE_CHECKING:
    from govlang.runtime.evidence.audit import Audit
    from govlang.runtime.evidence.incident import Incident, Incidents


@click.group(name="drill")
def command() -> None:
    """Rehearse an outage of the policy check, and rebuild incidents from the ledger alone."""


@command.command(name="outage")
@format_option()
@guarded
def outage(style: str) -> int:
    """Hold what a service does against what is written, while its policy check is slow, hangs, fails and is gone.

    Everything happens in a temporary folder and on loopback; half a minute of the breaker takes no time. Exit 1 if
    anything is otherwise than written.
    """
    from govlang.runtime.control.drills.outage import outage as drill

    steps = asyncio.run(drill())
    is_whole = all(one.is_as_written for one in steps)
    if style == "json":
        status = "as written" if is_whole else "otherwise"
        click.echo(json_text({"status": status, "steps": [one.to_dict() for one in steps]}))
    else:
        from govlang.cli.drill_text import show_outage

        show_outage(steps)
    return Exit.OK if is_whole else Exit.FINDINGS


@command.command(name="replay")
@click.argument("ledger", required=False, type=click.Path(path_type=Path), metavar="[LEDGER]")
@click.option("--demo", is_flag=True, help="stage an incident first, and rebuild that")
@click.option("--run", "run_id", metavar="R", help="this run, whatever came of it")
@click.option(
    "--limit",
    default=10,
    show_default=True,
    type=click.IntRange(1, 1000),
    metavar="N",
    help="the newest N incidents",
)
@format_option()
@guarded
def replay(
    ledger: Path | None,
    demo: bool,  # noqa: FBT001  # a flag of the command line
    run_id: str | None,
    limit: int,
    style: str,
) -> int:
    """Rebuild what happened from LEDGER alone: who asked and approved, what was decided, run, revoked and undone.

    An incident is a run of which a job failed, timed out, was revoked, quarantined, denied at dispatch or became a dead
    letter. The ledger is checked first; from one that is not whole nothing is rebuilt (exit 1).
    """
    if (ledger is None) != demo:
        raise CodedError("GOV708", "give either LEDGER or `--demo`", "`gov drill replay DATA`")
    with ExitStack() as stack:
        place = ledger
        if place is None:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gov-drill-")))
            _stage(place)
        return _rebuild(place, run_id, limit, style)


def _stage(place: Path) -> None:
    from govlang.runtime.control.drills.incident import Staged

    asyncio.run(Staged(place).play())


def _rebuild(place: Path, run_id: str | None, limit: int, style: str) -> int:
    from govlang.runtime.evidence.audit import audit
    from govlang.runtime.evidence.incident import Incidents, incidents
    from govlang.runtime.evidence.source import open_source

    checked = audit(place)
    found = Incidents((), 0, {})
    if checked.intact:
        found = incidents(open_source(place), run_id, limit)
    if style == "json":
        click.echo(json_text(_report(place, checked, found)))
    else:
        from govlang.cli.drill_text import show_incidents

        show_incidents(place, checked, found)
    return Exit.OK if checked.intact else Exit.FINDINGS


def _report(place: Path, checked: Audit, found: Incidents) -> dict[str, Any]:
    return {
        "ledger": str(place),
        "status": "intact" if checked.intact else "faulty",
        "records": checked.records,
        "head": checked.head,
        "faults": [{"code": f.code, "seq": f.seq, "message": f.message} for f in checked.faults],
        "policies": dict(found.policies),
        "earlier": found.earlier,
        "incidents": [_incident(one) for one in found.found],
    }


def _incident(one: Incident) -> dict[str, Any]:
    from govlang.runtime.evidence.timeline import timeline

    return {
        "run_id": one.run_id,
        "kinds": list(one.kinds),
        "detect_ms": one.detect_ms,
        "revoke_ms": one.revoke_ms,
        "jobs": [job.to_dict() for job in one.jobs.values()],
        "timeline": [row.to_dict() for row in timeline(one)],
    }
