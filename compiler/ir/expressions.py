"""Integer expressions and conditions: what the rules, limits and properties are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, replace
from enum import IntEnum, StrEnum
from typing import Final

from govlang.dsl.record import record
from govlang.dsl.source import Span

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1

Ranges = tuple[tuple[int, int], ...]
"""Closed intervals, sorted, disjoint and not touching: `((0, 299), (500, 1000))`."""


class Effect(IntEnum):
    """What a rule or an outcome does, from the loosest to the strictest."""

    ALLOW = 0
    LIMIT = 1
    THROTTLE = 2
    REQUIRE_HUMAN = 3
    DENY = 4

    @property
    def word(self) -> str:
        """The name in every output: `require_human`."""
        return self.name.lower()


class ArithOp(StrEnum):
    """A binary integer operation; operands are on one grid already."""

    ADD = "+"
    SUB = "-"
    MUL = "*"
    LEAST = "least"
    GREATEST = "greatest"


@record
class IntConst:
    """An integer."""

    value: int


@record
class FieldValue:
    """The value of a field that is no text: steps, position, mask, bit or milliseconds."""

    name: str


@record
class ParamValue:
    """The value of a parameter."""

    name: str


@record
class Arith:
    """`left op right`, in this order, without overflow."""

    op: ArithOp
    left: IntExpr
    right: IntExpr


@record
class FloorDiv:
    """`dividend / divisor`, rounded towards minus infinity; the divisor is a constant other than 0."""

    dividend: IntExpr
    divisor: int

    def __post_init__(self) -> None:
        if self.divisor == 0:
            raise ValueError("division by 0")


@record
class Choose:
    """`if condition then then else otherwise`."""

    condition: BoolExpr
    then: IntExpr
    otherwise: IntExpr


IntExpr = IntConst | FieldValue | ParamValue | Arith | FloorDiv | Choose


class CompareOp(StrEnum):
    """A comparison of two integers; `>` and `>=` are these with the sides swapped."""

    EQ = "=="
    NE = "!="
    LT = "<"
    LE = "<="


class SetOp(StrEnum):
    """How a set field is held against a constant set."""

    ANY = "contains any"
    ALL = "contains all"
    WITHIN = "within"


class PatternKind(StrEnum):
    """How a text is held against a pattern."""

    LITERAL = "=="
    GLOB = "like"
    UNDER = "under"


@record
class Pattern:
    """A literal, a glob (`*` within a segment, `**` across), or a directory prefix ending in `/`."""

    kind: PatternKind
    text: str


@record
class BoolConst:
    """True or false."""

    value: bool
    span: Span | None = field(default=None, compare=False, repr=False)


@record
class Not:
    """The operand does not hold."""

    operand: BoolExpr
    span: Span | None = field(default=None, compare=False, repr=False)


@record
class And:
    """All operands hold; at least two of them."""

    operands: tuple[BoolExpr, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


@record
class Or:
    """Some operand holds; at least two of them."""

    operands: tuple[BoolExpr, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


@record
class InRanges:
    """A number, enumeration, bool, time or duration *field* lies in one of the ranges.

    Every comparison of a field with a constant is lowered to this, so that box-shaped conditions
    are recognised by looking.
    """

    name: str
    ranges: Ranges
    span: Span | None = field(default=None, compare=False, repr=False)


@record
class Compare:
    """`left op right` between integer expressions that are not just a field and a constant."""

    op: CompareOp
    left: IntExpr
    right: IntExpr
    span: Span | None = field(default=None, compare=False, repr=False)


@record
class SetTest:
    """A set field shares a member with `mask`, has all of it, or nothing outside it."""

    name: str
    op: SetOp
    mask: int
    span: Span | None = field(default=None, compare=False, repr=False)


@record
class TextTest:
    """A text field matches at least one of the patterns."""

    name: str
    patterns: tuple[Pattern, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


@record
class TextEqual:
    """Two text fields hold the same bytes; `left < right` by name."""

    left: str
    right: str
    span: Span | None = field(default=None, compare=False, repr=False)


@record
class Has:
    """An optional field has a value."""

    name: str
    span: Span | None = field(default=None, compare=False, repr=False)


@record
class DecisionIn:
    """The outcome's effect is one of these; occurs in properties only."""

    effects: frozenset[Effect]
    span: Span | None = field(default=None, compare=False, repr=False)


Atom = InRanges | Compare | SetTest | TextTest | TextEqual | Has | DecisionIn
BoolExpr = BoolConst | Not | And | Or | Atom

TRUE: Final = BoolConst(True)
FALSE: Final = BoolConst(False)


def conjunction(operands: Iterable[BoolExpr], span: Span | None = None) -> BoolExpr:
    """All of `operands`, flattened, constants folded; `TRUE` if there are none."""
    flat: list[BoolExpr] = []
    for operand in operands:
        match operand:
            case BoolConst(value=False):
                return operand
            case BoolConst():
                pass
            case And(operands=inner):
                flat.extend(inner)
            case _:
                flat.append(operand)
    return _joined(And, flat, TRUE, span)


def disjunction(operands: Iterable[BoolExpr], span: Span | None = None) -> BoolExpr:
    """Some of `operands`, flattened, constants folded; `FALSE` if there are none."""
    flat: list[BoolExpr] = []
    for operand in operands:
        match operand:
            case BoolConst(value=True):
                return operand
            case BoolConst():
                pass
            case Or(operands=inner):
                flat.extend(inner)
            case _:
                flat.append(operand)
    return _joined(Or, flat, FALSE, span)


def _joined(
    node: type[And | Or], flat: list[BoolExpr], empty: BoolConst, span: Span | None
) -> BoolExpr:
    if not flat:
        return empty
    return flat[0] if len(flat) == 1 else node(tuple(flat), span)


def negation(operand: BoolExpr, span: Span | None = None) -> BoolExpr:
    """The operand does not hold; double negation and constants are folded."""
    match operand:
        case BoolConst(value=value):
            return BoolConst(not value, operand.span)
        case Not(operand=inner):
            # `not (e != 3)` is the text of what is left; that of the operand alone would say its denial
            return inner if span is None else replace(inner, span=span)
        case _:
            return Not(operand, span)
