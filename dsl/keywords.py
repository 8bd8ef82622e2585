"""The words of the language.

A word is a keyword only where the grammar expects it, so none of these is reserved as a name,
except `not`, `if`, `has`, `true` and `false` in expressions. But none of them can be a unit, since
a unit is told from the next keyword by its spelling. A test holds `KEYWORDS` against the grammar.
"""

from __future__ import annotations

DECLARATIONS = frozenset({
    "accept", "action", "assume", "combine", "default", "import", "input", "invariant", "let",
    "longest", "output", "param", "prove", "rule", "table", "test", "tier", "tiers", "time",
})  # fmt: skip
"""The words that begin a declaration."""

KEYWORDS = DECLARATIONS | {
    "abs", "all", "allow", "and", "any", "at", "because", "bool", "by", "contains", "decision",
    "deny", "do", "down", "duration", "else", "empty", "expect", "expires", "false",
    "first_match", "for", "from", "greatest", "has", "human", "if", "implies", "in", "is", "key",
    "language", "least", "like", "limit", "max", "most_restrictive", "nearest", "none", "not",
    "number", "of", "on", "one", "optional", "or", "overrides", "params", "path", "policy",
    "private", "remedy", "request", "require", "retry", "rounded", "runtime", "set", "step",
    "strict", "text", "then", "throttle", "to", "true", "under", "unique", "up", "version", "when",
    "window", "with", "within", "zone", "_",
}  # fmt: skip
"""Every word that the grammar quotes."""

EFFECTS = ("allow", "limit", "throttle", "require", "deny")
"""The words that begin an effect, loosest first."""

TEMPORAL_DECLARATIONS = frozenset({
    "autonomy", "contract", "event", "machine", "shared", "signal",
})  # fmt: skip
"""The words that begin a declaration of the temporal part, which this version refuses."""

TEMPORAL_CALLS = frozenset({
    "average", "changed", "count", "deviates", "elapsed", "ewma", "fresh", "max", "min",
    "previous", "reserved", "stale", "sum",
})  # fmt: skip
"""The temporal operators that are written with a parenthesis."""

TEMPORAL_SUFFIXES = frozenset({"ago", "between", "by", "for", "per", "since", "within"})
"""The temporal operators that follow their operand."""

NO_UNITS = KEYWORDS | TEMPORAL_DECLARATIONS | TEMPORAL_SUFFIXES | {"always", "enters", "expect"}
"""Words that end a number instead of being its unit."""
