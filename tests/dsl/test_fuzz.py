"""Whatever the text: a tree or a GovError, nothing else."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syntax_strategies import policies

from govlang.dsl import ast
from govlang.dsl.diagnostics import GovError, render_all
from govlang.dsl.keywords import KEYWORDS
from govlang.dsl.limits import decode
from govlang.dsl.parser import parse, parse_fields, parse_fragment
from govlang.dsl.printer import print_policy
from govlang.dsl.source import Source

SIGNS = ["->", "..", "==", "<=", *"-+*/<>=(){},:|.!&#'\"\\", "\n", "\n  ", "//", "1", "5 kg", '"x"']
WORDS = sorted(KEYWORDS | {"a", "b", "m.s", "e.x"})


def read(text: str) -> None:
    """Parse by every entry; errors must be rendered, trees printed."""
    for entry in (parse, parse_fragment, parse_fields):
        try:
            tree = entry(Source("f.gov", text))
        except GovError as error:
            check(error)
            continue
        if isinstance(tree, ast.Policy):
            assert parse_fragment(Source("g.gov", print_policy(tree) or "// ")) == tree


def check(error: GovError) -> None:
    assert all(d.code.startswith("GOV1") for d in error.diagnostics)
    assert render_all(error.diagnostics)


@settings(max_examples=300)
@given(st.text())
def test_any_text_is_refused_or_read(text: str) -> None:
    read(text)


@settings(max_examples=300)
@given(st.binary())
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    try:
        source = decode("f.gov", data)
    except GovError as error:
        check(error)
        return
    read(source.text)


@settings(max_examples=600)
@given(st.lists(st.sampled_from(WORDS + SIGNS), max_size=40), st.booleans())
def test_any_tokens_are_refused_or_read(tokens: list[str], header: bool) -> None:
    read(('language 1\npolicy p version "1"\n' if header else "") + " ".join(tokens))


@settings(max_examples=300)
@given(policies, st.integers(0, 2**32), st.integers(1, 4))
def test_mutated_policies_are_refused_or_read(policy: ast.Policy, seed: int, times: int) -> None:
    read(mutated(print_policy(policy), random.Random(seed), times))


@pytest.mark.long
@settings(max_examples=8_000)
@given(policies, st.integers(0, 2**32), st.integers(1, 6))
def test_many_mutated_policies_are_refused_or_read(
    policy: ast.Policy, seed: int, times: int
) -> None:
    read(mutated(print_policy(policy), random.Random(seed), times))


def mutated(text: str, rng: random.Random, times: int) -> str:
    """The text with characters or words dropped, doubled, swapped or put in."""
    for _ in range(times):
        at = rng.randrange(len(text) + 1)
        end = min(len(text), at + rng.randrange(12))
        part = rng.choice(
            ["", text[at:end] * 2, rng.choice(WORDS + SIGNS), chr(rng.randrange(1, 300))]
        )
        text = text[:at] + part + text[end:]
    return text
