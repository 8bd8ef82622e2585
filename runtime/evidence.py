"""Evidence records: a decision and its circumstances in, the body of a ledger record out.

The record is that of the contract.  What always holds: a private field appears only as a hash keyed with
the record's own salt, in `labels` and inside `input_hash`; without the salt the value cannot be guessed.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import rfc8785

from govlang.native.digest import digest

SALT_BYTES: Final = 16
TOPIC: Final = "topic"
AGENT: Final = "agent"
APPROVED: Final = "approved"
CARRIED: Final = frozenset({TOPIC, AGENT, APPROVED})
FORGED: Final = "from the wrong side"
"""Where `input_hash` has what such an invalid request carried; no field is called so."""
LABELLED: Final = frozenset({"bool", "enum", "text", "path", "key"})


class Column(Protocol):
    """What must be known of a field."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def origin(self) -> str: ...
    @property
    def private(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the host knows of a decision beside the request."""

    at_ms: int
    job_id: str
    run_timeline_event: str = "decided"
    agent: str = ""
    approver: str = ""
    delegation: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Basis:
    """What the decision rests on: hashes of the policy, its parameters and its proofs."""

    policy_snapshot: str
    params_hash: str
    proof_hash: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision before approvals count (`require_human`), its rule, and whether approval was granted."""

    decision: str
    rule_id: str
    approval_granted: bool


def new_salt() -> bytes:
    """A salt for one record."""
    return secrets.token_bytes(SALT_BYTES)


def record_body(
    columns: Iterable[Column],
    request: Mapping[str, Any],
    runtime: Mapping[str, Any],
    verdict: Verdict,
    basis: Basis,
    circumstances: Circumstances,
    salt: bytes,
) -> dict[str, Any]:
    """The record without the links that the ledger adds (`seq`, `prev`)."""
    known = {column.name: column for column in columns}
    counted, forged = _by_origin(known, request, runtime)
    shown = _shown(known, counted, salt)
    hashed = shown | ({FORGED: _shown(known, forged, salt)} if forged else {})
    required = verdict.decision == "require_human"
    granted = {"approval_granted": _text(verdict.approval_granted)} if required else {}
    return {
        "at_ms": circumstances.at_ms,
        "job_id": _clean(circumstances.job_id),
        "topic": _plain_text(shown.get(TOPIC)),
        "policy_snapshot": basis.policy_snapshot,
        "params_hash": basis.params_hash,
        "proof_hash": basis.proof_hash,
        "decision": verdict.decision.upper(),
        "rule_id": verdict.rule_id,
        "approval_required": required,
        "labels": labels(known, shown) | granted,
        "run_timeline_event": circumstances.run_timeline_event,
        "agent": _clean(circumstances.agent) or _plain_text(shown.get(AGENT)),
        "approver": _clean(circumstances.approver),
        "delegation": [_clean(one) for one in circumstances.delegation],
        "input_hash": digest(rfc8785.dumps(_canonical(hashed))),
    }


def _by_origin(
    known: Mapping[str, Column], request: Mapping[str, Any], runtime: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values that count, each from its own side, and those that the other side gave."""
    counted: dict[str, Any] = {}
    forged: dict[str, Any] = {}
    for values, is_request in ((request, True), (runtime, False)):
        for name, value in values.items():
            column = known.get(name)
            fits = column is None or (column.origin == "request") is is_request
            (counted if fits else forged)[name] = value
    return counted, forged


def labels(known: Mapping[str, Column], shown: Mapping[str, Any]) -> dict[str, str]:
    """The bool, enum and text fields that have no place of their own, and every private one, as text."""
    return {
        name: _text(value)
        for name, value in sorted(shown.items())
        if name not in CARRIED and (c := known.get(name)) and (c.private or c.kind in LABELLED)
    }


def has_private(columns: Iterable[Column]) -> bool:
    """Whether a record of these columns needs its salt kept."""
    return any(column.private for column in columns)


def salted(salt: bytes, name: str, value: Any) -> str:
    """What stands for a private value: HMAC-SHA256 of its name and canonical JSON under the salt."""
    content = rfc8785.dumps([name, _canonical(value)])
    return "hmac-sha256:" + hmac.digest(salt, content, "sha256").hex()


def _shown(known: Mapping[str, Column], values: Mapping[str, Any], salt: bytes) -> dict[str, Any]:
    """The values with the private ones replaced by their salted hashes."""
    return {
        name: salted(salt, name, value) if name in known and known[name].private else value
        for name, value in values.items()
    }


def _canonical(value: Any) -> Any:
    """JSON values as they are; numbers as text, so that what was written is what is hashed."""
    match value:
        case bool() | None:
            return value
        case str():
            return _clean(value)
        case Mapping():
            return {_clean(str(key)): _canonical(item) for key, item in value.items()}
        case list() | tuple():
            return [_canonical(item) for item in value]
        case set() | frozenset():
            return sorted(_clean(str(item)) for item in value)
        case _:
            return str(value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else _clean(str(value))


def _plain_text(value: Any) -> str:
    return _clean(value) if isinstance(value, str) else ""


def _clean(text: str) -> str:
    """The text with surrogates, which no UTF-8 has, written out: a bad request is recorded, too."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
