"""Arguments of actions and remedies as IR.

In: `name = value` pairs and the fields that the names are for.  Out: typed values: constants, or
the value of a field or parameter of the same type, where its name stands.
"""

from __future__ import annotations

from collections.abc import Mapping

from govlang.compiler import ir, numbers
from govlang.compiler.check import Checker
from govlang.compiler.flow import Fields
from govlang.compiler.literals import literal_value, misfit, range_text, unit_and_step
from govlang.compiler.refusal import RefusalError, shortened
from govlang.compiler.resolve import unique, unknown
from govlang.compiler.types import (
    Choice,
    Condition,
    Constant,
    Faulty,
    Labels,
    Quantity,
    Text,
    Value,
)
from govlang.compiler.values import TRUE_BIT
from govlang.dsl import ast
from govlang.dsl.source import Span


class Arguments:
    """Turns arguments into IR; errors go to the checker's collector."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker

    def named(
        self,
        arguments: tuple[ast.Argument, ...],
        fields: Mapping[str, ir.Field],
        what: str,
        known: Fields,
    ) -> dict[str, ir.ArgValue]:
        """The values by name, in the order written; those refused are left out."""
        seen: dict[str, Span] = {}
        values: dict[str, ir.ArgValue] = {}
        for argument in arguments:
            try:
                field = fields.get(argument.name.text)
                if field is None:
                    raise unknown(what, argument.name, fields)  # one place reports
                if unique(argument.name, seen, "argument", self._checker.found):
                    values[field.name] = self._value(argument.value, field, known)
            except RefusalError as refusal:
                self._checker.found.add(refusal.diagnostic)
        return values

    def _value(self, written: ast.Literal, field: ir.Field, known: Fields) -> ir.ArgValue:
        if isinstance(written, ast.Name) and not self._is_member(written, field):
            return self._field_value(written, field, known)
        value = literal_value(written, field, self._checker.scope.units)
        return ir.TextConst(value) if isinstance(value, str) else ir.IntConst(value)

    def _is_member(self, name: ast.Name, field: ir.Field) -> bool:
        if field.kind is not ir.Kind.ENUM:
            return False
        scope = self._checker.scope
        return name.text in field.members or name.text not in (*scope.fields, *scope.params)

    def _field_value(self, name: ast.Name, field: ir.Field, known: Fields) -> ir.ArgValue:
        if field.is_text and name.text not in self._checker.scope.names():
            raise misfit(name, field)
        value = self._checker.alone(name, known)
        match field.kind, value:
            case _, Faulty():
                return ir.IntConst(field.lo)  # reported; nothing is built from it
            case ((ir.Kind.NUMBER | ir.Kind.TIME | ir.Kind.DURATION), Constant() | Quantity()):
                return self._number(name, value, field)
            case _:
                return _same_type(name, value, field)

    def _number(self, name: ast.Name, value: Constant | Quantity, field: ir.Field) -> ir.IntExpr:
        unit, step = unit_and_step(field, self._checker.scope.units)
        moment = field.kind is ir.Kind.TIME
        grid = Quantity(ir.FieldValue(field.name), (field.lo, field.hi), step, unit, moment)
        numbers.agree(value, grid, name.span)
        numbers.same_time(value, grid, name.span)
        grain = value.value if isinstance(value, Constant) else value.step
        if (grain / step).denominator != 1:
            message = f"`{name.text}` has values between two steps of `{field.name}`"
            raise RefusalError("GOV208", message, name.span, f"give `{field.name}` the same step")
        steps = numbers.on_grid(value, step, name.span)
        if field.lo <= steps.interval[0] and steps.interval[1] <= field.hi:
            return steps.expr
        message = f"`{name.text}` can lie outside the range {range_text(field)} of `{field.name}`"
        raise RefusalError("GOV209", message, name.span, f"widen the range of `{field.name}`")


def _same_type(name: ast.Name, value: Value, field: ir.Field) -> ir.ArgValue:
    match field.kind, value:
        case ir.Kind.ENUM, Choice(expr=expr, members=members) if tuple(members) == field.members:
            return expr
        case ir.Kind.SET, Labels(name=source, members=members) if tuple(members) == field.members:
            return ir.FieldValue(source)
        case ir.Kind.BOOL, Condition(expr=ir.InRanges(name=source, ranges=ranges)) if (
            ranges == TRUE_BIT
        ):
            return ir.FieldValue(source)
        case ir.Kind.BOOL, Condition(expr=ir.Compare(left=ir.ParamValue() as param)):
            return param
        case ((ir.Kind.TEXT | ir.Kind.PATH | ir.Kind.KEY), Text(field=source_field)):
            return _text(name, source_field, field)
        case _:
            raise misfit(name, field)


def _text(name: ast.Name, source: ir.Field, field: ir.Field) -> ir.TextField:
    is_path = field.kind is not ir.Kind.PATH or source.kind is ir.Kind.PATH
    if is_path and source.max_bytes <= field.max_bytes:
        return ir.TextField(source.name)
    raise RefusalError(
        "GOV204",
        f"`{shortened(name.span)}` is not always a valid `{field.name}`",
        name.span,
        "give both the same type and the same `max`",
    )
