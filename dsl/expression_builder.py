"""Nodes of expressions, literals and names; the base of `Builder`.

In: a span and the children that the rule's plan names. Out: nodes of `ast`.
"""

from __future__ import annotations

from dataclasses import replace

from govlang.dsl import ast
from govlang.dsl.diagnostics import Diagnostics
from govlang.dsl.lexer import check_name
from govlang.dsl.limits import MAX_NAME
from govlang.dsl.source import Source, Span

_EFFECTS = {
    "allow": ast.Effect.ALLOW,
    "limit": ast.Effect.LIMIT,
    "throttle": ast.Effect.THROTTLE,
    "require": ast.Effect.REQUIRE_HUMAN,
    "deny": ast.Effect.DENY,
}


class ExpressionBuilder:
    """Builds the nodes of one source; with a `place`, all of them stand there."""

    def __init__(self, source: Source, found: Diagnostics, place: Span | None = None) -> None:
        self._source = source
        self._place = place
        self.found = found

    def span(self, start: int, end: int) -> Span:
        """The span of these offsets."""
        return Span(self._source, start, end) if self._place is None else self._place

    def label(self, name: ast.Name | ast.String) -> ast.Name:
        """The name that was written as a word or as a string."""
        if isinstance(name, ast.Name):
            return name
        if len(name.value) > MAX_NAME:
            check_name(name.span, self.found)
        return ast.Name(name.value, name.span)

    def labels(self, _span: Span, *names: ast.Name | ast.String) -> tuple[ast.Name, ...]:
        return tuple(self.label(name) for name in names)

    def names(self, _span: Span, *names: ast.Name) -> tuple[ast.Name, ...]:
        return names

    def twice(self, what: str, whose: str, span: Span) -> None:
        """Report a clause that is said a second time."""
        self.found.error("GOV113", f"{whose} says `{what}` twice", span, help="keep one of them")

    # --- numbers ---

    def quantity(self, span: Span, text: str, unit: str | None = None) -> ast.Number:
        return ast.Number(text, unit, span)

    def minus_number(self, span: Span, number: ast.Number) -> ast.Number:
        return ast.Number("-" + number.text, number.unit, span)

    def number(self, _span: Span, number: ast.Number) -> ast.Number:
        return number

    def same_unit(self, low: ast.Number, high: ast.Number) -> tuple[ast.Number, ast.Number]:
        """The ends of a range, one unit standing for both."""
        if low.unit is None:
            return replace(low, unit=high.unit), high
        return low, high if high.unit is not None else replace(high, unit=low.unit)

    def same_unit_expressions(self, low: ast.Expr, high: ast.Expr) -> tuple[ast.Expr, ast.Expr]:
        """The same for a range of expressions: only literals share their unit."""
        low_unit, high_unit = _unit(low), _unit(high)
        if low_unit is None and high_unit is not None:
            return _with_unit(low, high_unit), high
        if high_unit is None and low_unit is not None:
            return low, _with_unit(high, low_unit)
        return low, high

    # --- literals ---

    def bool(self, span: Span, word: str) -> ast.Bool:
        return ast.Bool(word == "true", span)

    def set(self, span: Span, *members: ast.Name | ast.String | ast.Number) -> ast.SetLiteral:
        return ast.SetLiteral(members, span)

    # --- conditions ---

    def implies(self, span: Span, left: ast.Expr, right: ast.Expr) -> ast.Implies:
        return ast.Implies(left, right, span)

    def conditional(
        self, span: Span, condition: ast.Expr, then: ast.Expr, otherwise: ast.Expr
    ) -> ast.If:
        return ast.If(condition, then, otherwise, span)

    def any_of(self, span: Span, *operands: ast.Expr) -> ast.Logical:
        return ast.Logical("or", operands, span)

    def all_of(self, span: Span, *operands: ast.Expr) -> ast.Logical:
        return ast.Logical("and", operands, span)

    def compare(self, span: Span, left: ast.Expr, op: str, right: ast.Expr) -> ast.Compare:
        return ast.Compare(op, left, right, span)

    def relation(self, _span: Span, sign: str) -> str:
        return sign

    quantifier = plus_minus = times_over = function = relation

    def is_(self, span: Span, operand: ast.Expr, value: ast.Name | ast.String | ast.Bool) -> ast.Is:
        return ast.Is(operand, value, negated=False, span=span)

    def is_not(
        self, span: Span, operand: ast.Expr, value: ast.Name | ast.String | ast.Bool
    ) -> ast.Is:
        return ast.Is(operand, value, negated=True, span=span)

    def is_empty(self, span: Span, operand: ast.Expr) -> ast.IsEmpty:
        return ast.IsEmpty(operand, negated=False, span=span)

    def is_not_empty(self, span: Span, operand: ast.Expr) -> ast.IsEmpty:
        return ast.IsEmpty(operand, negated=True, span=span)

    def in_(self, span: Span, operand: ast.Expr, members: ast.SetLiteral) -> ast.In:
        return ast.In(operand, members, span)

    def like(self, span: Span, operand: ast.Expr, pattern: ast.String) -> ast.Like:
        return ast.Like(operand, pattern, span)

    def under(self, span: Span, operand: ast.Expr, prefix: ast.String) -> ast.Under:
        return ast.Under(operand, prefix, span)

    def contains(
        self,
        span: Span,
        operand: ast.Expr,
        what: ast.Name | ast.String | str,
        *members: ast.SetLiteral,
    ) -> ast.Contains:
        if isinstance(what, str):
            return ast.Contains(operand, ast.Quantifier(what), members[0], span)
        return ast.Contains(operand, ast.Quantifier.ONE, one(what), span)

    def within(self, span: Span, operand: ast.Expr, members: ast.SetLiteral) -> ast.Within:
        return ast.Within(operand, members, span)

    def has(self, span: Span, field: ast.Name) -> ast.Has:
        return ast.Has(field, span)

    # --- decisions in proofs ---

    def effect(self, _span: Span, *words: str) -> ast.Effect:
        return _EFFECTS[words[0]]

    def decision_is(self, span: Span, effect: ast.Effect) -> ast.DecisionIs:
        return ast.DecisionIs(effect, negated=False, span=span)

    def decision_is_not(self, span: Span, effect: ast.Effect) -> ast.DecisionIs:
        return ast.DecisionIs(effect, negated=True, span=span)

    def decision_at_least(self, span: Span, effect: ast.Effect) -> ast.DecisionAtLeast:
        return ast.DecisionAtLeast(effect, span)

    def decision_in(self, span: Span, *effects: ast.Effect) -> ast.DecisionIn:
        return ast.DecisionIn(effects, span)

    # --- arithmetic ---

    def arithmetic(self, span: Span, left: ast.Expr, op: str, right: ast.Expr) -> ast.Binary:
        return ast.Binary(op, left, right, span)

    def minus(self, span: Span, operand: ast.Expr) -> ast.Unary:
        return ast.Unary("-", operand, span)

    def call(self, span: Span, function: str, *arguments: ast.Expr) -> ast.Call:
        wanted = 1 if function == "abs" else 2
        if len(arguments) < wanted or (function == "abs" and len(arguments) > 1):
            self.found.error(
                "GOV116",
                f"`{function}` takes {'one value' if wanted == 1 else 'two or more values'}, "
                f"not {len(arguments)}",
                span,
                help=f"write `{function}(a{'' if wanted == 1 else ', b'})`",
            )
        return ast.Call(function, arguments, span)

    # --- table cells ---

    def cell_any(self, span: Span, _word: str) -> ast.CellAny:
        return ast.CellAny(span)

    def cell_and(self, span: Span, *cells: ast.Cell) -> ast.CellAnd:
        return ast.CellAnd(cells, span)

    def cell_value(self, span: Span, value: ast.Literal) -> ast.CellValue:
        return ast.CellValue(value, span)

    def cell_compare(self, span: Span, op: str, value: ast.Literal) -> ast.CellCompare:
        return ast.CellCompare(op, value, span)

    def cell_range(self, span: Span, low: ast.Number, high: ast.Number) -> ast.CellRange:
        low, high = self.same_unit(low, high)
        return ast.CellRange(low, high, span)

    def cell_set(self, span: Span, members: ast.SetLiteral) -> ast.CellSet:
        return ast.CellSet(members, span)

    def cell_like(self, span: Span, pattern: ast.String) -> ast.CellLike:
        return ast.CellLike(pattern, span)

    def cell_under(self, span: Span, prefix: ast.String) -> ast.CellUnder:
        return ast.CellUnder(prefix, span)

    def cell_contains(
        self, span: Span, what: ast.Name | ast.String | str, *members: ast.SetLiteral
    ) -> ast.CellContains:
        if isinstance(what, str):
            return ast.CellContains(ast.Quantifier(what), members[0], span)
        return ast.CellContains(ast.Quantifier.ONE, one(what), span)

    def cell_not(self, span: Span, cell: ast.Cell) -> ast.CellNot:
        return ast.CellNot(cell, span)


def one(member: ast.Name | ast.String) -> ast.SetLiteral:
    """The set of one member, standing where the member does."""
    return ast.SetLiteral((member,), member.span)


def _unit(expression: ast.Expr) -> str | None:
    match expression:
        case ast.Number(unit=unit):
            return unit
        case ast.Unary(op="-", operand=operand):
            return _unit(operand)
        case _:
            return None


def _with_unit(expression: ast.Expr, unit: str) -> ast.Expr:
    match expression:
        case ast.Number():
            return replace(expression, unit=unit)
        case ast.Unary(op="-", operand=operand):
            return replace(expression, operand=_with_unit(operand, unit))
        case _:
            return expression
