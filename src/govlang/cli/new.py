"""`gov new DIR`: a policy with its tests, `gov.toml`, a CI workflow and a pre-commit hook."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from shlex import quote
from typing import Final

import click

from govlang.cli.guard import Exit, guarded
from govlang.compiler.importers.trees import policy_name
from govlang.native.errors import CodedError
from govlang.native.files import write_whole

FILES: Final = {
    "policy.gov": "policy.gov",
    "tests.gov": "tests.gov",
    "gov.toml": "gov.toml",
    "workflow.yml": ".github/workflows/policy.yml",
    "pre-commit.yaml": ".pre-commit-config.yaml",
}
"""Template to the file that it becomes."""


@click.command(name="new")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@guarded
def command(folder: Path) -> int:
    """Start a policy project in DIR, which must be empty or not there."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CodedError("GOV707", f"`{folder}` is not empty", "give a folder that is new")
    templates = files("govlang.cli") / "templates"
    name = policy_name(folder.resolve().name)
    for template, target in FILES.items():
        text = (
            (templates / template)
            .read_text(encoding="utf-8")
            .replace("policy NAME", f"policy {name}")
        )
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode("utf-8"))
        click.echo(f"wrote  {path}")
    click.echo(f"next   cd {quote(str(folder))} && gov verify && gov test --coverage")
    return Exit.OK
