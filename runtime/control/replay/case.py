"""Cases: records of a ledger in, what was asked and how it was decided out; or why it cannot be asked again.

What always holds: a case holds exactly the values that the policy was asked about; a value of which the ledger has only
the hash is never guessed, and a decision that no policy made is no case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from govlang.runtime.control.verdict import FAIL_OPEN, INVALID, UNAVAILABLE
from govlang.runtime.decision import Decision

MARK: Final = b"hmac-sha256:"
"""No line without it holds a hash of a private value."""

HASHED: Final = re.compile(r"hmac-sha256:[0-9a-f]{64}")
"""What stands for a private value (record.py)."""

REFUSED: Final = frozenset(
    {"suspended", "delegation_depth", "live_jobs_agent_max", "live_jobs_max", UNAVAILABLE}
)
"""What the service denies by, without a policy; such a record says why in its details."""


class Ruling(NamedTuple):
    """An effect before approvals count, and the rule behind it."""

    decision: Decision
    rule_id: str

    @property
    def is_invalid(self) -> bool:
        """Whether the policy could not read the request."""
        return self.rule_id == INVALID


@dataclass(frozen=True, slots=True)
class Case:
    """What was asked at a time, and how it was decided then; numbers are texts."""

    seq: int
    at_ms: int
    event: str
    job_id: str
    agent: str
    old: Ruling
    request: Mapping[str, Any]
    runtime: Mapping[str, Any]
    delegation: tuple[str, ...]
    is_committed: bool


class Unasked(NamedTuple):
    """A decision that cannot be asked for again, and why; `is_foreign`: it was none of a policy."""

    seq: int
    job_id: str
    agent: str
    why: str
    is_foreign: bool


class Private(Protocol):
    """Where the values are of which records hold the hashes."""

    def of(self, seq: int) -> Mapping[str, Mapping[str, Any]]:
        """The private values of a record by `input` and `runtime`; empty where they are gone."""
        ...


def read_case(record: Mapping[str, Any], private: Private | None) -> Case | Unasked | None:
    """The case of a record, None if it is no decision; `private` None: there is no hash of a value in it.

    Raises:
        KeyError, TypeError, ValueError: it is no record.
    """
    if record["decision"] is None:
        return None
    old = Ruling(Decision(record["decision"].lower()), record["rule_id"])
    if _is_foreign(record, old):
        return _unasked(record, f"the service decided by `{old.rule_id}`", is_foreign=True)
    if "input" not in record:
        return _unasked(record, "the record does not show its input")
    request, runtime = dict(record["input"]), dict(record["runtime"])
    lost = None if private is None else _restore(record["seq"], request, runtime, private)
    if lost is not None:
        return _unasked(record, f"the private field `{lost}` is there as a hash only")
    return Case(
        record["seq"],
        record["at_ms"],
        record["run_timeline_event"],
        record["job_id"],
        record["agent"],
        old,
        request,
        runtime,
        tuple(record["delegation"]),
        record.get("committed") is True,
    )


def _is_foreign(record: Mapping[str, Any], old: Ruling) -> bool:
    """Whether the service decided; a rule may have the same name, but its records say no reason."""
    if old.rule_id == FAIL_OPEN:
        return not record.get("runtime")
    return old.rule_id in REFUSED and "reason" in record.get("details", {})


def _unasked(record: Mapping[str, Any], why: str, *, is_foreign: bool = False) -> Unasked:
    return Unasked(record["seq"], record["job_id"], record["agent"], why, is_foreign)


def _restore(
    seq: int, request: dict[str, Any], runtime: dict[str, Any], private: Private
) -> str | None:
    """Put private values in the place of their hashes; the first that is lost."""
    sides = [
        (side, values, name)
        for side, values in (("input", request), ("runtime", runtime))
        for name, value in values.items()
        if type(value) is str and value[:5] == "hmac-" and HASHED.fullmatch(value)
    ]
    if not sides:
        return None
    kept = private.of(seq)
    for side, values, name in sides:
        found = kept.get(side, {})
        if name not in found:
            return name
        values[name] = found[name]
    return None
