"""What stands between a policy at the edge and its host, by docs/edge.md: variables and outcome.

In: a policy, and how many classes each of its automata has.  Out: the variables with their domains, the
cells of the outcome with their neutral values, and the lists that number targets, duties and remedies.

Nothing here knows how artefacts are made: the emitters have a list of their own, and the two are held
against each other at every build.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from govlang.compiler import ir
from govlang.native.layout import ColumnKind
from govlang.verifier.translation.decode import Column
from govlang.verifier.translation.edge_time import (
    DAMAGED,
    NEVER,
    NOW,
    TIME_MAX,
    UNKNOWN,
    Scope,
    carried,
    scopes_of,
)
from govlang.verifier.translation.machine import Artefact
from govlang.verifier.translation.source import conditions_read
from govlang.verifier.translation.spans import full
from govlang.verifier.translation.tree import Spans, unite

_WORD: Final = 32


class Home(Enum):
    """Whose a variable is: of some samples, of every one, of the state."""

    SAMPLE = "sample"
    ALWAYS = "always"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable: its domain (a set: its members), what it is before a host sets it, what it stands for.

    Where one of the `present` variables is 0, it is read as `absent` and not checked.
    """

    name: str
    width: int
    column: Column
    unset: int
    present: tuple[int, ...] = ()
    absent: int = 0
    home: Home = Home.ALWAYS
    kind: int = ir.REQUEST
    """The kind of the samples that bring it, where not all do."""
    beside: Spans = ()
    """Values of its domain beside that of the column."""
    room: Spans = ()
    """What it can hold at all, where an artefact has fewer bits for it than its width."""

    @property
    def domain(self) -> Spans:
        """What it may hold; not of a set."""
        return unite(((self.column.lo, self.column.hi),), self.beside)

    def counts(self, kind: int) -> bool:
        """Whether samples of a kind bring it."""
        return self.home is not Home.SAMPLE or self.kind == kind

    @property
    def refusal(self) -> int:
        """The answer where it is the first one outside its domain."""
        return DAMAGED if self.home is Home.STATE else -1

    @property
    def whole(self) -> Spans:
        """Whatever it can hold."""
        return self.room or (full(self.width),)

    @property
    def is_set(self) -> bool:
        """Whether it holds a mask."""
        return self.column.kind is ColumnKind.SET


@dataclass(frozen=True, slots=True)
class OutcomeCell:
    """A cell of the outcome, and what it holds where it asks for nothing."""

    name: str
    width: int
    neutral: int


@dataclass(frozen=True, slots=True)
class Computed:
    """A cell for an argument of a duty or a remedy, by number, that is neither constant nor a text."""

    cell: str
    number: int
    expr: ir.IntExpr


@dataclass(frozen=True, slots=True)
class Interface:
    """The variables and cells of a policy, in the order of docs/edge.md."""

    variables: tuple[Variable, ...]
    cells: tuple[OutcomeCell, ...]
    targets: tuple[ir.Field, ...]
    duties: tuple[ir.Do, ...]
    remedies: tuple[ir.Remedy, ...]
    do_values: tuple[Computed, ...]
    remedy_values: tuple[Computed, ...]
    scopes: tuple[Scope, ...] = ()
    """What a board keeps, of a policy over time."""

    def within(self, room: Mapping[str, tuple[int, int]]) -> Interface:
        """The same where some variables can hold less than their width."""
        own = {name: (span,) for name, span in room.items()}
        listed = tuple(replace(one, room=own.get(one.name, ())) for one in self.variables)
        return replace(self, variables=listed)

    def number(self, name: str) -> int:
        """The number of a variable; KeyError if there is none."""
        for number, one in enumerate(self.variables):
            if one.name == name:
                return number
        raise KeyError(name)


def edge_interface(
    policy: ir.Policy, classes: Mapping[str, int], empty: Mapping[str, int]
) -> Interface:
    """The interface of a policy.

    `classes`: how many classes `class.F.k` tells apart; `empty`: that of the empty text.
    """
    names = dict.fromkeys(limit.target for rule in policy.rules for limit in rule.limits)
    duties = tuple(dict.fromkeys(do for rule in policy.rules for do in rule.dos))
    remedies = tuple(dict.fromkeys(r.remedy for r in policy.rules if r.remedy is not None))
    do_values = tuple(_do_values(policy, duties))
    remedy_values = tuple(_remedy_values(remedies))
    targets = tuple(policy.target(name) for name in names)
    scopes = () if policy.time is None else scopes_of(policy.time)
    return Interface(
        (*_Variables(policy, classes, empty).listed(), *_of_time(policy.time, scopes)),
        (
            OutcomeCell("out.decision", 32, int(ir.Effect.DENY)),
            OutcomeCell("out.rule", 32, len(policy.rules) + 1),
            OutcomeCell("out.invalid", 32, -1),
            *_limit_cells(targets),
            *_words("out.dos", len(duties)),
            *(OutcomeCell(one.cell, 64, 0) for one in do_values),
            *_times(policy),
            *_words("out.remedies", len(remedies)),
            *(OutcomeCell(one.cell, 64, 0) for one in remedy_values),
        ),
        targets,
        duties,
        remedies,
        do_values,
        remedy_values,
        scopes,
    )


