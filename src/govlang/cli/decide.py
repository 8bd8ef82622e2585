"""`gov decide FILE|BUNDLE`: one decision, or one a request of a trace; with `--evidence` on the record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from govlang.cli.formats.exact_json import json_text, read_json
from govlang.cli.formats.output import format_option
from govlang.cli.guard import Exit, guarded
from govlang.cli.options import file_argument
from govlang.cli.requests import (
    given_text,
    now_option,
    param_option,
    read_object,
    time_of,
)
from govlang.cli.trace import Placed, is_observed, read_trace
from govlang.native.errors import CodedError

if TYPE_CHECKING:
    from govlang.cli.recorder import Recorder
    from govlang.runtime.decision import Outcome
    from govlang.runtime.policy import Policy

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
            if trace is None
            else read_trace(trace)
        )
        outcomes = [
            _decide(loaded.policy, step, style, recorder)
            for place, step in steps
            if not is_observed(loaded.policy, step, place)
        ]
    refused = any(one.decision.value not in {"allow", "limit"} for one in outcomes)
    return Exit.FINDINGS if exit_status and refused else Exit.OK


def _one(request: str | None, runtime: str, now: int) -> Iterator[Placed]:
    assert request is not None
    text = given_text(request, "the request")
    host = read_object(given_text(runtime, "the runtime part"), "the runtime part")
    yield "the request", {"at_ms": now, "text": text, "runtime": host}


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
