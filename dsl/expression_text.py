"""Expressions, literals, types and effects as the one line of text that the parser reads back.

In: nodes of `ast`. Out: text without line ends. INVARIANT: parsing the text gives an equal node;
parentheses stand only where the grammar needs them.
"""

from __future__ import annotations

import re
from typing import assert_never

from govlang.dsl import ast
from govlang.dsl.precedence import Precedence
from govlang.dsl.time_text import number, temporal

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPED = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]')
_UNDER = re.compile(r"under\b")
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def quoted(text: str) -> str:
    """A string literal."""
    return '"' + _ESCAPED.sub(lambda m: _SHORT.get(m[0]) or f"\\u{{{ord(m[0]):x}}}", text) + '"'


def label(name: ast.Name) -> str:
    """A name as a word where it is one, else as a string."""
    return name.text if _IDENTIFIER.fullmatch(name.text) else quoted(name.text)


def labels(names: tuple[ast.Name, ...]) -> str:
    """Names with commas."""
    return ", ".join(map(label, names))


def literal(node: ast.Literal) -> str:
    """A value written out."""
    match node:
        case ast.Number():
            return number(node)
        case ast.String(value=value):
            return quoted(value)
        case ast.Name():
            return label(node)
        case ast.Bool(value=value):
            return "true" if value else "false"
        case ast.SetLiteral(members=members):
            return "{" + ", ".join(map(literal, members)) + "}"
        case _:
            assert_never(node)


def effect(value: ast.Effect) -> str:
    """The effect's words."""
    return "require human" if value is ast.Effect.REQUIRE_HUMAN else value.value


def expression(node: ast.Expr, level: Precedence = Precedence.EXPRESSION) -> str:
    """The expression, in parentheses where it binds less tightly than `level`."""
    text, own = _expression(node)
    return text if own >= level else f"({text})"


def _expression(node: ast.Expr) -> tuple[str, Precedence]:
    match node:
        case ast.Number() | ast.String() | ast.Name() | ast.Bool():
            return literal(node), Precedence.PRIMARY
        case ast.If(condition=condition, then=then, otherwise=otherwise):
            parts = expression(condition), expression(then), expression(otherwise)
            return "if {} then {} else {}".format(*parts), Precedence.EXPRESSION
        case ast.Implies(left=left, right=right):
            return (
                f"{expression(left, Precedence.DISJUNCTION)} implies {expression(right)}",
                Precedence.EXPRESSION,
            )
        case ast.Logical():
            loose = node.op == "or"
            level = Precedence.DISJUNCTION if loose else Precedence.CONJUNCTION
            return f" {node.op} ".join(operands(node)), level
        case ast.Unary(op="not", operand=operand):
            ambiguous = isinstance(operand, ast.OverTime)
            level = Precedence.COMPARISON if ambiguous else Precedence.NEGATION
            return f"not {expression(operand, level)}", Precedence.NEGATION
        case ast.Unary(operand=operand):
            return f"-{expression(operand, Precedence.UNARY)}", Precedence.UNARY
        case ast.Binary(op="+" | "-" as op, left=left, right=right):
            return (
                f"{expression(left, Precedence.SUM)} {op} {expression(right, Precedence.PRODUCT)}",
                Precedence.SUM,
            )
        case ast.Binary(op=op, left=left, right=right):
            return (
                f"{expression(left, Precedence.PRODUCT)} {op} {expression(right, Precedence.UNARY)}",
                Precedence.PRODUCT,
            )
        case ast.Call(function=function, arguments=arguments):
            return f"{function}({_arguments(arguments)})", Precedence.PRIMARY
        case (
            ast.Compare() | ast.Is() | ast.IsEmpty() | ast.In() | ast.Like() | ast.Under()
            | ast.Contains() | ast.Within() | ast.Has() | ast.DecisionIs() | ast.DecisionAtLeast()
            | ast.DecisionIn()
        ):  # fmt: skip
            return _comparison(node), Precedence.COMPARISON
        case _:
            return temporal(node, expression)


