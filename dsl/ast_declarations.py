"""Syntax tree: a whole file and its declarations. Read them as `ast.X`; see `ast.py`."""

# `span_field()` makes a dataclass field, not a shared default

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from govlang.dsl.ast_expressions import Effect, Expr, Literal, Name, Number, String
from govlang.dsl.ast_fields import Decision, Field, Remedy, Type
from govlang.dsl.ast_machines import AutonomyDecl, ContractDecl, EventDecl, MachineDecl, SignalDecl
from govlang.dsl.ast_proofs import Invariant, Prove, Test
from govlang.dsl.ast_tables import Table
from govlang.dsl.record import record
from govlang.dsl.source import Span, span_field


@record
class Header:
    """`language 1` and `policy NAME version "V"`."""

    language: int
    name: Name
    version: String
    span: Span = span_field()


class Combine(StrEnum):
    """How the standing rules become one outcome."""

    STRICT = "strict"
    MOST_RESTRICTIVE = "most_restrictive"
    FIRST_MATCH = "first_match"
    UNIQUE = "unique"


@record
class CombineDecl:
    """`combine most_restrictive`; none written: strict."""

    combine: Combine
    span: Span = span_field()


@record
class DefaultDecl:
    """`default allow`, `default deny`, or `default none` (effect None: every input must be covered)."""

    effect: Effect | None
    span: Span = span_field()


@record
class TiersDecl:
    """`tiers safety, business`: highest first."""

    names: tuple[Name, ...]
    span: Span = span_field()


@record
class InputDecl:
    """`input { … }`; several blocks add up."""

    fields: tuple[Field, ...]
    span: Span = span_field()


@record
class OutputDecl:
    """`output speed : number in 0..20 m/s`: what a limit may set beside inputs."""

    field: Field
    span: Span = span_field()


@record
class ActionDecl:
    """`action isolate`, `action page(team : text, level : one of low, high)`."""

    name: Name
    parameters: tuple[Field, ...] = ()
    span: Span = span_field()


@record
class LetDecl:
    """`let name = expression`: another name for the expression."""

    name: Name
    value: Expr
    span: Span = span_field()


@record
class ParamDecl:
    """`param cap : number in 1..5 kg = 1 kg`: a constant of the deployment and its usual value."""

    name: Name
    type: Type
    default: Literal
    span: Span = span_field()


@record
class AssumeDecl:
    """`assume EXPR`: a request that breaks it is an invalid request."""

    condition: Expr
    span: Span = span_field()


@record
class AcceptDecl:
    """`accept GOV301 on a, b because "…"`: turns findings of that code on those names into warnings."""

    code: Name
    names: tuple[Name, ...]
    because: String
    span: Span = span_field()


@record
class ImportDecl:
    """`import "common.gov"`: its declarations stand here; the path is relative to this file."""

    path: String
    span: Span = span_field()


@record
class TimeZoneDecl:
    """`time zone "Europe/Berlin"`: makes `weekday` and `minute_of_day` exist."""

    zone: String
    span: Span = span_field()


@record
class LongestWindowDecl:
    """`longest window 30 d`: the bound of every temporal window."""

    duration: Number
    span: Span = span_field()


@record
class Rule:
    """When `condition` holds (None: always), decide; `overrides` drops the named fired rules."""

    name: Name
    condition: Expr | None
    decision: Decision
    because: String | None = None
    remedy: Remedy | None = None
    overrides: tuple[Name, ...] = ()
    span: Span = span_field()


@record
class TierBlock:
    """`tier NAME when CONDITION { rules and tables }`; a tier may have several blocks."""

    name: Name
    condition: Expr | None
    members: tuple[Rule | Table, ...]
    span: Span = span_field()


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
    | EventDecl
    | SignalDecl
    | MachineDecl
    | ContractDecl
    | AutonomyDecl
)


@record
class Comment:
    """`// text` (without the slashes, stripped); `own_line` when nothing stands before it."""

    text: str
    own_line: bool
    span: Span = span_field()


@record
class Policy:
    """A whole file: header (None only in an imported part), declarations in source order, comments.

    Comments are kept for `gov fmt`; they say nothing and take no part in equality.
    """

    header: Header | None
    declarations: tuple[Declaration, ...]
    comments: tuple[Comment, ...] = field(default=(), compare=False, repr=False)
    span: Span = span_field()
