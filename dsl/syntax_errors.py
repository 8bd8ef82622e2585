"""A syntax error in the author's words: what was found, what was expected, what to type.

In: the reader and the token at which it stopped. Out: one diagnostic: GOV120 or GOV121 for the
temporal part of the language, GOV111 for a file without its header, else GOV110.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from govlang.dsl.diagnostics import Diagnostic, Severity
from govlang.dsl.keywords import (
    DECLARATIONS,
    EFFECTS,
    TEMPORAL_CALLS,
    TEMPORAL_DECLARATIONS,
)
from govlang.dsl.lexer import END, ROW_END, WORD, Tokens
from govlang.dsl.source import Span
from govlang.dsl.syntax_help import RELATIONS, help_for

if TYPE_CHECKING:
    from govlang.dsl.reading import Reader

_OPERATORS = frozenset({*RELATIONS, "+", "-", "*", "/", "and", "or", "implies", "is", "in", "like"}) | {
    "under", "contains", "within",
}  # fmt: skip
_ATOMS = frozenset({
    "NAME", "NUMERAL", "STRING", "(", "-", "not", "if", "has", "decision", "least", "greatest",
    "abs", "true", "false", "{",
})  # fmt: skip
_CELL_WORDS = frozenset({*RELATIONS, "_", "contains", "like", "under"})
_NAMED = {
    "NAME": "a name",
    "STRING": "a text in double quotes",
    "FIELD": "a field (`name : type`)",
    END: "the end of the file",
    ROW_END: "`|` at the end of the row",
}
_TEMPORAL_HELP = "let the host compute the fact and declare it as a `bool from runtime` field"
_RANGE_HELP = f"for a range of numbers write `x >= 3 and x <= 5`; for the past, {_TEMPORAL_HELP}"
_MOST, _SHOWN = 5, 40


def explain(reader: Reader, at: int) -> Diagnostic:
    """The error at token `at`, where the reader stopped."""
    tokens = reader.tokens
    temporal = _temporal(reader, at)
    if temporal is not None:
        return temporal
    if at == 0 and tokens.texts[0] == "policy":
        return _error("GOV111", "the header begins with `language 1`", _span(tokens, at),
                      "put `language 1` on the line before")  # fmt: skip
    accepted = _accepted(reader)
    message = f"expected {_describe(accepted)}, found {_found(tokens, at)}"
    return _error("GOV110", message, _span(tokens, at), help_for(tokens, at, accepted))


def _error(code: str, message: str, span: Span, help_: str | None) -> Diagnostic:
    return Diagnostic(code, Severity.ERROR, message, span, help_)


def _span(tokens: Tokens, at: int) -> Span:
    if tokens.terminals[at] == END and at > 0:
        return tokens.source.span(tokens.ends[at - 1], tokens.ends[at - 1])
    return tokens.source.span(tokens.starts[at], tokens.ends[at])


def _accepted(reader: Reader) -> set[str]:
    """The terminals that could stand here."""
    candidates = reader.tables.actions[reader.states[-1]]
    return {t for t in candidates if reader.tables.accepts(reader.states, t)}


# --- the temporal part ---


def _temporal(reader: Reader, at: int) -> Diagnostic | None:
    tokens = reader.tokens
    word = tokens.texts[at] if tokens.terminals[at] == WORD else ""
    before = tokens.texts[at - 1] if at and tokens.terminals[at - 1] == WORD else ""
    if tokens.terminals[at] == "(" and before in TEMPORAL_CALLS:
        return _refused(f"{before}(", tokens, at - 1)
    if word in {"for", "between", "since"}:
        return _suffix(reader, at)
    if before == "within" and tokens.terminals[at] == "NUMERAL":
        return _suffix(reader, at - 1)
    if word in TEMPORAL_DECLARATIONS or word == "tick":
        return _refused(word, tokens, at)
    if before in {"always", "enters"}:
        return _refused(before, tokens, at - 1)
    return None


def _refused(what: str, tokens: Tokens, at: int) -> Diagnostic:
    message = (
        f"`{what}` is temporal, and temporal rules are not part of this version of the language"
    )
    help_ = _RANGE_HELP if what == "between" else _TEMPORAL_HELP
    return _error("GOV120", message, _span(tokens, at), help_)


def _suffix(reader: Reader, at: int) -> Diagnostic | None:
    """`X within d`, `X for d`, …; an open `not` before X makes it ambiguous."""
    tokens = reader.tokens
    negation = _open_negation(tokens, at)
    if negation is None:
        return _refused(tokens.texts[at], tokens, at)
    operand = _shortened(_words(tokens, tokens.ends[negation], tokens.ends[at - 1]))
    suffix = _words(tokens, tokens.starts[at], _line_end(tokens, at))
    return _error(
        "GOV121",
        f"`not {operand} {suffix}` can be read in two ways",
        tokens.source.span(tokens.starts[negation], tokens.ends[at]),
        f"write `not ({operand} {suffix})` or `(not {operand}) {suffix}`",
    )


def _words(tokens: Tokens, start: int, end: int) -> str:
    """What stands between two offsets, on one line."""
    return " ".join(tokens.source.text[start:end].split())


def _open_negation(tokens: Tokens, at: int) -> int | None:
    """The `not` that the operand before token `at` belongs to, outside parentheses."""
    depth = 0
    for i in range(at - 1, -1, -1):
        text = tokens.texts[i] if tokens.terminals[i] != "STRING" else ""
        depth += (text == ")") - (text == "(")
        if depth < 0 or text in DECLARATIONS or text in {"and", "or", "implies", "when", "then"}:
            return None
        if text == "not" and depth == 0 and tokens.texts[i - 1] != "is":
            return i
    return None


def _line_end(tokens: Tokens, at: int) -> int:
    """Where the number and unit after token `at` end."""
    last = at
    while tokens.terminals[last + 1] in {"NUMERAL", "UNIT"}:
        last += 1
    return tokens.ends[last]


# --- all other errors ---


def _found(tokens: Tokens, at: int) -> str:
    terminal, text = tokens.terminals[at], tokens.texts[at]
    if terminal == END:
        return "the end of the file"
    if terminal == "STRING":
        return f"the text `{_shortened(text)}`"
    return f"`{_shortened(text)}`"


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _describe(accepted: set[str]) -> str:
    rest = set(accepted)
    parts: list[str] = []
    if {"rule", "input"} <= rest:
        rest -= DECLARATIONS | {END}
        if not rest - {"language"}:
            parts.append("a declaration (`rule`, `input`, `test`, …)")
    if len(rest & _OPERATORS) > 2 and "NUMERAL" not in rest:
        parts.append("an operator")
        rest -= _OPERATORS
    if {"deny", "throttle"} <= rest:
        parts.append("an effect (`allow`, `limit`, `throttle`, `require human` or `deny`)")
        rest -= set(EFFECTS)
    if {"NAME", "NUMERAL", "STRING"} <= rest:
        parts.append("a condition" if "has" in rest else "a cell" if "_" in rest else "a value")
        rest -= _ATOMS | _CELL_WORDS
    elif {"NAME", "STRING"} <= rest:
        parts.append("a name")
        rest -= {"NAME", "STRING", "true", "false"}
    elif "NUMERAL" in rest:
        parts.append("a number")
        rest -= {"NUMERAL", "-"}
    parts += [_NAMED[t] for t in _NAMED if t in rest]
    parts += [f"`{t}`" for t in sorted(rest - _NAMED.keys() - {"UNIT"})]
    return _either(parts)


def _either(parts: list[str]) -> str:
    if len(parts) > _MOST:
        return ", ".join(parts[:_MOST]) + ", …"
    if len(parts) > 1:
        return ", ".join(parts[:-1]) + " or " + parts[-1]
    return parts[0] if parts else "nothing more"
