"""A baseline: an earlier report in, the findings that are new out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from govlang.cli.formats.exact_json import read_json
from govlang.cli.formats.findings import COUNT, Report, fingerprint
from govlang.cli.requests import given_text
from govlang.native.errors import CodedError

NEVER_KNOWN: Final = frozenset({"GOV307", "GOV309", "GOV310"})
OPEN: Final = frozenset({"GOV309", "GOV310"})


def read_baseline(path: Path) -> frozenset[str]:
    """The fingerprints of the findings in an earlier `--format json`.

    Raises:
        CodedError: GOV703 it is no report.
    """
    what = f"the baseline `{path}`"
    lines = given_text(f"@{path}", what).split("\n")
    reports = [read_json(line, what) for line in lines if line.strip()]
    try:
        return frozenset(fingerprint(f) for report in reports for f in report["findings"])
    except (KeyError, TypeError, AttributeError):
        help_line = "write one with `gov verify --format json > baseline.json`"
        raise CodedError("GOV703", f"the baseline `{path}` is no report", help_line) from None


def without_known(report: Report, known: frozenset[str]) -> Report:
    """The report in which known findings are notes, and the verdict speaks of the others.

    That nothing was decided, that two solvers disagree, that the table differs, or that there is more than is
    shown, is never known: no baseline makes it proved.
    """
    findings = [
        f | {"severity": "note", "accepted": "in the baseline"}
        if fingerprint(f) in known and f["code"] not in NEVER_KNOWN and f.get("kind") != COUNT
        else f
        for f in report["findings"]
    ]
    errors = [f for f in findings if f["severity"] == "error"]
    open_only = all(f["code"] in OPEN for f in errors)
    status = "proved" if not errors else "undecided" if open_only else "refuted"
    return report | {"findings": findings, "status": status}
