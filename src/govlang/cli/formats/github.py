"""Annotations of a GitHub workflow: reports in, one `::error …::` line a finding out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from govlang.cli.formats.findings import Finding, Report
from govlang.cli.formats.text import witness_lines

KINDS: Final = {"error": "error", "warning": "warning", "note": "notice"}


def github(reports: Sequence[Report]) -> Iterator[str]:
    """The lines of all reports."""
    for report in reports:
        for finding in report["findings"]:
            yield _line(finding)


def _line(finding: Finding) -> str:
    properties = {"title": finding["code"]}
    if span := finding.get("span"):
        properties |= {
            "file": span["file"],
            "line": str(span["line"]),
            "endLine": str(span["end_line"]),
            "col": str(span["column"]),
            "endColumn": str(span["end_column"]),
        }
    text = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{KINDS[finding['severity']]} {text}::{_data(_message(finding))}"


def _message(finding: Finding) -> str:
    lines = [finding["message"]]
    if finding.get("witness"):
        lines += witness_lines(finding["witness"])
    if finding.get("help"):
        lines.append(f"help: {finding['help']}")
    return "\n".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