def _arguments(nodes: tuple[ast.Expr, ...]) -> str:
    """With commas; a field `under` must not be taken for the end of a window, `by 5 min, under`."""
    first, *rest = map(expression, nodes)
    return ", ".join([first, *(f"({text})" if _UNDER.match(text) else text for text in rest)])


def operands(node: ast.Logical) -> list[str]:
    """The operands of `and` or `or`, each with the parentheses that it needs."""
    level = Precedence.CONJUNCTION if node.op == "or" else Precedence.NEGATION
    return [expression(operand, level) for operand in node.operands]


def _comparison(
    node: ast.Compare | ast.Is | ast.IsEmpty | ast.In | ast.Like | ast.Under | ast.Contains
    | ast.Within | ast.Has | ast.DecisionIs | ast.DecisionAtLeast | ast.DecisionIn,
) -> str:  # fmt: skip
    match node:
        case ast.Compare(op=op, left=left, right=right):
            return f"{expression(left, Precedence.SUM)} {op} {expression(right, Precedence.SUM)}"
        case ast.Is(operand=x, value=value, negated=negated):
            return f"{expression(x, Precedence.SUM)} is {_not(negated)}{literal(value)}"
        case ast.IsEmpty(operand=x, negated=negated):
            return f"{expression(x, Precedence.SUM)} is {_not(negated)}empty"
        case ast.In(operand=x, members=members):
            return f"{expression(x, Precedence.SUM)} in {literal(members)}"
        case ast.Like(operand=x, pattern=pattern):
            return f"{expression(x, Precedence.SUM)} like {literal(pattern)}"
        case ast.Under(operand=x, prefix=prefix):
            return f"{expression(x, Precedence.SUM)} under {literal(prefix)}"
        case ast.Contains(operand=x, quantifier=quantifier, members=members):
            return f"{expression(x, Precedence.SUM)} {_contains(quantifier, members)}"
        case ast.Within(operand=x, members=members):
            return f"{expression(x, Precedence.SUM)} within {literal(members)}"
        case ast.Has(field=field):
            return f"has {field.text}"
        case ast.DecisionIs(effect=wanted, negated=negated):
            return f"decision is {_not(negated)}{effect(wanted)}"
        case ast.DecisionAtLeast(effect=wanted):
            return f"decision is at least {effect(wanted)}"
        case ast.DecisionIn(effects=effects):
            return "decision in {" + ", ".join(map(effect, effects)) + "}"
        case _:
            assert_never(node)


def _not(negated: bool) -> str:  # noqa: FBT001  # the node's own flag
    return "not " if negated else ""


def _contains(quantifier: ast.Quantifier, members: ast.SetLiteral) -> str:
    if quantifier is ast.Quantifier.ONE:
        return f"contains {literal(members.members[0])}"
    return f"contains {quantifier.value} {literal(members)}"


# --- types, effects, cells ---


def type_(node: ast.Type) -> str:
    """A field's type."""
    match node:
        case ast.NumberType(low=low, high=high, step=step, rounding=rounding):
            text = f"number in {_range(low, high)}"
            text += "" if step is None else f" step {number(step)}"
            return text if rounding is None else f"{text} rounded {rounding.value}"
        case ast.EnumType(members=members):
            return f"one of {labels(members)}"
        case ast.SetType(members=members):
            return f"set of {labels(members)}"
        case ast.PlainType(kind=kind):
            return kind.value
        case ast.TextType(is_path=is_path, max_bytes=size):
            kind_ = "path" if is_path else "text"
            return kind_ if size is None else f"{kind_} max {number(size)}"
        case _:
            assert_never(node)


def _range(low: ast.Number, high: ast.Number) -> str:
    """Both ends, the unit once where it is the same."""
    first = low.text if low.unit == high.unit else number(low)
    return f"{first}..{number(high)}"


def modifiers(field: ast.Field) -> str:
    """What follows the type, each with a blank before it."""
    words = (
        (field.optional, " optional"),
        (field.from_runtime, " from runtime"),
        (field.private, " private"),
    )
    return "".join(word for said, word in words if said)


