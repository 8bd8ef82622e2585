"""The syntax tree of a `.gov` file: what was written, names unresolved, nothing checked but form.

Out of `parser.parse` and `parser.parse_fields`, into `compiler.resolve`; back to text by
`printer.print_policy`. Every node is frozen, holds tuples, and has a `span` that takes no part in
equality, so two trees are equal when they say the same. Words that the author may write as an
identifier or as a string (rule names, members, labels, roles) are one `Name`.

INVARIANT: a parsed tree is no deeper than `limits.MAX_DEPTH`, so that recursion over it is safe.
"""

# ruff: noqa: RUF009  # `_span()` makes a dataclass field, not a shared default

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from govlang.dsl.source import NO_SPAN, Span


def _span() -> Span:
    """The `span` field of a node: where it stands, not part of what it says."""
    return field(default=NO_SPAN, compare=False, repr=False)


class Effect(StrEnum):
    """What a rule decides, loosest first; the value is the name in JSON."""

    ALLOW = "allow"
    LIMIT = "limit"
    THROTTLE = "throttle"
    REQUIRE_HUMAN = "require_human"
    DENY = "deny"


# --- Expressions --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number:
    """A literal as it was written, `1_000.50`, with its unit, `kg`, or None.

    `text` may begin with `-` in literals (ranges, requests, defaults); in an expression the sign
    is a `Unary`.
    """

    text: str
    unit: str | None = None
    span: Span = _span()

    @property
    def value(self) -> Decimal:
        """The exact value, in the written unit."""
        return Decimal(self.text.replace("_", ""))


