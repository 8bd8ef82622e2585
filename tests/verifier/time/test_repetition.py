"""Claims that only hundreds of equal samples refute are refuted by them."""

from __future__ import annotations

import pytest

from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.verifier.findings import Trace
from govlang.verifier.options import Options
from govlang.verifier.report import Report, verify

HEADER = """language 1
policy counting version "1.0.0"
default deny
input { agent : key  size : number in 0..9 }
event ok
event bad
"""


def verified(source: str) -> Report:
    policy = compile_source(Source("p.gov", HEADER + source)).policy
    return verify(policy, options=Options(timeout_s=3))


@pytest.mark.parametrize(
    ("source", "claim", "samples"),
    [
        ("rule a when size > 1 allow\n", "count(bad) since ok < 140", 140),
        ("rule a when size > 7 and bad within 1 h allow\n", "count(allowed) since bad < 140", 142),
        ("rule a when size > 1 and count(bad) since ok >= 140 allow\n", "decision is deny", 141),
    ],
)
def test_a_claim_that_hundreds_of_samples_refute_is_shown_by_them(
    source: str, claim: str, samples: int
) -> None:
    report = verified(f"{source}prove few: {claim}\n")
    (found,) = [one for one in report.findings if one.property == "few"]
    assert found.code == "GOV306"
    assert isinstance(found.witness, Trace)
    assert len(found.witness.steps) == samples


def test_a_claim_that_holds_is_not_refuted_by_repetition() -> None:
    report = verified(
        "rule a when size > 1 allow\nprove few: count(bad) since ok < 140 or size >= 0\n"
    )
    assert not [one for one in report.findings if one.code == "GOV306"]
