"""Where files lie, as seen from the working directory.

In: reports and sources whose names are relative to the root policy's folder, as the front end has them.  Out:
the same with paths that an editor and a CI system can open.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from govlang.cli.formats.findings import Report
from govlang.dsl.source import Source


def relocated(report: Report, root: Path) -> Report:
    """The report with every span's file as a path from the working directory."""
    return {**report, "findings": [_moved(finding, root) for finding in report["findings"]]}


def relocated_sources(sources: Iterable[Source], root: Path) -> list[Source]:
    """The sources under the names that relocated findings call them by."""
    return [Source(_path(one.name, root), one.text) for one in sources]


def _moved(finding: dict[str, Any], root: Path) -> dict[str, Any]:
    moved = {**finding, "span": _span(finding.get("span"), root)}
    if finding.get("notes"):
        moved["notes"] = [{**n, "span": _span(n.get("span"), root)} for n in finding["notes"]]
    return moved


def _span(span: dict[str, Any] | None, root: Path) -> dict[str, Any] | None:
    return None if span is None else {**span, "file": _path(span["file"], root)}


def _path(name: str, root: Path) -> str:
    """A name of the front end: the root's own is a path already, and so is one inside a bundle."""
    return name if name == str(root) or name.startswith(f"{root}!") else str(root.parent / name)