def _of_time(time: ir.Time | None, scopes: tuple[Scope, ...]) -> Iterator[Variable]:
    """The variables behind the parameters: the sample, then the state."""
    if time is None:
        return
    yield Variable(NOW, 64, Column(ColumnKind.SAMPLE, 0, 0, -TIME_MAX, TIME_MAX), TIME_MAX + 1)
    for kind, name, one in carried(time):
        column = Column(_kind(one, ColumnKind.CARRIED), 0, 0, one.lo, one.hi)
        unset = _unset(one)
        yield Variable(name, _width(one), column, unset, absent=one.lo, home=Home.SAMPLE, kind=kind)
    beside = ((NEVER, NEVER), (UNKNOWN, UNKNOWN))
    clock = Column(ColumnKind.CELL, 0, 0, -TIME_MAX, TIME_MAX)
    for scope in scopes:
        yield Variable(scope.at, 64, clock, NEVER, home=Home.STATE, beside=beside)
        for cell in scope.cells:
            column = Column(_kind(cell.field, ColumnKind.CELL), 0, 0, cell.field.lo, cell.field.hi)
            name = scope.variable(cell)
            yield Variable(name, _width(cell.field), column, cell.initial, home=Home.STATE)


def _kind(one: ir.Field, kind: ColumnKind) -> ColumnKind:
    return ColumnKind.SET if one.kind is ir.Kind.SET else kind


def variables_before_time(interface: Interface) -> tuple[Variable, ...]:
    """The variables of requests and the parameters."""
    behind = {Home.SAMPLE, Home.ALWAYS}
    end = next((i for i, one in enumerate(interface.variables) if one.name == NOW), None)
    return tuple(one for one in interface.variables[:end] if one.home in behind)


# --- variables -----------------------------------------------------------------------------------


class _Variables:
    def __init__(
        self, policy: ir.Policy, classes: Mapping[str, int], empty: Mapping[str, int]
    ) -> None:
        self.policy = policy
        self.classes = classes
        self.empty = empty
        self.found: list[Variable] = []
        self.has: dict[str, int] = {}
        self.number = {one.name: number for number, one in enumerate(policy.fields)}

    def listed(self) -> list[Variable]:
        """The variables in order."""
        atoms = [atom for one in conditions_read(self.policy) for atom in ir.atoms(one)]
        matched = {atom.name for atom in atoms if isinstance(atom, ir.TextTest)}
        for number, one in enumerate(self.policy.fields):
            if one.optional:
                self.has[one.name] = len(self.found)
                column = Column(ColumnKind.HAS, number, 0, 0, 1)
                self.found.append(Variable(f"has.{one.name}", 32, column, 2, home=Home.SAMPLE))
            if not one.is_text:
                self._field(one, number)
            elif one.name in matched:
                self._classes(one, number)
        pairs = {(a.left, a.right) for a in atoms if isinstance(a, ir.TextEqual)}
        for pair in sorted((min(pair), max(pair)) for pair in pairs):
            self._pair(*pair)
        for number, param in enumerate(self.policy.params):
            column = Column(ColumnKind.PARAM, number, 0, param.field.lo, param.field.hi)
            name = f"param.{param.field.name}"
            self.found.append(Variable(name, _width(param.field), column, param.default))
        return self.found

    def _present(self, *names: str) -> tuple[int, ...]:
        return tuple(self.has[name] for name in names if name in self.has)

    def _field(self, one: ir.Field, number: int) -> None:
        kind = ColumnKind.SET if one.kind is ir.Kind.SET else ColumnKind.RANGE
        column = Column(kind, number, 0, one.lo, one.hi)
        unset = 0 if one.name == ir.APPROVED else _unset(one)
        present = self._present(one.name)
        absent = 0 if one.kind is ir.Kind.SET else one.lo
        self.found.append(
            Variable(one.name, _width(one), column, unset, present, absent, Home.SAMPLE)
        )

    def _classes(self, one: ir.Field, number: int) -> None:
        k = 0
        while (name := f"class.{one.name}.{k}") in self.classes:
            count = self.classes[name]
            column = Column(ColumnKind.CLASS, number, k, 0, count - 1)
            present = self._present(one.name)
            empty = self.empty[name]
            self.found.append(Variable(name, 32, column, count, present, empty, Home.SAMPLE))
            k += 1

    def _pair(self, left: str, right: str) -> None:
        column = Column(ColumnKind.EQUAL, self.number[left], self.number[right], 0, 1)
        present = self._present(left, right)
        name = f"same.{left}.{right}"
        self.found.append(Variable(name, 32, column, 2, present, home=Home.SAMPLE))


