from __future__ import annotations

import pytest

from govlang.dsl import ast
from govlang.dsl.diagnostics import GovError, render_all
from govlang.dsl.parser import (
    parse,
    parse_fields,
    parse_fragment,
)
from govlang.dsl.reading import Reader
from govlang.dsl.source import Source
from govlang.dsl.tables import Reduction

HEADER = 'language 1\npolicy p version "1"\n'


def source(text: str) -> Source:
    return Source("t.gov", text)


def only(text: str) -> ast.Declaration:
    (declaration,) = parse(source(HEADER + text)).declarations
    return declaration


def expr(text: str) -> ast.Expr:
    let = only(f"let x = {text}")
    assert isinstance(let, ast.LetDecl)
    return let.value


def errors(text: str) -> list[str]:
    with pytest.raises(GovError) as caught:
        parse(source(text))
    return [f"{d.code} {d.span.line if d.span else 0}" for d in caught.value.diagnostics]


a, b, c = map(ast.Name, "abc")


HEADER_HELP = 'put `language 1` and `policy my_policy version "1.0.0"` first'
PART_HELP = "check the file that imports it"


@pytest.mark.parametrize(
    ("text", "message", "help_"),
    [
        (
            'test "t" { request { a 1 } expect deny }',
            "missing: the file holds only tests",
            PART_HELP,
        ),
        ("rule r deny", "is missing", f"{HEADER_HELP}; if it is a part of a policy, {PART_HELP}"),
    ],
    ids=["tests", "rules"],
)
def test_of_a_file_that_others_may_import_it_is_said_which_one_to_check(
    text: str, message: str, help_: str
) -> None:
    with pytest.raises(GovError) as caught:
        parse(source(text))
    (found,) = caught.value.diagnostics
    assert found.code == "GOV111"
    assert found.message.endswith(message)
    assert found.help == help_


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("a + b * c", "a + (b * c)"),
        ("a - b - c", "(a - b) - c"),
        ("-a * b", "(-a) * b"),
        ("a + b > c", "(a + b) > c"),
        ("not a is b and c", "(not (a is b)) and c"),
        ("a or b and c", "a or (b and c)"),
        ("a implies b implies c", "a implies (b implies c)"),
        ("a or b implies c", "(a or b) implies c"),
        ("if a then b else c implies d", "if a then b else (c implies d)"),
        ("has a and a > 3", "(has a) and (a > 3)"),
        ("not not a", "not (not a)"),
    ],
)
def test_operators_bind_as_the_manual_says(text: str, same_as: str) -> None:
    assert expr(text) == expr(same_as)


def test_and_and_or_are_flat_but_keep_parentheses() -> None:
    assert expr("a and b and c") == ast.Logical("and", (a, b, c))
    assert expr("(a and b) and c") == ast.Logical("and", (ast.Logical("and", (a, b)), c))


@pytest.mark.parametrize(
    "word", ["test", "dev", "at", "count", "when", "rule", "allow", "is", "key"]
)
def test_a_word_is_a_keyword_only_where_the_grammar_expects_it(word: str) -> None:
    text = (
        f"input {{ {word} : one of {word}, {word}2 optional }}\n"
        f"rule {word} when {word} is {word} and {word} in {{{word}}} limit {word} to {word}\n"
        f'test "t" {{ request {{ {word} {word} }} expect allow by {word} }}'
    )
    fields, rule, test = parse(source(HEADER + text)).declarations
    name = ast.Name(word)
    assert isinstance(fields, ast.InputDecl)
    assert isinstance(rule, ast.Rule)
    assert isinstance(test, ast.Test)
    assert fields.fields[0].name == name
    assert rule.name == name
    assert rule.decision == ast.Decision(ast.Effect.LIMIT, (ast.Limit(name, None, name),))
    assert test.steps[0].request == (ast.Argument(name, name),)


def test_words_that_begin_an_operator_are_names_elsewhere() -> None:
    assert expr("all > any") == ast.Compare(">", ast.Name("all"), ast.Name("any"))
    assert expr("least > abs") == ast.Compare(">", ast.Name("least"), ast.Name("abs"))
    assert expr("x is at") == ast.Is(ast.Name("x"), ast.Name("at"))
    assert expr("x contains all") == ast.Contains(
        ast.Name("x"), ast.Quantifier.ONE, ast.SetLiteral((ast.Name("all"),))
    )


