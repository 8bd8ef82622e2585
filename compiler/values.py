"""What the checker asks of values: to be a number, a condition, to stand where a field is named.

In: values and the syntax they come from.  Out: values, or `RefusalError`s that say what was
expected and what was found.
"""

from __future__ import annotations

from typing import Final, assert_never

from govlang.compiler import flow, ir
from govlang.compiler.refusal import RefusalError, shortened
from govlang.compiler.types import (
    Choice,
    Condition,
    Constant,
    Labels,
    Number,
    Quantity,
    Text,
    Value,
    described,
    quantity_of,
    reading,
)
from govlang.dsl import ast
from govlang.dsl.source import Span
from govlang.dsl.units import Units

TRUE_BIT: Final = ((1, 1),)
FALSE_BIT: Final = ((0, 0),)
_EFFECTS: Final = {one: ir.Effect[one.name] for one in ast.Effect}


def effect_of(effect: ast.Effect) -> ir.Effect:
    """An effect as written, in the IR."""
    return _EFFECTS[effect]


def template(declared: ir.Field, expr: ir.FieldValue | ir.ParamValue, units: Units) -> Value:
    """What the name of a field or a parameter stands for, whether optional or not."""
    match declared.kind:
        case ir.Kind.NUMBER | ir.Kind.TIME | ir.Kind.DURATION:
            return quantity_of(declared, expr, units.of_range(declared.unit))
        case ir.Kind.ENUM:
            return Choice(expr, positions(declared))
        case ir.Kind.SET:
            return Labels(declared.name, positions(declared))
        case ir.Kind.BOOL:
            return Condition(_bit(expr))
        case ir.Kind.TEXT | ir.Kind.PATH | ir.Kind.KEY:
            return Text(declared)
        case _:
            assert_never(declared.kind)


def kind_words(kind: ir.Kind) -> str:
    """A type in words, for messages."""
    words = {ir.Kind.ENUM: "an enumeration", ir.Kind.BOOL: "a bool"}
    return words.get(kind, f"a {kind.value}")


def positions(declared: ir.Field) -> dict[str, int]:
    """The members of a field with their positions."""
    return {member: i for i, member in enumerate(declared.members)}


def _bit(expr: ir.FieldValue | ir.ParamValue, span: Span | None = None) -> ir.BoolExpr:
    match expr:
        case ir.FieldValue(name=name):
            return ir.InRanges(name, TRUE_BIT, span)
        case _:
            return ir.Compare(ir.CompareOp.EQ, expr, ir.IntConst(1), span)


def placed(found: Value, name: ast.Name, *, optional: bool) -> Value:
    """A template where the name stands."""
    if isinstance(found, Condition):
        match found.expr:
            case ir.InRanges(name=field):
                found = Condition(ir.InRanges(field, TRUE_BIT, name.span))
            case ir.Compare(left=ir.ParamValue() as param):
                found = Condition(_bit(param, name.span))
            case _:
                pass
    return reading(found, flow.read(name.text, name.span)) if optional else found


def expected(what: str, value: Value, expr: ast.Expr) -> RefusalError:
    """The error for a value of the wrong type."""
    return RefusalError(
        "GOV204",
        f"`{shortened(expr.span)}` is {described(value)}, must be {what}",
        expr.span,
        _way_out(what, value, shortened(expr.span)),
    )


def _way_out(what: str, value: Value, text: str) -> str:
    if what != "a condition":
        return f"write {what} with its unit"
    match value:
        case Constant() | Quantity():
            return f"compare it: `{text} > …`"
        case Choice(members=members):
            return f"write `{text} is {next(iter(members))}`"
        case Labels():
            return f"write `{text} contains …` or `{text} is empty`"
        case Text():
            return f'write `{text} == "…"`'
        case _:
            return "write a comparison or a test"


def number_in(value: Value, expr: ast.Expr) -> Number:
    """The value, if it is a number.

    Raises:
        RefusalError: it is none (GOV204).
    """
    if isinstance(value, Constant | Quantity):
        return value
    raise expected("a number", value, expr)


def condition_in(value: Value, expr: ast.Expr) -> Condition:
    """The value, if it is a condition.

    Raises:
        RefusalError: it is none (GOV204).
    """
    if isinstance(value, Condition):
        return value
    raise expected("a condition", value, expr)


def decided(*parts: Condition) -> Span | None:
    """Where the first of the parts that mentions the decision does so."""
    return next((part.decides for part in parts if part.decides is not None), None)


def either_branch(
    condition: Condition, then: Condition, otherwise: Condition, span: Span
) -> Condition:
    """`if c then a else b` of conditions: c and a, or not c and b."""
    joined = ir.disjunction(
        (
            ir.conjunction((condition.expr, then.expr), span),
            ir.conjunction((ir.negation(condition.expr, span), otherwise.expr), span),
        ),
        span,
    )
    flows = flow.chosen(condition.flow, then.flow, otherwise.flow)
    return Condition(joined, flows, decided(condition, then, otherwise))


def decision_test(expr: ast.DecisionIs | ast.DecisionAtLeast | ast.DecisionIn) -> Condition:
    """A test of the outcome's effect."""
    match expr:
        case ast.DecisionIs(effect=effect, negated=negated):
            chosen = {one for one in ir.Effect if (one is effect_of(effect)) != negated}
        case ast.DecisionAtLeast(effect=effect):
            chosen = {one for one in ir.Effect if one >= effect_of(effect)}
        case ast.DecisionIn(effects=effects):
            chosen = {effect_of(effect) for effect in effects}
        case _:
            assert_never(expr)
    return Condition(ir.DecisionIn(frozenset(chosen), expr.span), decides=expr.span)


def check_arity(call: ast.Call, holds: bool, wanted: str) -> None:  # noqa: FBT001  # reads as a claim
    """Refuse a call with another number of arguments."""
    if not holds:
        raise RefusalError(
            "GOV204",
            f"`{call.function}` takes {wanted}, not {len(call.arguments)}",
            call.span,
            f"write `{call.function}({'a' if call.function == 'abs' else 'a, b'})`",
        )
