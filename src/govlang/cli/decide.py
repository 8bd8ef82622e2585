"""`gov decide FILE|BUNDLE`: one decision, or one a request of a trace; with `--evidence` on the record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from govlang.cli.formats.exact_json import json_text, read_json
from govlang.cli.formats.output import format_option
from govlang.cli.guard import Exit, guarded
from govlang.cli.options import file_argument
from govlang.cli.requests import (
    INPUT_MAX,
    TIME_MAX,
    given_text,
    now_option,
    param_option,
    read_object,
    time_of,
)
from govlang.native.errors import CodedError, TableError
from govlang.runtime.trace import kind_of

if TYPE_CHECKING:
    from govlang.cli.recorder import Recorder
    from govlang.runtime.decision import Outcome
    from govlang.runtime.policy import Policy

_Placed = tuple[str, dict[str, Any]]
"""A step, and where it stands."""

_TIMES = f"write whole milliseconds since 1970, up to {TIME_MAX}"

COLOURS = {
    "allow": "green",
    "limit": "cyan",
    "throttle": "yellow",
    "require_human": "magenta",
    "deny": "red",
}


@click.command(name="decide")
@file_argument()
@click.option("--input", "request", metavar="JSON|@FILE|-", help="the request")
@click.option("--runtime", metavar="JSON|@FILE", help="what only the host knows")
@param_option
@now_option
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    metavar="FILE.jsonl",
    help="replay the steps of a trace; a `decision` and a `rule_id` that stand in them are not compared",
)
@click.option("--exit-status", is_flag=True, help="exit 1 unless the outcome is allow or limit")
@click.option(
    "--require-signature",
    "key",
    type=click.Path(path_type=Path),
    metavar="KEY",
    help="take only a bundle signed by this public key (PEM)",
)
@click.option(
    "--evidence", type=click.Path(path_type=Path), metavar="LEDGER", help="record each decision"
)
@click.option("--job", default="", metavar="ID", help="the job, for the record")
@click.option("--agent", default="", help="who asks, for the record")
@click.option("--approver", default="", help="who approved, for the record")
@format_option()
@guarded
def command(
    file: Path,
    request: str | None,
    runtime: str | None,
    param: tuple[str, ...],
    now_ms: int | None,
    trace: Path | None,
    exit_status: bool,  # noqa: FBT001  # a flag of the command line
    key: Path | None,
    evidence: Path | None,
    job: str,
    agent: str,
    approver: str,
    style: str,
) -> int:
    """Decide one request of FILE, a policy or a bundle."""
    from govlang.cli.engine import load_policy

    if (request is None) == (trace is None):
        raise CodedError(
            "GOV708", "give either `--input` or `--trace`", "--input '{\"field\": value}'"
        )
    if trace is not None and (now_ms is not None or runtime is not None):
        raise CodedError(
            "GOV708",
            f"`{'--runtime' if now_ms is None else '--now'}` says nothing to the steps of a trace",
            "write `at_ms`, and `runtime` where there is one, into each step",
        )
    loaded = load_policy(file, param, key)
    with ExitStack() as stack:
        recorder: Recorder | None = None
        if evidence is not None:
            from govlang.cli.recorder import Recorder

            made = Recorder(evidence, loaded.policy, loaded.proof_hash, job, agent, approver)
            recorder = stack.enter_context(made)
        steps = (
            _one(request, "{}" if runtime is None else runtime, time_of(now_ms))
            if request is not None
            else _trace(trace)
        )
        outcomes = [
            _decide(loaded.policy, step, style, recorder)
            for place, step in steps
            if not _is_observed(loaded.policy, step, place)
        ]
    refused = any(one.decision.value not in {"allow", "limit"} for one in outcomes)
    return Exit.FINDINGS if exit_status and refused else Exit.OK


def _one(request: str, runtime: str, now: int) -> Iterator[_Placed]:
    text = given_text(request, "the request")
    host = read_object(given_text(runtime, "the runtime part"), "the runtime part")
    yield "the request", {"at_ms": now, "text": text, "runtime": host}


def _trace(path: Path | None) -> Iterator[_Placed]:
    """The steps of a trace."""
    assert path is not None
    with path.open(encoding="utf-8", errors="strict") as file:
        for number, line in enumerate(_lines(file, path), 1):
            if not line.strip():
                continue
            place = f"line {number} of `{path}`"
            yield place, _checked(read_object(line, place), place)


def _checked(step: dict[str, Any], place: str) -> dict[str, Any]:
    """A step as the schema has it; what came of a request is not compared."""
    try:
        kind = kind_of(step)
    except TableError as error:
        raise CodedError("GOV709", f"{place}: {error.message}", error.help) from None
    if "at_ms" not in step:
        raise CodedError("GOV709", f"{place} says no `at_ms`", _TIMES)
    at_ms = step["at_ms"]
    if type(at_ms) is not int or not 0 <= at_ms <= TIME_MAX:
        raise CodedError("GOV709", f"`at_ms` in {place} is no time", _TIMES)
    return {"runtime": {}} | step if kind == "request" else step


def _is_observed(policy: Policy, step: dict[str, Any], place: str) -> bool:
    """Whether a step is no request; it is taken in.  Ticks mean nothing to rules over single requests."""
    if "request" in step or "text" in step:
        return False
    if policy.memory is not None:
        _observe(policy, step, place)
    elif "tick" not in step:
        raise CodedError(
            "GOV709",
            f"{place}, the step at {step['at_ms']} ms, is no request and no tick",
            "this policy has no rules over time: leave events and signals out",
        )
    return True


def _observe(policy: Policy, step: dict[str, Any], place: str) -> None:
    """Take a step in; an event that nothing called for changes nothing, and the replay goes on.

    Raises:
        CodedError: GOV709, it is none that the policy knows; GOV418, there are too many keys.
    """
    try:
        policy.observe(step)
    except TableError as error:
        if error.code == "GOV415":
            raise CodedError("GOV709", f"{place}: {error.message}", error.help) from None
        if error.code != "GOV417":
            raise
        click.echo(f"at {step['at_ms']} ms: {error}", err=True)


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    try:
        while line := file.readline(INPUT_MAX):
            if len(line) == INPUT_MAX:
                why = f"`{path}` has a line of more than {INPUT_MAX} characters"
                raise CodedError("GOV703", why, "write one step a line")
            yield line
    except UnicodeDecodeError:
        raise CodedError("GOV703", f"`{path}` is not UTF-8", "encode it as UTF-8") from None


def _decide(policy: Policy, step: dict[str, Any], style: str, recorder: Recorder | None) -> Outcome:
    now, runtime = step["at_ms"], step["runtime"]
    request: dict[str, Any] = {}
    unapproved: Outcome | None = None
    if recorder is not None:
        request = step["request"] if "request" in step else _request(step["text"])
        unapproved = recorder.unapproved(request, runtime, now)
    outcome: Outcome
    if "text" in step:
        outcome = policy.decide_json(step["text"], now_ms=now, runtime=runtime)
    else:
        outcome = policy.commit(step["request"], now_ms=now, runtime=runtime)
    if recorder is not None:
        recorder.record(outcome, unapproved, request, runtime, now)
    click.echo(json_text(outcome.to_dict())) if style == "json" else show(outcome)
    return outcome


def _request(text: str) -> dict[str, Any]:
    """The request for the record; one that is no object with distinct keys is recorded without fields."""
    try:
        plain = read_json(text, "the request")
    except CodedError:
        return {}
    return plain if isinstance(plain, dict) else {}


def show(outcome: Outcome) -> None:
    """An outcome for people."""
    word = outcome.decision.value
    head = click.style(word.replace("_", " "), fg=COLOURS[word], bold=True)
    because = f": {outcome.reason}" if outcome.reason else ""
    click.echo(f"{head}  by `{outcome.rule_id}`{because}")
    for obligation in outcome.to_dict()["obligations"]:
        click.echo(f"  must    {json_text(obligation)}")
    if outcome.matched not in ((), (outcome.rule_id,)):
        click.echo(f"  fired   {', '.join(outcome.matched)}")
