"""The timeline of an incident: records in, rows that a person reads out.

A submission and a dispatch are two rows each: who asked for what, and what was decided of it under which policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from govlang.runtime.evidence.incident import Incident
from govlang.runtime.evidence.story import Record

SHOWN_MAX: Final = 60
"""So many characters of a request are shown."""

STAGES: Final = {
    "approval_requested": "decision",
    "approved": "approval",
    "rejected": "approval",
    "grant_withdrawn": "approval",
    "approval_expired": "approval",
    "dispatch_refused": "decision",
    "postponed": "dispatch",
    "step_started": "dispatch",
    "step_succeeded": "result",
    "step_failed": "result",
    "step_timed_out": "result",
    "quarantined": "result",
    "dead_lettered": "result",
    "retried": "result",
    "cancelled": "revocation",
    "revoked": "revocation",
    "released": "revocation",
    "unasked": "revocation",
    "asked_again": "revocation",
    "policy_revokes": "revocation",
    "undo_submitted": "undo",
    "phase": "phase",
    "event": "event",
    "signal": "event",
    "tick": "event",
    "agent_suspended": "event",
}
"""Where in the chain an event belongs; what stands here not is an event."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a timeline; `after_ms` counts from the first record of the run."""

    seq: int
    at_ms: int
    after_ms: int
    stage: str
    event: str
    job_id: str
    who: str
    what: str
    policy: str | None
    """The snapshot under which it was decided, of a decision."""

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON says it."""
        return {name: getattr(self, name) for name in self.__slots__}


def timeline(incident: Incident) -> Iterator[Row]:
    """The rows of an incident, in the order of the ledger."""
    start_ms = incident.records[0]["at_ms"] if incident.records else 0
    for record in incident.records:
        for stage, who, what in _told(record):
            policy = record["policy_snapshot"] if stage == "decision" else None
            yield Row(
                record["seq"],
                record["at_ms"],
                record["at_ms"] - start_ms,
                stage,
                record["run_timeline_event"],
                record["job_id"],
                who,
                what,
                policy,
            )


def _told(record: Record) -> Iterator[tuple[str, str, str]]:
    """Stage, person or agent, and what they did."""
    event, details = record["run_timeline_event"], record.get("details", {})
    match event:
        case "submitted" | "submit_refused" | "invalid" | "evaluated":
            yield "intent", record["agent"], _intent(record)
            yield "decision", "", _decision(record, details)
        case "step_dispatched":
            if record["decision"] is not None:
                yield "decision", "", _decision(record, details)
            yield "dispatch", str(details.get("worker", "")), "takes it"
        case "approval_requested" | "dispatch_refused":
            yield "decision", "", _decision(record, details)
        case _:
            stage = STAGES.get(event, "event")
            yield stage, _who(record, details), _what(record, event, details)


def _intent(record: Record) -> str:
    chain = f" on behalf of {' < '.join(record['delegation'])}" if record["delegation"] else ""
    values = ", ".join(
        f"{name} {value}"
        for name, value in record.get("input", {}).items()
        if name not in ("agent", "topic") and not str(value).startswith("hmac-")
    )
    shown = f" ({values[:SHOWN_MAX]})" if values else ""
    return f"asks for {record['topic'] or 'something'}{shown}{chain}"


def _decision(record: Record, details: Mapping[str, Any]) -> str:
    effect = str(record["decision"]).lower().replace("_", " ")
    because = f": {details['reason']}" if details.get("reason") else ""
    granted = record["labels"].get("approval_granted") == "true"
    by = f", approved by {record['approver']}" if granted and record["approver"] else ""
    of = f", as {details['as_agent']}" if "as_agent" in details else ""
    shadow = ", only recorded (shadow)" if record.get("enforcement") == "shadow" else ""
    return f"{effect} by `{record['rule_id']}`{because}{by}{of}{shadow}"


def _who(record: Record, details: Mapping[str, Any]) -> str:
    by_worker = record["run_timeline_event"].startswith("step_")
    who: str = record["approver"] or (details.get("worker") if by_worker else "") or ""
    return who or (record["agent"] if record["run_timeline_event"] == "phase" else "")


def _what(record: Record, event: str, details: Mapping[str, Any]) -> str:
    reason = str(details.get("reason") or "")
    match event:
        case "approved":
            left = details.get("missing")
            waits = f", still missing {', '.join(left)}" if left else ""
            return f"approves as {details['role']}{waits}{f': {reason}' if reason else ''}"
        case "unasked":
            return f"nobody can say whether it may go on: {details.get('why', '')}"
        case "asked_again":
            return f"it may go on, as is known {seconds(details['asked_after_ms'])} later"
        case "policy_revokes":
            return f"the policy that was published denies work in flight: {details['jobs']} jobs"
        case "grant_withdrawn":
            return f"approved as {details['role']}, which counts no more"
        case "event" | "signal":
            return _happened(record, details)
        case "tick":
            return f"a deadline of {record['agent'] or 'the policy'} is over"
        case "agent_suspended":
            return f"suspends {record['agent']}: {reason}"
        case "released" if "revoked_after_ms" in details:
            return f"the worker lets go, {seconds(details['revoked_after_ms'])} after it"
        case "undo_submitted":
            return f"undoes {details['undo_of']}: {record['topic']}"
        case "phase":
            return f"enters phase {details.get('phase')}: {details.get('justification')}"
        case "retried" if "as" in details:
            return f"submits it again as {details['as']}"
        case _:
            said = event.removeprefix("step_").replace("_", " ")
            if reason.startswith(said):
                return reason
            return f"{said}{f': {reason}' if reason else ''}"


def _happened(record: Record, details: Mapping[str, Any]) -> str:
    names = [step.get("event", step.get("signal", "")) for step in record.get("steps", ())]
    late = details.get("detected_after_ms")
    after = f", {seconds(late)} after it happened" if late else ""
    about = f" of {record['agent']}" if record["agent"] else ""
    return f"reports {', '.join(map(str, names))}{about}{after}"


def seconds(ms: int) -> str:
    """A length of time for people."""
    return f"{ms / 1000:.3f} s"
