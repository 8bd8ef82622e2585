"""Syntax tree: effects, expressions, literals. Read them as `ast.X`; see `ast.py`."""

# `span_field()` makes a dataclass field, not a shared default

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from govlang.dsl.ast_time import EventRef, Temporal
from govlang.dsl.record import record
from govlang.dsl.source import Span, span_field


class Effect(StrEnum):
    """What a rule decides, loosest first; the value is the name in JSON."""

    ALLOW = "allow"
    LIMIT = "limit"
    THROTTLE = "throttle"
    REQUIRE_HUMAN = "require_human"
    DENY = "deny"


@record
class Number:
    """A literal as it was written, `1_000.50`, with its unit, `kg`, or None.

    `text` may begin with `-` in literals (ranges, requests, defaults); in an expression the sign
    is a `Unary`.
    """

    text: str
    unit: str | None = None
    span: Span = span_field()

    @property
    def value(self) -> Decimal:
        """The exact value, in the written unit."""
        return Decimal(self.text.replace("_", ""))


@record
class String:
    """A text in double quotes, escapes resolved."""

    value: str
    span: Span = span_field()


@record
class Name:
    """A word: a field, signal, parameter, `let`, member, label, role or rule, resolved later.

    Where both are allowed (names of rules, members of enumerations and sets in their
    declarations, roles) a string gives a `Name` too. In an expression a string stays a `String`;
    against an enumeration it stands for the member of that text.
    """

    text: str
    span: Span = span_field()


@record
class Bool:
    """`true` or `false`."""

    value: bool
    span: Span = span_field()


@record
class SetLiteral:
    """`{a, "b", 3 kg}`: members in the order written; may be empty."""

    members: tuple[Name | String | Number, ...]
    span: Span = span_field()


@record
class Unary:
    """`not x` (op `not`) or `-x` (op `-`)."""

    op: str
    operand: Expr
    span: Span = span_field()


@record
class Binary:
    """Arithmetic, op one of `+ - * /`; groups to the left."""

    op: str
    left: Expr
    right: Expr
    span: Span = span_field()


@record
class Logical:
    """`a and b and c` or `a or b or c`: op `and` or `or`, at least two operands."""

    op: str
    operands: tuple[Expr, ...]
    span: Span = span_field()


@record
class Implies:
    """`left implies right`; groups to the right."""

    left: Expr
    right: Expr
    span: Span = span_field()


@record
class Compare:
    """`left op right`, op one of `== != < <= > >=`."""

    op: str
    left: Expr
    right: Expr
    span: Span = span_field()


@record
class Is:
    """`x is member`, `x is not member`, `x is true`."""

    operand: Expr
    value: Name | String | Bool
    negated: bool = False
    span: Span = span_field()


@record
class IsEmpty:
    """`x is empty`, `x is not empty`: for sets; on an enumeration with a member `empty`, that member."""

    operand: Expr
    negated: bool = False
    span: Span = span_field()


@record
class In:
    """`x in {a, b}`: x equals one of the members; for enumerations, texts, paths, keys and numbers."""

    operand: Expr
    members: SetLiteral
    span: Span = span_field()


@record
class Like:
    """`x like "infra.*"`: the whole text matches the glob."""

    operand: Expr
    pattern: String
    span: Span = span_field()


@record
class Under:
    """`x under "src/"`: a path inside that directory."""

    operand: Expr
    prefix: String
    span: Span = span_field()


class Quantifier(StrEnum):
    """How many of the members a `contains` asks for."""

    ONE = "one"
    ANY = "any"
    ALL = "all"


@record
class Contains:
    """`x contains a` (ONE, one member), `x contains any {a, b}` (ANY), `x contains all {a, b}` (ALL)."""

    operand: Expr
    quantifier: Quantifier
    members: SetLiteral
    span: Span = span_field()


@record
class Within:
    """`x within {a, b}`: every member of the set x is one of these."""

    operand: Expr
    members: SetLiteral
    span: Span = span_field()


@record
class Has:
    """`has x`: the optional field has a value."""

    field: Name
    span: Span = span_field()


@record
class If:
    """`if condition then a else b`; the branches may be numbers or conditions."""

    condition: Expr
    then: Expr
    otherwise: Expr
    span: Span = span_field()


@record
class Call:
    """`least(a, b, …)`, `greatest(a, b, …)` (two or more arguments), `abs(a)`."""

    function: str
    arguments: tuple[Expr, ...]
    span: Span = span_field()


@record
class DecisionIs:
    """`decision is deny`, `decision is not allow`: in proofs only."""

    effect: Effect
    negated: bool = False
    span: Span = span_field()


@record
class DecisionAtLeast:
    """`decision is at least throttle`: that effect or a stricter one; in proofs only."""

    effect: Effect
    span: Span = span_field()


@record
class DecisionIn:
    """`decision in {allow, limit}`: in proofs only."""

    effects: tuple[Effect, ...]
    span: Span = span_field()


Expr = (
    Number
    | String
    | Name
    | Bool
    | Unary
    | Binary
    | Logical
    | Implies
    | Compare
    | Is
    | IsEmpty
    | In
    | Like
    | Under
    | Contains
    | Within
    | Has
    | If
    | Call
    | DecisionIs
    | DecisionAtLeast
    | DecisionIn
    | Temporal
)
"""What may stand in a condition or a value."""

Literal = Number | String | Name | Bool | SetLiteral
"""A value written out: in requests, defaults of parameters, arguments; a `Name` is a member."""

Reading = Name | EventRef
"""What has samples: a signal or field, or with a member the field of an event."""