@dataclass(frozen=True, slots=True)
class String:
    """A text in double quotes, escapes resolved."""

    value: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Name:
    """A word: a field, signal, parameter, `let`, member, label, role or rule, resolved later.

    Where both are allowed (names of rules, members of enumerations and sets in their
    declarations, roles) a string gives a `Name` too. In an expression a string stays a `String`;
    against an enumeration it stands for the member of that text.
    """

    text: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Bool:
    """`true` or `false`."""

    value: bool
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class SetLiteral:
    """`{a, "b", 3 kg}`: members in the order written; may be empty."""

    members: tuple[Name | String | Number, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Unary:
    """`not x` (op `not`) or `-x` (op `-`)."""

    op: str
    operand: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic, op one of `+ - * /`; groups to the left."""

    op: str
    left: Expr
    right: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Logical:
    """`a and b and c` or `a or b or c`: op `and` or `or`, at least two operands."""

    op: str
    operands: tuple[Expr, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Implies:
    """`left implies right`; groups to the right."""

    left: Expr
    right: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Compare:
    """`left op right`, op one of `== != < <= > >=`."""

    op: str
    left: Expr
    right: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Is:
    """`x is member`, `x is not member`, `x is true`."""

    operand: Expr
    value: Name | String | Bool
    negated: bool = False
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class IsEmpty:
    """`x is empty`, `x is not empty`: for sets; on an enumeration with a member `empty`, that member."""

    operand: Expr
    negated: bool = False
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class In:
    """`x in {a, b}`: x equals one of the members; for enumerations, texts, paths, keys and numbers."""

    operand: Expr
    members: SetLiteral
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Like:
    """`x like "infra.*"`: the whole text matches the glob."""

    operand: Expr
    pattern: String
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Under:
    """`x under "src/"`: a path inside that directory."""

    operand: Expr
    prefix: String
    span: Span = _span()


class Quantifier(StrEnum):
    """How many of the members a `contains` asks for."""

    ONE = "one"
    ANY = "any"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Contains:
    """`x contains a` (ONE, one member), `x contains any {a, b}` (ANY), `x contains all {a, b}` (ALL)."""

    operand: Expr
    quantifier: Quantifier
    members: SetLiteral
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Within:
    """`x within {a, b}`: every member of the set x is one of these."""

    operand: Expr
    members: SetLiteral
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Has:
    """`has x`: the optional field has a value."""

    field: Name
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class If:
    """`if condition then a else b`; the branches may be numbers or conditions."""

    condition: Expr
    then: Expr
    otherwise: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Call:
    """`least(a, b, …)`, `greatest(a, b, …)` (two or more arguments), `abs(a)`."""

    function: str
    arguments: tuple[Expr, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class DecisionIs:
    """`decision is deny`, `decision is not allow`: in proofs only."""

    effect: Effect
    negated: bool = False
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class DecisionAtLeast:
    """`decision is at least throttle`: that effect or a stricter one; in proofs only."""

    effect: Effect
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class DecisionIn:
    """`decision in {allow, limit}`: in proofs only."""

    effects: tuple[Effect, ...]
    span: Span = _span()


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
)
"""What may stand in a condition or a value."""

Literal = Number | String | Name | Bool | SetLiteral
"""A value written out: in requests, defaults of parameters, arguments; a `Name` is a member."""


# --- Types and fields ---------------------------------------------------------------------------


class Rounding(StrEnum):
    """How a number off its field's grid is brought onto it, where the field says so."""

    UP = "up"
    DOWN = "down"
    NEAREST = "nearest"


@dataclass(frozen=True, slots=True)
class NumberType:
    """`number in low..high UNIT step s rounded down`.

    low and high are literals that carry the unit written after high (one unit stands for both);
    `step` None means 1 in that unit.
    """

    low: Number
    high: Number
    step: Number | None = None
    rounding: Rounding | None = None
    span: Span = _span()

    @property
    def unit(self) -> str | None:
        """The unit of the range as written."""
        return self.high.unit


@dataclass(frozen=True, slots=True)
class EnumType:
    """`one of a, b, "c-d"`: exactly one of the members, in this order."""

    members: tuple[Name, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class SetType:
    """`set of a, b`: any subset of at most 64 labels."""

    members: tuple[Name, ...]
    span: Span = _span()


class Plain(StrEnum):
    """The types that need no parameter."""

    BOOL = "bool"
    KEY = "key"
    TIME = "time"
    DURATION = "duration"


@dataclass(frozen=True, slots=True)
class PlainType:
    """`bool`, `key`, `time` or `duration` (the last two in milliseconds)."""

    kind: Plain
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class TextType:
    """`text`, or `path` when `is_path`; at most `max_bytes` bytes of UTF-8, None means 256."""

    is_path: bool
    max_bytes: Number | None = None
    span: Span = _span()


Type = NumberType | EnumType | SetType | PlainType | TextType


@dataclass(frozen=True, slots=True)
class Field:
    """`name : type optional from runtime private`: one value of a request, output or argument."""

    name: Name
    type: Type
    optional: bool = False
    from_runtime: bool = False
    private: bool = False
    span: Span = _span()


# --- Effects and obligations --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Argument:
    """`name = value` of an action or a remedy, or `name value` of a request."""

    name: Name
    value: Literal
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Limit:
    """`limit F to high` (low None: from the field's own low) or `limit F to low..high`."""

    field: Name
    low: Expr | None
    high: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Do:
    """`do ACTION(name = value, …) for 10 min`."""

    action: Name
    arguments: tuple[Argument, ...] = ()
    duration: Number | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Require:
    """`from "role", "role" expires 15 min` of `require human`; no roles written: empty."""

    roles: tuple[Name, ...] = ()
    expires: Number | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Retry:
    """`retry 30 s` of `throttle`."""

    after: Number
    span: Span = _span()


Obligation = Limit | Do | Require | Retry


@dataclass(frozen=True, slots=True)
class Decision:
    """What a rule says: one effect with the obligations written with it.

    LIMIT has a `Limit` first; REQUIRE_HUMAN has a `Require` first; THROTTLE may have a `Retry`
    first; then the `and do …` and, after a LIMIT, the `and limit …` in the order written.
    """

    effect: Effect
    obligations: tuple[Obligation, ...] = ()
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Remedy:
    """`remedy "text" with topic = "x"`: what the caller could do instead."""

    text: String
    arguments: tuple[Argument, ...] = ()
    span: Span = _span()


# --- Declarations -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Header:
    """`language 1` and `policy NAME version "V"`."""

    language: int
    name: Name
    version: String
    span: Span = _span()


class Combine(StrEnum):
    """How the standing rules become one outcome."""

    STRICT = "strict"
    MOST_RESTRICTIVE = "most_restrictive"
    FIRST_MATCH = "first_match"
    UNIQUE = "unique"


@dataclass(frozen=True, slots=True)
class CombineDecl:
    """`combine most_restrictive`; none written: strict."""

    combine: Combine
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class DefaultDecl:
    """`default allow`, `default deny`, or `default none` (effect None: every input must be covered)."""

    effect: Effect | None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class TiersDecl:
    """`tiers safety, business`: highest first."""

    names: tuple[Name, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class InputDecl:
    """`input { … }`; several blocks add up."""

    fields: tuple[Field, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class OutputDecl:
    """`output speed : number in 0..20 m/s`: what a limit may set beside inputs."""

    field: Field
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class ActionDecl:
    """`action isolate`, `action page(team : text, level : one of low, high)`."""

    name: Name
    parameters: tuple[Field, ...] = ()
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class LetDecl:
    """`let name = expression`: another name for the expression."""

    name: Name
    value: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class ParamDecl:
    """`param cap : number in 1..5 kg = 1 kg`: a constant of the deployment and its usual value."""

    name: Name
    type: Type
    default: Literal
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class AssumeDecl:
    """`assume EXPR`: a request that breaks it is an invalid request."""

    condition: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class AcceptDecl:
    """`accept GOV301 on a, b because "…"`: turns findings of that code on those names into warnings."""

    code: Name
    names: tuple[Name, ...]
    because: String
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class ImportDecl:
    """`import "common.gov"`: its declarations stand here; the path is relative to this file."""

    path: String
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class TimeZoneDecl:
    """`time zone "Europe/Berlin"`: makes `weekday` and `minute_of_day` exist."""

    zone: String
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class LongestWindowDecl:
    """`longest window 30 d`: the bound of every temporal window."""

    duration: Number
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Rule:
    """When `condition` holds (None: always), decide; `overrides` drops the named fired rules."""

    name: Name
    condition: Expr | None
    decision: Decision
    because: String | None = None
    remedy: Remedy | None = None
    overrides: tuple[Name, ...] = ()
    span: Span = _span()


# --- Tables -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CellAny:
    """`_`, or an empty CSV cell: holds whatever the column's value, absent or not."""

    span: Span = _span()


@dataclass(frozen=True, slots=True)
class CellValue:
    """`urban`, `"text"`, `50 %`, `true`: the column equals it; as a result, the value itself."""

    value: Literal
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class CellCompare:
    """`>= 50 %`: op one of `== != < <= > >=`, the column on the left."""

    op: str
    value: Literal
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class CellRange:
    """`10..20 %`: both ends belong to it."""

    low: Number
    high: Number
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class CellSet:
    """`{a, b}`: the column is in it."""

    members: SetLiteral
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class CellLike:
    """`like "glob"`."""

    pattern: String
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class CellUnder:
    """`under "dir/"`."""

    prefix: String
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class CellContains:
    """`contains a`, `contains any {a, b}`, `contains all {a, b}`."""

    quantifier: Quantifier
    members: SetLiteral
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class CellNot:
    """`not urban`, `not {a, b}`: the cell after it does not hold."""

    cell: Cell
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class CellAnd:
    """`>= 10 and < 20`: all of the parts hold; at least two."""

    cells: tuple[Cell, ...]
    span: Span = _span()


Cell = (
    CellAny
    | CellValue
    | CellCompare
    | CellRange
    | CellSet
    | CellLike
    | CellUnder
    | CellContains
    | CellNot
    | CellAnd
)
"""A condition on the field that heads its column."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One rule, named `TABLE#n` with n from 1: all cells hold, then the decision.

    INVARIANT: one cell for each column of the table.
    """

    cells: tuple[Cell, ...]
    decision: Decision
    because: String | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Table:
    """`table NAME(columns) -> limit F { … }` or `-> decision { … }`, or rows `from "file.csv"`.

    `limit` names the field that the last column limits (the row's decision is that limit); None
    means that the last column holds whole decisions. `has_because`: `-> decision, because`, a
    further column of reasons. `because` is the reason of all rows that have none of their own.
    Exactly one of `rows` and `csv` says something: `csv` None when the rows are written here;
    `csv_table.read_rows` reads the others.
    """

    name: Name
    columns: tuple[Name, ...]
    limit: Name | None
    has_because: bool = False
    because: String | None = None
    csv: String | None = None
    rows: tuple[TableRow, ...] = ()
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class TierBlock:
    """`tier NAME when CONDITION { rules and tables }`; a tier may have several blocks."""

    name: Name
    condition: Expr | None
    members: tuple[Rule | Table, ...]
    span: Span = _span()


# --- Proofs and tests ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Invariant:
    """`invariant name: EXPR`: a guard above all tiers denies whatever breaks it."""

    name: Name
    condition: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Prove:
    """`prove name: EXPR`: a claim about every valid request, parameter and outcome."""

    name: Name
    claim: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Expect:
    """`expect EFFECT … by RULE and do …`.

    `decision.obligations` holds only what was written, and only that is held against the
    outcome: `expect limit` and `expect require human` ask for no detail (for REQUIRE_HUMAN there
    is a `Require` only where `from` or `expires` was written).
    """

    decision: Decision
    rule: Name | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Step:
    """`at 5 s request { … } runtime { … } expect …`; `at` None: at 0."""

    at: Number | None
    request: tuple[Argument, ...]
    runtime: tuple[Argument, ...]
    expect: Expect
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Test:
    """`test "claim" { params { cap 2 kg } steps }`; parameters not named keep their defaults."""

    __test__: ClassVar[bool] = False  # not a test class to pytest

    name: String
    params: tuple[Argument, ...]
    steps: tuple[Step, ...]
    span: Span = _span()


Declaration = (
    CombineDecl
    | DefaultDecl
    | TiersDecl
    | TierBlock
    | InputDecl
    | OutputDecl
    | ActionDecl
    | LetDecl
    | ParamDecl
    | AssumeDecl
    | AcceptDecl
    | ImportDecl
    | TimeZoneDecl
    | LongestWindowDecl
    | Rule
    | Table
    | Invariant
    | Prove
    | Test
)


@dataclass(frozen=True, slots=True)
class Comment:
    """`// text` (without the slashes, stripped); `own_line` when nothing stands before it."""

    text: str
    own_line: bool
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole file: header (None only in an imported part), declarations in source order, comments.

    Comments are kept for `gov fmt`; they say nothing and take no part in equality.
    """

    header: Header | None
    declarations: tuple[Declaration, ...]
    comments: tuple[Comment, ...] = field(default=(), compare=False, repr=False)
    span: Span = _span()
