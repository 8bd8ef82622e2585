"""What a policy remembers: cells, and how a sample changes them.

All of time is gone before the IR but for this: an operator such as `failure within 5 min` is a *cell*, here
an age, and a few *updates*, here `age := 0` at each failure.  A cell is read like a field, so the condition
is `InRanges` of its column, and nothing that decides knows of windows.

One sample goes through the stages in order; all updates of a stage read what was there before it.  Before
the first stage every cell with a `cap` has grown by the time since the last sample: what lies in `0..cap`
counts milliseconds and stops at `cap`, what lies below 0 stands still.

Cells live in scopes: one instance for all (`SHARED`), one a value of the policy's key, one a value of
another field (`per F`).  A sample addresses the instances whose key it carries, and changes no other.
"""

from __future__ import annotations

from dataclasses import field
from enum import IntEnum, StrEnum
from typing import Final

from govlang.compiler.ir.expressions import BoolExpr, IntExpr
from govlang.compiler.ir.fields import Field, Kind, Origin
from govlang.dsl.record import record
from govlang.dsl.source import Span

SHARED: Final = ""
"""The scope of which there is one instance; the others are called by the field that holds their key."""

SAMPLE: Final = "$sample"
"""The column that says what a sample is: `REQUEST`, `TICK`, or 2 + the position of its signal or event."""

REQUEST: Final = 0
TICK: Final = 1
FIRST_KIND: Final = 2

GAP: Final = "$gap"
"""The column of the time since the last sample of the request's key, in ms, `GAP_MAX` before the first."""

CLOCK_FAULT: Final = "$clock_fault"
"""The column of whether the clock went back at this sample."""

GAP_MAX: Final = 2**53 - 1

GAP_FIELD: Final = Field(GAP, Kind.DURATION, hi=GAP_MAX, unit="ms", origin=Origin.SAMPLE)
FAULT_FIELD: Final = Field(CLOCK_FAULT, Kind.BOOL, hi=1, origin=Origin.SAMPLE)


class Stage(IntEnum):
    """When updates happen, in the order of language.md; a level is added to HOLD and to LOOK.

    What is made of other cells of a stage stands a level above them.
    """

    TURN = -10
    """Panes of time that have passed are turned over."""
    TAKE = 0
    """The event or signal is taken in."""
    HOLD = 10
    """Conditions that read no machine are looked at."""
    MOVE = 20
    """All machines step at once, and see each other's old states."""
    LOOK = 30
    """Conditions that read machines are looked at, with the new states."""
    CLOSE = 40
    """The outcome of a committed request is known."""


LEVELS_MAX: Final = 10
"""How deep operators may stand in each other."""


@record
class Cell:
    """An integer of the state: its range, where it starts, whether it grows with time.

    `field` has the origin STATE; `scope` names the field that holds the key of its instance.  What is
    `brief` is no part of the state: it has its initial value whenever a sample comes.
    """

    field: Field
    scope: str
    initial: int
    cap: int | None = None
    brief: bool = False

    def __post_init__(self) -> None:
        if not self.field.lo <= self.initial <= self.field.hi:
            raise ValueError(f"`{self.name}` starts outside its range")
        if self.cap is not None and not 0 <= self.cap <= self.field.hi:
            raise ValueError(f"`{self.name}` grows out of its range")

    @property
    def name(self) -> str:
        """What the cell is called in expressions and in the print-out of the state."""
        return self.field.name

    @property
    def bytes(self) -> int:
        """The bytes that it takes: the least of 1, 2, 4 and 8 that hold its range; none if it is brief."""
        if self.brief:
            return 0
        lo, hi = self.field.lo, self.field.hi
        sizes = (size for size in (1, 2, 4) if lo >= -(1 << 8 * size - 1) and _fits(lo, hi, size))
        return next(sizes, 8)


def _fits(lo: int, hi: int, size: int) -> bool:
    return hi < (1 << 8 * size - 1 if lo < 0 else 1 << 8 * size)


def cell_field(name: str, lo: int, hi: int, kind: Kind = Kind.NUMBER) -> Field:
    """The column of a cell."""
    return Field(name, kind, lo, hi, origin=Origin.STATE)


@record
class Update:
    """Where `condition` holds, `cell` becomes `value`; of several in one stage the first that holds.

    Conditions and values may read the columns of the sample, cells of the scopes that it addresses and,
    in the stage CLOSE, the decision.  `stage` is one of `Stage`, or a level above HOLD or LOOK.
    """

    stage: int
    cell: str
    condition: BoolExpr
    value: IntExpr


class SampleKind(StrEnum):
    """What can come beside requests and ticks."""

    EVENT = "event"
    SIGNAL = "signal"


@record
class SampleType:
    """An event or a signal that hosts report.

    `fields` are what it carries beside its key, under the names of columns (`$deletion.resource`; a
    signal: its value).  `permit` is the cell that counts what must come before each event.
    """

    name: str
    kind: SampleKind
    shared: bool = False
    fields: tuple[Field, ...] = ()
    permit: str | None = None
    span: Span | None = field(default=None, compare=False, repr=False)


@record
class Time:
    """Everything that a policy remembers; `longest_ms` bounds every window."""

    cells: tuple[Cell, ...]
    updates: tuple[Update, ...]
    samples: tuple[SampleType, ...]
    key: str | None
    longest_ms: int
    reads: tuple[Field, ...] = ()
    """The columns of a sample that anything reads: `GAP`, `CLOCK_FAULT`."""

    rules_read_clock: bool = False
    """Whether a rule reads `clock_fault`; where none does, every such request is denied."""

    def cell(self, name: str) -> Cell:
        """The cell `name`; KeyError if there is none."""
        for one in self.cells:
            if one.name == name:
                return one
        raise KeyError(name)

    def sample(self, name: str) -> SampleType:
        """The event or signal `name`; KeyError if there is none."""
        for one in self.samples:
            if one.name == name:
                return one
        raise KeyError(name)

    def kind_of(self, name: str) -> int:
        """The value of the column `SAMPLE` for an event or signal; KeyError if there is none."""
        for number, one in enumerate(self.samples):
            if one.name == name:
                return FIRST_KIND + number
        raise KeyError(name)
