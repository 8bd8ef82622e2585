"""Traces: the lines of a file in, steps with their places out; and a step that is no request taken in.

What always holds: a step that cannot be replayed is an error that names its line; an event that nothing called for
changes nothing, and the replay goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from govlang.cli.requests import INPUT_MAX, TIME_MAX, read_object
from govlang.native.errors import CodedError, TableError
from govlang.runtime.trace import kind_of

if TYPE_CHECKING:
    from govlang.runtime.policy import Policy

Placed = tuple[str, dict[str, Any]]
"""A step, and where it stands."""

_TIMES = f"write whole milliseconds since 1970, up to {TIME_MAX}"


def read_trace(path: Path) -> Iterator[Placed]:
    """The steps of a trace."""
    with path.open(encoding="utf-8", errors="strict") as file:
        for number, line in enumerate(_lines(file, path), 1):
            if not line.strip():
                continue
            place = f"line {number} of `{path}`"
            yield place, _checked(_object(line, place), place)


def _object(line: str, place: str) -> dict[str, Any]:
    """The object of one line; a fault is told by its column, as the place names the line."""
    try:
        return read_object(line.rstrip("\r\n"), place)
    except CodedError as error:
        message = error.message.replace(": line 1 column ", ": column ", 1)
        raise CodedError(error.code, message, error.help) from None


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


def is_observed(policy: Policy, step: dict[str, Any], place: str) -> bool:
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
