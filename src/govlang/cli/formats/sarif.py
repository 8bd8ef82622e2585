"""SARIF 2.1.0: reports in, one log with a rule for each code and a fingerprint for each finding out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import govlang
from govlang.cli.formats.findings import Finding, Report, fingerprint
from govlang.dsl.codes import CODES

LEVELS: Final = {"error": "error", "warning": "warning", "note": "note"}
SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def sarif(reports: Sequence[Report]) -> dict[str, Any]:
    """The log of all reports."""
    findings = [finding for report in reports for finding in report["findings"]]
    codes = sorted({finding["code"] for finding in findings})
    driver = {
        "name": "gov",
        "version": govlang.__version__,
        "rules": [_rule(code) for code in codes],
    }
    results = [_result(finding, codes) for finding in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    page = CODES.get(code)
    if page is None:
        return {"id": code}
    return {
        "id": code,
        "shortDescription": {"text": page.title},
        "fullDescription": {"text": page.explanation},
        "help": {"text": page.way_out},
    }


def _result(finding: Finding, codes: list[str]) -> dict[str, Any]:
    text = finding["message"] + (f"\n{finding['help']}" if finding.get("help") else "")
    result: dict[str, Any] = {
        "ruleId": finding["code"],
        "ruleIndex": codes.index(finding["code"]),
        "level": LEVELS[finding["severity"]],
        "message": {"text": text},
        "partialFingerprints": {"gov/v1": fingerprint(finding)},
    }
    if finding.get("span"):
        result["locations"] = [_location(finding["span"])]
    if finding.get("witness"):
        result["properties"] = {"witness": finding["witness"]}
    return result


def _location(span: dict[str, Any]) -> dict[str, Any]:
    region = {
        "startLine": span["line"],
        "startColumn": span["column"],
        "endLine": span["end_line"],
        "endColumn": span["end_column"],
    }
    uri = quote(span["file"], safe="/!")
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}
