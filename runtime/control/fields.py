"""The fields of a policy as callers are told of them: what a value must be, in JSON and in words.

In: the fields as the table declares them.  Out: their description for `GET /v1/policy`; and of a request that cannot be
read the member that is wrong and what was expected there, by the reader that every backend follows (native/request.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from govlang.native.request import Column, InvalidFieldError, legible

if TYPE_CHECKING:
    from govlang.native.schema import Field

NAMES_MAX: Final = 10
"""So many fields or members are named in a refusal; `GET /v1/policy` names all."""

QUOTED_MAX: Final = 60

FROM_HOST: Final = "set by the host (`gov serve --context`), never by a request"
"""What is expected of a field `from runtime` that is missing or cannot be read, before what it must be."""

NUMERIC: Final = frozenset({"number", "time", "duration"})


class Fault(NamedTuple):
    """The member of a body that is wrong, and what was expected there."""

    field: str
    expected: str


UNREAD: Final = Fault("request", "a request that keeps what the policy assumes of its fields")
"""Where no single field is to blame."""


def fault_of(
    error: InvalidFieldError | None, fields: Sequence[Column], request: Mapping[str, Any]
) -> Fault:
    """What is wrong with a request, by the error of its reader; None: no single field."""
    if error is None:
        return UNREAD
    column = next((one for one in fields if one.name == error.field), None)
    from_caller = error.field in request or (column is not None and column.origin == "request")
    place = f"{'request' if from_caller else 'runtime'}.{legible(error.field, QUOTED_MAX)}"
    if column is None:
        known = [one.name for one in fields if one.origin == "request"]
        return Fault(place, f"one of the fields {_listed(known)}")
    if column.origin != "request" and from_caller:
        return Fault(place, "left out: the host sets it")
    if column.origin == "runtime":
        return Fault(place, f"{FROM_HOST}: {expected(column)}")
    return Fault(place, expected(column))


def expected(column: Column) -> str:
    """What a value of a field must be."""
    match column.kind:
        case "number":
            lo, hi, step = _bounds(column)
            unit = f" {column.unit}" if column.unit else ""
            is_rounded = column.rounding != "exact"
            if step == 1 and not is_rounded:
                return f"a whole number in {lo}..{hi}{unit}"
            grid = "" if is_rounded else f", a multiple of {step}"
            return f"a number in {lo}..{hi}{unit}{grid}"
        case "time" | "duration":
            lo, hi, _ = _bounds(column)
            return f"a whole number of milliseconds in {lo}..{hi}"
        case "enum":
            return f"one of {_listed(column.members)}"
        case "set":
            return f"a list of {_listed(column.members)}, each at most once"
        case "bool":
            return "true or false"
        case "path":
            return f"a relative path of at most {column.max_bytes} bytes"
        case _:
            return f"a text of at most {column.max_bytes} bytes"


def described(field: Field) -> dict[str, Any]:
    """A field in JSON; what its kind does not have is null."""
    lo, hi, step = _bounds(field) if field.kind in NUMERIC else (None, None, None)
    is_text = field.kind in {"text", "path", "key"}
    return {
        "name": field.name,
        "kind": field.kind,
        "origin": field.origin,
        "optional": field.optional,
        "private": field.private,
        "unit": "ms" if field.kind in {"time", "duration"} else field.unit or None,
        "min": lo,
        "max": hi,
        "step": step,
        "rounding": field.rounding if field.kind == "number" else None,
        "members": list(field.members) if field.kind in {"enum", "set"} else None,
        "max_bytes": field.max_bytes if is_text else None,
        "default": None if field.implied is None else _value(field, field.implied),
    }


def _listed(names: Sequence[str]) -> str:
    more = ", …" if len(names) > NAMES_MAX else ""
    return ", ".join(f"`{legible(one, QUOTED_MAX)}`" for one in names[:NAMES_MAX]) + more


def _number(value: Fraction) -> float:
    """As JSON has it: an integer where it is one."""
    return int(value) if value.denominator == 1 else float(value)


def _bounds(column: Column) -> tuple[float, float, float]:
    """The least and the greatest value, and the distance between two, in the unit of the field."""
    step = Fraction(column.step_num, column.step_den)
    return _number(column.lo * step), _number(column.hi * step), _number(step)


def _value(field: Field, kept: int) -> Any:
    """A value that the table keeps as an integer, as a request would give it."""
    match field.kind:
        case "bool":
            return bool(kept)
        case "enum":
            return field.members[kept]
        case "set":
            return [one for bit, one in enumerate(field.members) if kept >> bit & 1]
        case _:
            return _number(kept * Fraction(field.step_num, field.step_den))
