"""What is said of a rule that never matters is what was proved of it."""

from __future__ import annotations

import pytest
from front import check

from govlang.verifier.report import verify
from govlang.verifier.solve import Session

COVERED = """input {
  x : number in 0..9
  y : number in 0..9
}
default deny
rule low when x + y < 9 deny
rule high when x + y > 7 deny
rule any when x < 8 allow
rule late when x * 2 > 3 deny
"""


def messages() -> list[str]:
    findings = verify(check(COVERED).policy).findings
    return [f.message for f in findings if f.code == "GOV302" and "late" in f.rules]


def test_the_rules_that_cover_another_are_named() -> None:
    said = "`late` never decides and adds nothing: `low` and `high` together cover it"
    assert messages() == [said]


def test_no_reason_is_given_where_the_solver_found_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "core", lambda *_: None)
    assert messages() == ["`late` never decides and adds nothing"]
