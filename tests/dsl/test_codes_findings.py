"""The pages of findings show policies that have the finding."""

from __future__ import annotations

import pytest

from govlang.compiler.checked import ACCEPTABLE
from govlang.compiler.frontend import compile_source
from govlang.dsl.codes_findings import FINDINGS
from govlang.dsl.source import Source
from govlang.verifier.report import verify

HEADER = 'language 1\npolicy p version "1"\ndefault deny\n'
SHOWN = [code for code, page in FINDINGS.items() if page.example.startswith("input")]


def test_every_finding_that_a_policy_can_show_is_shown() -> None:
    assert [*ACCEPTABLE, "GOV311", "GOV314", "GOV315"] == SHOWN


@pytest.mark.parametrize("code", SHOWN)
def test_the_example_of_a_page_has_the_finding(code: str) -> None:
    checked = compile_source(Source("p.gov", HEADER + FINDINGS[code].example))
    assert code in {
        finding.code for finding in verify(checked.policy, accepts=checked.accepts).findings
    }
