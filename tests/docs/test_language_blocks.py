"""Every `gov` block of the reference manual is a complete file that holds what it claims."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tables import table_bytes

from govlang.cli.testing import run_histories
from govlang.compiler.frontend import compile_source
from govlang.dsl import ast
from govlang.dsl.parser import parse
from govlang.dsl.printer import print_policy
from govlang.dsl.source import Source
from govlang.verifier.findings import Severity
from govlang.verifier.report import verify

ROOT = Path(__file__).resolve().parent.parent.parent
MANUAL = (ROOT / "docs" / "language.md").read_text("utf-8")
BLOCKS = [
    Source(f"docs/language.md, block {number}", text)
    for number, text in enumerate(
        re.findall(r"^```gov\n(.*?)^```$", MANUAL, re.DOTALL | re.MULTILINE), 1
    )
]
FILES = {
    "fields.gov": "input { amount : number in 0..9 EUR }\n",
    "rules/limits.gov": "rule small when amount < 5 EUR allow\n",
    "wind_limit.csv": "zone,battery,speed\nurban,>= 50 %,12 m/s\nrural,,5 m/s\n",
}


def read_beside(path: str) -> bytes:
    return FILES[path].encode()


def test_the_manual_has_its_examples() -> None:
    assert len(BLOCKS) >= 14


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.name)
def test_every_block_is_a_file_that_parses_and_prints(block: Source) -> None:
    policy = parse(block)
    assert isinstance(policy.header, ast.Header)
    printed = print_policy(policy)
    assert parse(Source("printed", printed)) == policy
    assert print_policy(parse(Source("printed", printed))) == printed


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.name)
def test_every_block_holds_what_it_claims(block: Source) -> None:
    checked = compile_source(block, read_beside)
    if checked.policy.time is not None:
        ran = run_histories(checked, table_bytes(checked.policy))
        assert [one.message for result in ran for one in result.failures] == []
    report = verify(checked.policy, accepts=checked.accepts)
    assert [f.message for f in report.findings if f.severity is not Severity.NOTE] == []


def test_links_of_the_manual_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", MANUAL, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", MANUAL)) <= anchors


def changed_block(
    name: str, was: str, becomes: str, *more: tuple[str, str]
) -> dict[str | None, tuple[str, str]]:
    """The findings on the properties of an example with changes, each with its code and its help."""
    (block,) = (one for one in BLOCKS if f"\npolicy {name} version" in one.text)
    text = block.text
    for old, new in ((was, becomes), *more):
        assert text.count(old) == 1
        text = text.replace(old, new)
    policy = compile_source(Source(block.name, text)).policy
    return {one.property: (one.code, one.help) for one in verify(policy).findings}


def test_what_the_manual_says_of_an_event_that_is_not_heard_is_refuted() -> None:
    claim = "prove heard: trip within 0 s implies relay is tripped\nrule tripped when"
    assert changed_block("swallowed", "rule tripped when", claim)["heard"][0] == "GOV306"


def test_what_the_manual_says_fails_for_those_who_are_not_named_does() -> None:
    found = changed_block("rests", "role is staff allow", 'agent == "root" allow')
    assert found["recovers"][0] == "GOV306"


def test_what_the_manual_says_stays_undecided_does() -> None:
    tied = "agent : key\n  owner : key"
    found = changed_block(
        "rests", "agent : key", tied, ("role is staff allow", "agent == owner allow")
    )
    code, help_line = found["recovers"]
    assert code == "GOV309"
    assert help_line.endswith("or let it stay open with `--allow-undecided recovers`")
