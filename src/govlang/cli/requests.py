"""What a caller types of a request: options in, JSON values and parameters out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Protocol

import click

from govlang.cli.formats.exact_json import read_json
from govlang.compiler import ir
from govlang.dsl.diagnostics import did_you_mean
from govlang.native.errors import CodedError
from govlang.native.files import read_at_most
from govlang.native.request import InvalidFieldError, read_value

Command = Callable[..., Any]
INPUT_MAX: Final = 16 * 2**20
TIME_MAX: Final = 253_402_300_799_999
"""The last millisecond of the year 9999."""


class Field(Protocol):
    """What must be known of a parameter's type."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def unit(self) -> str: ...


def param_option(command: Command) -> Command:
    """The option `--param N=V`, as often as wanted."""
    return click.option(
        "--param", multiple=True, metavar="N=V", help="the value of a parameter, in its unit"
    )(command)


def now_option(command: Command) -> Command:
    """The option `--now MS`."""
    return click.option(
        "--now",
        "now_ms",
        type=click.IntRange(0, TIME_MAX),
        metavar="MS",
        help="the time, in ms since 1970; this moment if not given",
    )(command)


def time_of(now_ms: int | None) -> int:
    """The time that was given, or this moment."""
    return int(time.time() * 1000) if now_ms is None else now_ms


def read_params(policy: ir.Policy, given: tuple[str, ...]) -> dict[str, int]:
    """Every parameter, in steps; those not given have their defaults.

    Raises:
        CodedError: GOV706 there is no such parameter, or the value does not fit it.
    """
    params = {param.field.name: param.default for param in policy.params}
    fields = {param.field.name: param.field for param in policy.params}
    for name, value in _pairs(given, fields):
        params[name] = _step(fields[name], value)
    return params


def params_of_table(fields: Sequence[Field], given: tuple[str, ...]) -> dict[str, Any]:
    """The parameters that were given, as JSON values; the table checks their ranges.

    Raises:
        CodedError: GOV706 there is no such parameter.
    """
    known = {field.name: field for field in fields}
    return {name: _json_value(known[name], value) for name, value in _pairs(given, known)}


def _pairs(given: tuple[str, ...], known: Collection[str]) -> Iterator[tuple[str, str]]:
    """The name and the value of each `--param`."""
    for text in given:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not sign:
            raise CodedError("GOV706", f"`{name}` is given no value", f"write `{name}=VALUE`")
        if name not in known:
            listed = ", ".join(f"`{one}`" for one in known)
            there_are = f"write one of {listed}" if known else "leave `--param` out"
            help_line = did_you_mean(name, known) or there_are
            raise CodedError("GOV706", f"there is no parameter `{name}`", help_line)
        yield name, value


def _step(field: ir.Field, text: str) -> int:
    try:
        value = read_value(field, _json_value(field, text))
    except InvalidFieldError as error:
        raise CodedError("GOV706", f"parameter {error}", "give a value of its range") from None
    assert isinstance(value, int)
    return value


def _json_value(field: Field, text: str) -> Any:
    match field.kind:
        case "enum":
            return text
        case "bool":
            return {"true": True, "false": False}.get(text, text)
        case "set":
            return [part for part in text.strip("{}").split(",") if part]
        case _:
            plain = read_json(
                text.removesuffix(field.unit).strip(), f"the parameter `{field.name}`"
            )
            return (
                plain if isinstance(plain, int | Decimal) and not isinstance(plain, bool) else text
            )


def read_object(text: str, what: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        CodedError: GOV703 it does not parse, or is no object.
    """
    plain = read_json(text, what)
    if not isinstance(plain, dict):
        raise CodedError("GOV703", f"{what} is no JSON object", 'write {"field": value, …}')
    return plain


def given_text(value: str, what: str) -> str:
    """The text of an option that is JSON, `-` for standard input, or `@FILE`.

    Raises:
        CodedError: GOV703 what was given is not UTF-8 or too long.
    """
    if value == "-":
        data = sys.stdin.buffer.read(INPUT_MAX + 1) if sys.stdin else b""
    elif value.startswith("@"):
        data = read_at_most(Path(value[1:]), INPUT_MAX)
    else:
        return value
    if len(data) > INPUT_MAX:
        raise CodedError("GOV703", f"{what} is longer than {INPUT_MAX} bytes", "send less")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise CodedError("GOV703", f"{what} is not UTF-8", "encode it as UTF-8") from None
