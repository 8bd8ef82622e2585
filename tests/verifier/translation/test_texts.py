"""Cells of class columns: the walk of the proof against real texts and the plain matcher."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_requests import is_valid_text

from govlang.compiler import ir
from govlang.compiler.text_match import matches
from govlang.verifier.translation.decode import Automaton
from govlang.verifier.translation.source import ClassColumn
from govlang.verifier.translation.texts import Samples, _cells, find_cells

PATTERNS = st.lists(
    st.builds(ir.Pattern, st.sampled_from(list(ir.PatternKind)), st.text("ab./é*", max_size=5)),
    max_size=5,
    unique=True,
)
KINDS = st.sampled_from([ir.Kind.TEXT, ir.Kind.PATH, ir.Kind.KEY])


def one_field(kind: ir.Kind, max_bytes: int) -> ir.Field:
    return ir.Field("t", kind, max_bytes=max_bytes)


def short_texts(size: int) -> list[str]:
    letters = "abx./é\\"
    return ["".join(t) for n in range(size + 1) for t in itertools.product(letters, repeat=n)]


@given(PATTERNS, KINDS, st.integers(0, 4))
@settings(deadline=None, max_examples=80)
def test_cells_without_an_automaton_are_the_sets_of_patterns_that_texts_match(
    patterns: list[ir.Pattern], kind: ir.Kind, max_bytes: int
) -> None:
    field = one_field(kind, max_bytes)
    cells = {cell.matched: cell for cell in find_cells(field, None, patterns)}
    for cell in cells.values():
        for text in cell.examples:
            assert is_valid_text(field, text)
            assert {
                i for i, p in enumerate(patterns) if matches(p, text, field.separator)
            } == cell.matched
    for text in short_texts(3):
        if is_valid_text(field, text):
            key = frozenset(i for i, p in enumerate(patterns) if matches(p, text, field.separator))
            assert cells[key].examples
            assert len(cells[key].examples[0].encode()) <= len(text.encode())


def by_length(classes: tuple[int, ...]) -> Automaton:
    """An automaton whose state is the number of bytes, as far as there are classes."""
    states = len(classes)
    symbol = (0,) * 256
    return Automaton(0, 0, symbol, tuple(min(s + 1, states - 1) for s in range(states)), 0, classes)


def test_a_pattern_is_decided_only_by_classes_that_tell_its_texts_from_others() -> None:
    literal = ir.Pattern(ir.PatternKind.LITERAL, "aa")
    any_text = ir.Pattern(ir.PatternKind.GLOB, "**")
    field = one_field(ir.Kind.TEXT, 4)
    cells = find_cells(field, by_length((0, 1, 2, 3)), [literal, any_text])
    decided = ClassColumn(0, (literal, any_text), tuple(cells)).decided()
    assert decided == {any_text: ((0, 3),)}, "`aa` shares its class with `ab`"


@pytest.mark.parametrize("max_bytes", [0, 1, 2, 3])
def test_no_cell_needs_a_text_longer_than_the_field(max_bytes: int) -> None:
    cells = find_cells(one_field(ir.Kind.TEXT, max_bytes), by_length((0, 1, 2, 3)), [])
    assert [cell.number for cell in cells if cell.examples] == list(range(max_bytes + 1))


def test_the_first_cell_is_that_of_the_empty_text_even_where_it_is_not_valid() -> None:
    cells = find_cells(one_field(ir.Kind.PATH, 9), by_length((5, 6)), [])
    assert [(cell.number, bool(cell.examples)) for cell in cells] == [(5, False), (6, True)]


def test_samples_never_rule_out_a_pattern_that_a_column_decides() -> None:
    patterns = [ir.Pattern(ir.PatternKind.LITERAL, "a" * n) for n in range(3)]
    patterns.append(ir.Pattern(ir.PatternKind.GLOB, "**"))
    column = by_length((0, 1, 2, 3))
    field = one_field(ir.Kind.TEXT, 8)
    may = Samples(patterns, ".").may_decide(column)
    cells = find_cells(field, column, patterns)
    decided = ClassColumn(0, tuple(patterns), tuple(cells)).decided()
    assert set(decided) <= set(may)


def test_one_automaton_is_walked_once_whatever_column_it_feeds() -> None:
    _cells.cache_clear()
    field, column = one_field(ir.Kind.TEXT, 3), by_length((0, 1, 2))
    first = find_cells(field, column, [])
    assert find_cells(field, replace(column, field=7, column=9), []) == first
    assert _cells.cache_info().misses == 1
    assert find_cells(one_field(ir.Kind.TEXT, 1), column, []) != first
    assert find_cells(field, by_length((0, 1, 1)), []) != first
