"""Where reading goes on after a syntax error.

In: the reader as the error left it. Out: a token that begins something new (a declaration, a
field, a row, a test step, a closing brace on its own line) and the height of the stack to which
the reader returns so that the token can be read; what stood above is given up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from govlang.dsl.keywords import DECLARATIONS, TEMPORAL_DECLARATIONS
from govlang.dsl.lexer import ROW_END, WORD, Tokens

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

_BLOCK_MEMBERS = ("rule", "FIELD", "|", "request")
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
        if text in DECLARATIONS and after in _AFTER.get(text, {WORD}):
            yield text
        if text in TEMPORAL_DECLARATIONS and after == WORD:
            yield "input"  # it stands where an input block could
        if (text == "at" and after == "NUMERAL") or (text == "request" and after == "{"):
            yield text


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
