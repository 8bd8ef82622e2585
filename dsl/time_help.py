"""What to type instead, for the mistakes that authors make with time; the part of `syntax_help` for it.

In: the tokens, the one at which the reader stopped, and what could stand there. Out: a help line, or
None where none would be true.
"""

from __future__ import annotations

from typing import Final

from govlang.dsl.diagnostics import did_you_mean
from govlang.dsl.keywords import CALLS, OVER_TIME
from govlang.dsl.lexer import WORD, Tokens

_CALLED_HERE: Final = {
    "avg": "average",
    "ema": "ewma",
    "mean": "average",
    "total": "sum",
    "age": "elapsed",
    "prev": "previous",
    "last": "previous",
}
"""What other languages call the functions."""

_FORMS: Final = {
    "SOURCE": "a transition is written `closed -> open when CONDITION`",
    "LEVEL": "a level is written `observer may read_file`",
    "start": "begin with the state that it starts in: `start closed`",
    "ago": "for a range of numbers write `x >= 3 and x <= 5`; for the past end with `ago`",
}
"""By what could stand there, whatever stands there."""

_HEADS: Final = {
    "event": "an event's fields stand in braces: `event deletion { resource : text }`",
    "signal": "write its type: `signal voltage : number in 0..30 V step 0.01`",
    "machine": "write `machine NAME { start STATE … }`",
    "contract": "write `contract NAME for KEY on FIELD { may … }`",
    "autonomy": "write `autonomy for KEY on FIELD { observer may … }`",
}
"""By the word that began the declaration, while its braces are not open."""

_CLAUSES: Final = ("may", "scope", "needs", "stop", "revoke")
"""What a clause of a contract begins with."""

_ASKING: Final = frozenset(
    (
        "and",
        "or",
        "not",
        "is",
        "in",
        "within",
        "contains",
        "(",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "+",
        "-",
        "*",
        "/",
    )
)
"""What makes a condition of a name."""

_LONGEST_HEAD: Final = 6
"""Words of `contract NAME for KEY on FIELD`."""

_TAKES: Final = {
    "count": "`count` takes an event: `count(failure) in 5 min`",
    "elapsed": "`elapsed` takes an event: `elapsed(restart) > 5 min`",
    "sum": "`sum` takes the field of an event: `sum(allowed.tokens) in 1 h by 5 min`",
    "average": "`average` takes the field of an event: `average(allowed.tokens) in 1 h by 5 min`",
    "max": "write `greatest(a, b)` for the largest of several; `max(x) in 5 min` looks back",
    "min": "write `least(a, b)` for the smallest of several; `min(x) in 5 min` looks back",
    "ewma": "write `ewma(voltage, alpha 0.3)`",
    "deviates": "write `deviates(voltage, alpha 0.3, by 3, floor 0.05 V, after 10 samples)`",
    "fresh": "write `fresh(voltage, 10 s)`",
    "stale": "write `stale(voltage, 10 s)`",
    "previous": "`previous` takes a signal or field: `previous(voltage)`",
    "changed": "`changed` takes a signal or field: `changed(voltage) within 5 min`",
}
"""By the word before the parenthesis that is open."""


def time_help(tokens: Tokens, at: int, accepted: set[str]) -> str | None:
    """The help line for token `at`, where one of `accepted` was expected."""
    before = tokens.texts[at - 1] if at and tokens.terminals[at - 1] == WORD else ""
    return (
        _after(tokens, at, before, accepted)
        or _needed(tokens, at)
        or _step(tokens, at, accepted)
        or _over(tokens, at, before, accepted)
        or _inside_call(tokens, at, accepted)
        or _head(tokens, at, accepted)
        or next((form for word, form in _FORMS.items() if word in accepted), None)
    )