def test_after_expect_limit_the_next_word_may_begin_anything() -> None:
    test = only(
        'test "t" { request { } expect limit\nat 0 s request { } expect limit at to 3\n'
        "request { } expect limit by by\nrequest { } expect limit by to 3 and do at\n"
        "request { } expect limit and do at }"
    )
    assert isinstance(test, ast.Test)
    three, do = ast.Number("3"), ast.Do(ast.Name("at"))
    limits = [ast.Limit(ast.Name(field), None, three) for field in ("at", "by")]
    found = [(step.expect.decision.obligations, step.expect.rule) for step in test.steps]
    assert found == [
        ((), None),
        ((limits[0],), None),
        ((), ast.Name("by")),
        ((limits[1], do), None),
        ((do,), None),
    ]


def test_a_unit_stands_on_its_numbers_line_and_is_no_keyword() -> None:
    assert expr("5 kg") == ast.Number("5", "kg")
    assert expr("5kg") == ast.Number("5", "kg")
    assert expr("5 m/s") == ast.Number("5", "m/s")
    assert expr("5 / b") == ast.Binary("/", ast.Number("5"), b)
    assert expr("5 and b") == ast.Logical("and", (ast.Number("5"), b))
    rule = only("rule r when a > 3\ndeny")
    assert isinstance(rule, ast.Rule)
    assert rule.condition == ast.Compare(">", a, ast.Number("3"))


def test_the_next_field_on_the_line_is_no_unit() -> None:
    block = only("input { a : number in 1..5 b : bool }")
    assert isinstance(block, ast.InputDecl)
    assert [f.name.text for f in block.fields] == ["a", "b"]


def test_numbers_keep_their_exact_text() -> None:
    param = only("param a : bool = -9_007_199_254_740_993.10 kg")
    assert isinstance(param, ast.ParamDecl)
    assert isinstance(param.default, ast.Number)
    assert str(param.default.value) == "-9007199254740993.10"


def test_strings_have_escapes() -> None:
    assert expr(r'"a\"b\\c\n\t\u{1F600}é//"') == ast.String('a"b\\c\n\t😀é//')


def test_spans_cover_what_was_written() -> None:
    rule = only("rule r\n  when (a > 3)\n  deny")
    assert isinstance(rule, ast.Rule)
    assert rule.condition is not None
    assert rule.span.text == "rule r\n  when (a > 3)\n  deny"
    assert rule.condition.span.text == "a > 3"
    assert (rule.condition.span.line, rule.condition.span.column) == (4, 9)
    assert rule.decision.span.text == "deny"
    assert (rule.span.end_line, rule.span.end_column) == (5, 7)


def test_line_ends_may_be_of_any_kind() -> None:
    unix = HEADER + "table t(a) -> limit s {\n|a|s|\n|1|2|\n}\n"
    assert parse(source(unix.replace("\n", "\r\n"))) == parse(source(unix))


def test_a_unit_on_one_end_of_a_range_stands_for_both() -> None:
    rule = only("rule r limit a to -1..5 kg")
    assert isinstance(rule, ast.Rule)
    low = ast.Unary("-", ast.Number("1", "kg"))
    assert rule.decision.obligations == (ast.Limit(a, low, ast.Number("5", "kg")),)


def test_members_that_are_called_like_effects_are_members_in_a_table() -> None:
    table = only(
        "table t(a) -> decision {\n| a | decision |\n| allow | deny |\n| not limit | allow |\n}"
    )
    assert isinstance(table, ast.Table)
    assert [row.cells[0] for row in table.rows] == [
        ast.CellValue(ast.Name("allow")),
        ast.CellNot(ast.CellValue(ast.Name("limit"))),
    ]
    assert [row.decision.effect for row in table.rows] == [ast.Effect.DENY, ast.Effect.ALLOW]


def test_a_cell_may_join_members_that_are_called_like_effects_or_tests() -> None:
    table = only(
        "table t(a, b) -> decision {\n| a | b | decision |\n"
        "| deny and >= 3 | limit and contains and | deny and do x |\n}"
    )
    assert isinstance(table, ast.Table)
    first, second = table.rows[0].cells
    assert isinstance(first, ast.CellAnd)
    assert first.cells[0] == ast.CellValue(ast.Name("deny"))
    assert isinstance(second, ast.CellAnd)
    assert second.cells[0] == ast.CellValue(ast.Name("limit"))
    assert table.rows[0].decision.obligations == (ast.Do(ast.Name("x")),)


def test_an_imported_file_needs_no_header() -> None:
    assert parse_fragment(source("rule a deny")).header is None
    assert parse_fragment(source(HEADER)).header is not None


def test_bare_fields_are_read_for_imports() -> None:
    fields = parse_fields(source("input { a : bool }\n// more\ninput { b : key }"))
    assert [f.name.text for f in fields] == ["a", "b"]
    with pytest.raises(GovError, match="only `input"):
        parse_fields(source("input { a : bool }\nrule r deny"))


