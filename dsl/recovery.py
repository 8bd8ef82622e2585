"""Where reading goes on after a syntax error.

In: the reader as the error left it. Out: a token that begins something new (a declaration, a
field, a row, a transition, a clause, a test step, a closing brace on its own line) and the height of the stack to which
the reader returns so that the token can be read; what stood above is given up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from govlang.dsl.keywords import CLAUSES, DECLARATIONS, STEPS
from govlang.dsl.lexer import END, ROW_END, WORD, Tokens

if TYPE_CHECKING:
    from govlang.dsl.reading import Reader

_AFTER = {
    "default": {WORD},
    "tiers": {WORD},
    "tier": {WORD},
    "input": {"{"},
    "import": {"STRING"},
    "time": {WORD},
    "longest": {WORD},
    "rule": {WORD, "STRING"},
    "invariant": {WORD, "STRING"},
    "prove": {WORD, "STRING"},
    "test": {"STRING"},
    "assume": {WORD, "(", "NUMERAL", "STRING", "-"},
}
"""What follows the word that begins a declaration; the others are followed by a word."""

_STEP_AFTER = {"request": {"{"}, "tick": {WORD, "}", END}}
"""The same for the word that begins a step of a test."""

_BLOCK_MEMBERS = ("rule", "FIELD", "|", "request", "SOURCE", "LEVEL", "scope", "start")
"""What stands in a block; only a state that can read one of them is a block's."""


class Point(NamedTuple):
    """Go on at this token with this many values on the stack."""

    token: int
    height: int


def find(reader: Reader, first: int) -> Point | None:
    """The nearest token, from `first` on, at which reading can go on."""
    tokens = reader.tokens
    heights: dict[str, int | None] = {}
    for at in range(first, len(tokens.terminals) - 1):
        if not _begins_line(tokens, at):
            continue
        for terminal in _candidates(tokens, at):
            if terminal not in heights:
                heights[terminal] = _height(reader, terminal)
            height = heights[terminal]
            if height is not None:
                return Point(at, height)
    return None


def _begins_line(tokens: Tokens, at: int) -> bool:
    if at == 0:
        return True
    return "\n" in tokens.source.text[tokens.ends[at - 1] : tokens.starts[at]]


def _candidates(tokens: Tokens, at: int) -> Iterator[str]:
    terminal, text, after = tokens.terminals[at], tokens.texts[at], tokens.terminals[at + 1]
    if terminal in {"|", "}"}:
        yield terminal
    elif terminal == WORD and after == ":":
        yield "FIELD"
    elif terminal == WORD:
        if after == "->":
            yield "SOURCE"
        if tokens.texts[at + 1] == "may":
            yield "LEVEL"
        if _begins(tokens, at):
            yield text


def _begins(tokens: Tokens, at: int) -> bool:
    """Whether a keyword stands there that begins a declaration, a clause or a step."""
    text, after = tokens.texts[at], tokens.terminals[at + 1]
    if text in DECLARATIONS and after in _AFTER.get(text, {WORD}):
        return True
    if text in STEPS:
        return after in _STEP_AFTER.get(text, {WORD})
    if text == "drop":
        return tokens.texts[at + 1] == "to"
    return text in CLAUSES or (text == "at" and after == "NUMERAL")


def _height(reader: Reader, terminal: str) -> int | None:
    """How many values stay so that the terminal can be shifted inside a block."""
    tables, states = reader.tables, reader.states
    for height in range(len(states) - 1, -1, -1):
        actions = tables.actions[states[height]]
        if actions.get(terminal, -1) >= 0 and _is_block(actions):
            return height
    return None


def _is_block(actions: dict[str, int]) -> bool:
    in_row = ROW_END in actions
    return not in_row and any(actions.get(m, -1) >= 0 for m in _BLOCK_MEMBERS)
