"""What a gateway answers, as frozen dataclasses.

In: the JSON of an answer.  Out: the dataclass of its route.

What always holds: a member that is missing or of another type is `Unavailable`, so that nobody acts on half an answer;
members that a newer gateway adds are left out.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import lru_cache
from typing import Any, Final, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from govlang.client.errors import unreadable

T = TypeVar("T")

TERMINAL: Final = frozenset(
    ("succeeded", "failed", "cancelled", "timed_out", "denied", "quarantined")
)
"""The states that a job does not leave."""


class Page(tuple[T, ...]):  # noqa: SLOT001  # it has a member of its own
    """Some of many, in order; `more` is what to give as `after` for those that follow, None: these were the last."""

    more: str | None = None

    @classmethod
    def of(cls, items: Iterable[T], more: str | None) -> Self:
        """These, and where the rest begins."""
        made = cls(items)
        made.more = more
        return made


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision of the policy, as `gov decide --format json` prints it."""

    decision: str
    rule_id: str | None
    reason: str | None = None
    obligations: tuple[dict[str, Any], ...] = ()
    matched: tuple[str, ...] = ()
    policy_snapshot: str | None = None
    params_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Records of a run, and the number of the first one after them; None: there is none."""

    records: tuple[dict[str, Any], ...]
    next: int | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that the gateway has stored."""

    job_id: str
    run_id: str
    state: str
    decision: Ruling
    approval_id: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands; times in ms since 1970."""

    job_id: str
    run_id: str
    state: str
    step: str = ""
    attempt: int = 1
    agent: str | None = None
    pool: str | None = None
    topic: str | None = None
    created_ms: int | None = None
    updated_ms: int | None = None
    delegation: tuple[Any, ...] = ()
    parent_job_id: str | None = None
    approval_id: str | None = None
    tries: int = 0
    due_ms: int | None = None
    decision: Ruling | None = None
    reason: str | None = None
    output: Any = None

    @property
    def is_over(self) -> bool:
        """Whether it will never change again."""
        return self.state in TERMINAL


@dataclass(frozen=True, slots=True)
class Approval:
    """What waits for a person: `roles` must grant, `granted` have; `job_hash` names exactly what is approved.

    It covers `agent`, `delegation`, `run_id`, `step`, `request`, `payload`, `pool` and `undo`.  `whole` False:
    payload and undo were too long for a list, `approval(approval_id)` has them.
    """

    approval_id: str
    job_id: str
    state: str
    job_hash: str
    agent: str | None = None
    roles: tuple[str, ...] = ()
    granted: tuple[Any, ...] = ()
    created_ms: int | None = None
    expires_ms: int | None = None
    reason: str | None = None
    run_id: str | None = None
    step: str | None = None
    topic: str | None = None
    pool: str | None = None
    delegation: tuple[Any, ...] = ()
    parent_job_id: str | None = None
    decision: Ruling | None = None
    request: Mapping[str, Any] = field(default_factory=dict)
    payload: Any = None
    undo: Mapping[str, Any] | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """An approval after somebody answered; `missing` are the roles that still must."""

    approval_id: str
    job_id: str
    state: str
    granted: tuple[Any, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Letter:
    """A job that was given up, and why."""

    job_id: str
    state: str
    reason: str | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class PolicyInfo:
    """The active policy; `previous` is what a rollback brings back, `anew` the cells that a publication began anew."""

    policy: str
    version: str
    snapshot: str
    params_hash: str | None = None
    proof_hash: str | None = None
    published_ms: int | None = None
    previous: str | None = None
    fields: tuple[Any, ...] = ()
    anew: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observed:
    """An event or signal that the policy took in; `cancelled` are the jobs that it cost."""

    seq: int
    next_deadline_ms: int | None = None
    cancelled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """A job that a worker may start; limits are applied to `request` already, `limits` holds those of outputs."""

    job_id: str
    lease_id: str
    lease_s: float
    request: Mapping[str, Any]
    agent: str | None = None
    payload: Any = None
    obligations: tuple[dict[str, Any], ...] = ()
    limits: Mapping[str, Any] = field(default_factory=dict)
    delegation: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Beat:
    """The answer to a heartbeat; with `cancel` the work must stop."""

    state: str
    cancel: bool
    lease_s: float


@dataclass(frozen=True, slots=True)
class Reported:
    """A result that the gateway has stored."""

    job_id: str
    state: str


@dataclass(frozen=True, slots=True)
class Suspension:
    """Whether an agent may do anything now, and the jobs that were cancelled."""

    agent: str
    suspended: bool
    cancelled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token, shown this once."""

    token: str = field(repr=False)
    id: str
    expires_ms: int | None = None


def read(kind: type[T], value: Any, where: str = "it") -> T:
    """A value of an answer as a value of a type.

    Raises:
        Unavailable: it is none.
    """
    found: T = _read(kind, value, where)
    return found


def _read(kind: Any, value: Any, where: str) -> Any:
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _record(kind, value, where)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        others = [one for one in inner if one is not type(None)]
        return None if value is None else _read(others[0], value, where)
    if origin is tuple:
        _expect(isinstance(value, list), where, "a list")
        return tuple(_read(inner[0], one, where) for one in value)
    if origin in {dict, Mapping}:
        _expect(isinstance(value, dict), where, "an object")
        return value
    if kind is float:
        _expect(type(value) in {int, float}, where, "a number")
        return float(value)
    _expect(type(value) is kind, where, f"of type {kind.__name__}")
    return value


def _record(kind: Any, value: Any, where: str) -> Any:
    _expect(isinstance(value, dict), where, "an object")
    hints = _hints(kind)
    given: dict[str, Any] = {}
    for one in fields(kind):
        if one.name in value:
            given[one.name] = _read(hints[one.name], value[one.name], f"`{one.name}`")
        else:
            is_optional = one.default is not MISSING or one.default_factory is not MISSING
            _expect(is_optional, f"`{one.name}`", "there")
    return kind(**given)


@lru_cache(maxsize=64)
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _expect(holds: bool, where: str, what: str) -> None:  # noqa: FBT001  # an assertion on what came from outside
    if not holds:
        raise unreadable(f"{where} must be {what}")
