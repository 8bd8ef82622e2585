"""Incidents, rebuilt from a ledger alone: its lines in, what happened to each run that went wrong out.

A run went wrong if a job of it failed, timed out, was revoked, quarantined, denied when it was to be dispatched, or
became a dead letter.  What always holds: nothing but records is read; the ledger is read twice, and only the records
of the runs that are told are kept in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from govlang.runtime.evidence.ledger import EvidenceError
from govlang.runtime.evidence.source import LedgerSource
from govlang.runtime.evidence.story import JobStory, Record, told

TROUBLE: Final = frozenset(
    {
        "revoked",
        "step_failed",
        "step_timed_out",
        "quarantined",
        "dead_lettered",
        "dispatch_refused",
    }
)
"""Events by which a run is an incident."""

FOLLOWING: Final = frozenset(
    {"revoked", "cancelled", "dead_lettered", "released", "undo_submitted"}
)
"""Events that another one of the same moment has caused."""

PUBLISHED: Final = frozenset({"policy_published", "policy_rolled_back"})


@dataclass(slots=True)
class Found:
    """What the first reading finds: runs that went wrong with how, what caused it, and the policies."""

    runs: dict[str, dict[str, None]] = field(default_factory=dict)
    causes: dict[str, dict[int, None]] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    """Snapshot to version."""
    known: bool = False
    """Whether the run that was asked for has records."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A run that went wrong: how, its records in order with what caused them, and its jobs."""

    run_id: str
    kinds: tuple[str, ...]
    records: tuple[Record, ...]
    jobs: dict[str, JobStory]
    causes: tuple[int, ...]

    @property
    def detect_ms(self) -> int | None:
        """From the fact to its report; None where nothing that was reported caused it."""
        found = [
            record["details"]["detected_after_ms"]
            for record in self.records
            if record["seq"] in self.causes and "detected_after_ms" in record.get("details", {})
        ]
        return max(found, default=None)

    @property
    def revoke_ms(self) -> int | None:
        """From the revocation until the last worker let go; None where none has, or nothing was revoked."""
        found = [one.revoked_after_ms for one in self.jobs.values()]
        return max((one for one in found if one is not None), default=None)


@dataclass(frozen=True, slots=True)
class Incidents:
    """The incidents of a ledger, the newest last, and how many there were before them."""

    found: tuple[Incident, ...]
    earlier: int
    policies: Mapping[str, str]


def incidents(source: LedgerSource, run_id: str | None = None, limit: int = 10) -> Incidents:
    """The newest incidents of a ledger, or the one run that is asked for, whatever came of it.

    Raises:
        EvidenceError: GOV500 a line is no record · GOV669 no record is of that run.
    """
    seen = _first_reading(source, run_id)
    if run_id is not None and not seen.known:
        why = f"no record in `{source.place}` is of the run `{run_id}`"
        raise EvidenceError("GOV669", why, "`gov evidence show` lists them")
    chosen = [run_id] if run_id is not None else list(seen.runs)[-limit:]
    kept = _second_reading(source, chosen, seen)
    found = tuple(_incident(one, seen, kept[one]) for one in chosen)
    earlier = 0 if run_id is not None else len(seen.runs) - len(chosen)
    return Incidents(found, earlier, seen.policies)


def _first_reading(source: LedgerSource, run_id: str | None) -> Found:
    seen = Found()
    cause: Record | None = None
    for record in _records(source):
        event, run = record["run_timeline_event"], run_of(record)
        if run and run == run_id:
            seen.known = True
        if event in PUBLISHED:
            seen.policies[record["details"]["snapshot"]] = record["details"].get("version", "")
        if event in TROUBLE and run:
            kinds = seen.runs.pop(run, {})  # the run of the newest trouble stands last
            seen.runs[run] = kinds | {event: None}
        if event == "revoked" and cause is not None and cause["at_ms"] == record["at_ms"]:
            seen.causes.setdefault(run, {})[cause["seq"]] = None
        if event not in FOLLOWING:
            cause = record
    return seen


def _second_reading(
    source: LedgerSource, chosen: list[str], seen: Found
) -> dict[str, list[Record]]:
    kept: dict[str, list[Record]] = {run: [] for run in chosen}
    causes: dict[int, list[str]] = {}
    for run in chosen:
        for seq in seen.causes.get(run, ()):
            causes.setdefault(seq, []).append(run)
    for record in _records(source):
        runs = {run_of(record), *causes.get(record["seq"], ())}
        for run in runs & kept.keys():
            kept[run].append(record)
    return kept


def _incident(run_id: str, seen: Found, records: list[Record]) -> Incident:
    jobs: dict[str, JobStory] = {}
    for record in records:
        if record["job_id"] and run_of(record) == run_id:
            told(jobs, record)
    kinds, causes = tuple(seen.runs.get(run_id, ())), tuple(seen.causes.get(run_id, ()))
    return Incident(run_id, kinds, tuple(records), jobs, causes)


def run_of(record: Record) -> str:
    """The run that a record is of; empty where it is of none."""
    job_id: str = record["job_id"]
    if job_id:
        return job_id.partition(":")[0] if ":" in job_id else job_id
    run: str = record.get("details", {}).get("run_id", "")
    return run


def _records(source: LedgerSource) -> Iterator[Record]:
    for number, line in enumerate(source.lines(), 1):
        try:
            record: Any = json.loads(line)
            is_record = (
                isinstance(record, dict)
                and record["seq"] == number
                and isinstance(record["at_ms"], int)
                and isinstance(record["job_id"], str)
                and isinstance(record["run_timeline_event"], str)
                and isinstance(record.get("details", {}), dict)
            )
        except (ValueError, KeyError, RecursionError):
            is_record = False
        if not is_record:
            why = f"line {number} of `{source.place}` is no record"
            raise EvidenceError("GOV500", why, "run `gov evidence verify`")
        yield record
