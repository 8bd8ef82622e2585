"""What an expression of the language comes to once it is checked.

Out of the checker's passes over syntax trees: constants stay exact rationals in base units until
they meet a field; every other value is already IR, with what later steps must know of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from govlang.compiler import ir
from govlang.compiler.flow import EMPTY, Flow
from govlang.compiler.intervals import Interval
from govlang.dsl.record import record
from govlang.dsl.source import NO_SPAN, Span
from govlang.dsl.units import ONE, Unit

Members = Mapping[str, int]
"""The members of an enumeration or a set with their positions, in order."""


@record
class Constant:
    """An exact number, in base units; `unit` is the one in which it was written."""

    value: Fraction
    unit: Unit = ONE
    span: Span = NO_SPAN


@record
class Quantity:
    """A number that a request or a parameter decides: `expr` counts steps of `step` base units.

    `interval` holds every value of `expr`.  `moment`: a point in time, not a duration.
    """

    expr: ir.IntExpr
    interval: Interval
    step: Fraction
    unit: Unit = ONE
    moment: bool = False
    flow: Flow = EMPTY

    @property
    def field(self) -> str | None:
        """The name of the field that this is, if it is nothing more."""
        return self.expr.name if isinstance(self.expr, ir.FieldValue) else None


@record
class Condition:
    """Something true or false."""

    expr: ir.BoolExpr
    flow: Flow = EMPTY
    decides: Span | None = None
    """Where it mentions the decision, if it does."""


@record
class Choice:
    """A field or a parameter that is one of `members`."""

    expr: ir.FieldValue | ir.ParamValue
    members: Members
    flow: Flow = EMPTY


@record
class Labels:
    """A set field."""

    name: str
    members: Members
    flow: Flow = EMPTY


@record
class Text:
    """A text, path or key field."""

    field: ir.Field
    flow: Flow = EMPTY


@record
class Literal:
    """A text written out."""

    text: str
    span: Span = NO_SPAN


@record
class Faulty:
    """Something that has been reported already; what is built on it stays silent."""


Value = Constant | Quantity | Condition | Choice | Labels | Text | Literal | Faulty
Number = Constant | Quantity


def flow_of(value: Value) -> Flow:
    """What a value reads."""
    match value:
        case Constant() | Literal() | Faulty():
            return EMPTY
        case _:
            return value.flow


def reading(value: Value, flow: Flow) -> Value:
    """The same value with another flow."""
    match value:
        case Constant() | Literal() | Faulty():
            return value
        case _:
            return replace(value, flow=flow)


def written_at(span: Span, value: Value) -> Value:
    """The same value; the parts of a condition that nobody wrote stand where it was written."""
    if isinstance(value, Condition):
        return replace(value, expr=ir.located(value.expr, span))
    return value


def described(value: Value) -> str:
    """A value's type in words, for messages."""
    match value:
        case Constant() | Quantity():
            return f"a number in {value.unit.text}" if value.unit.text else "a number"
        case Condition():
            return "a condition"
        case Choice():
            return "an enumeration"
        case Labels():
            return "a set"
        case Text(field=field):
            return f"a {field.kind}"
        case Literal():
            return "a text"
        case Faulty():
            return "an unknown value"


def quantity_of(field: ir.Field, expr: ir.FieldValue | ir.ParamValue, unit: Unit) -> Quantity:
    """A number field or parameter as a value; times and durations count milliseconds."""
    step = Fraction(field.step_num, field.step_den) * unit.factor
    return Quantity(
        expr,
        (field.lo, field.hi),
        step,
        unit,
        moment=field.kind is ir.Kind.TIME,
    )
