"""The words of the language.

A word is a keyword only where the grammar expects it, so none of these is reserved as a name,
except `not`, `if`, `has`, `true` and `false` in expressions. But none of them can be a unit, since
a unit is told from the next keyword by its spelling. A test holds `KEYWORDS` against the grammar.
"""

from __future__ import annotations

DECLARATIONS = frozenset({
    "accept", "action", "assume", "autonomy", "combine", "contract", "default", "event", "import",
    "input", "invariant", "let", "longest", "machine", "output", "param", "prove", "rule", "shared",
    "signal", "table", "test", "tier", "tiers", "time",
})  # fmt: skip
"""The words that begin a declaration."""

STEPS = frozenset({"clock", "event", "lose", "request", "signal", "stick", "tick"})
"""The words that begin a step of a test, after `at 5 s` or without it."""

CLAUSES = frozenset({"may", "needs", "revoke", "scope", "stop"})
"""The words that begin a clause of a contract."""

OVER_TIME = frozenset({"between", "for", "since", "within"})
"""The words that put a condition into time, after it."""

CALLS = frozenset({
    "abs", "average", "changed", "count", "deviates", "elapsed", "ewma", "fresh", "greatest",
    "least", "max", "min", "previous", "reserved", "stale", "sum",
})  # fmt: skip
"""The words that are keywords before a parenthesis."""

KEYWORDS = DECLARATIONS | STEPS | CLAUSES | OVER_TIME | CALLS | {
    "after", "ago", "all", "allow", "alpha", "always", "and", "any", "at", "back", "because",
    "bool", "by", "contains", "decision", "deny", "do", "down", "drop", "duration", "else",
    "empty", "enters", "expect", "expires", "false", "first_match", "floor", "from", "has",
    "human", "if", "implies", "in", "is", "key", "language", "like", "limit", "most_restrictive",
    "nearest", "none", "not", "number", "of", "on", "one", "optional", "or", "overrides", "params",
    "path", "per", "policy", "possible", "private", "refused", "remedy", "require", "retry", "rounded",
    "runtime", "set", "start", "step", "strict", "text", "then", "throttle", "to", "true", "under",
    "unique", "up", "version", "when", "window", "with", "zone", "_",
}  # fmt: skip
"""Every word that the grammar quotes."""

EFFECTS = ("allow", "limit", "throttle", "require", "deny")
"""The words that begin an effect, loosest first."""

_BEFORE_WORDS = frozenset({"alpha", "always", "back", "enters", "floor", "possible", "start"})
NO_UNITS = KEYWORDS - _BEFORE_WORDS - (CALLS - {"abs", "greatest", "least", "max"})
"""Words that end a number instead of being its unit; the others never follow one, or are `min`."""
