"""Syntax tree: types, fields, decisions with their obligations. Read them as `ast.X`."""

# `span_field()` makes a dataclass field, not a shared default

from __future__ import annotations

from enum import StrEnum

from govlang.dsl.ast_expressions import Effect, Expr, Literal, Name, Number, String
from govlang.dsl.record import record
from govlang.dsl.source import Span, span_field


class Rounding(StrEnum):
    """How a number off its field's grid is brought onto it, where the field says so."""

    UP = "up"
    DOWN = "down"
    NEAREST = "nearest"


@record
class NumberType:
    """`number in low..high UNIT step s rounded down`.

    low and high are literals that carry the unit written after high (one unit stands for both);
    `step` None means 1 in that unit.
    """

    low: Number
    high: Number
    step: Number | None = None
    rounding: Rounding | None = None
    span: Span = span_field()

    @property
    def unit(self) -> str | None:
        """The unit of the range as written."""
        return self.high.unit


@record
class EnumType:
    """`one of a, b, "c-d"`: exactly one of the members, in this order."""

    members: tuple[Name, ...]
    span: Span = span_field()


@record
class SetType:
    """`set of a, b`: any subset of at most 64 labels."""

    members: tuple[Name, ...]
    span: Span = span_field()


class Plain(StrEnum):
    """The types that need no parameter."""

    BOOL = "bool"
    KEY = "key"
    TIME = "time"
    DURATION = "duration"


@record
class PlainType:
    """`bool`, `key`, `time` or `duration` (the last two in milliseconds)."""

    kind: Plain
    span: Span = span_field()


@record
class TextType:
    """`text`, or `path` when `is_path`; at most `max_bytes` bytes of UTF-8, None means 256."""

    is_path: bool
    max_bytes: Number | None = None
    span: Span = span_field()


Type = NumberType | EnumType | SetType | PlainType | TextType


@record
class Field:
    """`name : type optional from runtime private`: one value of a request, output or argument."""

    name: Name
    type: Type
    optional: bool = False
    from_runtime: bool = False
    private: bool = False
    span: Span = span_field()


# --- effects and obligations ---


@record
class Argument:
    """`name = value` of an action or a remedy, or `name value` of a request."""

    name: Name
    value: Literal
    span: Span = span_field()


@record
class Limit:
    """`limit F to high` (low None: from the field's own low) or `limit F to low..high`."""

    field: Name
    low: Expr | None
    high: Expr
    span: Span = span_field()


@record
class Do:
    """`do ACTION(name = value, …) for 10 min`."""

    action: Name
    arguments: tuple[Argument, ...] = ()
    duration: Number | None = None
    span: Span = span_field()


@record
class Require:
    """`from "role", "role" expires 15 min` of `require human`; no roles written: empty."""

    roles: tuple[Name, ...] = ()
    expires: Number | None = None
    span: Span = span_field()


@record
class Retry:
    """`retry 30 s` of `throttle`."""

    after: Number
    span: Span = span_field()


Obligation = Limit | Do | Require | Retry


@record
class Decision:
    """What a rule says: one effect with the obligations written with it.

    LIMIT has a `Limit` first; REQUIRE_HUMAN has a `Require` first; THROTTLE may have a `Retry`
    first; then the `and do …` and, after a LIMIT, the `and limit …` in the order written.
    """

    effect: Effect
    obligations: tuple[Obligation, ...] = ()
    span: Span = span_field()


@record
class Remedy:
    """`remedy "text" with topic = "x"`: what the caller could do instead."""

    text: String
    arguments: tuple[Argument, ...] = ()
    span: Span = span_field()
