"""The story of a job, record by record: a record in, what is known of the job after it out.

What always holds: what a story says follows from the records alone; of a job whose records are all told it says what
the service's own tables say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

Record = Mapping[str, Any]

STATES: Final = {
    "undo_submitted": "scheduled",
    "approval_requested": "approval_required",
    "rejected": "denied",
    "approval_expired": "timed_out",
    "step_dispatched": "dispatched",
    "dispatch_refused": "denied",
    "postponed": "retrying",
    "step_started": "running",
    "step_succeeded": "succeeded",
    "step_failed": "failed",
    "step_timed_out": "timed_out",
    "cancelled": "cancelled",
    "revoked": "cancelled",
    "quarantined": "quarantined",
    "submit_refused": "refused",
    "invalid": "refused",
}
"""The state in which an event leaves a job; `refused`: it was never stored."""


@dataclass(slots=True)
class JobStory:
    """What the records say of a job; times are ms since 1970."""

    job_id: str
    agent: str
    topic: str
    delegation: tuple[str, ...]
    began_ms: int
    state: str = "pending"
    job_hash: str | None = None
    pool: str | None = None
    parent_job_id: str | None = None
    approval_id: str | None = None
    approved_by: dict[str, str] = field(default_factory=dict)
    """Role to the person who gave it; of the newest approval."""
    worker: str | None = None
    tries: int = 0
    reason: str = ""
    policies: list[str] = field(default_factory=list)
    """The snapshots that it was decided under."""
    changed_ms: int = 0
    revoked_ms: int | None = None
    revoked_after_ms: int | None = None
    undo_of: str | None = None
    undone_by: str | None = None
    retried_as: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The story as JSON says it."""
        return asdict(self) | {"delegation": list(self.delegation)}


def told(jobs: dict[str, JobStory], record: Record) -> JobStory:
    """The story of a record's job, with the record in it."""
    job_id, details = record["job_id"], record.get("details", {})
    story = jobs.get(job_id)
    if story is None or (story.state == "refused" and record["run_timeline_event"] == "submitted"):
        story = jobs[job_id] = JobStory(
            job_id,
            record["agent"],
            record["topic"],
            tuple(record["delegation"]),
            record["at_ms"],
        )
    _tell(story, record, details)
    undone = jobs.get(story.undo_of or "")
    if undone is not None:
        undone.undone_by = job_id
    return story


def _tell(story: JobStory, record: Record, details: Mapping[str, Any]) -> None:
    event = record["run_timeline_event"]
    if record["decision"] is not None and record["policy_snapshot"] not in story.policies:
        story.policies.append(record["policy_snapshot"])
    match event:
        case "submitted":
            story.job_hash, story.pool = details.get("job_hash"), details.get("pool")
            story.parent_job_id = details.get("parent_job_id")
            story.state = "approval_required" if "approval_id" in details else "scheduled"
        case "undo_submitted":
            story.undo_of = story.parent_job_id = details["undo_of"]
        case "approved":
            story.approved_by[details["role"]] = record["approver"]
            if not details.get("missing"):
                story.state = "scheduled"
        case "grant_withdrawn":
            story.approved_by.pop(details["role"], None)
            return
        case "unasked" | "asked_again":
            return
        case "retried" if "as" in details:
            story.retried_as = details["as"]
            return
        case "retried":
            story.state = "retrying"
        case "released":
            story.revoked_after_ms = details.get("revoked_after_ms", story.revoked_after_ms)
            return
        case "revoked":
            story.revoked_ms = record["at_ms"]
        case _:
            pass
    _settle(story, record, details, event)


def _settle(story: JobStory, record: Record, details: Mapping[str, Any], event: str) -> None:
    """What is the same of every event: state, reason, attempts, approval, worker, time."""
    story.state = STATES.get(event, story.state)
    story.worker = details.get("worker") or story.worker
    story.tries = details.get("tries", story.tries)
    story.reason = details.get("reason", story.reason) if event != "approved" else story.reason
    if details.get("approval_id", story.approval_id) != story.approval_id:
        story.approval_id, story.approved_by = details["approval_id"], {}
    if event != "dead_lettered":
        story.changed_ms = record["at_ms"]
