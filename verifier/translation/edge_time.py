"""What a policy over time shows a board, by docs/edge.md ("Over time"): scopes, and the variables of time.

In: what a policy remembers.  Out: its scopes with their cells in order, and for each variable its domain and
whose it is.

Written from the page alone; the emitters have a list of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from govlang.compiler import ir

NOW: Final = "clock.now"
TIME_MAX: Final = 2**53 - 1
NEVER: Final = ir.INT64_MIN
UNKNOWN: Final = ir.INT64_MAX
STATE: Final = "state"
SHARED: Final = "shared"

STATE_HEAD: Final = 32
"""The bytes of a saved state in front of its scopes."""

DAMAGED: Final = -3
UNCALLED: Final = -4


class NoBoardError(ValueError):
    """The policy keeps cells of which a board has no instance."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A scope of a board: its cells in the order of their variables, and whether every sample addresses it."""

    name: str
    cells: tuple[ir.Cell, ...]
    always: bool

    @property
    def at(self) -> str:
        """The variable of the time of its last sample."""
        return f"clock.{self.name}"

    def variable(self, cell: ir.Cell) -> str:
        """The variable of a cell."""
        return f"{self.name}.{cell.name}"

    def is_addressed(self, time: ir.Time, kind: int) -> bool:
        """Whether a sample of a kind addresses it."""
        shared = kind >= ir.FIRST_KIND and time.samples[kind - ir.FIRST_KIND].shared
        return self.always or not shared


def scopes_of(time: ir.Time) -> tuple[Scope, ...]:
    """The scopes of a board, `shared` before `state`.

    Raises:
        NoBoardError: there are cells of another scope than these.
    """
    strange = {cell.scope for cell in time.cells} - {ir.SHARED, time.key or ir.SHARED}
    if strange:
        named = ", ".join(f"`{one}`" for one in sorted(strange))
        raise NoBoardError(f"the policy keeps cells per {named}, of which a board has one at most")
    if time.key is None:
        return (Scope(STATE, _kept(time, ir.SHARED), always=True),)
    own = Scope(STATE, _kept(time, time.key), always=False)
    cells = any(cell.scope == ir.SHARED for cell in time.cells)
    if cells or any(sample.shared for sample in time.samples):
        return Scope(SHARED, _kept(time, ir.SHARED), always=True), own
    return (Scope(STATE, own.cells, always=True),)


def _kept(time: ir.Time, scope: str) -> tuple[ir.Cell, ...]:
    own = [cell for cell in time.cells if cell.scope == scope and not cell.brief]
    return tuple(sorted(own, key=lambda cell: -cell.bytes))


def state_bytes(scopes: tuple[Scope, ...]) -> int:
    """The bytes of a state: the times and the cells."""
    return sum(8 + sum(cell.bytes for cell in scope.cells) for scope in scopes)


def carried(time: ir.Time) -> Iterator[tuple[int, str, ir.Field]]:
    """What samples bring: the kind, the variable, the field."""
    for kind, sample in enumerate(time.samples, ir.FIRST_KIND):
        for one in sample.fields:
            if not one.is_text:
                yield kind, f"sample.{one.name.removeprefix('$')}", one


def ways_of(time: ir.Time) -> tuple[str, ...]:
    """The functions of events and signals, by number."""
    return tuple(f"{sample.kind.value}.{sample.name}" for sample in time.samples)
