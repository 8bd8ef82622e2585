"""The errors of everything that runs without the language: a stable code, a message, a way out.

In: what went wrong.  Out: exceptions that the command line prints and a service can log.  The pages of
the codes stand in `dsl/codes.py` with all others.
"""

from __future__ import annotations


class CodedError(Exception):
    """Something cannot be used; `code` has a page, `help` says what to do next."""

    def __init__(self, code: str, message: str, help: str | None = None) -> None:  # noqa: A002  # the word of the format
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.help = help


class BundleError(CodedError):
    """A bundle, or a part of it, does not add up; `part` names which."""

    def __init__(
        self,
        code: str,
        part: str,
        message: str,
        help: str | None = None,  # noqa: A002  # the word of the format
    ) -> None:
        super().__init__(code, f"`{part}`: {message}", help)
        self.part = part


class TableError(CodedError):
    """A compiled table, its parameters or its columns cannot be used."""


class ArtefactError(CodedError):
    """A C file or a WebAssembly module is not of the documented form; `at` is the offset or the line.

    `part` names the part of the bundle that it is, where it comes from one.
    """

    def __init__(self, at: str, why: str, part: str = "") -> None:
        place = f"`{part}`, {at}" if part else at
        super().__init__("GOV416", f"{place}: {why}", "build the policy again with `gov build`")
        self.at = at
        self.why = why
        self.part = part
