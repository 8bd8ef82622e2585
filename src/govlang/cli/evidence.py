"""`gov evidence verify|show|export|checkpoint|forget-private LEDGER`: whether a ledger is whole, and what it says."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from time import time_ns
from typing import Any, Final

import click

from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.output import format_option
from govlang.cli.guard import Exit, guarded
from govlang.cli.options import file_argument
from govlang.native.errors import CodedError

LINE: Final = 1000
"""Columns that a line may have where no terminal cuts it: whole ids and names, for `grep`."""

PATH: Final = click.Path(path_type=Path)


@click.group(name="evidence")
def command() -> None:
    """Check, show, sign and export evidence ledgers.

    LEDGER is a JSONL file, a directory that holds LEDGER.jsonl, the data directory of a service, or a folder of tiles.
    """


@command.command(name="verify")
@file_argument("ledger")
@click.option("--head", help="the hash of a head that was kept elsewhere", metavar="HASH")
@click.option("--key", "keys", multiple=True, metavar="VKEY", help="a verifier key, or a file")
@click.option(
    "--checkpoint", "kept", multiple=True, type=PATH, metavar="FILE", help="kept elsewhere"
)
@click.option("--canonical", is_flag=True, help="also whether each record is canonical JSON")
@format_option()
@guarded
def verify(
    ledger: Path,
    head: str | None,
    keys: tuple[str, ...],
    kept: tuple[Path, ...],
    canonical: bool,  # noqa: FBT001  # a flag of the command line
    style: str,
) -> int:
    """Find any change, drop, swap, cut or fork of LEDGER; exit 1 if there is one."""
    from govlang.native.files import read_at_most
    from govlang.runtime.evidence.audit import Kept, audit
    from govlang.runtime.evidence.keys import given_keys
    from govlang.runtime.evidence.note import NOTE_MAX

    known = head if head is None or head.startswith("sha256:") else f"sha256:{head}"
    notes = tuple(read_at_most(path, NOTE_MAX) for path in kept)
    found = audit(ledger, Kept(known, notes, given_keys(keys)), exact=canonical)
    report = {
        "ledger": str(ledger),
        "status": "intact" if found.intact else "faulty",
        "records": found.records,
        "head": found.head,
        "covered": found.covered,
        "origin": found.origin,
        "signed_by": list(found.signed_by),
        "faults": [{"code": f.code, "seq": f.seq, "message": f.message} for f in found.faults],
    }
    click.echo(json_text(report)) if style == "json" else _say(report)
    if found.is_unsigned and style != "json":
        click.echo(
            "unsigned  a key is there (`ledger.pub`) and no checkpoint: it was removed, or the first is not due yet; "
            "whoever can write the ledger could have rewritten it"
        )
    return Exit.OK if found.intact else Exit.FINDINGS


def _say(report: dict[str, Any]) -> None:
    for fault in report["faults"]:
        mark = f"error[{fault['code']}]"
        click.echo(f"{click.style(mark, fg='red', bold=True)}: {fault['message']}")
    colour = "green" if report["status"] == "intact" else "red"
    mark = click.style(report["status"], fg=colour, bold=True)
    click.echo(f"{mark}  {report['ledger']}: {report['records']} records, head {report['head']}")
    if report["origin"] is not None:
        names = ", ".join(report["signed_by"])
        origin, covered = report["origin"], report["covered"]
        click.echo(f"signed  {covered} records, as `{origin}`, by {names}")


@command.command(name="show")
@file_argument("ledger")
@click.option("--job", help="only records of this job", metavar="ID")
@click.option("--run", help="only records of this run", metavar="ID")
@click.option("--last", type=click.IntRange(min=1), help="only the last N records", metavar="N")
@format_option()
@guarded
def show(ledger: Path, job: str | None, run: str | None, last: int | None, style: str) -> int:
    """Show the records of LEDGER."""
    found = _chosen(ledger, job, run)
    shown = found if last is None else iter(deque(found, last))
    if style == "json":
        for record in shown:
            click.echo(json_text(record))
    else:
        _show_table(shown)
        of = [f"the {kind} `{name}`" for kind, name in (("job", job), ("run", run)) if name]
        if of and next(_chosen(ledger, job, run), None) is None:
            click.echo(f"note: no record of `{ledger}` is of {' in '.join(of)}", err=True)
    return Exit.OK


def _chosen(ledger: Path, job: str | None, run: str | None) -> Iterator[dict[str, Any]]:
    from govlang.runtime.evidence.audit import records
    from govlang.runtime.evidence.statement import is_of

    return (record for record in records(ledger) if is_of(record, job, run))


def _show_table(shown: Iterator[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("seq", "at (ms)", "job", "topic", "decision", "rule", "approver", box=None)
    for record in shown:
        names = ["seq", "at_ms", "job_id", "topic", "decision", "rule_id", "approver"]
        if record.get("decision") is None:
            names[4] = "run_timeline_event"
        table.add_row(*(_cell(record.get(name)) for name in names))
    if not sys.stdout.isatty():
        for column in table.columns:
            column.no_wrap = True
    Console(width=None if sys.stdout.isatty() else LINE).print(table)


def _cell(value: Any) -> str:
    from rich.markup import escape

    return "" if value is None else escape(str(value))


@command.command(name="export")
@file_argument("ledger")
@click.option("--key", type=PATH, metavar="PEM", help="sign with it; else with the ledger's own")
@click.option("--origin", metavar="NAME", help="the ledger's name, where it has no keys")
@click.option("--job", help="every record of this job", metavar="ID")
@click.option("--run", help="every record of this run", metavar="ID")
@click.option("--auditor", type=PATH, metavar="FILE", help="write the auditor of one file, too")
@format_option()
@guarded
def export(
    ledger: Path,
    key: Path | None,
    origin: str | None,
    job: str | None,
    run: str | None,
    auditor: Path | None,
    style: str,
) -> int:
    """Print the decisions of LEDGER as in-toto statements in DSSE envelopes, one a line."""
    from govlang.runtime.evidence.source import open_source
    from govlang.runtime.evidence.statement import exports, nothing_to_export

    del style  # one form, for people and programs
    if job is not None and run is not None:
        raise CodedError("GOV708", "`--job` and `--run` do not go together", "leave one out")
    if auditor is not None:
        _write_auditor(auditor)
    source = open_source(ledger)
    found = False
    for content in exports(source, _signer(source.folder, key, origin), job, run):
        click.echo(content.decode())
        found = True
    if not found:
        raise nothing_to_export(source.place)
    return Exit.OK


def _write_auditor(path: Path) -> None:
    from govlang.native.files import write_whole
    from govlang.runtime.evidence import auditor

    write_whole(path, Path(auditor.__file__).read_bytes())


def _signer(folder: Path, key: Path | None, origin: str | None) -> Any:
    """The key that was given, else the ledger's own."""
    from govlang.native.files import KEY_MAX, read_at_most
    from govlang.runtime.evidence.keys import Keyring, read_public
    from govlang.runtime.evidence.note import Signer

    known = read_public(folder)
    if key is None:
        if known:
            return Keyring.open(folder, origin).signer
        help_line = (
            "give a key with `--key`, or make the ledger's own with `gov evidence checkpoint`"
        )
        raise CodedError("GOV708", f"the ledger in `{folder}` has no key", help_line)
    name = origin or (known[-1].verifier.name if known else None)
    if name is None:
        raise CodedError("GOV708", "the ledger has no name yet", "give one with `--origin`")
    return Signer.from_pem(name, read_at_most(key, KEY_MAX))


