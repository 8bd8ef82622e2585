"""What is guessed of two operators of which one remembers more: that it remembers all that the other does."""

from __future__ import annotations

from itertools import combinations, combinations_with_replacement

import pytest

from govlang.compiler import ir
from govlang.verifier.time.interleaved import FACTS_MAX, interleaved

TOP = 3


def ages(name: str, count: int) -> list[ir.Cell]:
    fields = (ir.cell_field(f"{name}.age.{i}", 0, TOP) for i in range(1, count + 1))
    return [ir.Cell(field, "agent", TOP, TOP) for field in fields]


@pytest.mark.parametrize(("few", "many"), [(1, 2), (2, 3), (3, 4), (1, 3), (2, 4), (3, 5), (1, 4)])
def test_the_facts_hold_exactly_where_one_is_the_other_with_some_left_out(
    few: int, many: int
) -> None:
    cells = ages("old a", many), ages("a", few)
    facts = list(interleaved(*cells))
    assert {one.scope for one in facts} == {"agent"}
    for longer in combinations_with_replacement(range(TOP + 1), many):
        among = set(combinations(longer, few))
        for shorter in combinations_with_replacement(range(TOP + 1), few):
            numbers = {
                cell.name: value
                for own, values in zip(cells, (longer, shorter), strict=True)
                for cell, value in zip(own, values, strict=True)
            }
            assert all(one.holds(numbers) for one in facts) == (shorter in among)


def test_it_makes_no_difference_which_version_remembers_more() -> None:
    cells = ages("old a", 4), ages("a", 2)
    texts = [{one.text for one in interleaved(*both)} for both in (cells, cells[::-1])]
    assert texts[0] == texts[1] != set()


@pytest.mark.parametrize(("first", "second"), [(3, 3), (20, 40)])
def test_of_as_many_times_and_of_too_many_nothing_is_guessed(first: int, second: int) -> None:
    assert list(interleaved(ages("old a", first), ages("a", second))) == []


def test_as_many_facts_as_are_allowed_for_are_made() -> None:
    counts = [len(list(interleaved(ages("old a", 10), ages("a", n)))) for n in range(11, 25)]
    assert 0 < max(counts) <= FACTS_MAX
    assert counts[-1] == 0
