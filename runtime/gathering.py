"""What an outcome's obligations are made of, kept by the outcome's mark: few sets of rules ever fire together.

In: a loaded table and the marks of outcomes (`_mark`, native/gov_outcome.c).  Out: the rules behind a mark, and whether
anything of the request goes into their obligations: where nothing does, outcomes of one mark are equal.

What always holds: what is kept is what would be worked out again; no more than `KEPT_MAX` marks are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from govlang.native.schema import Arg, Rule
from govlang.native.table import Table
from govlang.runtime.obligations import Asked, Obligation, gather_obligations

KEPT_MAX: Final = 1024
"""So many are kept; of a policy that makes more the rest is worked out each time."""

WORD: Final = 8


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a mark stands for."""

    matched: tuple[str, ...]
    """Every rule that fired, in order of precedence."""
    taken: tuple[Rule, ...]
    """Those whose obligations count."""
    effect: int
    is_fixed: bool
    """Whether the obligations say nothing that is worked out from the request."""


def _is_fixed(rules: Iterable[Rule]) -> bool:
    return not any(rule.limits or any(arg.text is None for arg in _args(rule)) for rule in rules)


def _args(rule: Rule) -> Iterable[Arg]:
    for do in rule.dos:
        yield from do.args
    if rule.remedy is not None:
        yield from rule.remedy.values


class Gatherer:
    """What the marks of one policy stand for."""

    def __init__(self, table: Table, rule_ids: tuple[str, ...]) -> None:
        self._table = table
        self._rule_ids = rule_ids
        self._size = WORD * ((len(rule_ids) + 63) // 64)
        self._kept: dict[bytes, Gathered] = {}

    def of(self, mark: bytes) -> Gathered:
        """What a mark stands for."""
        found = self._kept.get(mark)
        if found is None:
            found = self._read(mark)
            if len(self._kept) < KEPT_MAX:
                self._kept[mark] = found
        return found

    def _read(self, mark: bytes) -> Gathered:
        size = self._size
        fired, taken = _bits(mark[:size]), _bits(mark[size : 2 * size])
        rules = tuple(self._table.schema.rule(i) for i in taken)
        matched = tuple(self._rule_ids[i] for i in fired)
        return Gathered(matched, rules, mark[2 * size], _is_fixed(rules))

    def obligations(
        self, mark: bytes, words: bytes, texts: tuple[str, ...]
    ) -> tuple[Obligation, ...]:
        """What the host must do about a request with this mark."""
        found = self.of(mark)
        asked = Asked(self._table, words, texts)
        return gather_obligations(asked, found.taken, found.effect)


def _bits(data: bytes) -> list[int]:
    left = int.from_bytes(data, "little")
    return [i for i in range(left.bit_length()) if left >> i & 1]