def _after(tokens: Tokens, at: int, before: str, accepted: set[str]) -> str | None:
    """A help that the word before asks for."""
    terminal, text = tokens.terminals[at], tokens.texts[at]
    if before == "always":
        return "write `always possible (…)`"
    if before == "revoke":
        return "write `revoke on EVENT`"
    if text == "may" and tokens.terminals[at - 1] == "UNIT":
        return f"put each level on its own line; `{tokens.texts[at - 1]}` was read as a unit"
    if terminal == "(" and before:
        known = _CALLED_HERE.get(before)
        return f"write `{known}(…)`" if known else did_you_mean(before, CALLS)
    if before == "enters":
        return "name the machine and the state: `enters breaker.half_open`"
    if before == "between":
        return _FORMS["ago"]
    if before in OVER_TIME and "NUMERAL" in accepted:
        return f"write the time as a number with its unit: `{before} 5 min`"
    if before == "in" and (terminal == "NUMERAL" or text in {"the", "last", "past"}):
        return "write `x within 5 min` for what happened in that time"
    return None


def _needed(tokens: Tokens, at: int) -> str | None:
    """A help for a condition where a contract names what it needs."""
    if tokens.texts[at] not in _ASKING and tokens.texts[at - 1] != "not":
        return None
    start = at - 1
    while start > 0 and tokens.texts[start] not in _CLAUSES:
        if tokens.terminals[start] != WORD and tokens.texts[start] != ",":
            return None
        start -= 1
    if tokens.texts[start] != "needs":
        return None
    return "a contract needs names: write `let able = …` for the condition, and `needs able`"


def _step(tokens: Tokens, at: int, accepted: set[str]) -> str | None:
    """A help for a step of a test."""
    if at > 3 and tokens.texts[at - 4] == "signal" and tokens.terminals[at - 2] == "{":
        return 'the value comes first: `signal voltage 11.9 V { drone "d7" }`'
    if "SUBJECT" in accepted:
        return "after anything but a request, expect a state: `expect breaker is open`"
    if {"allow", "throttle"} <= accepted and tokens.texts[at + 1 : at + 2] == ["is"]:
        return "expect the decision first, `expect allow`, then the state"
    if "expect" in accepted and accepted <= {"expect", "runtime"}:
        return "say what must come out: `expect allow`"
    if accepted == {"back"}:
        return "write `clock back 5 s`; forward it goes with a later `at`"
    return None


def _over(tokens: Tokens, at: int, before: str, accepted: set[str]) -> str | None:
    """A call that lacks the time over which it counts, a type that lacks its range."""
    if accepted == {"in"} and before == "number":
        return "write its range: `number in 0..100`"
    if tokens.terminals[at - 1] != ")":
        return None
    if accepted == {"in", "since"}:
        return "say over which time: `count(…) in 5 min`, or `count(…) since EVENT`"
    if accepted == {"in"}:
        return "say over which time: `sum(…) in 1 h by 5 min`, `max(…) in 5 min`"
    return None


def _inside_call(tokens: Tokens, at: int, accepted: set[str]) -> str | None:
    if not accepted & {")", ",", "alpha", "NAME", "NUMERAL"}:
        return None
    depth = 0
    for i in range(at - 1, 0, -1):
        terminal = tokens.terminals[i]
        depth += (terminal == ")") - (terminal == "(")
        if depth < 0:
            return _TAKES.get(tokens.texts[i - 1]) if tokens.terminals[i - 1] == WORD else None
        if terminal in {"{", "}"}:
            return None
    return None


def _head(tokens: Tokens, at: int, accepted: set[str]) -> str | None:
    if at > 1 and tokens.terminals[at] in {":", "("} and tokens.texts[at - 2] == "event":
        return _HEADS["event"]
    if not accepted or not accepted <= {":", "{", "per", "for", "on"}:
        return None
    words = tokens.texts[max(at - _LONGEST_HEAD, 0) : at]
    return next((_HEADS[word] for word in reversed(words) if word in _HEADS), None)
