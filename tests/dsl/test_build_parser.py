from __future__ import annotations

import json
import re

import pytest
from lark.exceptions import GrammarError

from govlang.dsl import build_parser, keywords, tables
from govlang.dsl.builder import Builder


def test_the_shipped_tables_are_those_of_the_grammar() -> None:
    built = build_parser.build(build_parser.GRAMMAR.read_text("utf-8"))
    assert build_parser.serialise(built) == build_parser.TABLES.read_text("utf-8")


def test_the_tables_are_plain_json() -> None:
    assert json.loads(build_parser.TABLES.read_text("utf-8")).keys() == {
        "starts",
        "states",
        "rules",
    }


def test_a_grammar_with_a_conflict_is_refused() -> None:
    text = build_parser.GRAMMAR.read_text("utf-8")
    ambiguous = text.replace(
        "sum plus_minus product -> arithmetic", "sum plus_minus sum -> arithmetic"
    )
    assert ambiguous != text
    with pytest.raises(GrammarError):
        build_parser.grammar(ambiguous)


def test_the_keywords_are_the_words_that_the_grammar_quotes() -> None:
    quoted = re.findall(r'"([a-z_]+)"', build_parser.GRAMMAR.read_text("utf-8"))
    assert set(quoted) == keywords.KEYWORDS


def test_every_word_that_begins_a_declaration_can() -> None:
    loaded = tables.load()
    actions = loaded.actions[loaded.starts["file"]]
    assert {t for t in actions if t in keywords.KEYWORDS} == keywords.DECLARATIONS | {"language"}


def test_the_builder_has_a_method_for_every_rule_and_no_other() -> None:
    wanted = {r.method for r in tables.load().reductions if r.what == tables.CALL}
    other = {"span", "label", "same_unit", "same_unit_expressions", "twice"}
    assert {m for m in dir(Builder) if not m.startswith("_")} - other == wanted
