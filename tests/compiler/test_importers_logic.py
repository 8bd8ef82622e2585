from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from govlang.compiler.importers.logic import import_jsonlogic
from govlang.dsl import ast
from govlang.dsl.diagnostics import GovError
from govlang.dsl.parser import parse, parse_fields
from govlang.dsl.printer import print_policy
from govlang.dsl.source import Source

SCHEMA = Source(
    "fields.gov",
    """input {
  amount  : number in 0..1000 EUR step 0.01
  limit   : number in 0..1000 EUR step 0.01 optional
  country : text optional
  name    : text
  vip     : bool
  tags    : set of a, b
  kind    : one of x, y
}""",
)
FIELDS = parse_fields(SCHEMA)


def var(name: str) -> dict[str, Any]:
    return {"var": name}


def imported(logic: Any, when_true: ast.Effect = ast.Effect.ALLOW) -> str:
    policy = import_jsonlogic(logic, FIELDS, "logic", when_true)
    text = print_policy(policy)
    assert parse(Source("out.gov", text)) == policy
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("logic", "condition"),
    [
        ({"<": [var("amount"), 100]}, "amount < 100 EUR"),
        ({"<=": [0, var("amount"), Decimal("100.50")]}, "0 EUR <= amount and amount <= 100.50 EUR"),
        ({">": [var("amount"), -1]}, "amount > -1 EUR"),
        ({"==": [var("name"), "x"]}, 'name == "x"'),
        ({"==": [var("country"), "DE"]}, 'has country and country == "DE"'),
        ({"!=": [var("country"), "DE"]}, 'not has country or country != "DE"'),
        ({"==": [var("country"), None]}, "not has country"),
        ({"!==": [None, var("country")]}, "has country"),
        ({"==": [var("kind"), "x"]}, "kind is x"),
        ({"!==": [var("kind"), "x"]}, "kind is not x"),
        (var("vip"), "vip"),
        ({"==": [var("vip"), False]}, "not vip"),
        ({"!": [var("vip")]}, "not vip"),
        ({"!!": [var("vip")]}, "vip"),
        ({"in": ["a", var("tags")]}, "tags contains a"),
        ({"in": [var("kind"), ["x", "y"]]}, "kind in {x, y}"),
        ({"in": [var("name"), ["p", "q"]]}, 'name in {"p", "q"}'),
        ({"in": [var("amount"), [1, 2]]}, "amount in {1 EUR, 2 EUR}"),
        ({"in": ["mid", var("name")]}, 'name like "**mid**"'),
        ({"!": {"missing": ["country", "limit"]}}, "not (not has country or not has limit)"),
        ({"!": {"missing": "country"}}, "has country"),
        (
            {"and": [{"!": {"missing": ["limit"]}}, {"<": [var("amount"), var("limit")]}]},
            "has limit and amount < limit",
        ),
        (
            {"<": [var("amount"), {"var": ["limit", 5]}]},
            "amount < (if has limit then limit else 5 EUR)",
        ),
        ({"<": [{"+": [var("amount"), 5]}, 10]}, "amount + 5 EUR < 10 EUR"),
        ({"<": [{"*": [2, var("amount")]}, 10]}, "2 * amount < 10 EUR"),
        ({"<": [{"min": [var("amount"), 5]}, 3]}, "least(amount, 5 EUR) < 3 EUR"),
        ({"<": [{"-": [var("amount")]}, 3]}, "-amount < 3 EUR"),
        (
            {"if": [var("vip"), {"<": [var("amount"), 9]}, False]},
            "if vip then amount < 9 EUR else false",
        ),
        (True, "true"),
    ],
)
def test_an_expression_means_the_same_in_the_language(logic: Any, condition: str) -> None:
    text = imported(logic)
    squeezed = text.replace("( ", "(").replace(" )", ")")
    assert condition in squeezed, squeezed


def test_true_may_deny() -> None:
    text = imported(var("vip"), ast.Effect.DENY)
    assert "default allow" in text
    assert text.endswith("when vip deny")


@pytest.mark.parametrize(
    ("logic", "code", "path"),
    [
        ({"==": [var("name"), 1]}, "GOV601", "$.=="),
        ({"==": [var("amount"), "1"]}, "GOV601", "$.=="),
        ({"<": [var("limit"), 1]}, "GOV601", "$.<"),
        ({"<": [{"+": ["1", var("amount")]}, 2]}, "GOV601", "$.<.+"),
        ({"/": [var("amount"), 2]}, "GOV601", "$"),
        ({"and": [var("amount"), var("vip")]}, "GOV601", "$.and[0]"),
        ({"or": [var("name")]}, "GOV601", "$.or[0]"),
        ({"missing": ["country"]}, "GOV601", "$"),
        ({"!": {"missing": ["name"]}}, "GOV601", "$.!"),
        ({"within": [0, 1, 5]}, "GOV601", "$"),
        ({"map": [[1], 2]}, "GOV601", "$"),
        ({"%": [1, 2]}, "GOV601", "$"),
        ({"if": [var("vip"), True]}, "GOV605", "$.if"),
        ({"<": [1]}, "GOV605", "$.<"),
        ({"==": [var("country.code"), "x"]}, "GOV602", "$.=="),
        ({"==": [var("kind"), "z"]}, "GOV601", "$.=="),
        ({"in": ["zz*", var("name")]}, "GOV601", "$.in"),
        ({"==": [1, 1]}, "GOV601", "$.=="),
        ("text", "GOV601", "$"),
        (None, "GOV601", "$"),
        ([], "GOV601", "$"),
        ({}, "GOV601", "$"),
        ({"and": []}, "GOV605", "$.and"),
    ],
)
def test_what_leans_on_conversions_or_has_no_counterpart_is_refused_by_path(
    logic: Any, code: str, path: str
) -> None:
    with pytest.raises(GovError) as caught:
        imported(logic)
    (found,) = caught.value.diagnostics
    assert found.code == code, found.message
    assert found.message.startswith(f"at `{path}"), found.message
