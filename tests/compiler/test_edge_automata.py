"""Automata at the edge: the arrays classify as the patterns do, and validity is that of requests."""

from __future__ import annotations

import random
import struct

import pytest
from ir_requests import Requests
from ir_strategies import random_policy

from govlang.compiler import ir
from govlang.compiler.edge_automata import (
    PADDING,
    Automaton,
    automaton_bytes,
    pattern_automaton,
    text_scans,
    validity_automaton,
)
from govlang.compiler.text_classes import classify_fields
from govlang.native.request import InvalidFieldError, read_request

TEXTS = (ir.Kind.TEXT, ir.Kind.KEY, ir.Kind.PATH)

ODD_TEXTS = (
    b"",
    b"\x00",
    b"\x7f",
    b"\x80",
    b"\xbf",
    b"\xc0\x80",
    b"\xc1\xbf",
    b"\xc2\x80",
    b"\xc2",
    b"\xdf\xbf",
    b"\xe0\x9f\xbf",
    b"\xe0\xa0\x80",
    b"\xed\x9f\xbf",
    b"\xed\xa0\x80",
    b"\xee\x80\x80",
    b"\xf0\x8f\xbf\xbf",
    b"\xf0\x90\x80\x80",
    b"\xf3\xbf\xbf\xbf",
    b"\xf4\x8f\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xff",
    b"\xe2\x82",
    b"a\xe2\x82\xac",
    b"/",
    b"/a",
    b"a/",
    b"a//b",
    b".",
    b"..",
    b"...",
    b"./a",
    b"a/.",
    b"a/..",
    b"a/../b",
    b"a/..b",
    b"a/...",
    b"a/.b",
    b"a\\b",
    b"a/b.c/d",
    "é/日本".encode(),
    "../é".encode(),
)


def allowed(kind: ir.Kind, text: bytes) -> bool:
    """Whether a request may hold the text, by the one rule that reads requests."""
    try:
        decoded = text.decode()
        read_request((ir.Field("f", kind, max_bytes=64),), {"f": decoded}, None)
    except (UnicodeDecodeError, InvalidFieldError):
        return False
    return True


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("text", ODD_TEXTS)
def test_validity_is_what_a_request_may_hold(kind, text) -> None:
    assert validity_automaton(kind).class_of(text) == allowed(kind, text)


@pytest.mark.parametrize("kind", TEXTS)
def test_validity_holds_on_random_bytes(kind) -> None:
    rng = random.Random(7)
    valid = 0
    for _ in range(4000):
        pieces = rng.choices((*ODD_TEXTS, b"a", b"/", b".", "é".encode()), k=rng.randint(1, 4))
        text = b"".join(pieces)
        if rng.random() < 0.3:
            text = bytes(b ^ (rng.random() < 0.1) * rng.randrange(256) for b in text)
        assert validity_automaton(kind).class_of(text) == allowed(kind, text), text
        valid += allowed(kind, text)
    assert valid > 300


def test_classes_are_those_of_the_text_columns() -> None:
    rng = random.Random(3)
    seen = set()
    for seed in range(60):
        policy = random_policy(random.Random(seed))
        classes = classify_fields(policy)
        requests = Requests(policy)
        for _ in range(10):
            values = requests.request(rng)
            for scan in text_scans(policy, classes):
                if scan.field.name in values and scan.columns:
                    text = str(values[scan.field.name]).encode()
                    found = tuple(a.class_of(text) for a in scan.columns)
                    assert found == classes[scan.field.name].class_of(text)
                    seen.add(found)
    assert len(seen) > 5


def test_only_texts_that_decisions_read_are_scanned() -> None:
    texts = [ir.Field(name, ir.Kind.TEXT, max_bytes=8) for name in "abcd"]
    rule = ir.Rule(
        "r",
        ir.conjunction(
            (
                ir.TextTest("c", (ir.Pattern(ir.PatternKind.LITERAL, "x"),)),
                ir.TextEqual("a", "c"),
                ir.TextEqual("a", "b"),
            )
        ),
        ir.Effect.DENY,
    )
    policy = ir.Policy("p", "1", 1, ir.Combine.STRICT, ir.Default.ALLOW, tuple(texts), (rule,))
    scans = text_scans(policy, classify_fields(policy))
    assert [(s.field.name, len(s.columns), s.others) for s in scans] == [
        ("a", 0, ("b", "c")),
        ("b", 0, ("a",)),
        ("c", 1, ("a",)),
    ]


def test_bytes_are_symbols_then_states_then_classes() -> None:
    automaton = pattern_automaton_of("ab", "a*")
    data = automaton_bytes(automaton)
    cells = (automaton.states << automaton.shift) + PADDING
    assert len(data) == 256 + 2 * (cells + automaton.states)
    assert tuple(data[:256]) == automaton.symbol
    assert struct.unpack_from(f"<{cells}H", data, 256) == automaton.next
    assert struct.unpack_from(f"<{automaton.states}H", data, 256 + 2 * cells) == automaton.classes


def test_every_state_and_byte_has_a_cell() -> None:
    for automaton in (pattern_automaton_of("ab", "a*"), *map(validity_automaton, TEXTS)):
        assert len(automaton.symbol) == 256
        assert max(automaton.symbol) < 1 << automaton.shift
        assert len(automaton.next) == (automaton.states << automaton.shift) + PADDING
        assert max(automaton.next) < automaton.states


def pattern_automaton_of(*globs: str) -> Automaton:
    patterns = tuple(ir.Pattern(ir.PatternKind.GLOB, glob) for glob in globs)
    rule = ir.Rule("r", ir.TextTest("a", patterns), ir.Effect.DENY)
    field = ir.Field("a", ir.Kind.TEXT, max_bytes=8)
    policy = ir.Policy("p", "1", 1, ir.Combine.STRICT, ir.Default.ALLOW, (field,), (rule,))
    return pattern_automaton(classify_fields(policy)["a"].columns[0].dfa)
