"""What can happen to a policy: its events, signals and machines, under their names.

In: the declarations.  Out: `Happenings`, part of the scope of every expression, and errors for types that
make no sense.  A field of an event or a signal's new value is a column of the sample (`$deletion.size`,
`$voltage`), the last value of a signal is a cell.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from govlang.compiler import ir
from govlang.compiler.fields import check_bare, field_of, typed
from govlang.compiler.refusal import RefusalError
from govlang.compiler.values import kind_words
from govlang.dsl import ast
from govlang.dsl.record import record
from govlang.dsl.source import Span
from govlang.dsl.units import Units

ALLOWED: Final = "allowed"
"""The built-in event of a committed request that was allowed or limited."""

DISPATCHED: Final = "dispatched"
"""The built-in event of committed work that the host hands out."""

RESERVED: Final = "reserved"
"""Where `reserved(x)` is read: the event of work that a host takes in and will commit later."""

SETTLED: Final = "settled"
"""Where `reserved(x)` is read: work has ended, and what it used goes over into the windows of `allowed`."""

RELEASED: Final = "released"
"""Where `reserved(x)` is read: work has ended, and what it did not use is free again."""

READ_OFF_THE_CLOCK: Final = {"gap": ir.GAP, "clock_fault": ir.CLOCK_FAULT}
"""Names that every policy over time can read, unless it declares them, and their columns."""

_SIGNALS: Final = frozenset((ir.Kind.NUMBER, ir.Kind.DURATION, ir.Kind.ENUM, ir.Kind.BOOL))


@record
class Event:
    """An event: the columns that it carries by their short names, whose it is, what must come before."""

    name: str
    fields: dict[str, ir.Field] = field(default_factory=dict)
    shared: bool = False
    after: ast.Name | None = None
    span: Span | None = None


@record
class Signal:
    """A signal: the column that a sample brings, the cell that keeps it, its value before the first."""

    name: str
    column: ir.Field
    cell: ir.Field
    shared: bool = False
    initial: ast.Literal | None = None
    start: int | None = None
    """The value before the first sample, in steps, once `initial` has been read; None: there is none."""
    span: Span | None = None


@dataclass(slots=True)
class Happenings:
    """Everything of a policy that happens in time."""

    events: dict[str, Event] = field(default_factory=dict)
    signals: dict[str, Signal] = field(default_factory=dict)
    machines: dict[str, ast.MachineDecl] = field(default_factory=dict)
    contracts: dict[str, ast.ContractDecl] = field(default_factory=dict)
    autonomy: ast.AutonomyDecl | None = None
    longest_ms: int = 86_400_000
    """No window is longer; 24 h if the policy says nothing."""

    reserved: dict[str, ir.Field] = field(default_factory=dict)
    """Amounts of the fields x of which `reserved(x)` is read."""

    met: list[str] = field(default_factory=list)
    """Events and signals in the order of their numbers."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is declared."""
        return not (self.events or self.signals or self.machines)

    def kind_of(self, name: str) -> int:
        """The number of an event or a signal; a built-in event gets one when it is met."""
        if not self.met:
            self.met += [*self.events, *self.signals]
        if name not in self.met:
            self.met.append(name)
        return self.met.index(name)

    def names(self) -> tuple[str, ...]:
        """For suggestions."""
        return (*self.events, *self.signals, *self.machines, ALLOWED, DISPATCHED)


def states(machine: ast.MachineDecl) -> tuple[str, ...]:
    """The states of a machine in the order in which it names them, the first one first."""
    named = [machine.start]
    for one in machine.transitions:
        named += [one.source, one.target]
    return tuple(dict.fromkeys(name.text for name in named))


def state_cell(machine: ast.MachineDecl) -> ir.Field:
    """The column of a machine's state."""
    names = states(machine)
    return ir.Field(
        machine.name.text,
        ir.Kind.ENUM,
        hi=len(names) - 1,
        members=names,
        origin=ir.Origin.STATE,
        span=machine.name.span,
    )


def event_of(declared: ast.EventDecl, units: Units) -> Event:
    """An event with its columns.

    Raises:
        RefusalError: a field has a type that makes no sense, or a modifier.
    """
    columns: dict[str, ir.Field] = {}
    for one in declared.fields:
        check_bare(one, "GOV243", f"the field `{one.name.text}` of an event")
        if one.name.text in columns:
            raise RefusalError(
                "GOV202",
                f"the field `{one.name.text}` is declared twice",
                one.name.span,
                "remove one",
            )
        name = f"${declared.name.text}.{one.name.text}"
        columns[one.name.text] = replace(field_of(one, units), name=name, origin=ir.Origin.SAMPLE)
    return Event(declared.name.text, columns, declared.shared, declared.after, declared.span)


def signal_of(declared: ast.SignalDecl, units: Units) -> Signal:
    """A signal with its column and its cell.

    Raises:
        RefusalError: its type makes no sense, or is none that can be kept (GOV243).
    """
    own = typed(declared.name, declared.type, units)
    if own.kind not in _SIGNALS:
        raise RefusalError(
            "GOV243",
            f"the signal `{own.name}` is {kind_words(own.kind)}",
            declared.span,
            "a signal is a number, a duration, a bool or an enumeration",
        )
    column = replace(own, name=f"${own.name}", origin=ir.Origin.SAMPLE)
    cell = replace(own, origin=ir.Origin.STATE)
    return Signal(own.name, column, cell, declared.shared, declared.initial, None, declared.span)
