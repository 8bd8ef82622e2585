"""Rows of statements in the making: where ways through a function part and meet again.

In: statements in the order of the code, where they branch, and which ends meet behind a block.  Out:
statements of `machine.py`, nested.

What always holds: the rest behind a branch is written once.  Where one arm goes on, it stands in that
arm; where all that go on meet, behind the branch; where some go on and others leave to blocks further
out, those set a flag that is asked behind the branch.  So what comes out is linear in what comes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from govlang.verifier.translation import machine
from govlang.verifier.translation.machine import Expr, Statement

Values = tuple[int, ...]


@dataclass(slots=True, eq=False)
class Strand:
    """A row of statements: the body, or an arm of the branch that ends its `parent` so far."""

    parent: Strand | None = None
    depth: int = 0
    statements: list[Statement] = field(default_factory=list)
    waiting: int = 0
    """Ends of ways in it and in the arms below it that wait for the end of a block."""

    def arm(self) -> Strand:
        """A new arm below this one."""
        return Strand(self, self.depth + 1)

    def wait(self, change: int) -> None:
        """One way more, or less, waits here."""
        at: Strand | None = self
        while at is not None:
            at.waiting += change
            at = at.parent

    def is_below(self, other: Strand) -> bool:
        """Whether this is the other strand or an arm below it."""
        at: Strand | None = self
        while at is not None and at.depth > other.depth:
            at = at.parent
        return at is other


def common(strands: Sequence[Strand]) -> Strand:
    """The deepest strand that all of them are below of."""
    found = strands[0]
    for one in strands[1:]:
        other = one
        while found is not other:
            if found.depth >= other.depth:
                assert found.parent is not None
                found = found.parent
            else:
                assert other.parent is not None
                other = other.parent
    return found


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch that still is being filled: where it stands, what it asks, its arms."""

    home: Strand
    place: int
    subject: Expr
    arms: tuple[tuple[Values, Strand], ...]
    otherwise: Strand
    at: str
    is_if: bool

    def statement(self) -> Statement:
        """The branch as a statement, once its arms are filled."""
        otherwise = tuple(self.otherwise.statements)
        if self.is_if:
            then = tuple(self.arms[0][1].statements)
            return machine.If(self.subject, then, otherwise, self.at)
        parts = tuple((values, tuple(arm.statements)) for values, arm in self.arms)
        return machine.Switch(self.subject, parts, otherwise, self.at)


class Branches:
    """All branches of a function, in the order in which they began."""

    def __init__(self) -> None:
        self.found: list[Branch] = []

    def fork(self, home: Strand, condition: Expr, at: str) -> tuple[Strand, Strand]:
        """An `If` at the end of a strand: the arms where the condition holds and where not."""
        then, otherwise = home.arm(), home.arm()
        self._add(Branch(home, len(home.statements), condition, (((), then),), otherwise, at, True))
        return then, otherwise

    def spread(
        self, home: Strand, subject: Expr, values: Iterable[Values], at: str
    ) -> tuple[list[Strand], Strand]:
        """A `Switch` at the end of a strand: an arm for each of the values, and for all others."""
        arms = tuple((one, home.arm()) for one in values)
        otherwise = home.arm()
        self._add(Branch(home, len(home.statements), subject, arms, otherwise, at, False))
        return [arm for _, arm in arms], otherwise

    def _add(self, branch: Branch) -> None:
        self.found.append(branch)
        branch.home.statements.append(machine.Return(branch.subject))  # until `finish`

    def undo(self) -> None:
        """Takes back the last branch, whose arms are empty."""
        self.found.pop().home.statements.pop()

    def finish(self) -> None:
        """Puts every branch in its place; those below another began later, so they come first."""
        for branch in reversed(self.found):
            branch.home.statements[branch.place] = branch.statement()


# --- blocks --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Operand:
    """A value on the stack, and how deep its expression is."""

    value: Expr
    depth: int


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """A way that waits for the end of a block, with what it carries there."""

    strand: Strand
    carried: Operand | None


@dataclass(slots=True, eq=False)
class Block:
    """An open block: its result's width, the operands below it, and the ways that wait for its end.

    An `if` has a condition and two arms; `otherwise` is the second one until its `else` is met.
    """

    result: int
    height: int
    start: Strand
    condition: Operand | None = None
    arms: tuple[Strand, ...] = ()
    otherwise: Strand | None = None
    ends: list[End] = field(default_factory=list)

    def add(self, strand: Strand, carried: Operand | None) -> None:
        """One more way waits for the end of this block."""
        self.ends.append(End(strand, carried))
        strand.wait(1)

    def take(self, below: Strand) -> list[End]:
        """The ways that wait below a strand, which from now on do not."""
        taken = [end for end in self.ends if end.strand.is_below(below)]
        self.ends = [end for end in self.ends if not end.strand.is_below(below)]
        for end in taken:
            end.strand.wait(-1)
        return taken

    @property
    def chooses(self) -> bool:
        """Whether it is an `if` that does nothing but choose one of two values."""
        if not self.result or not self.arms:
            return False
        met = tuple(end.strand for end in self.ends)
        return met == self.arms and not any(arm.statements for arm in self.arms)
