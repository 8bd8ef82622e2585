"""A baseline makes known findings notes, and never a proof of what it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from govlang.cli.baseline import without_known
from govlang.cli.formats.findings import FINDINGS_MAX, capped, fingerprint


def finding(code: str, message: str = "m", **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"code": code, "kind": "k", "severity": "error", "rules": ["r"]}
    return found | {"property": None, "message": message, "span": None} | more


def status(findings: list[dict[str, Any]], known: list[dict[str, Any]]) -> str:
    report = {"findings": capped(findings), "status": "refuted"}
    found: str = without_known(report, frozenset(map(fingerprint, capped(known))))["status"]
    return found


@pytest.mark.parametrize("code", ["GOV301", "GOV302", "GOV306"])
def test_a_known_finding_does_not_refute(code: str) -> None:
    assert status([finding(code)], [finding(code, "said otherwise")]) == "proved"
    assert status([finding(code, rules=["other"])], [finding(code)]) == "refuted"


@pytest.mark.parametrize("code", ["GOV307", "GOV309"])
def test_an_open_question_and_another_table_are_never_known(code: str) -> None:
    assert status([finding(code)], [finding(code)]) != "proved"


def test_a_rule_that_became_stricter_once_is_not_known_to_become_looser() -> None:
    stricter = finding("GOV308", "allow by `r` became deny by `r`: stricter")
    looser = finding("GOV308", "deny by `r` became allow by `r`: looser")
    assert status([looser], [stricter]) == "refuted"
    assert status([looser], [looser]) == "proved"


def test_errors_that_are_not_shown_are_not_known() -> None:
    many = [finding("GOV306", property=f"p{i}", rules=[]) for i in range(FINDINGS_MAX + 1)]
    assert status(many[:-1], many) == "proved"
    assert status(many, many) == "refuted"


def test_what_stands_for_notes_is_a_note() -> None:
    many = [finding("GOV303", f"{i}", severity="note") for i in range(FINDINGS_MAX + 2)]
    last = capped(many)[-1]
    assert (last["severity"], last["message"][:6]) == ("note", "2 more")
