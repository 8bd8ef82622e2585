"""What people are shown of an approval: all that its job's hash covers, so that nobody signs blind.

In: an approval, and the rows of its job.  Out: the JSON of `GET /v1/approvals` and `GET /v1/approvals/{id}`.

What always holds: a single approval is shown whole; of a list each one says whether it is (`whole`), as payloads may be
large and there are many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from govlang.runtime.control.values import Column, revive
from govlang.runtime.decision import as_json

if TYPE_CHECKING:
    from govlang.runtime.control.job import Approval, Job
    from govlang.runtime.control.store import Session

LISTED_MAX: Final = 100
"""So many approvals are listed at once."""

SHOWN_MAX: Final = 4096
"""The longest payload and undo, in characters of JSON, that a list shows."""

WHOLE: Final = 2**62
"""So much is shown of a single one."""

Cursor = tuple[int, str]
"""A place in a list: a time in ms since 1970, and an id."""


def place_of(text: str | None) -> Cursor | None:
    """The place that an `after` names."""
    if text is None:
        return None
    at_ms, _, name = text.partition(".")
    return int(at_ms), name


def after(at_ms: int, name: str) -> str:
    """What to give as `after` for what follows."""
    return f"{at_ms}.{name}"


def shown(
    rows: Session, fields: Iterable[Column], one: Approval, most: int = WHOLE
) -> dict[str, Any]:
    """An approval and its job; `most`: leave payload and undo out where they are longer."""
    job, is_whole = rows.excerpt(one.job_id, most) or (None, False)
    covered = _covered(job, tuple(fields), is_whole=is_whole)
    return {
        "approval_id": one.approval_id,
        "job_id": one.job_id,
        "agent": one.agent,
        "roles": list(one.roles),
        "granted": sorted(one.granted),
        "created_ms": one.created_ms,
        "expires_ms": one.expires_ms,
        "state": one.state,
        "reason": one.reason,
        **covered,
        "job_hash": one.job_hash,
    }


def _covered(job: Job | None, fields: tuple[Column, ...], *, is_whole: bool) -> dict[str, Any]:
    """What the hash of a job covers, and the decision that asks; empty of a job that is not kept any more."""
    if job is None:
        lost = ("run_id", "step", "topic", "pool", "parent_job_id", "decision", "payload", "undo")
        return {**dict.fromkeys(lost), "delegation": [], "request": {}, "whole": False}
    intent = job.intent
    return {
        "run_id": job.run_id,
        "step": job.step,
        "topic": job.topic,
        "pool": intent.pool,
        "delegation": list(job.delegation),
        "parent_job_id": job.parent_job_id,
        "decision": job.decision,
        "request": _request(fields, intent.request),
        "payload": intent.payload,
        "undo": _undo(fields, intent.undo),
        "whole": is_whole and not job.is_forgotten,
    }


def _undo(fields: tuple[Column, ...], undo: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if undo is None else {**undo, "request": _request(fields, undo["request"])}


def _request(fields: tuple[Column, ...], kept: Mapping[str, Any] | None) -> Any:
    return as_json(revive(fields, kept or {}))
