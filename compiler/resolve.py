"""What every name of a policy stands for.

In: the declarations of a policy, imports already in place.  Out: a `Scope`, and an error for every
name that is declared twice, reserved, or of a type that makes no sense.

Fields, parameters, outputs and `let`s share one space of names; rules, tables and invariants share
another; actions, properties, tiers and tests have their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from govlang.compiler import ir, sugar
from govlang.compiler.fields import check_bare, field_of, typed
from govlang.compiler.happenings import (
    ALLOWED,
    DISPATCHED,
    Event,
    Happenings,
    event_of,
    signal_of,
    states,
)
from govlang.compiler.refusal import RefusalError, listed
from govlang.compiler.values import kind_words
from govlang.dsl import ast
from govlang.dsl.diagnostics import Diagnostics, Note, did_you_mean
from govlang.dsl.source import Span
from govlang.dsl.units import Units

RESERVED_RULES: Final = frozenset(
    ("default", "invalid_request", "clock_fault", "state_full", "fail_open", "policy_unavailable")
)
"""Names that outcomes use when no rule decided."""

WEEKDAYS: Final = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)
WEEKDAY: Final = ir.Field("weekday", ir.Kind.ENUM, hi=6, members=WEEKDAYS, origin=ir.Origin.CLOCK)
MINUTE_OF_DAY: Final = ir.Field(
    "minute_of_day", ir.Kind.NUMBER, hi=1439, unit="min", origin=ir.Origin.CLOCK
)
BUILT_IN: Final = frozenset((ir.APPROVED, WEEKDAY.name, MINUTE_OF_DAY.name, ALLOWED, DISPATCHED))


class Roles:
    """The roles that a policy names, in the order in which they were met."""

    asked: bool
    """Whether some expression reads `approved`, even if it names no role."""

    def __init__(self) -> None:
        self.asked = False
        self._places: dict[str, Span] = {}
        self._bits: dict[str, int] = {}

    def mask(self, names: Iterable[ast.Name]) -> int:
        """The names as a set of bits; new ones are taken in."""
        found = 0
        for name in names:
            self._places.setdefault(name.text, name.span)
            found |= 1 << self._bits.setdefault(name.text, len(self._bits))
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """All roles; bit i of a mask is the i-th."""
        return tuple(self._places)

    def check(self, found: Diagnostics) -> None:
        """Report the roles that do not fit into a set."""
        if len(self._places) > ir.SET_MEMBERS_MAX:
            extra = tuple(self._places.values())[ir.SET_MEMBERS_MAX]
            message = f"a policy names at most {ir.SET_MEMBERS_MAX} roles, not {len(self._places)}"
            found.error("GOV235", message, extra, help="let several people share a role")


@dataclass(slots=True)
class Scope:
    """Everything that expressions and rules of one policy can name."""

    fields: dict[str, ir.Field] = field(default_factory=dict)
    params: dict[str, ir.Field] = field(default_factory=dict)
    outputs: dict[str, ir.Field] = field(default_factory=dict)
    lets: dict[str, ast.LetDecl] = field(default_factory=dict)
    actions: dict[str, ir.Action] = field(default_factory=dict)
    tiers: dict[str, int] = field(default_factory=dict)
    roles: Roles = field(default_factory=Roles)
    units: Units = field(default_factory=Units)
    time: Happenings = field(default_factory=Happenings)
    faulty: set[str] = field(default_factory=set)
    """Names whose declaration was refused: what uses them is not reported again."""

    def names(self) -> tuple[str, ...]:
        """What an expression can read, for suggestions."""
        return (
            *self.fields, *self.params, *self.lets, *self.time.names(), *sorted(self.faulty)
        )  # fmt: skip

    @property
    def key(self) -> str | None:
        """The field whose state temporal rules read: the first key of the request."""
        keys = (one.name for one in self.fields.values() if one.kind is ir.Kind.KEY)
        return next(keys, None)

    def is_event(self, name: str) -> bool:
        """Whether a name means something that happens, and no field or parameter."""
        if name in self.fields or name in self.params or name in self.lets:
            return False
        return name in self.time.events or name in (ALLOWED, DISPATCHED)

    def kind_of(self, name: str) -> int:
        """The value of the column `ir.SAMPLE` for an event or a signal."""
        return ir.FIRST_KIND + self.time.kind_of(name)


class Resolver:
    """Builds a scope, collecting errors."""

    def __init__(self, found: Diagnostics) -> None:
        self.scope = Scope()
        self._found = found
        self._values: dict[str, Span] = {}
        self._actions: dict[str, Span] = {}

    def take(self, declaration: ast.Declaration) -> None:
        """Enter one declaration; those that declare no name are passed over."""
        match declaration:
            case ast.InputDecl(fields=fields):
                for one in fields:
                    self._enter(one.name, self.scope.fields, one)
            case ast.OutputDecl(field=one):
                self._output(one)
            case ast.ParamDecl(name=name):
                self._enter(name, self.scope.params, declaration)
            case ast.LetDecl(name=name):
                if self._is_new(name):
                    self.scope.lets[name.text] = declaration
            case ast.ActionDecl():
                self._action(declaration)
            case ast.TiersDecl(names=names):
                self._tiers(names)
            case ast.TimeZoneDecl(zone=zone):
                self._time_zone(zone)
            case ast.EventDecl(name=name):
                self._happening(name, declaration)
            case ast.SignalDecl(name=name):
                self._happening(name, declaration)
            case ast.MachineDecl():
                self._machine(declaration)
                self._start(declaration)
            case ast.ContractDecl():
                self.scope.time.contracts[declaration.name.text] = declaration
                for event in sugar.life(declaration):
                    self.scope.time.events[event] = Event(event, span=declaration.span)
                self._machine(sugar.contract_machine(declaration))
            case ast.AutonomyDecl():
                self._autonomy(declaration)
            case _:
                pass

    def _enter(
        self, name: ast.Name, into: dict[str, ir.Field], declared: ast.Field | ast.ParamDecl
    ) -> None:
        if not self._is_new(name):
            return
        try:
            match declared:
                case ast.Field():
                    into[name.text] = field_of(declared, self.scope.units)
                case ast.ParamDecl():
                    into[name.text] = _parameter(declared, self.scope.units)
        except RefusalError as refusal:
            self.scope.faulty.add(name.text)
            self._found.add(refusal.diagnostic)

    def _happening(self, name: ast.Name, declared: ast.EventDecl | ast.SignalDecl) -> None:
        if not self._is_new(name):
            return
        time, units = self.scope.time, self.scope.units
        try:
            match declared:
                case ast.EventDecl():
                    time.events[name.text] = event_of(declared, units)
                case ast.SignalDecl():
                    time.signals[name.text] = signal_of(declared, units)
        except RefusalError as refusal:
            self.scope.faulty.add(name.text)
            self._found.add(refusal.diagnostic)

    def _machine(self, declared: ast.MachineDecl) -> None:
        if not self._is_new(declared.name):
            return
        self.scope.time.machines[declared.name.text] = declared
        if declared.shared and declared.per is not None:
            self._found.error(
                "GOV244",
                f"the machine `{declared.name.text}` is `shared` and kept `per {declared.per.text}`",
                declared.per.span,
                help="remove one of the two",
            )
        if len(states(declared)) > STATES_MAX:
            self._found.error(
                "GOV235",
                f"a machine has at most {STATES_MAX} states, not {len(states(declared))}",
                declared.name.span,
                help="split it into two machines",
            )

    def _start(self, declared: ast.MachineDecl) -> None:
        """Report a start state that stands in no transition: it is most likely misspelt."""
        named = dict.fromkeys(
            name.text for one in declared.transitions for name in (one.source, one.target)
        )
        start = declared.start.text
        if named and start not in named:
            known = ", ".join(f"`{name}`" for name in named)
            self._found.error(
                "GOV201",
                f"no transition of `{declared.name.text}` leaves or enters its start `{start}`",
                declared.start.span,
                help=did_you_mean(start, named) or f"start in one of {known}",
            )

    def _autonomy(self, declared: ast.AutonomyDecl) -> None:
        first = self.scope.time.autonomy
        if first is None:
            self.scope.time.autonomy = declared
            self._machine(sugar.autonomy_machine(declared))
            return
        self._found.error(
            "GOV233",
            "`autonomy` is written twice",
            declared.span,
            help="write its levels into the first, or declare a `machine`",
            notes=(Note("the first stands here", first.span),),
        )

    def _is_new(self, name: ast.Name) -> bool:
        if name.text in BUILT_IN:
            self._found.error(
                "GOV203", f"`{name.text}` is a built-in field", name.span, help="use another name"
            )
            return False
        return unique(name, self._values, "name", self._found)

    def _output(self, one: ast.Field) -> None:
        self._enter(one.name, self.scope.outputs, one)
        output = self.scope.outputs.get(one.name.text)
        if output is not None and output.kind not in LIMITABLE:
            self.scope.faulty.add(output.name)
            del self.scope.outputs[output.name]
            message = f"the output `{output.name}` is {kind_words(output.kind)}, must be a number"
            help_ = "an output is what `limit` can set: a number or a duration"
            self._found.error("GOV234", message, one.span, help=help_)

    def _action(self, action: ast.ActionDecl) -> None:
        if not unique(action.name, self._actions, "action", self._found):
            return
        seen: dict[str, Span] = {}
        parameters = []
        for one in action.parameters:
            try:
                if unique(one.name, seen, "argument", self._found):
                    parameters.append(_argument(one, self.scope.units))
            except RefusalError as refusal:
                self._found.add(refusal.diagnostic)
        self.scope.actions[action.name.text] = ir.Action(action.name.text, tuple(parameters))

    def _tiers(self, names: tuple[ast.Name, ...]) -> None:
        seen: dict[str, Span] = {}
        for name in names:
            if unique(name, seen, "tier", self._found):
                self.scope.tiers[name.text] = len(self.scope.tiers)

    def _time_zone(self, zone: ast.String) -> None:
        try:
            ZoneInfo(zone.value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self._found.error(
                "GOV236",
                f"there is no time zone `{zone.value[:40]}`",
                zone.span,
                help='write a name of the zone database, as `"Europe/Berlin"` or `"UTC"`',
            )
        self.scope.fields[WEEKDAY.name] = WEEKDAY
        self.scope.fields[MINUTE_OF_DAY.name] = MINUTE_OF_DAY


STATES_MAX: Final = 256
"""States of a machine; what it holds fits a byte."""

LIMITABLE: Final = frozenset((ir.Kind.NUMBER, ir.Kind.DURATION))
"""What `limit` can speak of."""

_PARAMETERS: Final = frozenset((ir.Kind.NUMBER, ir.Kind.ENUM, ir.Kind.BOOL, ir.Kind.DURATION))


def _parameter(param: ast.ParamDecl, units: Units) -> ir.Field:
    declared = typed(param.name, param.type, units)
    if declared.kind in _PARAMETERS:
        return declared
    raise RefusalError(
        "GOV238",
        f"the parameter `{declared.name}` is {kind_words(declared.kind)}",
        param.span,
        "a parameter is a number, a duration, a bool or an enumeration",
    )


def _argument(one: ast.Field, units: Units) -> ir.Field:
    check_bare(one, "GOV234", f"the argument `{one.name.text}` of an action")
    return typed(one.name, one.type, units)


def unique(name: ast.Name, seen: dict[str, Span], what: str, found: Diagnostics) -> bool:
    """Whether a name is new in its space; reports the second of two, showing both places."""
    first = seen.get(name.text)
    if first is None:
        seen[name.text] = name.span
        return True
    found.error(
        "GOV202",
        f"the {what} `{name.text}` is declared twice",
        name.span,
        help="give one of the two another name",
        notes=(Note("the first stands here", first),),
    )
    return False


def unknown(
    what: str, name: ast.Name, candidates: Iterable[str], help_: str | None = None
) -> RefusalError:
    """The error for a name that nothing declares, with the nearest that exists."""
    known = tuple(candidates)
    there_are = f"write {listed(known, 5)}" if known else "declare it first"
    way_out = did_you_mean(name.text, known) or help_ or there_are
    return RefusalError("GOV201", f"there is no {what} `{name.text}`", name.span, way_out)
