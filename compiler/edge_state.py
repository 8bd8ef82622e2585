"""What a board remembers: the scopes of docs/edge.md, their cells, the variables of samples and of the state.

In: a policy over time.  Out: scopes and variables in the order of that page, and the number by which a saved
state is known.

What always holds: a board has one key and what is shared, so there are one or two scopes; a policy that keeps
cells by another field is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import rfc8785

from govlang.compiler import ir
from govlang.compiler.edge_fields import described, value_of
from govlang.compiler.program import Home, Variable
from govlang.compiler.refusal import listed
from govlang.compiler.table_time import definition, updates_by_cell

BOARD_CODE: Final = "GOV716"

NOW: Final = "clock.now"
"""The variable of the time of a sample."""

TIME_MAX: Final = ir.GAP_MAX
"""Times are at most so far from 0, in ms."""

NEVER: Final = ir.INT64_MIN
"""The time of the last sample where there was none."""

UNKNOWN: Final = ir.INT64_MAX
"""The time of the last sample where nobody knows it: the next one is a clock fault."""

SAVED_HEAD: Final = 32
"""The bytes of a saved state in front of its scopes."""

STATE_HEAD: Final = 8
"""The bytes of a scope before its cells."""


class BoardError(Exception):
    """A policy remembers what a board has no place for; `code` is its page."""

    code = BOARD_CODE


@dataclass(frozen=True, slots=True)
class BoardScope:
    """A scope on a board: its name there, that of the IR, and the cells that outlive a step, largest first."""

    name: Home
    key: str
    cells: tuple[ir.Cell, ...]

    @property
    def at(self) -> str:
        """The variable of the time of its last sample."""
        return f"clock.{self.name}"

    @property
    def bytes(self) -> int:
        """The state bytes of the scope."""
        return STATE_HEAD + sum(cell.bytes for cell in self.cells)

    def variable(self, cell: ir.Cell) -> str:
        """The variable of one of its cells."""
        return f"{self.name}.{cell.name}"


# --- scopes --------------------------------------------------------------------------------------


def board_scopes(time: ir.Time) -> tuple[BoardScope, ...]:
    """The scopes of a policy over time: `state`, and in front of it `shared` where that is one of its own.

    Raises:
        BoardError: it keeps cells by a field that is not the key.
    """
    key = time.key or ir.SHARED
    others = [cell for cell in time.cells if cell.scope not in (ir.SHARED, key)]
    if others:
        fields = listed(list(dict.fromkeys(cell.scope for cell in others)))
        cells = listed([cell.name for cell in others])
        raise BoardError(
            f"a board keeps one key, and not by {fields}, as it would have to for {cells}"
        )
    shared = key != ir.SHARED and (
        any(cell.scope == ir.SHARED for cell in time.cells) or any(s.shared for s in time.samples)
    )
    own = BoardScope(Home.STATE, key, _kept(time, key))
    return (BoardScope(Home.SHARED, ir.SHARED, _kept(time, ir.SHARED)), own) if shared else (own,)


def _kept(time: ir.Time, scope: str) -> tuple[ir.Cell, ...]:
    own = (cell for cell in time.cells if cell.scope == scope and not cell.brief)
    return tuple(sorted(own, key=lambda cell: -cell.bytes))


def state_bytes(policy: ir.Policy) -> int:
    """The bytes of what a board remembers; 0 for a policy over single requests."""
    return sum(scope.bytes for scope in board_scopes(policy.time)) if policy.time else 0


def state_definition(policy: ir.Policy) -> str:
    """What the cells of a board mean, as 16 hexadecimal digits: a saved state is taken by an equal number only."""
    assert policy.time is not None
    updates = updates_by_cell(policy.time)
    cells = [
        [
            scope.name.value,
            cell.name,
            f"{definition(policy.time, cell, updates.get(cell.name, [])):016x}",
        ]
        for scope in board_scopes(policy.time)
        for cell in scope.cells
    ]
    written = rfc8785.dumps([policy.name, policy.time.key, cells])
    return hashlib.sha256(written).hexdigest()[:16]


def is_freshness(time: ir.Time, cell: ir.Cell) -> bool:
    """Whether a cell is the age of the last sample of a signal."""
    own = [update for update in time.updates if update.cell == cell.name]
    comes = [
        ir.InRanges(ir.SAMPLE, ((kind, kind),))
        for kind in (time.kind_of(s.name) for s in time.samples if s.kind is ir.SampleKind.SIGNAL)
    ]
    starts = all(u.condition in comes and u.value == ir.IntConst(0) for u in own)
    return cell.cap is not None and bool(own) and starts


# --- variables -----------------------------------------------------------------------------------


def sample_variable(column: str) -> str:
    """The variable of a column that a sample brings."""
    return f"sample.{column.removeprefix('$')}"


def time_variables(time: ir.Time) -> Iterator[Variable]:
    """The variables behind the parameters: the sample, then the state."""
    about = "ms, the time of the sample"
    yield Variable(NOW, 64, -TIME_MAX, TIME_MAX, TIME_MAX + 1, comment=about, home=Home.NOW)
    for sample in time.samples:
        for one in sample.fields:
            if not one.is_text:
                yield value_of(one, sample_variable(one.name), (), Home.SAMPLE)
    for scope in board_scopes(time):
        yield _time_of(scope)
        for cell in scope.cells:
            yield _cell(scope, cell)


def _time_of(scope: BoardScope) -> Variable:
    about = "ms, the time of the last sample"
    return Variable(
        scope.at, 64, -TIME_MAX, TIME_MAX, NEVER, comment=about, home=scope.name, beside=(NEVER, UNKNOWN)
    )  # fmt: skip


def _cell(scope: BoardScope, cell: ir.Cell) -> Variable:
    one = value_of(cell.field, scope.variable(cell), (), scope.name)
    return Variable(
        one.name,
        one.width,
        one.lo,
        one.hi,
        cell.initial,
        one.mask,
        comment=f"`{cell.name}`: {described(cell.field)}",
        home=scope.name,
        bytes=cell.bytes,
    )
