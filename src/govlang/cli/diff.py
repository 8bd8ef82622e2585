"""`gov diff OLD NEW`: every kind of request whose outcome changed, each with a request that shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from govlang.cli.formats.findings import Report, capped
from govlang.cli.formats.output import ALL, format_option, show_reports
from govlang.cli.guard import Exit, guarded
from govlang.cli.options import file_argument
from govlang.cli.verify import verifier_options

if TYPE_CHECKING:
    from govlang.cli.subject import Subject
    from govlang.verifier.report import Options

ANEW_MAX: Final = 10
"""Cells that start anew for one reason and are named to people; JSON has them all."""


@click.command(name="diff")
@file_argument("old")
@file_argument("new")
@click.option("--no-looser", is_flag=True, help="anything that became looser is an error")
@click.option("--timeout", type=click.FloatRange(min=0.001), metavar="S", help="seconds a query")
@format_option(ALL)
@guarded
def command(
    old: Path,
    new: Path,
    no_looser: bool,  # noqa: FBT001  # a flag of the command line
    timeout: float | None,
    style: str,
) -> int:
    """Show what changed in meaning from OLD to NEW; exit 1 if anything did."""
    from govlang.cli.subject import open_subject

    before, after = open_subject(old), open_subject(new)
    options = verifier_options(strict=False, accept="", timeout=timeout)
    report = difference(before, after, options, no_looser=no_looser)
    sources = before.sources + after.sources
    show_reports([report], sources, style, _closing)
    if report["status"] == "undecided" and not report["changed"]:
        return Exit.UNDECIDED
    return Exit.FINDINGS if report["changed"] else Exit.OK


def difference(before: Subject, after: Subject, options: Options, *, no_looser: bool) -> Report:
    """The report on two policies."""
    from govlang.cli.comparison import anew, compared, table_of

    policy, old_table, table = after.checked.policy, table_of(before), table_of(after)
    found = compared(before, policy, table, options, no_looser=no_looser, old_table=old_table)
    plain = found.to_json()
    open_only = bool(plain["findings"]) and all(f["code"] == "GOV309" for f in plain["findings"])
    changed = found.changed and not (open_only and not plain["declarations"])
    return {
        "file": str(after.path),
        **plain,
        "findings": capped(plain["findings"]),
        "changed": changed,
        "looser": found.is_looser,
        "anew": anew(before.checked.policy, policy, old_table, table),
    }


def _closing(report: Report) -> str:
    lines = [f"  changed  {one}" for one in report["declarations"]]
    lines += _started_anew(report["anew"])
    if report["changed"]:
        mark = click.style("changed", fg="yellow", bold=True)
        about = "looser somewhere" if report["looser"] else "nowhere looser"
        count = len(report["findings"])
        kinds = "1 kind" if count == 1 else f"{count} kinds"
        lines.append(f"{mark}  {kinds} of requests, {about}")
    elif report["status"] == "undecided":
        lines.append(click.style("undecided", fg="yellow", bold=True))
    else:
        lines.append(click.style("same", fg="green", bold=True) + "  no outcome changed")
    return "\n".join(lines)


def _started_anew(cells: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """What an update forgets, by why."""
    by_reason: dict[str, list[str]] = {}
    for one in sorted(cells, key=lambda one: one["kind"] != "machine"):
        name = f"`{one['cell']}`"
        said = f"machine {name}" if one["kind"] == "machine" else name
        by_reason.setdefault(one["why"], []).append(said)
    for why, names in by_reason.items():
        more = len(names) - ANEW_MAX
        rest = f" and {more} more" if more > 0 else ""
        yield f"  on update these start anew: {', '.join(names[:ANEW_MAX])}{rest} ({why})"
