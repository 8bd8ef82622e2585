"""A syntax error in the author's words: what was found, what was expected, what to type.

In: the reader and the token at which it stopped. Out: one diagnostic: GOV111 for a file without its
header, else GOV110.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from govlang.dsl.diagnostics import Diagnostic, Severity
from govlang.dsl.keywords import CALLS, CLAUSES, DECLARATIONS, EFFECTS, OVER_TIME, STEPS
from govlang.dsl.lexer import END, ROW_END, Tokens
from govlang.dsl.source import Span
from govlang.dsl.syntax_help import RELATIONS, help_for

if TYPE_CHECKING:
    from govlang.dsl.reading import Reader

_OPERATORS = frozenset({*RELATIONS, "+", "-", "*", "/", "and", "or", "implies", "is", "in", "like"}) | {
    "under", "contains", ".", "per", *OVER_TIME,
}  # fmt: skip
_ATOMS = CALLS | {
    "NAME",
    "NUMERAL",
    "STRING",
    "(",
    "-",
    "not",
    "if",
    "has",
    "decision",
    "true",
    "false",
    "{",
    "enters",
    "always",
}
_CELL_WORDS = frozenset({*RELATIONS, "_", "contains", "like", "under"})
_NAMED = {
    "NAME": "a name",
    "STRING": "a text in double quotes",
    "FIELD": "a field (`name : type`)",
    END: "the end of the file",
    ROW_END: "`|` at the end of the row",
    "SOURCE": "a transition (`closed -> open when …`)",
    "LEVEL": "a level (`observer may …`)",
    "SUBJECT": "a state (`breaker is open`)",
    "_PANE": "`by`",
}
_GROUPS: tuple[tuple[frozenset[str], frozenset[str], str], ...] = (
    (frozenset({"request", "tick"}), STEPS | {"at"}, "a step (`request`, `event`, `signal`, …)"),
    (
        frozenset({"may", "scope"}),
        CLAUSES,
        "a clause (`may`, `scope`, `needs`, `stop` or `revoke`)",
    ),
)
"""Where the first are among what could stand there, all of the second are told in these words."""

_MOST, _SHOWN = 5, 40


def explain(reader: Reader, at: int) -> Diagnostic:
    """The error at token `at`, where the reader stopped."""
    tokens = reader.tokens
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
    for told_by, words, said in _GROUPS:
        if told_by <= rest:
            parts.append(said)
            rest -= words
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
    parts += [f"`{t}`" for t in sorted(rest - _NAMED.keys() - {"UNIT", "_WHOLE"})]
    return _either(parts)


def _either(parts: list[str]) -> str:
    if len(parts) > _MOST:
        return ", ".join(parts[:_MOST]) + ", …"
    if len(parts) > 1:
        return ", ".join(parts[:-1]) + " or " + parts[-1]
    return parts[0] if parts else "nothing more"
