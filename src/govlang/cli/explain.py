"""`gov explain FILE|BUNDLE --input JSON|--trace STEPS|--test NAME`: what each rule did, why, what would be allowed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.output import format_option
from govlang.cli.guard import Exit, guarded
from govlang.cli.options import file_argument
from govlang.cli.requests import (
    given_text,
    now_option,
    param_option,
    params_of_table,
    read_object,
    time_of,
)
from govlang.cli.subject import Subject, open_subject
from govlang.cli.trace import Placed, read_trace
from govlang.dsl.diagnostics import did_you_mean
from govlang.native.errors import CodedError

MISSED_SHOWN = 20
COLOURS = {"decides": "green", "stands": "cyan", "overridden": "yellow", "missed": "bright_black"}


@click.command(name="explain")
@file_argument()
@click.option("--input", "request", metavar="JSON|@FILE|-", help="the request")
@click.option("--runtime", metavar="JSON|@FILE", default="{}", help="what only the host knows")
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    metavar="FILE.jsonl",
    help="the steps of a trace, of which the last request is explained",
)
@click.option("--test", "named", metavar="NAME", help="the request of that test which failed")
@param_option
@now_option
@click.option(
    "--timeout", type=click.FloatRange(min=0.001), default=10.0, metavar="S", help="seconds a query"
)
@click.option(
    "--no-nearest", is_flag=True, help="do not look for the nearest request that is allowed"
)
@click.option(
    "--core",
    is_flag=True,
    help="print what contracts, autonomy, invariants and tables stand for instead",
)
@click.option("--invariants", is_flag=True, help="print the invariants instead: proved or enforced")
@click.option("--state", is_flag=True, help="print the state that the policy keeps instead")
@format_option()
@guarded
def command(
    file: Path,
    request: str | None,
    runtime: str,
    trace: Path | None,
    named: str | None,
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
    given = params_of_table([one.field for one in subject.checked.policy.params], param)
    steps, given = _question(subject, given, (request, trace, named), (runtime, now_ms))
    from govlang.cli.explaining import explain

    report = explain(subject, steps, given, None if no_nearest else timeout)
    click.echo(json_text(report) if style == "json" else "\n".join(_lines(report)))
    return Exit.OK


def _question(
    subject: Subject,
    given: dict[str, Any],
    asked: tuple[str | None, Path | None, str | None],
    host: tuple[str, int | None],
) -> tuple[list[Placed], dict[str, Any]]:
    """The steps up to the request that is explained, and the parameters.

    Raises:
        CodedError: GOV708, it is asked for in no way, or in two; GOV703, GOV709, what is given cannot be used.
    """
    from govlang.cli.explaining import until_last_request

    (request, trace, named), (runtime, now_ms) = asked, host
    if [request, trace, named].count(None) != 2:
        why = "`gov explain` needs one of `--input`, `--trace` and `--test`"
        raise CodedError("GOV708", why, "--input '{\"field\": value}'")
    if request is None and (runtime != "{}" or now_ms is not None):
        why = "`--runtime` and `--now` go with `--input`"
        raise CodedError("GOV708", why, "a step of a trace says its own `runtime` and `at_ms`")
    if named is not None:
        return _of_test(subject, named, given)
    if trace is not None:
        return until_last_request(read_trace(trace), str(trace)), given
    return [_asked(request or "", runtime, time_of(now_ms))], given


def _asked(request: str, runtime: str, at_ms: int) -> Placed:
    """A request by itself: of a policy over time the first sample."""
    plain = read_object(given_text(request, "the request"), "the request")
    host = read_object(given_text(runtime, "the runtime part"), "the runtime part")
    return "the request", {"at_ms": at_ms, "request": plain, "runtime": host}


def _of_test(
    subject: Subject, name: str, given: dict[str, Any]
) -> tuple[list[Placed], dict[str, Any]]:
    """The steps of a test up to the request that came out otherwise than expected, and its parameters.

    Raises:
        CodedError: GOV708, there is no such test; GOV709, it asks nothing.
    """
    from govlang.cli.testing import steps_to_explain

    cases = {case.name: case for case in subject.checked.tests}
    if name not in cases:
        there_are = did_you_mean(name, cases) or "`gov test` lists those that fail"
        raise CodedError("GOV708", f"`{subject.path}` has no test `{name}`", there_are)
    return steps_to_explain(subject.checked, cases[name], given)


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
    said = [
        f"{name} is absent" if value is None else f"{name} is {json_text(value)}"
        for name, value in one["found"].items()
    ]
    said += one.get("history", [])
    return f"              not: {one['condition']}" + (f"   ({', '.join(said)})" if said else "")


def _nearest(nearest: dict[str, Any] | None) -> Iterator[str]:
    match nearest:
        case None:
            return
        case {"status": "none"}:
            yield "no request at all would be allowed with these parameters and this state"
        case {"status": "undecided"}:
            yield f"whether another request would be allowed was not decided: {nearest['why']}"
        case _:
            yield f"would be {nearest['decision']} by `{nearest['rule_id']}`, if"
            for change in nearest["changes"]:
                was, now = (json_text(change[key]) for key in ("from", "to"))
                yield f"  {change['field']} were {now}, not {was}"


def _show_core(subject: Subject, style: str) -> int:
    """What the sugar stands for, as `.gov`; with `--format json` the canonical core."""
    if style == "json":
        from govlang.compiler.core import core_json

        click.echo(core_json(subject.checked.policy).decode("utf-8"))
        return Exit.OK
    from govlang.cli.merged import program_of
    from govlang.compiler.written_out import written_out

    tier = None if subject.bundle is None else subject.bundle.manifest.tier
    if tier is not None:
        click.echo(f"// only the tier {tier} of this was built")
    click.echo(written_out(program_of(subject)), nl=False)
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
    """What each operator keeps, the cells with their bytes, whose they are, and the bytes of each kind of key.

    A cell that several operators read is counted with each of them, and once in the sums.
    """
    time = subject.checked.policy.time
    cells = [cell for cell in (time.cells if time else ()) if not cell.brief]
    total = sum(cell.bytes for cell in cells)
    uses = subject.checked.uses
    if style == "json":
        listed = [{"cell": c.name, "bytes": c.bytes, "per": c.scope or None} for c in cells]
        operators = [
            {"operator": one.text, "bytes": one.bytes, "per": one.scope or None,
             "cells": [cell.name for cell in one.cells]}
            for one in uses
        ]  # fmt: skip
        click.echo(json_text({"operators": operators, "cells": listed, "bytes": total}))
        return Exit.OK
    for one in uses:
        click.echo(f"{_bytes(one.bytes)} {_whose(one.scope)}: {one.text}")
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
