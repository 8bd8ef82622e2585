"""Arguments that several verbs share, and the project file `gov.toml` that stands in for them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Final

import click

from govlang.native.errors import CodedError
from govlang.native.files import read_at_most

Command = Callable[..., Any]

PROJECT: Final = Path("gov.toml")
PROJECT_MAX: Final = 2**20


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _seconds(value: Any) -> bool:
    return type(value) in {int, float} and isfinite(value) and value > 0


KEYS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "files": (_texts, 'a list of paths, as `["policy.gov"]`'),
    "strict": (lambda value: isinstance(value, bool), "`true` or `false`"),
    "accept": (_texts, 'a list of kinds, as `["gap"]`'),
    "allow_undecided": (_texts, 'a list of properties, as `["recovers"]`'),
    "timeout_s": (_seconds, "seconds, more than 0"),
}
"""The keys of the project file: whether a value fits, and what would."""


def files_argument(command: Command) -> Command:
    """The argument FILE…; none given: those of `gov.toml`."""
    return click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="FILE…")(
        command
    )


def file_argument(name: str = "file") -> Callable[[Command], Command]:
    """One argument that is a path."""
    return click.argument(name, type=click.Path(path_type=Path), metavar=name.upper())


def files_or_project(files: tuple[Path, ...]) -> tuple[Path, ...]:
    """The files given, or those that the project file names.

    Raises:
        CodedError: GOV704 there are neither.
    """
    if files:
        return files
    named = project().get("files", [])
    if not named:
        raise CodedError(
            "GOV704", "no file is given", "name a .gov file, or begin with `gov new DIR`"
        )
    return tuple(Path(name) for name in named)


def _project_text() -> str:
    data = read_at_most(PROJECT, PROJECT_MAX)
    if len(data) > PROJECT_MAX:
        raise ValueError(f"longer than {PROJECT_MAX} bytes")
    return data.decode("utf-8")


def project() -> dict[str, Any]:
    """What `gov.toml` in the working directory says; empty if there is none.

    Raises:
        CodedError: GOV704 it cannot be used.
    """
    try:
        plain = tomllib.loads(_project_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise CodedError("GOV704", f"`gov.toml`: {error}", "mend it or delete it") from None
    for key, value in plain.items():
        if key not in KEYS:
            known = ", ".join(f"`{k}`" for k in sorted(KEYS))
            raise CodedError("GOV704", f"`gov.toml` has no key `{key}`", f"its keys are {known}")
        fits, wanted = KEYS[key]
        if not fits(value):
            raise CodedError("GOV704", f"`{key}` in `gov.toml` must be {wanted}", "mend the line")
    return plain
