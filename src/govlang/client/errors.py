"""What a gateway, or a guard, refuses, as exceptions.

In: an answer that is no success (problem+json, RFC 9457), or a fault on the way to it.  Out: an exception by what
the caller can do about it.

What always holds: an answer that cannot be read is `Unavailable`, never a success; so whoever runs a call only when
nothing was raised never runs one in doubt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

DETAIL_MAX: Final = 500
"""The most characters that are quoted of a text that is no problem+json."""


class GovError(Exception):
    """A refusal; `code` and `status` are the gateway's, `status` 0 where no answer came or none was asked for.

    `members` holds the whole problem; what most callers read of it has a name of its own.
    """

    def __init__(
        self,
        code: str,
        status: int,
        detail: str,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code: Final = code
        self.status: Final = status
        self.detail: Final = detail
        self.members: Final[Mapping[str, Any]] = dict(members or {})

    @property
    def field(self) -> str | None:
        """The field or member that is wrong."""
        return self._text("field")

    @property
    def expected(self) -> str | None:
        """What should have stood there."""
        return self._text("expected")

    @property
    def rule_id(self) -> str | None:
        """The rule that decided."""
        return self._text("rule_id")

    @property
    def reason(self) -> str | None:
        """The rule's `because`."""
        return self._text("reason")

    @property
    def remedy(self) -> Any:
        """What the rule says would help."""
        return self.members.get("remedy")

    @property
    def job_id(self) -> str | None:
        """The job that this is about."""
        return self._text("job_id")

    @property
    def approval_id(self) -> str | None:
        """The approval that it waits for, or waited."""
        return self._text("approval_id")

    @property
    def decision(self) -> Mapping[str, Any] | None:
        """The decision with its obligations, as `gov decide` prints one."""
        found = self.members.get("decision")
        return found if isinstance(found, Mapping) else None

    @property
    def retry_after_s(self) -> float | None:
        """After how many seconds it may be tried again."""
        found = self.members.get("retry_after_s")
        is_number = isinstance(found, int | float) and not isinstance(found, bool)
        return float(found) if is_number and found >= 0 else None  # type: ignore[arg-type, operator]

    def _text(self, name: str) -> str | None:
        found = self.members.get(name)
        return found if isinstance(found, str) else None


class Denied(GovError):
    """The policy denies it, or allows it on a condition that cannot be kept here."""


class ApprovalRequired(GovError):
    """A person must approve it, and nobody has (yet)."""


class Throttled(GovError):
    """Too much for now, by the policy (`throttled`) or by the gateway (`rate_limited`)."""


class Unavailable(GovError):
    """No answer, none that can be read, or one that says: not now."""


class Invalid(GovError):
    """The request has not the form that the gateway or the policy asks for; `field` names the place."""


class Unwritable(Invalid, ValueError):
    """What was to be sent holds what JSON has not (NaN, an object of no JSON type, a circle); nothing was sent."""

    def __init__(self, why: str) -> None:
        super().__init__("unwritable", 0, f"what was to be sent cannot be written as JSON: {why}")
        self.why: Final = why


class Forbidden(GovError):
    """The token is missing, unknown or expired, or has not the role."""


class NotFound(GovError):
    """There is no such thing (any more), or it is not the caller's to see."""


class Conflict(GovError):
    """It does not go with what is there: another body under the key, a state that allows no such move."""


class LeaseLost(Conflict):
    """The lease has ended; what ran under it must stop."""


_BY_CODE: Final[Mapping[str, type[GovError]]] = {"denied": Denied, "lease_lost": LeaseLost}
_BY_STATUS: Final[Mapping[int, type[GovError]]] = {
    400: Invalid,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    405: Invalid,
    409: Conflict,
    410: NotFound,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: Throttled,
}


def problem_of(status: int, body: bytes, retry_after: str | None = None) -> GovError:
    """The exception of an answer that is no success; whatever is unknown is `Unavailable`."""
    members = _members(body)
    code = members.get("code")
    detail = members.get("detail") or members.get("title")
    if not isinstance(code, str):
        code = "unavailable" if status >= 500 else "unknown"
    if not isinstance(detail, str):
        detail = f"the gateway answered {status}: {body[:DETAIL_MAX].decode('utf-8', 'replace')}"
    if "retry_after_s" not in members and retry_after is not None and retry_after.isdecimal():
        members["retry_after_s"] = int(retry_after)
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, Unavailable)
    return kind(code, status, detail, members)


def _members(body: bytes) -> dict[str, Any]:
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def unreadable(what: str) -> Unavailable:
    """The refusal of an answer that is not what was promised."""
    return Unavailable("unreadable_answer", 0, f"the gateway's answer cannot be read: {what}")
