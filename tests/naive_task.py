"""The nouns of the control plane's model: jobs, approvals and replies, and the numbers that it goes by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

LEASE_MS: Final = 30_000
APPROVAL_MS: Final = 600_000
DEPTH_MAX: Final = 2
BUDGET: Final = 3
FLYING: Final = ("dispatched", "running")
WAITING: Final = ("scheduled", "retrying")
OVER: Final = ("succeeded", "failed", "cancelled", "timed_out", "denied", "quarantined")


class Reply(NamedTuple):
    """What is to be answered: a status, and the state of a job or the code of a problem."""

    status: int
    word: str
    job_id: str = ""


@dataclass
class Paper:
    """An approval."""

    job: Task
    roles: tuple[str, ...]
    expires_ms: int
    policy: str
    granted: dict[str, str] = field(default_factory=dict)
    state: str = "open"

    @property
    def missing(self) -> list[str]:
        return [role for role in self.roles if role not in self.granted]


@dataclass
class Task:
    """A job."""

    job_id: str
    run: str
    step: str
    attempt: int
    agent: str
    chain: tuple[str, ...]
    topic: str
    amount: int
    undo: str | None = None
    undo_of: str | None = None
    parent: str | None = None
    state: str = "pending"
    paper: Paper | None = None
    tries: int = 0
    due_ms: int = 0
    committed: bool = False
    reported: bool = True
    reserves: bool = False
    worker: str = ""
    until_ms: int = 0
    lease: str | None = None
    owed: bool = False
    revoked: bool = False
    told: Any = None
    dispatches: int = 0
    doomed: int = 0
    """The dispatch of which a policy that was published denies the work."""

    @property
    def is_doomed(self) -> bool:
        return self.state in FLYING and self.doomed == self.dispatches
