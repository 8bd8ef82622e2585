"""Syntax tree: invariants, proofs and tests. Read them as `ast.X`."""

# `span_field()` makes a dataclass field, not a shared default

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from govlang.dsl.ast_expressions import Expr, Literal, Name, Number, String
from govlang.dsl.ast_fields import Argument, Decision
from govlang.dsl.ast_time import EventRef
from govlang.dsl.record import record
from govlang.dsl.source import Span, span_field


@record
class Invariant:
    """`invariant name: EXPR`: a guard above all tiers denies whatever breaks it."""

    name: Name
    condition: Expr
    span: Span = span_field()


@record
class Prove:
    """`prove name: EXPR`: a claim about every valid request, parameter and outcome."""

    name: Name
    claim: Expr
    span: Span = span_field()


@record
class Expect:
    """`expect EFFECT … by RULE and do …`.

    `decision.obligations` holds only what was written, and only that is held against the
    outcome: `expect limit` and `expect require human` ask for no detail (for REQUIRE_HUMAN there
    is a `Require` only where `from` or `expires` was written).
    """

    decision: Decision
    rule: Name | None = None
    span: Span = span_field()


@record
class StateIs:
    """`expect breaker is open`, `expect breaker is not open`, `expect autonomy is observer`."""

    machine: Name
    state: Name
    negated: bool = False
    span: Span = span_field()


@record
class RequestStep:
    """`at 5 s request { … } runtime { … } expect …`, then the states after it; `at` None: at 0."""

    at: Number | None
    request: tuple[Argument, ...]
    runtime: tuple[Argument, ...]
    expect: Expect
    states: tuple[StateIs, ...] = ()
    span: Span = span_field()


@record
class EventStep:
    """`at 5 s event deletion { agent "a1", resource "db" }`: the key and the event's fields.

    The event may be one that the host reports of a contract: `event refactor.issued { … }`.
    `refused`: it comes after nothing that calls for it, and changes nothing.
    """

    at: Number | None
    event: EventRef
    values: tuple[Argument, ...] = ()
    states: tuple[StateIs, ...] = ()
    refused: bool = False
    span: Span = span_field()


@record
class SignalStep:
    """`at 5 s signal voltage 11.9 V { drone "d7" }`: a sample, and whose it is."""

    at: Number | None
    signal: Name
    value: Literal
    key: tuple[Argument, ...] = ()
    states: tuple[StateIs, ...] = ()
    span: Span = span_field()


@record
class TickStep:
    """`at 5 s tick`: time passes, nothing else happens."""

    at: Number | None
    states: tuple[StateIs, ...] = ()
    span: Span = span_field()


class Fault(StrEnum):
    """What is wrong with a sensor: no samples come (LOSE), or always the last one (STICK)."""

    LOSE = "lose"
    STICK = "stick"


@record
class FaultStep:
    """`at 10 s lose voltage { drone "d7" } for 10 s`; `duration` None: to the end of the test."""

    at: Number | None
    fault: Fault
    signal: Name
    key: tuple[Argument, ...] = ()
    duration: Number | None = None
    span: Span = span_field()


@record
class ClockStep:
    """`at 20 s clock back 5 s`: the host's clock is put back."""

    at: Number | None
    back: Number
    span: Span = span_field()


Step = RequestStep | EventStep | SignalStep | TickStep | FaultStep | ClockStep


@record
class Test:
    """`test "claim" { params { cap 2 kg } steps }`; parameters not named keep their defaults."""

    __test__: ClassVar[bool] = False  # not a test class to pytest

    name: String
    params: tuple[Argument, ...]
    steps: tuple[Step, ...]
    span: Span = span_field()
