"""`gov build FILE -o DIR`: check, verify, compile, prove every artefact; write the bundle only if all holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.output import format_option
from govlang.cli.formats.text import show_findings
from govlang.cli.guard import Exit, guarded
from govlang.cli.options import files_or_project
from govlang.cli.subject import is_bundle
from govlang.cli.verify import CODES, closing, verifier_options, verify_options
from govlang.native.errors import CodedError
from govlang.native.files import KEY_MAX, read_at_most

if TYPE_CHECKING:
    from govlang.cli.building import Built

EMITS: Final = ("table", "c", "wasm", "jsonlogic", "smt2", "html")


@click.command(name="build")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="where the bundle goes",
)
@click.option(
    "--emit",
    default="",
    metavar="WHAT,…",
    help=f"write single artefacts beside it: {', '.join(EMITS)}",
)
@click.option("--tier", metavar="T", help="build one tier alone")
@click.option(
    "--key", type=click.Path(path_type=Path), metavar="KEY", help="sign with this private key (PEM)"
)
@verify_options
@format_option()
@guarded
def command(
    file: Path | None,
    output: Path,
    emit: str,
    tier: str | None,
    key: Path | None,
    strict: bool,  # noqa: FBT001  # a flag of the command line
    accept: str,
    allow_undecided: str,
    timeout: float | None,
    against: Path | None,
    style: str,
) -> int:
    """Verify FILE, compile it, prove the artefacts, and write DIR/NAME-VERSION.govb with its report."""
    from govlang.cli.building import build, write

    file = _source(file)
    emits = _emits(emit)
    options = verifier_options(
        strict=strict, accept=accept, timeout=timeout, allow_undecided=allow_undecided
    )
    key_pem = None if key is None else read_at_most(key, KEY_MAX)
    built = build(file, options, tier=tier, key_pem=key_pem, against=against, emits=emits)
    code = CODES[built.report["verification"]["status"]]
    paths = write(built, output, emits) if code is Exit.OK else []
    if style == "json":
        click.echo(json_text(built.report | {"written": [str(path) for path in paths]}))
    else:
        _say(file, built, paths)
    return code


def _source(file: Path | None) -> Path:
    """The source to build: the one given, or the only one that `gov.toml` names.

    Raises:
        CodedError: GOV704 there is none, or more than one · GOV708 it is a bundle.
    """
    files = files_or_project(() if file is None else (file,))
    if len(files) > 1:
        raise CodedError("GOV704", f"`gov.toml` names {len(files)} files", "name the one to build")
    if is_bundle(files[0]):
        help_line = "give the .gov file; `gov verify` proves a bundle again"
        raise CodedError("GOV708", f"`{files[0]}` is a bundle, not a source", help_line)
    return files[0]


def _emits(text: str) -> tuple[str, ...]:
    """What `--emit` asks for.

    Raises:
        CodedError: GOV708 there is no such artefact.
    """
    wanted = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for one in wanted:
        if one not in EMITS:
            raise CodedError(
                "GOV708", f"there is no artefact `{one}`", f"known: {', '.join(EMITS)}"
            )
    return wanted


def _say(file: Path, built: Built, paths: list[Path]) -> None:
    report = {"file": str(file)} | built.report["verification"]
    show_findings(report["findings"], built.checked.sources, err=False)
    click.echo(closing(report | {"ms": built.report["ms"]}))
    for path in paths:
        click.echo(f"{click.style('wrote', fg='green')}   {path}  ({path.stat().st_size} bytes)")
    if paths:
        told = _cost(built.report["worst_case"]), _state(built.report["state"])
        click.echo(f"cost    at most {told[0]}, {told[1]}")


def _state(kept: list[dict[str, Any]]) -> str:
    """What is kept, in words: `12 bytes of state for all, 40 for each agent`."""
    parts = [
        (one["bytes"], "for all" if one["per"] is None else f"for each {one['per']}")
        for one in kept
    ]
    told = [f"{count} {whose}" for count, whose in parts[1:]]
    first = f"{parts[0][0]} bytes of state {parts[0][1]}" if parts else "0 bytes of state"
    return ", ".join([first, *told])


def _cost(worst: dict[str, Any]) -> str:
    """The worst case of a decision in words."""

    def bound(fixed: int, per_byte: int) -> str:
        return f"{fixed} + {per_byte} × text bytes" if per_byte else str(fixed)

    said = f"{bound(worst['steps'], worst['steps_per_byte'])} steps a decision"
    inside = [
        f"{bound(worst[word], worst[f'{word}_per_byte'])} {word} of {language}"
        for word, language in (("instructions", "WebAssembly"), ("operations", "C"))
        if worst[word] is not None
    ]
    return f"{said} ({', '.join(inside)})" if inside else said
