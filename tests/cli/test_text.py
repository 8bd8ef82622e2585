"""Counterexamples as people read them."""

from __future__ import annotations

from govlang.cli.formats.text import witness_lines

PASS = {"at_ms": 5, "event": "ci_pass", "fields": {}, "key": {"agent": "a"}}
ASKED = {"at_ms": 5, "request": {"agent": "a"}, "decision": "allow", "rule_id": "r"}


def test_equal_steps_in_a_row_are_written_once_with_how_often() -> None:
    later = PASS | {"at_ms": 6}
    assert list(witness_lines({"trace": [PASS, PASS, PASS, later, ASKED, ASKED]})) == [
        '  at 5 ms  the event `ci_pass`  of {"agent": "a"}  (3 times)',
        '  at 6 ms  the event `ci_pass`  of {"agent": "a"}',
        '  at 5 ms  on the request  {"agent": "a"}  (2 times)',
        "  the outcome is  allow by `r`",
    ]


def test_steps_that_an_older_version_answered_otherwise_stay_apart() -> None:
    denied = ASKED | {"decision": "deny", "rule_id": "q"}
    witness = {"trace": [ASKED, ASKED], "old": {"trace": [ASKED, denied]}}
    assert list(witness_lines(witness)) == [
        '  at 5 ms  on the request  {"agent": "a"}',
        "  the outcome is  allow by `r`",
        '  at 5 ms  on the request  {"agent": "a"}',
        "  the outcome is  allow by `r`",
        "  before it was   deny by `q`",
    ]


def test_a_step_alone_tells_no_time() -> None:
    assert next(witness_lines({"trace": [ASKED]})) == '  on the request  {"agent": "a"}'