def decision(node: ast.Decision) -> str:
    """An effect with its obligations."""
    own, more = _own_obligation(node)
    return " and ".join([own, *map(obligation, more)])


def expected(node: ast.Expect) -> str:
    """What follows `expect`."""
    own, more = _own_obligation(node.decision)
    by = "" if node.rule is None else f" by {_rule(node.rule)}"
    return " and ".join([own + by, *map(obligation, more)])


def _rule(name: ast.Name) -> str:
    """The name after `by`, where the word `to` would go on with a limit of a field `by`."""
    return quoted(name.text) if name.text == "to" else label(name)


def _own_obligation(node: ast.Decision) -> tuple[str, tuple[ast.Obligation, ...]]:
    """The effect with the obligation that is written with it, and the others."""
    first, rest = node.obligations[:1], node.obligations[1:]
    match node.effect, first:
        case ast.Effect.LIMIT, (ast.Limit() as limit,):
            return obligation(limit), rest
        case ast.Effect.REQUIRE_HUMAN, (ast.Require() as require,):
            return obligation(require), rest
        case ast.Effect.THROTTLE, (ast.Retry() as retry,):
            return obligation(retry), rest
        case _:
            return effect(node.effect), node.obligations


def obligation(node: ast.Obligation) -> str:
    """One obligation, with the effect's word where that begins it."""
    match node:
        case ast.Limit(field=field, low=None, high=high):
            return f"limit {field.text} to {expression(high, Precedence.SUM)}"
        case ast.Limit(field=field, low=low, high=high):
            return f"limit {field.text} to {_limits(low, high)}"
        case ast.Do(action=action, arguments=args, duration=duration):
            called = f"do {action.text}" + (f"({arguments(args)})" if args else "")
            return called if duration is None else f"{called} for {number(duration)}"
        case ast.Require(roles=roles, expires=expires):
            text = "require human"
            text += f" from {', '.join(quoted(r.text) for r in roles)}" if roles else ""
            return text if expires is None else f"{text} expires {number(expires)}"
        case ast.Retry(after=after):
            return f"throttle retry {number(after)}"
        case _:
            assert_never(node)


def _limits(low: ast.Expr | None, high: ast.Expr) -> str:
    match low, high:
        case ast.Number(unit=low_unit), ast.Number(unit=high_unit) if low_unit == high_unit:
            return _range(low, high)
        case None, _:
            return expression(high, Precedence.SUM)
        case _:
            return f"{expression(low, Precedence.SUM)}..{expression(high, Precedence.SUM)}"


def arguments(args: tuple[ast.Argument, ...]) -> str:
    """`a = 1, b = "x"`."""
    return ", ".join(f"{a.name.text} = {literal(a.value)}" for a in args)


def cell(node: ast.Cell) -> str:
    """A condition cell."""
    match node:
        case ast.CellAny():
            return "_"
        case ast.CellValue(value=value):
            return literal(value)
        case ast.CellCompare(op=op, value=value):
            return f"{op} {literal(value)}"
        case ast.CellRange(low=low, high=high):
            return _range(low, high)
        case ast.CellSet(members=members):
            return literal(members)
        case ast.CellLike(pattern=pattern):
            return f"like {literal(pattern)}"
        case ast.CellUnder(prefix=prefix):
            return f"under {literal(prefix)}"
        case ast.CellContains(quantifier=quantifier, members=members):
            return _contains(quantifier, members)
        case ast.CellNot(cell=inner):
            return f"not {cell(inner)}"
        case ast.CellAnd(cells=cells):
            return " and ".join(map(cell, cells))
        case _:
            assert_never(node)


def result_cell(node: ast.Decision, limit: ast.Name | None) -> str:
    """The cell of a row's decision: the bare limit in a table of limits."""
    match node.obligations:
        case (ast.Limit(low=low, high=high),) if limit is not None:
            return _limits(low, high)
        case _:
            return decision(node)
