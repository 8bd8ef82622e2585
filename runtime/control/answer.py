"""What the control plane answers: a status, a body, a few headers; HTTP sends it, tests read it.

In: a result, or a problem's code with what was wrong.  Out: `Answer`.

What always holds: every refusal carries a code of `PROBLEMS`, which fixes its status and title (RFC 9457), the field
that is wrong and what was expected, unless it is the service that fails (`BY_THE_SERVICE`); a code that is not in the
table cannot be answered.
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
        "malformed_http": Kind(400, "the request is not HTTP"),
        "malformed_json": Kind(400, "the body is not JSON"),
        "unauthenticated": Kind(401, "the caller is not known"),
        "forbidden": Kind(403, "the caller may not do this"),
        "denied": Kind(403, "the policy denies it"),
        "suspended": Kind(403, "the caller is suspended"),
        "own_approval": Kind(403, "nobody approves what they asked for"),
        "not_found": Kind(404, "there is no such thing"),
        "method_not_allowed": Kind(405, "the route has no such method"),
        "head_timeout": Kind(408, "the head came too slowly"),
        "body_timeout": Kind(408, "the body came too slowly"),
        "conflict": Kind(409, "it contradicts what is there"),
        "idempotency_conflict": Kind(409, "the idempotency key was used with another body"),
        "illegal_state": Kind(409, "the state does not permit it"),
        "lease_lost": Kind(409, "the lease has ended"),
        "approval_closed": Kind(409, "the approval is not open"),
        "other_policy": Kind(409, "the bundle is of another policy"),
        "looser_policy": Kind(409, "the policy is looser than the active one"),
        "gone": Kind(410, "it is kept in the ledger alone"),
        "payload_too_large": Kind(413, "the body is too large"),
        "unsupported_media_type": Kind(415, "the body has another content type"),
        "invalid_body": Kind(422, "the request has another shape"),
        "invalid_request": Kind(422, "the policy cannot read the request"),
        "idempotency_key_missing": Kind(422, "the Idempotency-Key is missing or malformed"),
        "unsigned_policy": Kind(422, "the bundle is not signed by the required key"),
        "bad_bundle": Kind(422, "the bundle cannot be used"),
        "rate_limited": Kind(429, "too many requests"),
        "throttled": Kind(429, "the policy asks to wait"),
        "head_too_large": Kind(431, "the head is too large"),
        "internal_error": Kind(500, "the service failed"),
        "not_installed": Kind(501, "the service was installed without this"),
        "policy_unavailable": Kind(503, "the policy check does not answer"),
        "busy": Kind(503, "too much of this runs already"),
        "shutting_down": Kind(503, "the service is stopping"),
        "storage_unavailable": Kind(503, "nothing can be stored"),
        "not_ready": Kind(503, "the service is not ready"),
    }
)
"""Code to status and title; the table stands whole in the OpenAPI document."""

ASKED: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "malformed_http": ("request", "one length, or `Transfer-Encoding: chunked`"),
        "malformed_json": ("body", "one JSON value in UTF-8"),
        "unauthenticated": ("Authorization", "`Bearer` and a valid token"),
        "forbidden": ("Authorization", "a token that may do this"),
        "denied": ("request", "a request that the policy does not deny"),
        "suspended": ("Authorization", "a caller that an operator has not suspended"),
        "own_approval": ("Authorization", "the token of a person who did not ask for the job"),
        "not_found": ("path", "what there is, and the caller may see"),
        "method_not_allowed": ("method", "a method of the path"),
        "conflict": ("body", "what fits what is there now: look again"),
        "idempotency_conflict": (
            "Idempotency-Key",
            "the body that came with this key, or another key",
        ),
        "illegal_state": ("path", "a job in a state that permits it"),
        "lease_lost": ("lease_id", "a lease that has not ended"),
        "approval_closed": ("approval_id", "an approval that is open"),
        "gone": ("job_id", "a job that the store still has"),
        "head_timeout": ("headers", "the whole head in `GOV_HEAD_TIMEOUT_S`"),
        "head_too_large": ("headers", "a head of at most 65536 bytes"),
        "body_timeout": ("body", "the whole body in `GOV_BODY_TIMEOUT_S`"),
        "other_policy": ("body", "a bundle of the policy that is active"),
        "busy": ("path", "the same request after `retry_after_s`"),
        "looser_policy": ("body", "a policy that is nowhere looser than the active one"),
        "payload_too_large": ("body", "a smaller body"),
        "unsupported_media_type": ("Content-Type", "the content type of the route"),
        "invalid_body": ("body", "the form that `/openapi.json` gives"),
        "invalid_request": ("request", "what `GET /v1/policy` says of its fields"),
        "idempotency_key_missing": ("Idempotency-Key", "1 to 200 visible ASCII characters"),
        "unsigned_policy": ("body", "a bundle signed by the required key"),
        "bad_bundle": ("body", "a bundle as `gov build` writes it"),
        "rate_limited": ("Authorization", "fewer requests of this token"),
        "throttled": ("request", "the same request after `retry_after_s`"),
        "not_installed": ("path", "a service that was installed with `govlang[verify]`"),
        "policy_unavailable": ("request", "the same request after `retry_after_s`"),
    }
)
"""What is wrong and what was expected, by code, where the place of the refusal knows nothing closer."""

BY_THE_SERVICE: Final = frozenset(
    {"internal_error", "shutting_down", "storage_unavailable", "not_ready"}
)
"""The codes without `field` and `expected`: nothing that the caller sent is wrong."""

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
    examples: list[dict[str, Any]] | None


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
    if code in ASKED:
        body["field"], body["expected"] = ASKED[code]
    body.update((name, value) for name, value in members.items() if value is not None)
    wait_s = members.get("retry_after_s")
    if wait_s is None:
        return Answer(kind.status, body)
    return Answer(kind.status, body, {"retry-after": str(max(1, math.ceil(wait_s)))})


def for_another(subject: str, field: str, named: str) -> Answer:
    """The refusal of a caller whose request is another agent's, by the field that says whose it is."""
    why = (
        f"the token speaks for `{subject}`; `{field}` says whose request it is, and names `{named}`"
    )
    return problem("forbidden", why, field=f"request.{field}", expected=f"`{subject}`")


def answer_lines(before: Mapping[str, Any], name: str, lines: Iterable[bytes]) -> Answer:
    """An object whose last member is a list of records as the ledger has them: they are JSON, and are not read."""
    head = json.dumps({**before, name: []}, ensure_ascii=False)
    text = b",".join(bytes(one) for one in lines).decode()
    return Answer(200, f"{head[:-2]}{text}]}}", {"content-type": "application/json"})
