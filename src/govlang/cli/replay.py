"""`gov replay LEDGER --policy NEW`: what another policy would have decided of all that was asked."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.output import format_option
from govlang.cli.guard import Exit, guarded
from govlang.cli.options import file_argument
from govlang.cli.requests import param_option

if TYPE_CHECKING:
    from govlang.runtime.control.replay.ledger import Progress

CODES: Final = {"unchanged": Exit.OK, "changed": Exit.FINDINGS, "undecided": Exit.UNDECIDED}
COLOURS: Final = {
    "escalated": "yellow",
    "relaxed": "red",
    "unchanged": "green",
    "unreadable": "red",
}
ROWS: Final = 20
"""So many kinds of change are shown to a person; JSON has them all."""


@click.command(name="replay")
@file_argument("ledger")
@click.option(
    "--policy",
    "file",
    required=True,
    type=click.Path(path_type=Path),
    metavar="NEW",
    help="a policy or a bundle",
)
@param_option
@click.option(
    "--limit",
    default=5,
    show_default=True,
    type=click.IntRange(0, 1000),
    metavar="N",
    help="examples of each kind",
)
@click.option(
    "--batch",
    default=1024,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="records that are decided at once",
)
@format_option()
@guarded
def command(
    ledger: Path, file: Path, param: tuple[str, ...], limit: int, batch: int, style: str
) -> int:
    """Decide every decision of LEDGER anew under NEW, and say which became stricter or looser.

    LEDGER is a JSONL file, a directory that holds LEDGER.jsonl, the data directory of a service, or a folder of tiles.
    It is not checked here: `gov evidence verify` does that.
    """
    from govlang.cli.engine import load_policy
    from govlang.runtime.control.replay.ledger import replay
    from govlang.runtime.evidence.source import open_source

    source = open_source(ledger)
    policy = load_policy(file, param).policy
    began = time.perf_counter()
    try:
        found = replay(source, policy, limit=limit, batch=batch, progress=_progress())
    finally:
        _end_progress()
    report = {
        "ledger": str(ledger),
        "policy": policy.name,
        "version": policy.version,
        "snapshot": policy.snapshot,
        "params_hash": policy.params_hash,
        "records": found.records,
        **found.tally.to_dict(),
        "memory": None if found.memory is None else found.memory.to_dict(),
        "ms": round(1000 * (time.perf_counter() - began)),
    }
    click.echo(json_text(report)) if style == "json" else _say(report)
    return CODES[report["status"]]


def _progress() -> Progress:
    """On a terminal: how far it is."""
    from govlang.runtime.control.replay.ledger import tell_nobody

    return _tell if sys.stderr.isatty() else tell_nobody


def _tell(done: int) -> None:
    click.echo(f"\r\033[Kreplayed {done} records", nl=False, err=True)


def _end_progress() -> None:
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)


def _say(report: dict[str, Any]) -> None:
    named = f"{report['policy']} {report['version']}"
    for kind in COLOURS:
        _say_class(kind, report[kind])
    _say_left("not replayable", report["not_replayable"])
    _say_left("not by a policy", report["not_by_policy"])
    _say_memory(report["memory"])
    colour = {"unchanged": "green", "changed": "yellow", "undecided": "red"}[report["status"]]
    mark = click.style(report["status"], fg=colour, bold=True)
    told = f"{report['decisions']} decisions in {report['records']} records"
    click.echo(f"{mark}  {report['ledger']}: {told}, under {named}")


def _say_class(kind: str, found: dict[str, Any]) -> None:
    if not found["count"]:
        return
    head = click.style(f"{kind:11}", fg=COLOURS[kind], bold=True)
    click.echo(f"{head}{found['count']:>8}  {100 * found['share']:5.1f} %")
    for one in found["changes"][:ROWS]:
        click.echo(f"  {one['count']:>17}  {_ruling(one['old'])} -> {_ruling(one['new'])}")
    hidden = sum(one["count"] for one in found["changes"][:ROWS])
    if hidden < found["count"]:
        click.echo(f"  {found['count'] - hidden:>17}  others")
    for why in found.get("reasons", ())[:ROWS]:
        click.echo(f"  {why['count']:>17}  {why['why']}")
    if kind != "unchanged":
        for example in found["examples"]:
            _say_example(example)


def _say_example(one: dict[str, Any]) -> None:
    who = f", agent {one['agent']}" if one["agent"] else ""
    job = f", job {one['job_id']}" if one["job_id"] else ""
    because = f": {one['new']['reason']}" if one["new"]["reason"] else ""
    was, now = _ruling(one["old"]), _ruling(one["new"])
    click.echo(f"    record {one['seq']}{job}{who}: {was}, now {now}{because}")


def _ruling(one: dict[str, str]) -> str:
    return f"{one['decision'].replace('_', ' ')} by `{one['rule_id']}`"


def _say_left(what: str, found: dict[str, Any]) -> None:
    if not found["count"]:
        return
    click.echo(f"{what}  {found['count']}")
    for why in found["reasons"][:ROWS]:
        click.echo(f"  {why['count']:>17}  {why['why']}")


def _say_memory(memory: dict[str, Any] | None) -> None:
    if memory is None:
        return
    click.echo(f"fed  {memory['requests']} requests that were committed, {memory['steps']} steps")
    for why in memory["left_out"][:ROWS]:
        click.echo(f"  {why['count']:>17}  not taken: {why['why']}")
    if memory["first_gap"] is not None:
        click.echo(f"  from record {memory['first_gap']} on it remembers less than it would have")
