"""Findings in the form of the contract: diagnostics and coded errors in, plain JSON objects out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

from govlang.dsl.diagnostics import Diagnostic
from govlang.dsl.source import Span
from govlang.native.errors import CodedError

Finding = dict[str, Any]
Report = dict[str, Any]

FINDINGS_MAX: Final = 100
CHANGE: Final = "GOV308"
COUNT: Final = "count"
"""The kind of a finding that stands for those that are not shown."""
"""How many findings of one code a rule gets before the rest is only counted."""

VERDICTS: Final = ("refuted", "undecided", "proved")
"""The verdicts on a policy; of several the first counts."""


def joined_status(*statuses: str) -> str:
    """The verdict on a whole whose parts have these."""
    return min(statuses, key=VERDICTS.index)


def error_of(code: str, kind: str, message: str, help_line: str | None) -> Finding:
    """An error that stands at no place in a source."""
    return {
        "code": code,
        "kind": kind,
        "severity": "error",
        "rules": [],
        "property": None,
        "message": message,
        "help": help_line,
        "span": None,
        "witness": None,
    }


def from_diagnostic(diagnostic: Diagnostic) -> Finding:
    """A finding of the front end."""
    return {
        "code": diagnostic.code,
        "kind": "source",
        "severity": diagnostic.severity.value,
        "rules": [],
        "property": None,
        "message": diagnostic.message,
        "help": diagnostic.help,
        "span": place(diagnostic.span),
        "witness": None,
        "notes": [{"message": n.message, "span": place(n.span)} for n in diagnostic.notes],
    }


def from_coded(error: CodedError) -> Finding:
    """A finding about something that is no source."""
    return error_of(error.code, "input", error.message, error.help)


def place(span: Span | None) -> dict[str, Any] | None:
    """Where a finding stands; lines and columns count from 1."""
    return None if span is None else span.to_json()


def fingerprint(finding: Finding) -> str:
    """What a finding is called while lines move: a hash of its code, rules, property and file.

    What has neither rules nor a property is told apart by its message; so is a change, for the same rules may
    become stricter once and looser another time.
    """
    span = finding.get("span") or {}
    is_named = finding.get("rules") or finding.get("property")
    parts = [
        finding["code"],
        ",".join(finding.get("rules") or ()),
        finding.get("property") or "",
        span.get("file", ""),
        "" if is_named and finding["code"] != CHANGE else finding["message"],
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def capped(findings: Iterable[Finding]) -> list[Finding]:
    """At most `FINDINGS_MAX` findings a code and first rule; then one that stands for the rest."""
    kept: list[Finding] = []
    counts: dict[tuple[str, str], int] = {}
    hidden: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        key = (finding["code"], (finding.get("rules") or [""])[0])
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= FINDINGS_MAX:
            kept.append(finding)
        else:
            hidden.setdefault(key, []).append(finding["severity"])
    return kept + [_rest(code, rule, own) for (code, rule), own in hidden.items()]


def _rest(code: str, rule: str, severities: list[str]) -> Finding:
    """INVARIANT: as severe as the worst that is not shown, so that a verdict drawn from it holds."""
    of = f" of `{rule}`" if rule else ""
    error = CodedError(code, f"{len(severities)} more findings of this kind{of} are not shown")
    return from_coded(error) | {
        "kind": COUNT,
        "severity": min(severities, key=("error", "warning", "note").index),
        "rules": [rule] if rule else [],
    }
