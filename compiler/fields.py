"""Declared types as columns of the IR.

In: fields, parameters and outputs as written.  Out: `ir.Field`s whose ranges count steps.

What always holds: a step is a finite decimal of the unit, both ends of a range are multiples of it,
and every count of steps fits 64 bits.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any, Final, assert_never

from govlang.compiler import intervals, ir, measure
from govlang.compiler.refusal import RefusalError, shortened
from govlang.compiler.types import Constant
from govlang.dsl import ast
from govlang.dsl.diagnostics import Note
from govlang.dsl.units import DURATIONS, MILLISECOND, ONE, Unit, Units

TEXT_BYTES: Final = 256
"""The most bytes of a text that does not say `max n`."""

TEXT_BYTES_MAX: Final = 65_535
ENUM_MEMBERS_MAX: Final = 65_536
_UNITS: Final = "declare a field in it, or use a unit of the manual"
_TIMES: Final = "write it in `ms`, `s`, `min`, `h` or `d`"
MOMENT_MAX: Final = 253_402_300_799_999
"""The last millisecond of the year 9999: the end of the range of `time` and `duration`."""


def field_of(field: ast.Field, units: Units) -> ir.Field:
    """The column that a declaration describes.

    Raises:
        RefusalError: the type makes no sense (GOV207, GOV235).
    """
    return replace(
        typed(field.name, field.type, units),
        optional=field.optional,
        private=field.private,
        origin=ir.Origin.RUNTIME if field.from_runtime else ir.Origin.REQUEST,
    )


def check_bare(field: ast.Field, code: str, what: str) -> None:
    """Refuse a modifier on what is always given.

    Raises:
        RefusalError: there is one; of the code that is said.
    """
    if field.optional or field.from_runtime or field.private:
        raise RefusalError(
            code,
            f"{what} is always given and has no modifier",
            field.span,
            "remove `optional`, `from runtime` or `private`",
        )


def typed(name: ast.Name, type_: ast.Type, units: Units) -> ir.Field:
    """A column of a name and a type; the units of its range become known."""
    kind, shape = _shape(type_, units)
    return ir.Field(name.text, kind, **shape, span=name.span)


def _shape(type_: ast.Type, units: Units) -> tuple[ir.Kind, dict[str, Any]]:
    match type_:
        case ast.NumberType():
            return ir.Kind.NUMBER, _number_shape(type_, units)
        case ast.EnumType(members=members):
            names = _members(members, ENUM_MEMBERS_MAX, "an enumeration")
            return ir.Kind.ENUM, {"members": names, "hi": len(names) - 1}
        case ast.SetType(members=members):
            names = _members(members, ir.SET_MEMBERS_MAX, "a set")
            return ir.Kind.SET, {"members": names, "hi": 2 ** len(names) - 1}
        case ast.PlainType(kind=kind):
            return _plain_shape(kind)
        case ast.TextType(is_path=is_path):
            kind_ = ir.Kind.PATH if is_path else ir.Kind.TEXT
            return kind_, {"max_bytes": _max_bytes(type_)}
        case _:
            assert_never(type_)


def _plain_shape(kind: ast.Plain) -> tuple[ir.Kind, dict[str, Any]]:
    match kind:
        case ast.Plain.BOOL:
            return ir.Kind.BOOL, {"hi": 1}
        case ast.Plain.KEY:
            return ir.Kind.KEY, {"max_bytes": TEXT_BYTES}
        case ast.Plain.TIME:
            return ir.Kind.TIME, {"hi": MOMENT_MAX, "unit": "ms"}
        case ast.Plain.DURATION:
            return ir.Kind.DURATION, {"hi": MOMENT_MAX, "unit": "ms"}
        case _:
            assert_never(kind)


def _max_bytes(type_: ast.TextType) -> int:
    if type_.max_bytes is None:
        return TEXT_BYTES
    size = Fraction(type_.max_bytes.value)
    if type_.max_bytes.unit or size.denominator != 1 or not 1 <= size <= TEXT_BYTES_MAX:
        raise RefusalError(
            "GOV207",
            f"a text is at most 1 to {TEXT_BYTES_MAX} bytes long, not `{type_.max_bytes.text}`",
            type_.max_bytes.span,
            f"write `max {TEXT_BYTES_MAX if size > TEXT_BYTES_MAX else TEXT_BYTES}`",
        )
    return int(size)


def _members(names: tuple[ast.Name, ...], limit: int, what: str) -> tuple[str, ...]:
    seen: dict[str, ast.Name] = {}
    for name in names:
        if name.text in seen:
            first = Note("the first stands here", seen[name.text].span)
            message = f"`{name.text}` is a member twice"
            raise RefusalError("GOV235", message, name.span, "remove one", (first,))
        seen[name.text] = name
    if len(names) > limit:
        extra = names[limit]
        raise RefusalError(
            "GOV235",
            f"{what} has at most {limit} members, not {len(names)}",
            extra.span,
            "split it into two fields",
        )
    return tuple(seen)


def _number_shape(type_: ast.NumberType, units: Units) -> dict[str, Any]:
    unit = units.declare(type_.unit) if type_.unit else ONE
    step = _step(type_, unit, units)
    lo, hi = (_end(end, type_.step, step, unit, units) for end in (type_.low, type_.high))
    if lo > hi:
        raise RefusalError(
            "GOV207",
            f"the range `{shortened(type_.span)}` is empty",
            type_.span,
            "write the smaller end first",
        )
    if not intervals.fits((lo, hi)):
        raise RefusalError(
            "GOV210",
            f"the range `{shortened(type_.span)}` has more steps than 64 bits hold",
            type_.span,
            "narrow the range or widen the step",
        )
    rounding = ir.Rounding(type_.rounding.value) if type_.rounding else ir.Rounding.EXACT
    return {
        "lo": lo,
        "hi": hi,
        "step_num": step.numerator,
        "step_den": step.denominator,
        "unit": type_.unit or "",
        "rounding": rounding,
    }


def _step(type_: ast.NumberType, unit: Unit, units: Units) -> Fraction:
    """The step in the field's unit."""
    if type_.step is None:
        return Fraction(1)
    step = in_unit(type_.step, unit, units)
    if step <= 0:
        raise RefusalError("GOV207", "a step is more than 0", type_.step.span, "write `step 1`")
    if not measure.is_decimal(step):
        raise RefusalError(
            "GOV207",
            f"the step is no finite decimal in `{unit.text}`",
            type_.step.span,
            "declare the field in the unit of its step",
        )
    if max(step.numerator, step.denominator) > 10**18:
        raise RefusalError("GOV207", "a step has at most 18 digits", type_.step.span, "round it")
    return step