def _width(one: ir.Field) -> int:
    if one.kind is ir.Kind.SET:
        return 32 if len(one.members) < _WORD else 64
    return 32 if one.lo >= -(2**31) and one.hi <= 2**31 - 2 else 64


def _unset(one: ir.Field) -> int:
    """A value outside the domain, where the width has one."""
    if one.kind is ir.Kind.SET:
        return 0 if len(one.members) == ir.SET_MEMBERS_MAX else -1
    if one.hi < ir.INT64_MAX:
        return one.hi + 1
    return one.lo - 1 if one.lo > ir.INT64_MIN else 0


# --- the outcome ---------------------------------------------------------------------------------


def _words(name: str, count: int) -> Iterator[OutcomeCell]:
    for word in range(-(-count // _WORD)):
        yield OutcomeCell(f"{name}.{word}", 32, 0)


def _limit_cells(targets: tuple[ir.Field, ...]) -> Iterator[OutcomeCell]:
    yield from _words("out.limited", len(targets))
    for one in targets:
        yield OutcomeCell(f"out.lo.{one.name}", _width(one), one.lo)
        yield OutcomeCell(f"out.hi.{one.name}", _width(one), one.hi)


def _times(policy: ir.Policy) -> Iterator[OutcomeCell]:
    if any(rule.effect is ir.Effect.REQUIRE_HUMAN for rule in policy.rules):
        yield OutcomeCell("out.roles", 64, 0)
        yield OutcomeCell("out.expires", 64, -1)
    if any(rule.retry_ms is not None for rule in policy.rules):
        yield OutcomeCell("out.retry", 64, -1)


def _do_values(policy: ir.Policy, duties: tuple[ir.Do, ...]) -> Iterator[Computed]:
    actions = {action.name: action.parameters for action in policy.actions}
    for number, do in enumerate(duties):
        for parameter, value in zip(actions[do.action], do.args, strict=True):
            if not isinstance(value, ir.IntConst | ir.TextConst | ir.TextField):
                yield Computed(f"out.do.{number}.{parameter.name}", number, value)


def _remedy_values(remedies: tuple[ir.Remedy, ...]) -> Iterator[Computed]:
    for number, remedy in enumerate(remedies):
        for name, value in remedy.values:
            if not isinstance(value, ir.IntConst | ir.TextConst | ir.TextField):
                yield Computed(f"out.remedy.{number}.{name}", number, value)


# --- an artefact's own ---------------------------------------------------------------------------


def interface_mismatches(interface: Interface, artefact: Artefact) -> Iterator[str]:
    """In what the variables and cells of an artefact are not those of the policy, each in a sentence."""
    ours = {one.name: one.width for one in interface.variables}
    yield from _differing("variable", ours, artefact.variables)
    unset = {one.name: one.unset for one in interface.variables}
    for name, value in unset.items():
        if name in artefact.variables and (found := artefact.unset.get(name)) != value:
            yield f"the variable `{name}` holds {found} before it is set, must hold {value}"
    yield from _differing("cell", {c.name: c.width for c in interface.cells}, artefact.cells)


def _differing(word: str, ours: Mapping[str, int], theirs: Mapping[str, int]) -> Iterator[str]:
    missing = [name for name in ours if name not in theirs]
    more = [name for name in theirs if name not in ours]
    yield from (f"the {word} `{name}` is missing" for name in missing)
    yield from (f"the {word} `{name}` is one too many" for name in more)
    if not missing and not more and list(ours) != list(theirs):
        yield f"the {word}s stand in another order"
    for name, width in ours.items():
        if name in theirs and theirs[name] != width:
            yield f"the {word} `{name}` has {theirs[name]} bits, must have {width}"