@command.command(name="checkpoint")
@file_argument("ledger")
@click.option("--key", type=PATH, metavar="PEM", help="sign with it; else with the ledger's own")
@click.option("--origin", metavar="NAME", help="the ledger's name, when its key is made")
@click.option("--rotate", is_flag=True, help="let a new key take the place of the ledger's own")
@format_option()
@guarded
def checkpoint(
    ledger: Path,
    key: Path | None,
    origin: str | None,
    rotate: bool,  # noqa: FBT001  # a flag of the command line
    style: str,
) -> int:
    """Sign the tree of all records of LEDGER, put its tiles down, and print the checkpoint.

    Of the data directory of a service, whose checkpoints the service makes, print the newest; with `--key` or
    `--rotate` make one, while the service is stopped.
    """
    from govlang.runtime.evidence.signing import sign_ledger
    from govlang.runtime.evidence.source import open_source

    del style  # a signed note has one form
    if rotate and key is not None:
        raise CodedError("GOV708", "`--rotate` makes a key, `--key` gives one", "leave one out")
    source = open_source(ledger)
    signer = None if key is None else _signer(source.folder, key, origin)
    click.echo(sign_ledger(source, signer, origin, rotate=rotate).decode(), nl=False)
    return Exit.OK


@command.command(name="forget-private")
@file_argument("ledger")
@click.option("--before", required=True, metavar="DATE", help="2031-01-31, or with a time (UTC)")
@format_option()
@guarded
def forget_private(ledger: Path, before: str, style: str) -> int:
    """Delete salts and private values of the records written before DATE; the records stay.

    In the data directory of a service also what its jobs and stored answers of before DATE hold. What belongs to a job
    that still goes on stays, and so does what the next start feeds to the policy again: then the exit code is 1, and
    the command is to be run again.
    """
    from govlang.runtime.evidence.forgetting import forget_private as forget
    from govlang.runtime.evidence.source import open_source

    before_ms = _milliseconds(before)
    if before_ms > time_ns() // 1_000_000:
        help_line = "give a time that has passed: what is deleted cannot be had back"
        raise CodedError("GOV708", f"`--before {before}` is in the future", help_line)
    found = forget(open_source(ledger), before_ms)
    if style == "json":
        told = {"forgotten": found.records, "jobs": found.jobs, "answers": found.answers}
        kept = {"deferred": found.deferred, "needed": found.needed}
        click.echo(json_text({"ledger": str(ledger), **told, **kept}))
    else:
        more = (
            f", {found.jobs} jobs and {found.answers} answers" if found.jobs + found.answers else ""
        )
        click.echo(f"forgotten  {ledger}: the private values of {found.records} records{more}")
    if found.deferred and style != "json":
        click.echo(
            f"deferred  {found.deferred} jobs go on, and stay whole: run it again when they have ended"
        )
    if found.needed and style != "json":
        click.echo(
            f"needed  {found.needed} records keep their values, as the next start feeds them to the policy: "
            "start `gov serve`, stop it, which saves the state, and run it again"
        )
    return Exit.FINDINGS if found.deferred or found.needed else Exit.OK


def _milliseconds(text: str) -> int:
    """A moment as milliseconds since 1970; without a zone it is UTC."""
    from datetime import UTC, datetime

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        help_line = "write it as `2031-01-31` or `2031-01-31T12:00:00Z`"
        raise CodedError("GOV708", f"`{text[:40]}` is no date", help_line) from None
    moment = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1_000)
