"""Values written out, held against the field that they are for.

In: literals and columns.  Out: the value in steps, position, mask or bit (or the text itself), or
an error at the literal.  Numbers need the unit of the field or one that converts to it.
"""

from __future__ import annotations

from fractions import Fraction

from govlang.compiler import ir, measure
from govlang.compiler.fields import constant
from govlang.compiler.membership import position
from govlang.compiler.numbers import agree
from govlang.compiler.refusal import RefusalError, shortened
from govlang.compiler.texts import check_text
from govlang.compiler.types import Quantity
from govlang.compiler.values import kind_words, positions
from govlang.dsl import ast
from govlang.dsl.units import Unit, Units


def literal_value(written: ast.Literal, field: ir.Field, units: Units) -> int | str:
    """The value of a literal for a field.

    Raises:
        RefusalError: it is of the wrong type, out of range, off the grid, no member, no valid text.
    """
    match field.kind, written:
        case ((ir.Kind.NUMBER | ir.Kind.TIME | ir.Kind.DURATION), ast.Number()):
            return _in_range(written, field, steps_of(written, field, units))
        case ir.Kind.ENUM, ast.Name() | ast.String():
            return position(positions(field), written, "member")
        case ir.Kind.BOOL, ast.Bool(value=holds):
            return int(holds)
        case ir.Kind.SET, ast.SetLiteral(members=members):
            return _mask(members, field)
        case ((ir.Kind.TEXT | ir.Kind.PATH | ir.Kind.KEY), ast.String(value=text)):
            check_text(field, text, written.span)
            return text
        case _:
            raise misfit(written, field)


def misfit(written: ast.Literal, field: ir.Field) -> RefusalError:
    """The error for a literal of another type than the field's."""
    text = shortened(written.span)
    way_out = {
        ir.Kind.BOOL: "write `true` or `false`",
        ir.Kind.SET: f"write `{{{', '.join(field.members[:2])}}}`",
        ir.Kind.ENUM: f"write one of {', '.join(f'`{m}`' for m in field.members[:8])}",
    }.get(field.kind, f'write `"{text}"`' if field.is_text else "write a number with its unit")
    message = f"`{text}` does not fit `{field.name}`, which is {kind_words(field.kind)}"
    return RefusalError("GOV204", message, written.span, way_out)


def steps_of(number: ast.Number, field: ir.Field, units: Units) -> int:
    """A number in steps of a field, in range or not.

    Raises:
        RefusalError: its unit is another (GOV205, GOV206), or it lies between two steps (GOV208).
    """
    unit, step = unit_and_step(field, units)
    value = constant(number, units)
    agree(value, Quantity(ir.FieldValue(field.name), (field.lo, field.hi), step, unit), number.span)
    steps = value.value / step
    if steps.denominator == 1:
        return steps.numerator
    raise RefusalError(
        "GOV208",
        f"`{shortened(number.span)}` lies between two steps of `{field.name}`",
        number.span,
        f"`{field.name}` counts in steps of {measure.shown(step, unit)}",
    )


def unit_and_step(field: ir.Field, units: Units) -> tuple[Unit, Fraction]:
    """The unit of a number field, and its step in base units."""
    unit = units.of_range(field.unit)
    return unit, Fraction(field.step_num, field.step_den) * unit.factor


def range_text(field: ir.Field) -> str:
    """The range of a number field in its unit."""
    step = Fraction(field.step_num, field.step_den)
    ends = "..".join(measure.decimal_text(end * step) for end in (field.lo, field.hi))
    return f"{ends} {field.unit}".rstrip()


def _in_range(number: ast.Number, field: ir.Field, steps: int) -> int:
    if field.lo <= steps <= field.hi:
        return steps
    raise RefusalError(
        "GOV209",
        f"`{shortened(number.span)}` is outside the range of `{field.name}`",
        number.span,
        f"write a value in {range_text(field)}",
    )


def _mask(members: tuple[ast.Name | ast.String | ast.Number, ...], field: ir.Field) -> int:
    mask, known = 0, positions(field)
    for member in members:
        bit = 1 << position(known, member, "label")
        if mask & bit:
            shown = shortened(member.span)
            raise RefusalError("GOV235", f"`{shown}` stands twice", member.span, "remove one")
        mask |= bit
    return mask
