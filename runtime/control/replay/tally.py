"""The tally of a replay: old and new rulings in, how many changed and how, with examples, out.

What always holds: every decision of the ledger is counted in exactly one class; memory does not grow with the ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import zip_longest
from typing import Any, Final

from govlang.runtime.control.replay.asking import Answered, Asker
from govlang.runtime.control.replay.case import Case, Ruling, Unasked
from govlang.runtime.decision import DECISIONS

LISTED_MAX: Final = 100
"""So many pairs of rulings or reasons are listed; the rest is counted."""

KEPT: Final = 20
"""Examples that are kept while the ledger is read, times those that are shown."""


class Change(StrEnum):
    """What became of a decision."""

    ESCALATED = "escalated"
    RELAXED = "relaxed"
    UNCHANGED = "unchanged"
    UNREADABLE = "unreadable"


def change(old: Ruling, new: Ruling) -> Change:
    """How an effect moved: allow < limit < throttle < require human < deny."""
    if new.is_invalid and not old.is_invalid:
        return Change.UNREADABLE
    moved = DECISIONS.index(new.decision) - DECISIONS.index(old.decision)
    if moved == 0:
        return Change.UNCHANGED
    return Change.ESCALATED if moved > 0 else Change.RELAXED


Pair = tuple[Ruling, Ruling]


@dataclass(slots=True)
class Class:
    """The decisions of one change: how many by what they were and became, with some of them."""

    pairs: Counter[Pair] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[Pair, list[dict[str, Any]]] = field(default_factory=dict)
    kept: int = 0

    @property
    def count(self) -> int:
        return self.pairs.total()

    def chosen(self, limit: int) -> list[dict[str, Any]]:
        """Examples: of each pair one, the most frequent first, then a second of each."""
        ranked = [self.examples.get(pair, []) for pair, _ in self.pairs.most_common()]
        turns = zip_longest(*ranked)
        found = [one for turn in turns for one in turn if one is not None]
        return found[:limit]


@dataclass(slots=True)
class Left:
    """Decisions that were not asked for again: how many for each reason, with some of them."""

    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)

    def add(self, one: Unasked, limit: int) -> None:
        count(self.reasons, one.why)
        if len(self.examples) < limit:
            named = {"seq": one.seq, "job_id": one.job_id, "agent": one.agent}
            self.examples.append({**named, "why": one.why})


class Tally:
    """Counts a replay."""

    def __init__(self, asker: Asker, limit: int) -> None:
        """`limit`: so many examples of each class are given."""
        self._asker = asker
        self._limit = limit
        self.classes = {one: Class() for one in Change}
        self.not_replayable = Left()
        self.not_by_policy = Left()

    def add(self, case: Case, found: Answered) -> None:
        """Count a decision that was asked for again."""
        kind = change(case.old, found.ruling)
        into = self.classes[kind]
        pair = (case.old, found.ruling)
        into.pairs[pair] += 1
        if kind is Change.UNREADABLE:
            count(into.reasons, self._reason(case, found))
        examples = into.examples.setdefault(pair, [])
        if len(examples) < self._limit and into.kept < KEPT * self._limit:
            into.kept += 1
            examples.append(_example(case, found.ruling, self._reason(case, found)))

    def _reason(self, case: Case, found: Answered) -> str:
        if found.reason is not None:
            return found.reason
        return self._asker.ask(case).reason or ""

    def leave(self, one: Unasked) -> None:
        """Count a decision that was not."""
        (self.not_by_policy if one.is_foreign else self.not_replayable).add(one, self._limit)

    @property
    def asked(self) -> int:
        """The decisions that were asked for again."""
        return sum(one.count for one in self.classes.values())

    @property
    def decisions(self) -> int:
        """All decisions of the ledger."""
        left = (self.not_replayable, self.not_by_policy)
        return self.asked + sum(one.reasons.total() for one in left)

    @property
    def status(self) -> str:
        """`changed` if anything did; else `undecided` if something could not be asked; else `unchanged`."""
        if self.asked != self.classes[Change.UNCHANGED].count:
            return "changed"
        return "undecided" if self.not_replayable.reasons else "unchanged"

    def to_dict(self) -> dict[str, Any]:
        """The tally as JSON says it."""
        return {
            "status": self.status,
            "decisions": self.decisions,
            **{kind.value: self._class(found) for kind, found in self.classes.items()},
            "not_replayable": _left(self.not_replayable),
            "not_by_policy": _left(self.not_by_policy),
        }

    def _class(self, one: Class) -> dict[str, Any]:
        told: dict[str, Any] = {
            "count": one.count,
            "share": round(one.count / self.asked, 6) if self.asked else 0,
            "changes": [
                {"old": _ruling(old), "new": _ruling(new), "count": times}
                for (old, new), times in one.pairs.most_common(LISTED_MAX)
            ],
            "examples": one.chosen(self._limit),
        }
        if one is self.classes[Change.UNREADABLE]:
            told["reasons"] = list(_reasons(one.reasons))
        return told


def count(reasons: Counter[str], why: str) -> None:
    """Count a reason; of too many different ones the rest is counted together."""
    named = why if why in reasons or len(reasons) < LISTED_MAX else "others"
    reasons[named] += 1


def _left(one: Left) -> dict[str, Any]:
    reasons = list(_reasons(one.reasons))
    return {"count": one.reasons.total(), "reasons": reasons, "examples": one.examples}


def _reasons(found: Counter[str]) -> Iterator[dict[str, Any]]:
    return ({"why": why, "count": times} for why, times in found.most_common())


def _ruling(one: Ruling) -> dict[str, str]:
    return {"decision": one.decision.value, "rule_id": one.rule_id}


def _example(case: Case, new: Ruling, reason: str) -> dict[str, Any]:
    return {
        "seq": case.seq,
        "at_ms": case.at_ms,
        "event": case.event,
        "job_id": case.job_id,
        "agent": case.agent,
        "old": _ruling(case.old),
        "new": {**_ruling(new), "reason": reason},
    }
