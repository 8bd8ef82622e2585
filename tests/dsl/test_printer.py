from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syntax_strategies import expressions, policies

from govlang.dsl import ast
from govlang.dsl.expression_text import expression as expression_text
from govlang.dsl.parser import parse, parse_fragment
from govlang.dsl.printer import print_policy
from govlang.dsl.source import Source

HEADER = 'language 1\npolicy p version "1"\n'


def reprinted(text: str) -> str:
    return print_policy(parse_fragment(Source("t.gov", text)))


@settings(max_examples=400)
@given(policies)
def test_parsing_what_is_printed_gives_the_same_tree(policy: ast.Policy) -> None:
    assert parse(Source("t.gov", print_policy(policy))) == policy


@settings(max_examples=400)
@given(expressions)
def test_parsing_a_printed_expression_gives_the_same_tree(expression: ast.Expr) -> None:
    policy = parse_fragment(Source("t.gov", f"let x = {expression_text(expression)}"))
    assert policy.declarations == (ast.LetDecl(ast.Name("x"), expression),)


@settings(max_examples=200)
@given(policies)
def test_printing_twice_gives_the_same_text(policy: ast.Policy) -> None:
    once = print_policy(policy)
    assert reprinted(once) == once


@settings(max_examples=300)
@given(policies, st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(["\n", " ", "\n\n"]))))
def test_comments_survive_anywhere_between_tokens(
    policy: ast.Policy, places: list[tuple[int, str]]
) -> None:
    text = with_comments(print_policy(policy), places)
    parsed = parse(Source("t.gov", text))
    once = print_policy(parsed)
    again = parse(Source("t.gov", once))
    assert again == parsed == policy
    assert sorted(c.text for c in again.comments) == sorted(c.text for c in parsed.comments)
    assert print_policy(again) == once


def with_comments(text: str, places: list[tuple[int, str]]) -> str:
    """The text with numbered comments where a line may end."""
    lines = text.split("\n")
    for number, (place, before) in enumerate(places):
        i = place % len(lines)
        lines[i] += f"{before}// c{number}"
    return "\n".join(lines)


CASES = {
    "a label before a brace is kept from being a quantifier": (
        "tier t when (labels contains all) { rule r deny }",
        "tier t when (labels contains all) {\n  rule r deny\n}\n",
    ),
    "short rules stand on one line": (
        "rule a\n when x>3\n deny",
        "rule a when x > 3 deny\n",
    ),
    "a reason brings the long form": (
        'rule a when x deny because "no"',
        'rule a\n  when x\n  deny\n  because "no"\n',
    ),
    "clauses come in one order": (
        'rule a overrides b remedy "r" because "no" deny when x',
        'rule a\n  when x\n  deny\n  because "no"\n  remedy "r"\n  overrides b\n',
    ),
    "needless parentheses go, needed ones stay": (
        "let a = ((x + 1)) * 2 - (3 - (y))\nlet b = not (p and q) or (r)",
        "let a = (x + 1) * 2 - (3 - y)\nlet b = not (p and q) or r\n",
    ),
    "the author's single blank lines stay": (
        "let a = 1\n\n\n\nlet b = 2\nlet c = 3",
        "let a = 1\n\nlet b = 2\nlet c = 3\n",
    ),
    "fields are aligned": (
        "input{a:bool\nlonger:key private\n\n\nb:text}",
        "input {\n  a      : bool\n  longer : key private\n\n  b      : text\n}\n",
    ),
    "cells are aligned": (
        "table t(a,b)->limit s{\n|a|b|s|\n|x|_|1..5 kg|\n|{x,y}|>=3|7 kg|\n}",
        (
            "table t(a, b) -> limit s {\n"
            "  | a      | b    | s       |\n"
            "  | x      | _    | 1..5 kg |\n"
            "  | {x, y} | >= 3 | 7 kg    |\n"
            "}\n"
        ),
    ),
    "comments keep their lines": (
        "// first\n\n// above\nlet a = 1 // beside\ninput { // open\n  // inside\n a : bool\n // last\n}\n// end",
        (
            "// first\n\n// above\nlet a = 1  // beside\n\ninput {  // open\n  // inside\n"
            "  a : bool\n  // last\n}\n// end\n"
        ),
    ),
    "what is said above a declaration stays with it": (
        (
            'let a = 1\n// of r\nrule r when a_condition deny because "x"\n'
            '// of s\n\nrule s when a_condition deny because "x"'
        ),
        (
            'let a = 1\n\n// of r\nrule r\n  when a_condition\n  deny\n  because "x"\n// of s\n\n'
            'rule s\n  when a_condition\n  deny\n  because "x"\n'
        ),
    ),
    "the unit of a range is written once": (
        "rule a limit x to 0 kg..5 kg",
        "rule a limit x to 0..5 kg\n",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_layout_is_one(case: str) -> None:
    source, wanted = CASES[case]
    assert reprinted(source) == wanted


def test_long_conditions_break_before_their_operators() -> None:
    names = [f"a_rather_long_condition_{i}" for i in range(5)]
    text = reprinted(f"rule r when {' and '.join(names)} deny")
    rest = "".join(f"    and {n}\n" for n in names[1:])
    assert text == f"rule r\n  when {names[0]}\n{rest}  deny\n"
    claim = " or ".join(names)
    broken = "".join(f"    or {n}\n" for n in names[1:])
    assert reprinted(f"prove p: {claim}") == f"prove p:\n  {names[0]}\n{broken}"


def test_no_line_of_fields_passes_the_width() -> None:
    members = ", ".join(f"member_{i}" for i in range(40))
    text = reprinted(f"input {{ a : one of {members} }}")
    assert max(map(len, text.splitlines())) <= 100
    assert re.sub(r"\s+", " ", text) == f"input {{ a : one of {members} }} "


def test_a_policy_that_a_program_built_is_laid_out() -> None:
    built = ast.Policy(
        ast.Header(1, ast.Name("p"), ast.String("1")),
        (
            ast.DefaultDecl(ast.Effect.DENY),
            ast.ActionDecl(ast.Name("a")),
            ast.ActionDecl(ast.Name("b")),
            ast.Rule(ast.Name("r-1"), None, ast.Decision(ast.Effect.ALLOW)),
        ),
    )
    assert print_policy(built) == (
        f'{HEADER}\ndefault deny\n\naction a\naction b\n\nrule "r-1" allow\n'
    )


def test_long_requests_break_after_commas() -> None:
    values = ", ".join(f"a_field_with_a_long_name_{i} {i}" for i in range(8))
    text = reprinted(f'test "t" {{ request {{ {values} }} expect deny }}')
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert [line.startswith(" " * 12 + "a_field") for line in lines].count(True) == 3
    assert lines[4].endswith(" 7 }")
    assert lines[5] == "    expect deny"
