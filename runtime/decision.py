"""What comes back from a policy: a decision, the rule behind it, what the host must do.

In: made by the engine (`native/gov_dict.c`).  Out: `Outcome`, whose decision, rule and reason are there at
once and whose obligations and fired rules are worked out when somebody asks, from the request as the table saw it.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from govlang.native._dict import Decided
from govlang.runtime.obligations import Obligation

if TYPE_CHECKING:
    from govlang.runtime.policy import Policy


class Decision(StrEnum):
    """An effect, from the loosest to the strictest."""

    ALLOW = "allow"
    LIMIT = "limit"
    THROTTLE = "throttle"
    REQUIRE_HUMAN = "require_human"
    DENY = "deny"


DECISIONS: Final = tuple(Decision)


class Outcome(Decided):
    """A decision with everything that follows from it; never changes, equal if all its parts are."""

    __slots__ = ()

    if TYPE_CHECKING:
        _policy: Policy

        @property
        def decision(self) -> Decision: ...

    @property
    def obligations(self) -> tuple[Obligation, ...]:
        """What the host must do; a host that cannot must treat the outcome as deny."""
        return self.gathered()[0]

    @property
    def matched(self) -> tuple[str, ...]:
        """Every rule that fired, in order of precedence."""
        mark = self._mark
        return () if mark is None else self._policy.gatherer.of(mark).matched

    def gathered(self) -> tuple[tuple[Obligation, ...], tuple[str, ...]]:
        """`obligations` and `matched`, worked out together."""
        mark = self._mark
        if mark is None:
            return (), ()
        gatherer = self._policy.gatherer
        obligations = gatherer.obligations(mark, self._words, self._texts or ())
        return obligations, gatherer.of(mark).matched

    @property
    def fixed_by(self) -> bytes | None:
        """By what `to_dict` is told apart from that of other outcomes of the policy; None: by the request itself."""
        mark = self._mark
        return mark if mark is not None and self._policy.gatherer.of(mark).is_fixed else None

    @property
    def policy_snapshot(self) -> str:
        """The name of the policy's meaning."""
        return self._policy.snapshot

    @property
    def params_hash(self) -> str:
        """The name of the parameters' values."""
        return self._policy.params_hash

    def to_dict(self) -> dict[str, Any]:
        """The outcome in the order and the names of `gov decide --format json`."""
        obligations, matched = self.gathered()
        return {
            "decision": self.decision.value,
            "rule_id": self.rule_id,
            "reason": self.reason,
            "obligations": [as_json(one) for one in obligations],
            "matched": list(matched),
            "policy_snapshot": self.policy_snapshot,
            "params_hash": self.params_hash,
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Outcome):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.decision, self.rule_id, self.reason))

    def __repr__(self) -> str:
        return f"Outcome({self.decision.value} by {self.rule_id!r})"


def as_json(value: Any) -> Any:
    """Exact decimals as the JSON numbers that people read back as the same decimal."""
    kind = type(value)
    if kind is str or kind is int:
        return value
    if isinstance(value, dict):
        return {name: as_json(one) for name, one in value.items()}
    if isinstance(value, list):
        return [as_json(one) for one in value]
    return float(value) if isinstance(value, Decimal) else value
