from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from json_logic import evaluate
from odd_trees import exchanged

from govlang.compiler.frontend import compile_source
from govlang.compiler.importers.logic import import_jsonlogic
from govlang.compiler.interpret import decide
from govlang.compiler.requests import read_sample
from govlang.compiler.step import Request
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


class Expressions:
    """Random expressions over the schema, most of them well typed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def condition(self, depth: int) -> Any:
        pick = self.rng.random
        if depth == 0 or pick() < 0.3:
            return self.rng.choice((self.comparison, self.membership, self.flag, self.null_test))(
                depth
            )
        match self.rng.randrange(5):
            case 0 | 1:
                word = self.rng.choice(("and", "or"))
                return {word: [self.condition(depth - 1) for _ in range(self.rng.randint(1, 3))]}
            case 2:
                return {"!": [self.condition(depth - 1)]}
            case 3:
                return {"if": [self.condition(depth - 1) for _ in range(3)]}
            case _:
                return {
                    "and": [{"!": {"missing": ["limit", "country"]}}, self.condition(depth - 1)]
                }

    def flag(self, depth: int) -> Any:
        return var("vip") if depth % 2 else {"==": [var("vip"), self.rng.random() < 0.5]}

    def null_test(self, depth: int) -> Any:
        op = ("==", "!=", "===")[depth % 3]
        return {op: [var(self.rng.choice(("country", "limit"))), None]}

    def comparison(self, depth: int) -> Any:
        op = self.rng.choice(("<", "<=", ">", ">=", "==", "!="))
        match self.rng.randrange(4):
            case 0:
                field, words = self.rng.choice(
                    (("name", "xyz"), ("country", "xyz"), ("kind", "xy"))
                )
                return {self.rng.choice(("==", "!==")): [var(field), self.rng.choice(words)]}
            case 1:
                return {"<=": [self.number(0), self.number(depth), self.number(0)]}
            case _:
                return {op: [self.number(depth), self.number(depth)]}

    def membership(self, depth: int) -> Any:
        return self.rng.choice((
            {"in": [var("kind"), ["x"]]},
            {"in": ["a", var("tags")]},
            {"in": [var("name"), ["x", "y"]]},
            {"in": [var("country"), ["x"]]},
            {"in": ["x", var("name")]},
            {"in": [var("amount"), [depth, 3]]},
        ))  # fmt: skip

    def number(self, depth: int) -> Any:
        match self.rng.randrange(6):
            case 0:
                return self.rng.choice((0, 1, 5, -3, Decimal("2.50"), 1000))
            case 1 | 2:
                return var("amount")
            case 3:
                return {"var": ["limit", self.rng.choice((0, 7))]}
            case _ if depth == 0:
                return var("amount")
            case _:
                op = self.rng.choice(("+", "-", "min", "max"))
                return {op: [self.number(depth - 1), self.number(depth - 1)]}


def random_data(rng: random.Random) -> dict[str, Any]:
    data: dict[str, Any] = {
        "amount": Decimal(rng.choice((0, 1, 250, 300, 500, 700, 99_999, 100_000))) / 100,
        "name": rng.choice(("x", "y", "axb", "")),
        "vip": rng.random() < 0.5,
        "tags": rng.choice(([], ["a"], ["b"], ["a", "b"])),
        "kind": rng.choice("xy"),
    }
    if rng.random() < 0.6:
        data["limit"] = rng.choice((0, 1, 3, 7, 1000))
    if rng.random() < 0.6:
        data["country"] = rng.choice("xyz")
    return data


def test_random_expressions_mean_the_same_or_are_refused() -> None:
    """Sums of cents are exact here, so the expression is computed exactly, too."""
    carried = 0
    for seed in range(300):
        logic = Expressions(seed).condition(3)
        try:
            tree = import_jsonlogic(logic, FIELDS, "logic")
        except GovError:
            continue
        policy = compile_source(Source("out.gov", print_policy(tree))).policy
        carried += 1
        rng = random.Random(seed)
        for _ in range(20):
            data = random_data(rng)
            sample = read_sample(policy, data)
            assert isinstance(sample, Request), sample
            expected = "allow" if evaluate(logic, data) else "deny"
            assert decide(policy, {}, sample.values).decision.word == expected, (logic, data)
    assert carried >= 150, carried


def test_an_expression_with_any_node_exchanged_is_refused_or_checks() -> None:
    for seed in range(12):
        for logic in exchanged(Expressions(seed).condition(2)):
            try:
                tree = import_jsonlogic(logic, FIELDS, "logic")
            except GovError:
                continue
            assert faults_of(print_policy(tree)) <= {"GOV210"}, logic


def faults_of(text: str) -> set[str]:
    """The codes of a policy's faults; GOV210: numbers too large to compute with."""
    try:
        compile_source(Source("out.gov", text))
    except GovError as error:
        return {d.code for d in error.diagnostics}
    return set()


X = parse_fields(Source("x.gov", "input { x : number in -10..10 }"))


def test_a_number_is_carried_over_to_its_last_digit_or_refused() -> None:
    digits = "0." + "3" * 40
    for sign in ("", "-"):
        text = print_policy(import_jsonlogic({">": [{"var": "x"}, Decimal(sign + digits)]}, X, "n"))
        assert f"x > {sign}{digits}" in text
    for endless in (Decimal("1e999999999"), Decimal("1e-999999999"), 10**400, Decimal("1e65")):
        for logic in ({">": [{"var": "x"}, endless]}, {"in": [{"var": "x"}, [endless]]}):
            with pytest.raises(GovError, match="more than 64 digits"):
                import_jsonlogic(logic, X, "n")
