"""Syntax tree: invariants, proofs and tests. Read them as `ast.X`."""

# `span_field()` makes a dataclass field, not a shared default

from __future__ import annotations

from typing import ClassVar

from govlang.dsl.ast_expressions import Expr, Name, Number, String
from govlang.dsl.ast_fields import Argument, Decision
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
class Step:
    """`at 5 s request { … } runtime { … } expect …`; `at` None: at 0."""

    at: Number | None
    request: tuple[Argument, ...]
    runtime: tuple[Argument, ...]
    expect: Expect
    span: Span = span_field()


@record
class Test:
    """`test "claim" { params { cap 2 kg } steps }`; parameters not named keep their defaults."""

    __test__: ClassVar[bool] = False  # not a test class to pytest

    name: String
    params: tuple[Argument, ...]
    steps: tuple[Step, ...]
    span: Span = span_field()
