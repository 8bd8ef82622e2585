"""The columns of a request: fields, and the parameters and actions declared like them."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import Final

from govlang.dsl.record import record
from govlang.dsl.source import Span

SET_MEMBERS_MAX: Final = 64


class Kind(StrEnum):
    """The type of a field."""

    NUMBER = "number"
    ENUM = "enum"
    SET = "set"
    BOOL = "bool"
    TIME = "time"
    DURATION = "duration"
    TEXT = "text"
    PATH = "path"
    KEY = "key"


TEXT_KINDS: Final = frozenset({Kind.TEXT, Kind.PATH, Kind.KEY})


class Origin(StrEnum):
    """Who sets a column: the caller, only the host, the clock of the host; or what was before, a sample."""

    REQUEST = "request"
    RUNTIME = "runtime"
    CLOCK = "clock"
    STATE = "state"
    SAMPLE = "sample"


class Rounding(StrEnum):
    """What to do with a number between two steps."""

    EXACT = "exact"
    UP = "up"
    DOWN = "down"
    NEAREST = "nearest"


@record
class Field:
    """A column of the request (also: a parameter, an output, an argument of an action).

    `lo..hi` counts steps; a step is `step_num/step_den` of `unit`.  Enumerations have
    `lo = 0, hi = len(members) - 1`, sets `lo = 0, hi = 2**len(members) - 1`; texts have no range.
    `implied` is the value of a required field that the host left out (only `approved` has one: no role).
    """

    name: str
    kind: Kind
    lo: int = 0
    hi: int = 0
    step_num: int = 1
    step_den: int = 1
    unit: str = ""
    members: tuple[str, ...] = ()
    max_bytes: int = 0
    optional: bool = False
    private: bool = False
    origin: Origin = Origin.REQUEST
    rounding: Rounding = Rounding.EXACT
    implied: int | None = None
    span: Span | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in TEXT_KINDS and self.lo > self.hi:
            raise ValueError(f"range of `{self.name}` is empty")
        if len(self.members) > SET_MEMBERS_MAX and self.kind is Kind.SET:
            raise ValueError(f"`{self.name}` has more than {SET_MEMBERS_MAX} members")

    @property
    def is_text(self) -> bool:
        """Whether values are strings (text, path or key)."""
        return self.kind in TEXT_KINDS

    @property
    def absent(self) -> int | str:
        """The value that an absent optional field reads as; no outcome depends on it."""
        return "" if self.is_text else self.lo

    @property
    def separator(self) -> str:
        """What ends a segment for `*`: `/` in paths, `.` elsewhere."""
        return "/" if self.kind is Kind.PATH else "."


@record
class Param:
    """A constant of the deployment; proofs hold for its whole range."""

    field: Field
    default: int


@record
class Action:
    """Something a host can be told to do, with the arguments it takes."""

    name: str
    parameters: tuple[Field, ...] = ()
