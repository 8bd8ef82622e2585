from __future__ import annotations

import pytest

from govlang.compiler.importers.csv_rules import import_csv
from govlang.dsl.diagnostics import GovError
from govlang.dsl.parser import parse
from govlang.dsl.printer import print_policy
from govlang.dsl.source import Source

TABLE = '''zone,"battery : number in 0..100 % step 0.1",vip,topic,tags,decision,because
urban,>= 50 %,true,,contains write,allow,fine
"{urban, rural}",,,"like ""infra.*""",,deny,
'''


def imported(text: str) -> str:
    return print_policy(import_csv(Source("zones.csv", text), "zones"))


def test_a_table_becomes_a_policy_that_parses_back() -> None:
    text = imported(TABLE)
    assert parse(Source("out.gov", text)) == import_csv(Source("zones.csv", TABLE), "zones")
    words = " ".join(text.split())
    for expected in (
        "combine first_match",
        "zone : one of urban, rural",
        "battery : number in 0..100 % step 0.1",
        "vip : bool",
        "topic : text",
        "tags : set of write",
        "table zones_rows(zone, battery, vip, topic, tags) -> decision, because",
    ):
        assert expected in words, expected


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("a,b\nx,y\n", "GOV603", "do not end with the decision"),
        ("a,a,decision\nx,y,deny\n", "GOV603", "stands twice"),
        ("a b,decision\nx,deny\n", "GOV603", "cannot name a field"),
        ("n,decision\n>= 3,deny\n", "GOV601", "the type of the column `n` is not known"),
        ("n,decision\n,deny\n", "GOV601", "not known"),
        ("n : number in 5,decision\n3,deny\n", "GOV110", "in the heading"),
        ("a,decision\nx,dney\n", "GOV114", "decision"),
        ("a,decision\nx\n", "GOV114", "cells"),
        ('a,decision\n"x,deny\n', "GOV115", "quote"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, code: str, part: str) -> None:
    with pytest.raises(GovError) as caught:
        imported(text)
    assert any(d.code == code and part in d.message for d in caught.value.diagnostics), [
        (d.code, d.message) for d in caught.value.diagnostics
    ]


def test_a_heading_that_declares_two_fields_is_refused() -> None:
    text = "zone : one of a b : bool,decision\na,allow\n"
    with pytest.raises(GovError, match="declares 2 fields"):
        import_csv(Source("zones.csv", text), "zones")


@pytest.mark.parametrize("word", ["not", "true", "false", "if", "has", "_"])
def test_a_word_that_no_expression_can_read_is_no_heading(word: str) -> None:
    with pytest.raises(GovError, match="cannot name a field"):
        import_csv(Source("zones.csv", f"{word},decision\na,allow\n"), "zones")
