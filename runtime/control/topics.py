"""Patterns of topics, each with a value: the first that matches counts.

In: `{"infra.*": "shadow", "**": "enforce"}` in the order it was written.  Out: rules that a topic is held against.
`*` is any run within a segment, `**` any run, as in the language's `like`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

PATTERN: Final = re.compile(r"[A-Za-z0-9_.*-]{1,200}", re.ASCII)
RULES_MAX: Final = 100
STARS_MAX: Final = 4
"""A pattern of many stars would be tried in very many ways."""

V = TypeVar("V", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class TopicRule(Generic[V]):
    """A pattern and what holds for the topics that it matches."""

    pattern: str
    value: V
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", re.compile(_expression(self.pattern), re.DOTALL))

    def matches(self, topic: str) -> bool:
        """Whether the whole topic matches."""
        return self._compiled.fullmatch(topic) is not None


def read_topic_rules(plain: Any, values: Sequence[V]) -> tuple[TopicRule[V], ...]:
    """The rules of a JSON object, in its order.

    Raises:
        ValueError: it is no such object; says why.
    """
    if not isinstance(plain, dict) or len(plain) > RULES_MAX:
        raise ValueError(f"it is no JSON object of up to {RULES_MAX} patterns")
    return tuple(_read_rule(pattern, word, values) for pattern, word in plain.items())


def _read_rule(pattern: str, word: Any, values: Sequence[V]) -> TopicRule[V]:
    if not PATTERN.fullmatch(pattern) or "***" in pattern:
        raise ValueError("a pattern is 1 to 200 letters, digits, `_`, `-`, `.`, `*` and `**`")
    if len(re.findall(r"\*\*?", pattern)) > STARS_MAX:
        raise ValueError(f"a pattern has at most {STARS_MAX} stars")
    for value in values:
        if word == value:
            return TopicRule(pattern, value)
    raise ValueError("a pattern stands for " + " or ".join(f"`{v}`" for v in values))


def _expression(pattern: str) -> str:
    parts = re.split(r"(\*\*?)", pattern)
    return "".join({"*": r"[^.]*", "**": r".*"}.get(part, re.escape(part)) for part in parts)
