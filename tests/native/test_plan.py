"""The plan that loading derives says what the nodes say, at every edge of what a narrow step can hold."""

from __future__ import annotations

import random

import pytest
import tables

from govlang.compiler import ir
from govlang.native.table import Table

WIDE = 1 << 31


def table_of(lo: int, hi: int, rules: int, rng: random.Random) -> tuple[Table, list[int]]:
    """Disjoint ranges over the whole of a field, and the words around their ends."""
    ends = sorted(rng.sample(range(lo, hi + 2), 2 * rules))
    ends[0], ends[-1] = lo, hi + 1
    spans = list(zip(ends[::2], ends[1::2], strict=True))
    found = tuple(
        ir.Rule(f"r{i}", ir.InRanges("x", ((first, end - 1),)), ir.Effect.DENY)
        for i, (first, end) in enumerate(spans)
    )
    policy = tables.policy_of(ir.Field("x", ir.Kind.NUMBER, lo, hi), rules=found)
    words = {word for end in ends for word in (end - 1, end, end + 1) if lo <= word <= hi}
    return Table(tables.table_bytes(policy)), sorted(words)


@pytest.mark.parametrize("rules", [1, 2, 4, 5, 8, 9, 15, 16, 17, 40, 64])
@pytest.mark.parametrize(
    ("lo", "hi"),
    [
        (0, 9_999),
        (-WIDE, WIDE - 2),
        (-WIDE, WIDE - 1),
        (-WIDE - 1, 0),
        (WIDE - 10_000, WIDE + 10_000),
        (-(1 << 61), 1 << 61),
    ],
)
def test_short_and_long_road_agree_around_every_key(lo: int, hi: int, rules: int) -> None:
    table, words = table_of(lo, hi, rules, random.Random(f"{lo} {hi} {rules}"))
    fired = set()
    for word in words:
        short, long = table.decide([word]), table.collect([word])
        assert short == long.decision, word
        fired.update(long.fired)
    assert len(fired) == rules


def test_the_word_of_a_parameter_may_be_any() -> None:
    """Nobody checks a parameter in the words of a request: a step on it must not rely on its range."""
    cap = ir.Param(ir.Field("cap", ir.Kind.NUMBER, 0, 100_000), 5)
    below = ir.Compare(ir.CompareOp.LE, ir.FieldValue("x"), ir.ParamValue("cap"))
    rule = ir.Rule("r", below, ir.Effect.DENY)
    field = ir.Field("x", ir.Kind.NUMBER, 0, 9_999)
    table = Table(tables.table_bytes(tables.policy_of(field, rules=(rule,), params=(cap,))))
    for word in (-(1 << 63), -1, 0, 5, 1 << 31, (1 << 63) - 1):
        assert table.decide([7, word]) == table.collect([7, word]).decision
