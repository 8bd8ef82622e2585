"""A syntax error in the author's words: what was found, what was expected, what to type.

In: the reader and the token at which it stopped. Out: one diagnostic: GOV120 or GOV121 for the
temporal part of the language, GOV111 for a file without its header, else GOV110.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from govlang.dsl.diagnostics import Diagnostic, Severity, did_you_mean
from govlang.dsl.keywords import (
    DECLARATIONS,
    EFFECTS,
    KEYWORDS,
    TEMPORAL_CALLS,
    TEMPORAL_DECLARATIONS,
)
from govlang.dsl.lexer import END, ROW_END, WORD, Tokens
from govlang.dsl.source import Span

if TYPE_CHECKING:
    from govlang.dsl.reading import Reader

_RELATIONS = ("==", "!=", "<", "<=", ">", ">=")
_OPERATORS = frozenset({*_RELATIONS, "+", "-", "*", "/", "and", "or", "implies", "is", "in", "like"}) | {
    "under", "contains", "within",
}  # fmt: skip
_ATOMS = frozenset({
    "NAME", "NUMERAL", "STRING", "(", "-", "not", "if", "has", "decision", "least", "greatest",
    "abs", "true", "false", "{",
})  # fmt: skip
_CELL_WORDS = frozenset({*_RELATIONS, "_", "contains", "like", "under"})
_NAMED = {
    "NAME": "a name",
    "STRING": "a text in double quotes",
    "FIELD": "a field (`name : type`)",
    END: "the end of the file",
    ROW_END: "`|` at the end of the row",
}
_TEMPORAL_HELP = "let the host compute the fact and declare it as a `bool from runtime` field"
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
    return _error("GOV110", message, _span(tokens, at), _help(reader, at, accepted))


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
    return _error("GOV120", message, _span(tokens, at), _TEMPORAL_HELP)


def _suffix(reader: Reader, at: int) -> Diagnostic | None:
    """`X within d`, `X for d`, …; an open `not` before X makes it ambiguous."""
    tokens = reader.tokens
    negation = _open_negation(tokens, at)
    if negation is None:
        return _refused(tokens.texts[at], tokens, at)
    operand = tokens.source.text[tokens.ends[negation] : tokens.ends[at - 1]].strip()
    suffix = tokens.source.text[tokens.starts[at] : _line_end(tokens, at)].strip()
    return _error(
        "GOV121",
        f"`not {_shortened(operand)} {suffix}` can be read in two ways",
        tokens.source.span(tokens.starts[negation], tokens.ends[at]),
        f"write `not ({operand} {suffix})` or `(not {operand}) {suffix}`",
    )


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


def _help(reader: Reader, at: int, accepted: set[str]) -> str | None:
    tokens = reader.tokens
    words = {t for t in accepted if t in KEYWORDS and t != "_"}
    if tokens.terminals[at] == WORD:
        help_ = _help_word(tokens, at, words, accepted)
    else:
        help_ = _help_sign(tokens, at, accepted)
    return help_ or _help_before(tokens, at, words, accepted)


def _help_word(tokens: Tokens, at: int, words: set[str], accepted: set[str]) -> str | None:
    text = tokens.texts[at]
    if text == "not" and "in" in accepted:
        return "put `not` before the whole comparison, as in `not zone in {a, b}`"
    if text == "language" and at > 0:
        return "a file has one header, and it comes first"
    if text in DECLARATIONS and "}" in accepted:
        return "close the block with `}`"
    return did_you_mean(text, words)


def _help_sign(tokens: Tokens, at: int, accepted: set[str]) -> str | None:
    terminal, text = tokens.terminals[at], tokens.texts[at]
    before = tokens.texts[at - 1] if at else ""
    if terminal == "=" and "==" in accepted:
        return "write `==` to compare"
    if terminal == "==" and "=" in accepted:
        return "write `=`"
    if terminal in {"|", ROW_END} and "or" in accepted:
        return "write `or`"
    if terminal in _RELATIONS and "and" in accepted:
        return "compare twice and join the comparisons with `and`"
    if terminal == ".":
        return "names have no dots; write `_`"
    if terminal == "," and "FIELD" in accepted:
        return "fields stand without commas, one a line"
    if terminal == ":" and "when" in accepted:
        return "a rule's name has no colon after it"
    if terminal == "NUMERAL" and before in {"is", "not"}:
        return f"write `== {text}` for numbers"
    if terminal == "}" and ROW_END in accepted:
        return "a row ends with `|` on its line"
    if terminal == "}" and "input" in accepted:
        return "this `}` closes nothing"
    return None


def _help_before(tokens: Tokens, at: int, words: set[str], accepted: set[str]) -> str | None:
    """The mistake may be the word before, which was taken for a unit or a name."""
    before = tokens.texts[at - 1] if at else ""
    if before == "if":
        return "put the `if` in parentheses"
    if tokens.terminals[at - 1] == "UNIT":
        meant = did_you_mean(before, words | set(EFFECTS))
        if meant is not None:
            return meant.replace("?", f" instead of the unit `{before}`?")
        if "," in accepted:
            return f"put a comma after the value; `{before}` was read as its unit"
    if "version" in accepted:
        return 'write `policy NAME version "1.0.0"`'
    if "," in accepted and "NAME" not in accepted and tokens.terminals[at] == WORD:
        return "put a comma before it"
    return None
