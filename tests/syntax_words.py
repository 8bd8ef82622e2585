"""Words, numbers and texts at random, for syntax trees."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import strategies as st

from govlang.dsl import ast
from govlang.dsl.keywords import KEYWORDS

T = TypeVar("T")

# Names that the grammar reads in another way in an expression.
RESERVED = {"not", "true", "false", "if", "has", "decision", "empty", "_"}
OTHERS = ["a", "b", "zone", "x_1", "Deny", "NAME", "STRING", "since_", "gap"]
WORDS = [*sorted(KEYWORDS - RESERVED), *OTHERS]

names = st.sampled_from(WORDS).map(ast.Name)
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
strings = st.text(characters, max_size=6).map(ast.String)
labels = st.one_of(names, st.sampled_from(["a-b", "", "1x", 'q"\\\n', "ü", "t#2"]).map(ast.Name))
digits = st.sampled_from(["0", "1", "25", "1_000", "0.5", "3.1400", "9007199254740993"])
units = st.sampled_from([None, None, "kg", "%", "min", "m/s", "tokens", "°C"])
unsigned = st.builds(ast.Number, digits, units)
signed = st.builds(ast.Number, st.one_of(digits, digits.map("-".__add__)), units)


def several(
    of: st.SearchStrategy[T], low: int = 0, high: int = 3
) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(of, min_size=low, max_size=high).map(tuple)
