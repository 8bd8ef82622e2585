"""Evidence records: a decision or another event of a run and its circumstances in, the body of a ledger record out.

The record is that of docs/formats.md (evidence-record.schema.json).  What always holds: a private field appears only
as a hash keyed with the record's own salt, in `labels`, in `input`, in `runtime` and so inside `input_hash`; without
the salt the value cannot be guessed.  `input_hash` is the hash of the canonical JSON of `input`, whether or not the
record shows it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from govlang.native.digest import digest
from govlang.runtime.evidence.canonical import INTEGER_MAX, canonical

SALT_BYTES: Final = 16
TOPIC: Final = "topic"
AGENT: Final = "agent"
APPROVED: Final = "approved"
CARRIED: Final = frozenset({TOPIC, AGENT, APPROVED})
INPUTS: Final = frozenset({"input", "runtime"})
INVALID: Final = "invalid_request"
TEXT_MAX: Final = 1_024
"""The longest text, in bytes of UTF-8, that a record too long keeps as it is."""
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


@dataclass(frozen=True, slots=True)
class More:
    """The members that a record may have beyond those that each has.

    `inputs`: show `input` and `runtime`, so that the record can be decided anew · `committed`: the request was
    committed to the policy's memory · `steps`: trace steps that the policy was fed after it, in order ·
    `enforcement`: `shadow` where the decision was not enforced · `details`: by event.
    """

    inputs: bool = False
    committed: bool = False
    steps: Sequence[Mapping[str, Any]] = ()
    enforcement: str | None = None
    details: Mapping[str, Any] | None = None


NO_MORE: Final = More()


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
    more: More = NO_MORE,
) -> dict[str, Any]:
    """The record of a decision without the links that the ledger adds (`seq`, `prev`)."""
    known = {column.name: column for column in columns}
    shown, host = _shown(known, request, salt), _shown(known, runtime, salt)
    counted = _counted(known, shown, host)
    required = verdict.decision == "require_human"
    granted = {"approval_granted": _text(verdict.approval_granted)} if required else {}
    body = {
        "at_ms": circumstances.at_ms,
        "job_id": _clean(circumstances.job_id),
        "topic": _plain_text(counted.get(TOPIC)),
        "policy_snapshot": basis.policy_snapshot,
        "params_hash": basis.params_hash,
        "proof_hash": basis.proof_hash,
        "decision": verdict.decision.upper(),
        "rule_id": verdict.rule_id,
        "approval_required": required,
        "labels": labels(known, counted) | granted,
        "run_timeline_event": circumstances.run_timeline_event,
        "agent": _clean(circumstances.agent) or _plain_text(counted.get(AGENT)),
        "approver": _clean(circumstances.approver),
        "delegation": [_clean(one) for one in circumstances.delegation],
        "input_hash": digest(canonical(shown)),
    }
    if more is not NO_MORE:
        _add(body, more, shown, host)
    return body


def event_body(
    circumstances: Circumstances,
    basis: Basis,
    labels: Mapping[str, str] | None = None,
    topic: str = "",
    input_values: Mapping[str, Any] | None = None,
    more: More = NO_MORE,
) -> dict[str, Any]:
    """The record of an event that is no decision, without `seq` and `prev`: who, when, about what.

    `input_values` is what the event was about and is hashed into `input_hash`, with `more.inputs` also shown.
    """
    shown = written(input_values or {})
    body = {
        "at_ms": circumstances.at_ms,
        "job_id": _clean(circumstances.job_id),
        "topic": _clean(topic),
        "policy_snapshot": basis.policy_snapshot,
        "params_hash": basis.params_hash,
        "proof_hash": basis.proof_hash,
        "decision": None,
        "rule_id": None,
        "approval_required": False,
        "labels": {_clean(name): _clean(text) for name, text in (labels or {}).items()},
        "run_timeline_event": circumstances.run_timeline_event,
        "agent": _clean(circumstances.agent),
        "approver": _clean(circumstances.approver),
        "delegation": [_clean(one) for one in circumstances.delegation],
        "input_hash": digest(canonical(shown)),
    }
    _add(body, more, shown, {})
    return body


def _add(body: dict[str, Any], more: More, shown: dict[str, Any], host: dict[str, Any]) -> None:
    if more.inputs:
        body |= {"input": shown, "runtime": host}
    if more.committed:
        body["committed"] = True
    if more.steps:
        body["steps"] = [_json(step) for step in more.steps]
    if more.enforcement is not None:
        body["enforcement"] = more.enforcement
    if more.details is not None:
        body["details"] = _json(more.details)


def fitted(body: Mapping[str, Any]) -> dict[str, Any]:
    """The record with less in it, for one that is too long to be kept.

    What the request carried is left out unless the policy must be told of it again (it was committed, and valid), and
    each text over 1 024 bytes that nobody decides by is its SHA-256.
    """
    again = body.get("committed") and body.get("rule_id") != INVALID
    return {
        name: value if name in INPUTS or name == "steps" else _cut(value)
        for name, value in body.items()
        if again or name not in INPUTS
    }


def _cut(value: Any) -> Any:
    match value:
        case str() if len(value) > TEXT_MAX or len(value.encode()) > TEXT_MAX:
            return digest(value.encode())
        case dict():
            return {_cut(name): _cut(item) for name, item in value.items()}
        case list():
            return [_cut(item) for item in value]
        case _:
            return value


def _counted(
    known: Mapping[str, Column], shown: Mapping[str, Any], host: Mapping[str, Any]
) -> dict[str, Any]:
    """The values that count: each field from its own side; what no field is called, from either."""
    counted = {
        name: value
        for name, value in shown.items()
        if (column := known.get(name)) is None or column.origin == "request"
    }
    return counted | {
        name: value
        for name, value in host.items()
        if (column := known.get(name)) is None or column.origin != "request"
    }


def labels(known: Mapping[str, Column], shown: Mapping[str, Any]) -> dict[str, str]:
    """The bool, enum and text fields that have no place of their own, and every private one, as text."""
    return {
        name: _text(value)
        for name, value in shown.items()
        if name not in CARRIED and (c := known.get(name)) and (c.private or c.kind in LABELLED)
    }


def has_private(columns: Iterable[Column]) -> bool:
    """Whether a record of these columns needs its salt kept."""
    return any(column.private for column in columns)


def salted(salt: bytes, name: str, value: Any) -> str:
    """What stands for a private value: HMAC-SHA256 of its name and canonical JSON under the salt."""
    content = canonical([name, written(value)])
    return "hmac-sha256:" + hmac.digest(salt, content, "sha256").hex()


def _shown(known: Mapping[str, Column], values: Mapping[str, Any], salt: bytes) -> dict[str, Any]:
    """The values as they are hashed, with the private ones replaced by their salted hashes."""
    return {
        _clean(str(name)): salted(salt, name, value)
        if (column := known.get(name)) is not None and column.private
        else written(value)
        for name, value in values.items()
    }


def written(value: Any) -> Any:
    """JSON values as they are; numbers as text, so that what was written is what is hashed."""
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _clean(value)
    if kind is bool or value is None:
        return value
    if kind is dict:
        return {_clean(str(key)): written(item) for key, item in value.items()}
    if kind is list:
        return [written(item) for item in value]
    match value:
        case str():
            return _clean(value)
        case Mapping():
            return {_clean(str(key)): written(item) for key, item in value.items()}
        case list() | tuple():
            return [written(item) for item in value]
        case set() | frozenset():
            return sorted(_clean(str(item)) for item in value)
        case _:
            return str(value)


def _json(value: Any) -> Any:
    """The same, but integers that canonical JSON holds stay numbers: times and counts."""
    match value:
        case int() if not isinstance(value, bool) and abs(value) <= INTEGER_MAX:
            return int(value)
        case Mapping():
            return {_clean(str(key)): _json(item) for key, item in value.items()}
        case list() | tuple():
            return [_json(item) for item in value]
        case _:
            return written(value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else _clean(str(value))


def _plain_text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _clean(text: str) -> str:
    """The text with surrogates, which no UTF-8 has, written out: a bad request is recorded, too."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