def _end(
    end: ast.Number, written: ast.Number | None, step: Fraction, unit: Unit, units: Units
) -> int:
    value = in_unit(end, unit, units)
    steps = value / step
    if steps.denominator == 1:
        return steps.numerator
    if written is None:
        raise RefusalError(
            "GOV207",
            f"`{shortened(end.span)}` is not whole, and the range has no step",
            end.span,
            _finer(value),
        )
    raise RefusalError(
        "GOV207",
        f"`{shortened(end.span)}` is no multiple of the step {measure.decimal_text(step)}",
        end.span,
        "make the step divide both ends of the range",
    )


def _finer(value: Fraction) -> str:
    """The step that a range without one needs for this end."""
    digits = next((n for n in range(1, 19) if (value * 10**n).denominator == 1), None)
    return "write whole ends" if digits is None else f"write `step 0.{'1':0>{digits}}`"


def in_unit(number: ast.Number, unit: Unit, units: Units) -> Fraction:
    """A literal in another unit of the same dimension; without a unit it is in that one.

    Raises:
        RefusalError: its unit measures something else (GOV205).
    """
    if number.unit is None:
        return Fraction(number.value)
    written = unit_of(number, units)
    if written.dimension != unit.dimension:
        raise RefusalError(
            "GOV205",
            f"`{shortened(number.span)}` is {measure.named(written)}, not {measure.named(unit)}",
            number.span,
            f"write it in `{unit.text}`" if unit.text else "leave the unit out",
        )
    return Fraction(number.value) * written.factor / unit.factor


def unit_of(number: ast.Number, units: Units, otherwise: str = _UNITS) -> Unit:
    """The unit of a literal; `otherwise` is the help where none that is known looks like it.

    Raises:
        RefusalError: nothing declares it (GOV242).
    """
    unit = units.find(number.unit)
    if unit is not None:
        return unit
    assert number.unit is not None
    raise RefusalError(
        "GOV242",
        f"there is no unit `{number.unit}`",
        number.span,
        units.suggestion(number.unit) or otherwise,
    )


def constant(number: ast.Number, units: Units) -> Constant:
    """A literal as a value."""
    unit = unit_of(number, units)
    return Constant(Fraction(number.value) * unit.factor, unit, number.span)


def milliseconds(number: ast.Number, units: Units) -> int:
    """A duration as written, in whole milliseconds from 0.

    Raises:
        RefusalError: it has no unit, or one of something else, is no whole number of ms, or is longer
            than a `duration` can be.
    """
    text = shortened(number.span)
    if number.unit is None:
        raise RefusalError("GOV206", f"`{text}` has no unit", number.span, f"write `{text} s`")
    unit = unit_of(number, units, _TIMES)
    if unit.dimension != MILLISECOND.dimension:
        meant = DURATIONS.get(number.unit)
        raise RefusalError(
            "GOV205",
            f"`{text}` is {measure.named(unit)}, not a time",
            number.span,
            f"did you mean `{meant}`?" if meant else _TIMES,
        )
    value = Fraction(number.value) * unit.factor / MILLISECOND.factor
    if value.denominator != 1 or not 0 <= value <= MOMENT_MAX:
        raise RefusalError(
            "GOV207",
            f"`{text}` is no whole number of milliseconds in reach",
            number.span,
            "round it to whole milliseconds, at most 8 000 years",
        )
    return value.numerator


def lasting(number: ast.Number, units: Units, otherwise: str) -> int:
    """A time that something lasts or is waited for, in ms from 1; `otherwise` is the way out beside a longer one.

    Raises:
        RefusalError: as `milliseconds`, or it is 0 (GOV207).
    """
    found = milliseconds(number, units)
    if found == 0:
        raise RefusalError(
            "GOV207",
            f"`{shortened(number.span)}` is no time at all",
            number.span,
            f"write a time above 0, or {otherwise}",
        )
    return found