def test_all_mistakes_of_a_file_are_reported_at_once() -> None:
    text = """language 1
policy p version "1"
input {
  a : nmber in 0..5
  b : bool,
  c : bool
  d : one of
}
rul x when a deny
rule y whn b deny
tier t {
  rule z allow and
  rule ok deny
  rule w when c
}
table t(a) -> limit s {
  | a | s |
  | 1 |
  | = | 2 |
  | 3 | 4 |
}
test "t" {
  request { a 1 b 2 } expect deny
  request { a 1 } expct deny
  request { a 1 } expect deny
}
prove p a
"""
    assert errors(text) == [
        "GOV110 4", "GOV110 5", "GOV110 8", "GOV110 9", "GOV110 10", "GOV110 13", "GOV113 14",
        "GOV114 18", "GOV110 19", "GOV110 23", "GOV110 24", "GOV110 27",
    ]  # fmt: skip


def test_the_header_is_demanded_and_its_version_known() -> None:
    assert errors("rule r deny") == ["GOV111 1"]
    assert errors("rule r dney") == ["GOV111 1", "GOV110 1"]
    assert errors('policy p version "1"\nrule r deny') == ["GOV111 1"]
    assert errors('language 2\npolicy p version "1"') == ["GOV112 1"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "GOV102"),
        (" \n\t", "GOV102"),
        ("// only a comment\n", "GOV102"),
        ("a\0b", "GOV105"),
        ("// \u202e reversed", "GOV105"),
        ("\ud800", "GOV105"),
        ("x" * (4 * 1024 * 1024 + 1), "GOV103"),
        ("é" * (2 * 1024 * 1024 + 1), "GOV103"),
        (HEADER + "let a = " + "(" * 1000 + "1" + ")" * 1000, "GOV104"),
        (HEADER + "let a = " + "not " * 1000 + "b", "GOV104"),
        (HEADER + "let a = " + "-" * 1000 + "b", "GOV104"),
        (HEADER + "let a = " + "1 + " * 1000 + "b", "GOV104"),
        (HEADER + "let a = " + "b implies " * 1000 + "b", "GOV104"),
        (HEADER + "let a = " + "if b then c else " * 1000 + "b", "GOV104"),
    ],
)
def test_limits_are_tested_before_anything_recurses(text: str, code: str) -> None:
    with pytest.raises(GovError) as caught:
        parse(source(text))
    assert caught.value.diagnostics[0].code == code


def test_long_flat_lists_are_no_nesting() -> None:
    terms = " or ".join(f"a{i}" for i in range(5000))
    rules = "\n".join(f"rule r{i} deny" for i in range(3000))
    policy = parse(source(f"{HEADER}let a = {terms}\n{rules}"))
    assert len(policy.declarations) == 3001


def test_errors_are_capped() -> None:
    assert len(errors(HEADER + "rule r dney\n" * 500)) == 100


def test_reading_is_linear_in_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    reduce = Reader._reduce

    def counted(self: Reader, rule: Reduction, number: int) -> None:
        steps.append(number)
        reduce(self, rule, number)

    monkeypatch.setattr(Reader, "_reduce", counted)

    def count(rules: int) -> int:
        steps.clear()
        parse(source(HEADER + "".join(f"rule r{i} when a > {i} deny\n" for i in range(rules))))
        return len(steps)

    assert count(2000) - count(1000) == count(1000) - count(0)


SIZE = 200_000


@pytest.mark.parametrize(
    "text",
    [
        "@" * SIZE,
        "“" * SIZE,
        "'" * SIZE,
        '"' * SIZE,
        '"\n' * SIZE,
        "a " * SIZE,
        "a" * SIZE,
        "1" * SIZE,
        "1 " * SIZE,
        "|\n" * SIZE,
        "rule\n" * (SIZE // 4),
        "let a = " + "(" * 199 + "\n|" * SIZE,
        "let a = " + "(" * 199 + "x\n{" * SIZE,
        f'rule "{"x" * SIZE}" dney',
        f'rule a because "{"x" * SIZE}" dney',
        "let a = not " + "x " * SIZE + "for 5 min",
        "let a = b " + "kg" * SIZE,
    ],
    ids=range(17),
)
def test_hostile_sources_are_refused_in_linear_time_and_shortly(text: str) -> None:
    with pytest.raises(GovError) as caught:
        parse(source(HEADER + text))
    assert 1 <= len(caught.value.diagnostics) <= 100
    assert len(render_all(caught.value.diagnostics)) < 50_000
