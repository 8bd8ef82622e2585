"""Syntax tree: events, signals, machines, contracts and autonomy. Read them as `ast.X`."""

# `span_field()` makes a dataclass field, not a shared default

from __future__ import annotations

from govlang.dsl.ast_expressions import Expr, Literal, Name, Number
from govlang.dsl.ast_fields import Field, Type
from govlang.dsl.ast_time import Occurrence
from govlang.dsl.record import record
from govlang.dsl.source import Span, span_field


@record
class EventDecl:
    """`shared event deletion after dispatched { resource : text }`.

    `after` names the event each of which permits one of these; `shared`: it concerns every key.
    """

    name: Name
    fields: tuple[Field, ...] = ()
    after: Name | None = None
    shared: bool = False
    span: Span = span_field()


@record
class SignalDecl:
    """`shared signal voltage : number in 0..30 V step 0.01 = 12 V`; `initial` None: no value at first."""

    name: Name
    type: Type
    initial: Literal | None = None
    shared: bool = False
    span: Span = span_field()


@record
class Transition:
    """`closed -> open on failure, timeout after 30 s when x > 3`: all the causes that are written.

    `on` empty: no event is asked for; any one of several is enough. INVARIANT: one cause at least.
    """

    source: Name
    target: Name
    on: tuple[Occurrence, ...] = ()
    after: Number | None = None
    when: Expr | None = None
    span: Span = span_field()


@record
class MachineDecl:
    """`machine breaker per resource { start closed … }`; its states are those it names."""

    name: Name
    start: Name
    transitions: tuple[Transition, ...] = ()
    per: Name | None = None
    shared: bool = False
    span: Span = span_field()


@record
class Stop:
    """`after 2 h, or 200 calls, or on refactor.done`: what ends a contract; `calls` counts in `calls`."""

    after: Number | None = None
    calls: Number | None = None
    on: tuple[Occurrence, ...] = ()
    span: Span = span_field()


@record
class ContractDecl:
    """`contract refactor for agent on action { may … scope … needs … stop … revoke on … }`.

    INVARIANT: `may` names one member at least; a clause that is not written is empty or None.
    """

    name: Name
    key: Name
    field: Name
    may: tuple[Name, ...]
    scope: Expr | None = None
    needs: tuple[Name, ...] = ()
    stop: Stop | None = None
    revoke: tuple[Occurrence, ...] = ()
    span: Span = span_field()


@record
class Level:
    """`contributor may edit_file, run_tests when count(ci_pass) in 7 d >= 20`."""

    name: Name
    may: tuple[Name, ...]
    when: Expr | None = None
    span: Span = span_field()


@record
class Drop:
    """`drop to observer on scope_violation`."""

    level: Name
    on: tuple[Occurrence, ...]
    span: Span = span_field()


@record
class AutonomyDecl:
    """`autonomy for agent on action { LEVEL may … drop to LEVEL on … }`: levels lowest first."""

    key: Name
    field: Name
    levels: tuple[Level, ...]
    drops: tuple[Drop, ...] = ()
    span: Span = span_field()
