"""What to type instead, for the mistakes that authors make.

In: the tokens, the one at which the reader stopped, and what could stand there. Out: a help line, or
None where none would be true.
"""

from __future__ import annotations

from typing import Final

from govlang.dsl.diagnostics import did_you_mean
from govlang.dsl.keywords import DECLARATIONS, EFFECTS, KEYWORDS
from govlang.dsl.lexer import ROW_END, WORD, Tokens
from govlang.dsl.time_help import time_help
from govlang.dsl.units import BUILT_IN

RELATIONS: Final = ("==", "!=", "<", "<=", ">", ">=")

# What other languages call it, by a word of ours that could stand in its place.
_OTHER_WORDS: Final[dict[str, dict[str, str]]] = {
    "deny": {
        "permit": "`allow`",
        "accept": "`allow`",
        "grant": "`allow`",
        "block": "`deny`",
        "forbid": "`deny`",
        "refuse": "`deny`",
        "reject": "`deny`",
        "approve": "`require human`",
        "escalate": "`require human`",
        "then": "the effect without `then`",
    },
    "when": {"if": "`when`", "unless": "`when not (…)`", "where": "`when`"},
    "human": {"approval": "`require human`", "person": "`require human`"},
    "number": {
        "int": "`number in 0..100`",
        "integer": "`number in 0..100`",
        "float": "`number in 0..1 step 0.01`",
        "decimal": "`number in 0..1 step 0.01`",
        "str": "`text`",
        "string": "`text`",
        "enum": "`one of a, b`",
        "list": "`set of a, b`",
        "array": "`set of a, b`",
        "date": "`time`",
        "datetime": "`time`",
        "timestamp": "`time`",
    },
}


def help_for(tokens: Tokens, at: int, accepted: set[str]) -> str | None:
    """The help line for token `at`, where one of `accepted` was expected."""
    words = {t for t in accepted if t in KEYWORDS and t != "_"}
    is_word = tokens.terminals[at] == WORD
    help_ = _word(tokens, at, words, accepted) if is_word else _sign(tokens, at, accepted)
    return help_ or time_help(tokens, at, accepted) or _before(tokens, at, words, accepted)


def _word(tokens: Tokens, at: int, words: set[str], accepted: set[str]) -> str | None:
    text = tokens.texts[at]
    if text == "not" and "in" in accepted:
        return "put `not` before the whole comparison, as in `not zone in {a, b}`"
    if text == "language" and at > 0:
        return "a file has one header, and it comes first"
    if text in DECLARATIONS and "}" in accepted:
        return "close the block with `}`"
    if "STRING" in accepted and not accepted - {"STRING", "+"}:
        return f'write `"{text}"`'
    if at and tokens.texts[at - 1] == "if":
        return None
    return _other_word(text, accepted) or did_you_mean(text, words)


def _other_word(text: str, accepted: set[str]) -> str | None:
    named = (meant.get(text) for word, meant in _OTHER_WORDS.items() if word in accepted)
    return next((f"write {ours}" for ours in named if ours), None)


def _sign(tokens: Tokens, at: int, accepted: set[str]) -> str | None:
    terminal, text = tokens.terminals[at], tokens.texts[at]
    before = tokens.texts[at - 1] if at else ""
    if terminal == "=" and tokens.texts[at + 1] == ">":
        return "write the effect after the condition, without an arrow"
    if terminal == "=" and "==" in accepted:
        return "write `==` to compare"
    if terminal == "==" and "=" in accepted:
        return "write `=`"
    if terminal == ">" and before == "<":
        return "write `!=` for unequal"
    if terminal in {"|", ROW_END} and "or" in accepted:
        return "write `or`"
    if terminal in RELATIONS and "and" in accepted:
        return "compare twice and join the comparisons with `and`"
    if terminal == ".":
        return "names have no dots; write `_`"
    if terminal == "-" and before == "step":
        return "a step is a number above 0"
    if terminal == "-" and "NUMERAL" in accepted:
        return "write a number without a sign"
    if terminal == "-" and tokens.terminals[at - 1] == WORD:
        return 'names have no `-`; write `_`, or put a member into quotes: `"us-east-1"`'
    if terminal == "," and "FIELD" in accepted:
        return "fields stand without commas, one a line"
    if terminal == ":" and "when" in accepted:
        return "a rule's name has no colon after it"
    if terminal == "NUMERAL" and before in {"is", "not"}:
        return f"write `== {text}` for numbers"
    if terminal == "{":
        return _brace(tokens.texts[at - 2] if at > 1 else "", before, accepted)
    if terminal == "}" and ROW_END in accepted:
        return "a row ends with `|` on its line"
    if terminal == "}" and "input" in accepted:
        return "this `}` closes nothing"
    return None


def _brace(second: str, before: str, accepted: set[str]) -> str | None:
    """An opening brace that has no place."""
    if before == "in" and second in {"is", "not"}:
        return "put `not` before the whole comparison, as in `not zone in {a, b}`"
    if before == "contains":
        return "write `contains any {a, b}` or `contains all {a, b}`"
    if before in {"is", "not", "==", "!="}:
        return "write `in {a, b}` of one value, `contains all {a, b}` or `within {a, b}` of a set"
    if before == "of":
        return "name the members without braces: `one of a, b`"
    return "a rule stands without braces: `rule r when … deny`" if "deny" in accepted else None


def _before(tokens: Tokens, at: int, words: set[str], accepted: set[str]) -> str | None:
    """The mistake may be the word before, which was taken for a unit or a name."""
    before = tokens.texts[at - 1] if at else ""
    if before == "if":
        return "put the `if` in parentheses"
    if tokens.terminals[at - 1] == "UNIT":
        meant = None if before in BUILT_IN else did_you_mean(before, words | set(EFFECTS))
        if meant is not None:
            return meant.replace("?", f" instead of the unit `{before}`?")
        if "," in accepted:
            return f"put a comma after the value; `{before}` was read as its unit"
    if "version" in accepted:
        return 'write `policy NAME version "1.0.0"`'
    if "," in accepted and "NAME" not in accepted and tokens.terminals[at] == WORD:
        return "put a comma before it"
    return None
