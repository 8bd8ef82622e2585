"""What the control plane answers: a status, a body, a few headers; HTTP sends it, tests read it.

In: a result, or a problem's code with what was wrong.  Out: `Answer`.

What always holds: every refusal carries a code of `PROBLEMS`, which fixes its status and title (RFC 9457); a code
that is not in the table cannot be answered.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypedDict, Unpack


class Lasting(dict[str, Any]):
    """A body that is given again and again and never changed, so that it is written as JSON once."""

    __slots__ = ("text",)
    text: bytes | None

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__(body)
        self.text = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A status of HTTP, a JSON object (or a text, sent as text/plain), and headers beyond the usual ones."""

    status: int
    body: dict[str, Any] | str | None
    headers: dict[str, str] = field(default_factory=dict)


class Kind(NamedTuple):
    """What a problem's code stands for."""

    status: int
    title: str


PROBLEMS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "malformed_json": Kind(400, "the body is not JSON"),
        "unauthenticated": Kind(401, "the caller is not known"),
        "forbidden": Kind(403, "the caller may not do this"),
        "denied": Kind(403, "the policy denies it"),
        "own_approval": Kind(403, "nobody approves what they asked for"),
        "not_found": Kind(404, "there is no such thing"),
        "method_not_allowed": Kind(405, "the route has no such method"),
        "conflict": Kind(409, "it contradicts what is there"),
        "idempotency_conflict": Kind(409, "the idempotency key was used with another body"),
        "illegal_state": Kind(409, "the state does not permit it"),
        "lease_lost": Kind(409, "the lease has ended"),
        "approval_closed": Kind(409, "the approval is not open"),
        "looser_policy": Kind(409, "the policy is looser than the active one"),
        "payload_too_large": Kind(413, "the body is too large"),
        "unsupported_media_type": Kind(415, "the body has another content type"),
        "invalid_body": Kind(422, "the request has another shape"),
        "invalid_request": Kind(422, "the policy cannot read the request"),
        "idempotency_key_missing": Kind(422, "the Idempotency-Key is missing or malformed"),
        "unsigned_policy": Kind(422, "the bundle is not signed by the required key"),
        "bad_bundle": Kind(422, "the bundle cannot be used"),
        "rate_limited": Kind(429, "too many requests"),
        "throttled": Kind(429, "the policy asks to wait"),
        "internal_error": Kind(500, "the service failed"),
        "not_installed": Kind(501, "the service was installed without this"),
        "policy_unavailable": Kind(503, "the policy check does not answer"),
        "shutting_down": Kind(503, "the service is stopping"),
        "storage_unavailable": Kind(503, "nothing can be stored"),
        "not_ready": Kind(503, "the service is not ready"),
    }
)
"""Code to status and title; the table stands whole in the OpenAPI document."""

TYPE_PREFIX: Final = "urn:govlang:problem:"


class Members(TypedDict, total=False):
    """What a problem may say beyond its code and detail; None stands for left out."""

    field: str | None
    expected: str | None
    rule_id: str | None
    reason: str | None
    remedy: str | None
    retry_after_s: float | None
    job_id: str | None
    approval_id: str | None
    decision: dict[str, Any] | None


def problem(code: str, detail: str, **members: Unpack[Members]) -> Answer:
    """The refusal of that code; `retry_after_s` (seconds) is sent as Retry-After too, rounded up, at least 1.

    Raises:
        KeyError: there is no such code.
    """
    kind = PROBLEMS[code]
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + code,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": code,
    }
    body.update((name, value) for name, value in members.items() if value is not None)
    wait_s = members.get("retry_after_s")
    if wait_s is None:
        return Answer(kind.status, body)
    return Answer(kind.status, body, {"retry-after": str(max(1, math.ceil(wait_s)))})


def answer_lines(before: Mapping[str, Any], name: str, lines: Iterable[bytes]) -> Answer:
    """An object whose last member is a list of records as the ledger has them: they are JSON, and are not read."""
    head = json.dumps({**before, name: []}, ensure_ascii=False)
    text = b",".join(bytes(one) for one in lines).decode()
    return Answer(200, f"{head[:-2]}{text}]}}", {"content-type": "application/json"})
