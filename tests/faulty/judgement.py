"""Whether a verifier's report says what was planted in a policy, no more and no less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from faulty.command import decide, verify, weighty
from faulty.expectation import Expectation


def assert_found(file: Path, expected: Expectation) -> None:
    """The report has the one finding, names what is at fault, and its request is what it claims."""
    code, report = verify(file)
    assert code == 1, report
    findings = weighty(report)
    said = [(f["code"], f["rules"], f["property"]) for f in findings]
    assert [f["code"] for f in findings] == [expected.code], said
    _assert_names(findings[0], expected)
    _assert_shown(file, findings[0], expected)


def acceptance(expected: Expectation) -> str:
    """The declaration that turns the finding into a recorded warning."""
    named = expected.rules or (expected.property or "default",)
    listed = ", ".join(f'"{name}"' for name in named)
    return f'\naccept {expected.code} on {listed} because "known, and meant"\n'


def assert_clean(file: Path) -> None:
    """No error, no warning, nothing undecided."""
    code, report = verify(file)
    assert weighty(report) == []
    assert (code, report["status"]) == (0, "proved"), report


def _assert_names(finding: dict[str, Any], expected: Expectation) -> None:
    assert finding["kind"] == expected.kind
    assert finding["property"] == expected.property
    assert set(finding["rules"]) >= set(expected.rules)
    assert {*(finding.get("detail") or {}).get("covered_by", ())} == set(expected.by)
    named = (*expected.rules, *expected.by, *([expected.property] if expected.property else []))
    assert all(f"`{name}`" in finding["message"] for name in named)


def _assert_shown(file: Path, finding: dict[str, Any], expected: Expectation) -> None:
    witness = finding["witness"]
    (step,) = witness["trace"]
    outcome = decide(file, step, witness["params"])
    assert outcome["decision"] == step["decision"]
    assert outcome["rule_id"] == step["rule_id"]
    match expected.code:
        case "GOV301":
            assert set(outcome["matched"]) >= set(expected.rules)
        case "GOV302" if "never fires" in finding["message"]:
            assert not set(outcome["matched"]) & set(expected.rules)
        case "GOV302":
            assert set(outcome["matched"]) >= set(expected.rules)
            assert outcome["rule_id"] not in expected.rules
        case "GOV304":
            assert finding["rules"][0] in outcome["matched"]
        case "GOV305":
            assert outcome["rule_id"] == "default"
        case _:
            pass
