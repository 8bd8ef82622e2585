"""One part for each operator of the author, and the same meaning."""

from __future__ import annotations

import pytest

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.operators import grouped, is_operator
from govlang.dsl.source import Source

HEADER = """language 1
policy p version "1.0.0"
default allow
input {
  agent : key
  x     : number in 0..9
}
param most : number in 1..3 = 2
event e
event b { n : number in 0..9 }
signal v : number in 0..9
"""


def parts(condition: str) -> list[str]:
    """The texts of the operands of a rule's condition."""
    source = Source("p.gov", f"{HEADER}rule r when {condition} deny\n")
    policy = compile_source(source).policy
    asked = {field.name for field in policy.fields}
    whole = grouped(policy.rules[0].condition, asked)
    several = isinstance(whole, ir.And | ir.Or) and not is_operator(whole, asked)
    return [
        part.span.text if part.span else "" for part in (whole.operands if several else (whole,))
    ]


@pytest.mark.parametrize(
    "condition",
    [
        "e between 1 and 5 min ago",
        "count(e) in 1 min == 2",
        "count(e) in 1 min != 2",
        "count(e) in 1 min >= most",
        "average(b.n) in 1 min by 5 s > 3",
        "elapsed(e) > 3 s",
        "(has v and v < 3) within 2 s",
        "stale(v, 5 s)",
    ],
)
def test_what_an_operator_became_is_one_part_beside_others(condition: str) -> None:
    assert parts(condition) == [condition]
    assert parts(f"{condition} and x > 3") == [condition, "x > 3"]
    assert parts(f"x > 3 or {condition} or x < 2") == ["x > 3", condition, "x < 2"]


def test_what_the_author_joined_stays_apart() -> None:
    assert parts("has v and v < 3 and x > 3") == ["has v", "v < 3", "x > 3"]
    assert parts("x > 3 and x < 7") == ["x > 3", "x < 7"]
