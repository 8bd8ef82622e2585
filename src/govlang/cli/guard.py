"""The edge of every verb: exceptions in, messages and exit codes of the contract out.

What always holds: what a verb raises because of its input ends in exit 2 with a coded message on standard
error (with `--format json` as an object on standard output); what it raises because of our own fault ends
in exit 2 as GOV700 on standard error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import IntEnum
from functools import wraps
from typing import Any, Final

import click

from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.findings import from_coded, from_diagnostic
from govlang.dsl.diagnostics import GovError
from govlang.native.errors import CodedError

INPUT_FAULTS = (GovError, CodedError, OSError, UnicodeDecodeError, RecursionError, MemoryError)
"""What an input can make a verb raise; everything else is a fault of ours."""


EXTRAS = {
    "z3": "verify",
    "numpy": "batch",
    "pyarrow": "batch",
    "cvc5": "cross-check",
    "httpx": "serve",
    "structlog": "serve",
}
"""Libraries that not every installation has, and the extra that brings them."""

UNHEARD: Final = 141
"""What shells report of a program that ended by SIGPIPE: nobody has the verdict, so it is not 0."""


class Exit(IntEnum):
    """The exit codes of the contract."""

    OK = 0
    FINDINGS = 1
    UNUSABLE = 2
    UNDECIDED = 3


def worst(codes: Iterable[int]) -> Exit:
    """The code of several causes: 2 before 1 before 3."""
    found = set(codes)
    return next((c for c in (Exit.UNUSABLE, Exit.FINDINGS, Exit.UNDECIDED) if c in found), Exit.OK)


def guarded(verb: Callable[..., int]) -> Callable[..., int]:
    """A verb whose input errors become messages; reads the option `--format` if the verb has one."""

    @wraps(verb)
    def inner(**options: Any) -> int:
        try:
            return verb(**options)
        except BrokenPipeError:
            _silence_stdout()
            return UNHEARD
        except ModuleNotFoundError as error:
            if error.name not in EXTRAS:
                raise
            return refuse(_missing(error.name), as_json=options.get("style") == "json")
        except INPUT_FAULTS as error:
            return refuse(error, as_json=options.get("style") == "json")

    return inner


def _silence_stdout() -> None:
    """The reader went away: nothing more to say, not even at exit."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refuse(error: Exception, *, as_json: bool) -> Exit:
    """Say why the input cannot be used."""
    findings = findings_of(error)
    if as_json:
        click.echo(json_text({"status": "unusable", "findings": findings}))
        return Exit.UNUSABLE
    from govlang.cli.formats.text import show_findings

    sources = getattr(error, "diagnostics", ())
    show_findings(findings, [d.span.source for d in sources if d.span is not None], err=True)
    return Exit.UNUSABLE


def _missing(library: str) -> CodedError:
    help_line = f'install it with `pip install "govlang[{EXTRAS[library]}]"`'
    return CodedError("GOV713", f"{library} is not installed, which this verb needs", help_line)


def findings_of(error: Exception) -> list[dict[str, Any]]:
    """What an exception says, in the form of findings."""
    match error:
        case GovError():
            return [from_diagnostic(d) for d in error.diagnostics]
        case CodedError():
            return [from_coded(error)]
        case OSError():
            place = f"`{error.filename}`: " if error.filename else ""
            why = (error.strerror or "cannot be read or written").lower()
            return [from_coded(CodedError("GOV701", place + why, "give a path that can be used"))]
        case UnicodeDecodeError():
            return [
                from_coded(CodedError("GOV703", "the input is not UTF-8", "encode it as UTF-8"))
            ]
        case _:
            kind = type(error).__name__
            return [
                from_coded(
                    CodedError("GOV702", f"the input is too large for this machine ({kind})")
                )
            ]


def internal_fault(error: Exception) -> Exit:
    """Say that `gov` itself failed; the traceback only where it was asked for."""
    if os.environ.get("GOV_TRACEBACK"):
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    kind = type(error).__name__
    fault = CodedError(
        "GOV700",
        f"gov itself failed: {kind}: {error}",
        "this is a fault of gov; report it with what GOV_TRACEBACK=1 shows",
    )
    return refuse(fault, as_json=False)
