"""Findings for people: the source line, a caret, what is wrong, how to mend it, a stable code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import click

from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.findings import Finding
from govlang.dsl.diagnostics import window
from govlang.dsl.source import Source

COLOURS: Final = {"error": "red", "warning": "yellow", "note": "cyan"}


def show_findings(findings: Iterable[Finding], sources: Sequence[Source], *, err: bool) -> None:
    """Print the findings, a blank line apart."""
    by_name = {source.name: source for source in sources}
    for finding in findings:
        click.echo("\n".join(_lines(finding, by_name)) + "\n", err=err)


def _lines(finding: Finding, sources: dict[str, Source]) -> Iterator[str]:
    colour = COLOURS[finding["severity"]]
    head = click.style(f"{finding['severity']}[{finding['code']}]", fg=colour, bold=True)
    yield f"{head}: {click.style(finding['message'], bold=True)}"
    yield from _excerpt(finding.get("span"), sources, colour)
    for note in finding.get("notes") or ():
        yield f"  note: {note['message']}"
        yield from _excerpt(note.get("span"), sources, "cyan")
    if finding.get("witness"):
        yield from witness_lines(finding["witness"])
    if finding.get("help"):
        yield f"  {click.style('help', fg='green')}: {finding['help']}"


def _excerpt(span: dict[str, Any] | None, sources: dict[str, Source], colour: str) -> Iterator[str]:
    if span is None:
        return
    number = str(span["line"])
    margin = " " * len(number)
    yield f"{margin}{click.style('-->', fg='blue')} {span['file']}:{span['line']}:{span['column']}"
    source = sources.get(span["file"])
    if source is None:
        return
    line = source.line_text(span["line"])
    text, blanks, carets = window(line, span["column"] - 1, _length(span, line))
    bar = click.style("|", fg="blue")
    yield f"{margin} {bar}"
    yield f"{click.style(number, fg='blue')} {bar} {text}"
    yield f"{margin} {bar} {' ' * blanks}{click.style('^' * carets, fg=colour)}"


def _length(span: dict[str, Any], line: str) -> int:
    """How many characters of the line the span covers."""
    one_line = span["end_line"] == span["line"]
    end: int = span["end_column"] if one_line else len(line) + 1
    return end - int(span["column"])


def witness_lines(witness: dict[str, Any]) -> Iterator[str]:
    """A counterexample: each step's request and what was decided; of two versions, by both."""
    if witness.get("params"):
        yield f"  with the parameters {json_text(witness['params'])}"
    for whose, kept in witness.get("state", {}).items():
        yield f"  remembered      {whose}: {json_text(kept)}"
    trace = witness.get("trace") or ()
    old = witness.get("old", {}).get("trace") or ()
    alike = list(map(_asked, trace)) == list(map(_asked, old))
    blocks = [tuple(_step_lines(step, timed=len(trace) > 1)) for step in trace]
    if alike:
        blocks = [
            (*block, *_before(*both)) for block, *both in zip(blocks, trace, old, strict=True)
        ]
    yield from _folded(blocks)
    if old and not alike:
        yield "  which the older version takes as"
        yield from _folded([tuple(_step_lines(step, timed=True)) for step in old])


def _folded(blocks: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """The lines of steps; what comes several times in a row is written once, with how often."""
    for (head, *rest), same in groupby(blocks):
        count = len(list(same))
        yield head + (f"  ({count} times)" if count > 1 else "")
        yield from rest


def _before(step: dict[str, Any], old: dict[str, Any]) -> Iterator[str]:
    """What an older version answered, if it is something else."""
    if _answer(step) != _answer(old):
        yield f"  before it was   {_answer(old)}"


def _asked(step: dict[str, Any]) -> dict[str, Any]:
    """A step without what was answered."""
    return {name: value for name, value in step.items() if name not in ("decision", "rule_id")}


def _answer(step: dict[str, Any]) -> str:
    decision = step.get("decision", "").replace("_", " ")
    return f"{decision} by `{step.get('rule_id')}`"


def _step_lines(step: dict[str, Any], *, timed: bool) -> Iterator[str]:
    """A step of a trace; `timed`: it is one of several, so its time counts."""
    at = f"at {step.get('at_ms', 0)} ms  "
    if "request" not in step:
        yield f"  {at}{_reported(step)}"
        return
    yield f"  {at if timed else ''}on the request  {json_text(step['request'])}"
    if step.get("runtime"):
        yield f"  with runtime    {json_text(step['runtime'])}"
    if step.get("decision"):
        yield f"  the outcome is  {_answer(step)}"


def _reported(step: dict[str, Any]) -> str:
    """An event, a signal or a tick in words."""
    key = f"  of {json_text(step['key'])}" if step.get("key") else ""
    if "event" in step:
        fields = f" {json_text(step['fields'])}" if step.get("fields") else ""
        return f"the event `{step['event']}`{fields}{key}"
    if "signal" in step:
        return f"the signal `{step['signal']}` is {json_text(step['value'])}{key}"
    return f"a tick{key}"
