"""`gov explain FILE|BUNDLE --input JSON`: rules fired, dropped and missed and why, and what would be allowed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.output import format_option
from govlang.cli.guard import Exit, guarded
from govlang.cli.options import file_argument
from govlang.cli.requests import given_text, now_option, param_option, read_object, time_of
from govlang.cli.subject import Subject, open_subject
from govlang.native.errors import CodedError

MISSED_SHOWN = 20
COLOURS = {"decides": "green", "stands": "cyan", "overridden": "yellow", "missed": "bright_black"}


@click.command(name="explain")
@file_argument()
@click.option("--input", "request", metavar="JSON|@FILE|-", help="the request")
@click.option("--runtime", metavar="JSON|@FILE", default="{}", help="what only the host knows")
@param_option
@now_option
@click.option(
    "--timeout", type=click.FloatRange(min=0.001), default=10.0, metavar="S", help="seconds a query"
)
@click.option(
    "--no-nearest", is_flag=True, help="do not look for the nearest request that is allowed"
)
@click.option("--core", is_flag=True, help="print the checked core instead")
@click.option("--invariants", is_flag=True, help="print the invariants instead: proved or enforced")
@click.option("--state", is_flag=True, help="print the state that the policy keeps instead")
@format_option()
@guarded
def command(
    file: Path,
    request: str | None,
    runtime: str,
    param: tuple[str, ...],
    now_ms: int | None,
    timeout: float,
    no_nearest: bool,  # noqa: FBT001  # a flag of the command line
    core: bool,  # noqa: FBT001  # a flag of the command line
    invariants: bool,  # noqa: FBT001  # a flag of the command line
    state: bool,  # noqa: FBT001  # a flag of the command line
    style: str,
) -> int:
    """Say why FILE decides a request as it does."""
    subject = open_subject(file)
    if core:
        return _show_core(subject, style)
    if invariants:
        return _show_invariants(subject, timeout, style)
    if state:
        return _show_state(subject, style)
    if request is None:
        raise CodedError("GOV708", "`gov explain` needs a request", "--input '{\"field\": value}'")
    from govlang.cli.explaining import explain

    plain = read_object(given_text(request, "the request"), "the request")
    host = read_object(given_text(runtime, "the runtime part"), "the runtime part")
    seconds = None if no_nearest else timeout
    report = explain(subject, plain, host, param, time_of(now_ms), seconds)
    click.echo(json_text(report) if style == "json" else "\n".join(_lines(report)))
    return Exit.OK


def _lines(report: dict[str, Any]) -> Iterator[str]:
    outcome = report["outcome"]
    because = f": {outcome['reason']}" if outcome["reason"] else ""
    decision = click.style(outcome["decision"].replace("_", " "), bold=True)
    yield f"{decision}  by `{outcome['rule_id']}`{because}"
    missed = [p for p in report["rules"] if p["status"] == "missed" and not p["guard"]]
    for part in report["rules"]:
        if part["status"] != "missed":
            yield _part(part)
    for part in missed[:MISSED_SHOWN]:
        yield _part(part)
        yield from (_failed(one) for one in part["failed"])
    if len(missed) > MISSED_SHOWN:
        yield f"  and {len(missed) - MISSED_SHOWN} more rules that did not fire"
    yield from _nearest(report["nearest"])


def _part(part: dict[str, Any]) -> str:
    over = f" by {', '.join(part['overridden_by'])}" if part["overridden_by"] else ""
    status = click.style(f"{part['status']:<10}", fg=COLOURS[part["status"]])
    return f"  {status}  {part['rule']}{over}"


def _failed(one: dict[str, Any]) -> str:
    found = ", ".join(f"{name} is {json_text(value)}" for name, value in one["found"].items())
    return f"              not: {one['condition']}" + (f"   ({found})" if found else "")


def _nearest(nearest: dict[str, Any] | None) -> Iterator[str]:
    match nearest:
        case None:
            return
        case {"status": "none"}:
            yield "no request at all would be allowed with these parameters"
        case {"status": "undecided"}:
            yield "whether another request would be allowed was not decided; raise `--timeout`"
        case _:
            yield f"would be {nearest['decision']} by `{nearest['rule_id']}`, if"
            for change in nearest["changes"]:
                was, now = (json_text(change[key]) for key in ("from", "to"))
                yield f"  {change['field']} were {now}, not {was}"


def _show_core(subject: Subject, style: str) -> int:
    """The core, canonical with `--format json`, indented for people."""
    from govlang.compiler.core import core_json

    core = core_json(subject.checked.policy).decode("utf-8")
    if style != "json":
        core = json.dumps(json.loads(core), indent=2, ensure_ascii=False)
    click.echo(core)
    return Exit.OK


def _show_invariants(subject: Subject, timeout_s: float, style: str) -> int:
    """The registry of invariants: whether the guard of each can ever fire."""
    from govlang.cli.verification import cached, verified
    from govlang.compiler.ir import RuleKind
    from govlang.verifier.report import Options

    options = Options(timeout_s=timeout_s)
    report = cached(subject.checked, options, lambda: verified(subject.checked, options))
    methods = {p["property"]: p["method"] for p in report["proved"] if p["kind"] == "invariant"}
    guards = [rule for rule in subject.checked.policy.rules if rule.kind is RuleKind.GUARD]
    for guard in guards:
        proof = methods.get(guard.id, "enforced at run time")
        if style == "json":
            click.echo(json_text({"invariant": guard.id, "how": proof}))
        else:
            click.echo(f"{guard.id}  {proof}")
    if not guards and style != "json":
        click.echo("no invariants")
    return Exit.OK


def _show_state(subject: Subject, style: str) -> int:
    """The cells of the policy's state with their bytes, and whose they are; bytes a key of each kind."""
    time = subject.checked.policy.time
    cells = [cell for cell in (time.cells if time else ()) if not cell.brief]
    total = sum(cell.bytes for cell in cells)
    if style == "json":
        listed = [{"cell": c.name, "bytes": c.bytes, "per": c.scope or None} for c in cells]
        click.echo(json_text({"cells": listed, "bytes": total}))
        return Exit.OK
    for cell in cells:
        click.echo(f"{cell.name}  {_bytes(cell.bytes)}, {_whose(cell.scope)}")
    for scope in dict.fromkeys(cell.scope for cell in cells):
        own = sum(cell.bytes for cell in cells if cell.scope == scope)
        click.echo(f"{_bytes(own)} {_whose(scope)}")
    if not cells:
        click.echo("0 bytes of state")
    return Exit.OK


def _bytes(count: int) -> str:
    return f"{count} byte" if count == 1 else f"{count} bytes"


def _whose(scope: str) -> str:
    return f"for each {scope}" if scope else "shared"
