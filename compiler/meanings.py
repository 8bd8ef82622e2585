"""What cells mean to who wrote the policy, so that a decision can be explained without naming them.

In: cells and numbers as the operators make them.  Out: a `Meaning` for a cell that stands behind a condition, an
`Amount` for a number over cells, by the text of its operator.

What always holds: nothing that decides reads this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from fractions import Fraction

from govlang.compiler import ir
from govlang.compiler.state_uses import numbers_read
from govlang.dsl.record import record


@record
class Times:
    """An age: `ages` are those of the last times, this one at the end."""

    ages: tuple[str, ...]


@record
class Lasting:
    """For how long something has held, in ms; -1: it does not."""


@record
class Past:
    """An end of one of the intervals of an `E between a and b ago`: the newest end of each."""

    newest: tuple[str, ...]


@record
class Unbroken:
    """Whether (or for how long) something has held ever since `anchor` happened."""

    anchor: str


@record
class Sampled:
    """Whether a signal has had a sample."""


@record
class Moment:
    """Whether something happens at this very sample."""


@record
class Deviation:
    """Whether the last sample deviates: of `first` samples the cell `taken` counts how many have come."""

    taken: str
    first: int


@record
class Earlier:
    """The sample before the last one."""


Meaning = Times | Lasting | Past | Unbroken | Sampled | Moment | Deviation | Earlier


@record
class Amount:
    """A number over cells: `number` counts steps of `step` in the unit that its author wrote.

    `top`: where it stops counting, None where it does not.
    """

    text: str
    number: ir.IntExpr
    step: Fraction
    top: int | None = None

    @property
    def cells(self) -> frozenset[str]:
        """The columns that it is made of."""
        return numbers_read(self.number)


@record
class Words:
    """The meanings of a policy's cells, and its numbers over them."""

    meanings: Mapping[str, Meaning] = field(default_factory=dict)
    amounts: tuple[Amount, ...] = ()
