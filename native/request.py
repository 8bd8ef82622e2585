"""The one written rule that turns a request into integers.

In: the columns of a policy and a request as JSON has it (dict of str, number, bool, list).  Out: the
value of each field that is present (steps, positions, masks, 0 or 1, milliseconds, texts), or the
field that cannot be read and why.

What always holds: nothing is clamped or guessed; a number is the decimal that was written; a binary
float counts as the step whose nearest double it is, or not at all, unless the field says how it
rounds.  The C encoder follows this file; the interpreter and every message come from it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Protocol

Value = int | str


class Column(Protocol):
    """What the reader needs to know of a field (see `ir.Field`)."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def lo(self) -> int: ...
    @property
    def hi(self) -> int: ...
    @property
    def step_num(self) -> int: ...
    @property
    def step_den(self) -> int: ...
    @property
    def unit(self) -> str: ...
    @property
    def members(self) -> tuple[str, ...]: ...
    @property
    def max_bytes(self) -> int: ...
    @property
    def optional(self) -> bool: ...
    @property
    def origin(self) -> str: ...
    @property
    def rounding(self) -> str: ...
    @property
    def implied(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Declared:
    """A field of the request, an output, a parameter or an argument as an artefact says it; see `ir.Field`."""

    name: str
    kind: str
    lo: int
    hi: int
    step_num: int
    step_den: int
    unit: str
    members: tuple[str, ...]
    max_bytes: int
    optional: bool
    origin: str
    rounding: str
    implied: int | None


SHOWN_MAX: Final = 40
"""The most characters of a caller's text, and digits of a number, that a message shows."""
NAME_MAX: Final = 200
"""The same of a field's name: as long as a name of a policy may be."""
VOWELS: Final = ("a", "e", "i", "o")
"""How a type's name begins that stands behind `an`."""


def legible(text: str, most: int = SHOWN_MAX) -> str:
    """A caller's text for a message: short, and without what would act on a terminal or is no UTF-8."""
    kept = "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in text[:most])
    return kept if len(text) <= most else f"{kept}…"


class InvalidFieldError(ValueError):
    """A request cannot be read; `field` names the culprit, the message says what is wrong."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"`{legible(field, NAME_MAX)}` {why}")
        self.field = field
        self.why = why


APPROVED: Final = "approved"
DIGITS_MAX: Final = 400
"""The most digits of a decimal that are read: a bound on the work a request can cause."""


def read_request(
    columns: Sequence[Column],
    request: Mapping[str, Any],
    runtime: Mapping[str, Any] | None = None,
) -> dict[str, Value]:
    """The values of a request; fields in the order of declaration, then unknown names.

    Raises:
        InvalidFieldError: a field is missing, unknown, forged, of the wrong type, out of range or
            off its grid.
    """
    given = runtime or {}
    _refuse_keys((*request, *given))
    values: dict[str, Value] = {}
    for column in columns:
        from_caller = column.origin == "request"
        if not from_caller and column.name in request:
            raise InvalidFieldError(column.name, "is set by the host, a request must not carry it")
        source = request if from_caller else given
        value = _read_column(column, source)
        if value is not None:
            values[column.name] = value
    _refuse_unknown(columns, request, given)
    return values


def _refuse_keys(keys: Iterable[Any]) -> None:
    """Refuse a key that is no text before a field is called missing because of it."""
    for key in keys:
        if not isinstance(key, str):
            raise InvalidFieldError(str(key), f"must be a text to name a field, not {_shown(key)}")


def _read_column(column: Column, source: Mapping[str, Any]) -> Value | None:
    if column.name in source:
        return read_value(column, source[column.name])
    if column.implied is not None:
        return column.implied
    if column.optional:
        return None
    raise InvalidFieldError(column.name, "is missing")


def _refuse_unknown(
    columns: Sequence[Column], request: Mapping[str, Any], runtime: Mapping[str, Any]
) -> None:
    known = {column.name: column.origin == "request" for column in columns}
    for name in request:
        if name not in known:
            raise InvalidFieldError(str(name), "is not a field of this policy")
    for name in runtime:
        if known.get(name, name != APPROVED):
            raise InvalidFieldError(str(name), "is not a runtime field of this policy")


def read_value(column: Column, raw: Any) -> Value:
    """One value of a column.

    Raises:
        InvalidFieldError: it is of the wrong type, out of range or off the grid.
    """
    match column.kind:
        case "number":
            return _read_number(column, raw)
        case "time" | "duration":
            return _read_integer(column, raw)
        case "enum":
            return _read_member(column, raw)
        case "set":
            return _read_set(column, raw)
        case "bool":
            if not isinstance(raw, bool):
                raise _wrong(column, "true or false", raw)
            return int(raw)
        case _:
            return _read_text(column, raw)


def _wrong(column: Column, expected: str, raw: Any) -> InvalidFieldError:
    return InvalidFieldError(column.name, f"must be {expected}, not {_shown(raw)}")


def _shown(raw: Any) -> str:
    match raw:
        case None:
            return "null"
        case bool():
            return "true" if raw else "false"
        case str():
            return f"the text `{legible(raw)}`" if len(raw) <= SHOWN_MAX else "a longer text"
        case int() if abs(raw) >= 10**25:
            return "a number of more than 25 digits"
        case Decimal() if len(raw.as_tuple().digits) > SHOWN_MAX:
            return f"a number of more than {SHOWN_MAX} digits"
        case int() | float() | Decimal():
            return str(raw)
        case dict():
            return "an object"
        case list() | tuple() | set() | frozenset():
            return "a list"
        case bytes() | bytearray():
            return "bytes"
        case _:
            name = type(raw).__name__
            return f"an {name}" if name.startswith(VOWELS) else f"a {name}"


def _range(column: Column) -> str:
    unit = f" {column.unit}" if column.unit else ""
    ends = (Fraction(end * column.step_num, column.step_den) for end in (column.lo, column.hi))
    lo, hi = (str(end) if end.denominator == 1 else str(float(end)) for end in ends)
    return f"{lo}..{hi}{unit}"


def _in_range(column: Column, steps: int, raw: Any) -> int:
    if not column.lo <= steps <= column.hi:
        raise InvalidFieldError(column.name, f"is {_shown(raw)}, must be in {_range(column)}")
    return steps


def _plain(raw: Any) -> Any:
    """An object that stands for an integer (`__index__`, as NumPy's) as one; anything else as it is."""
    if isinstance(raw, int | float | Decimal | str):
        return raw
    found = integer(raw)
    return raw if found is None else found


def integer(raw: Any) -> int | None:
    """An integer, or what stands for one (`__index__`, as NumPy's); None: it is none, or a truth value."""
    if isinstance(raw, bool) or not hasattr(type(raw), "__index__"):
        return None
    try:
        return operator.index(raw)
    except TypeError:  # one that only sometimes is an integer, as NumPy's arrays
        return None


def _read_integer(column: Column, raw: Any) -> int:
    raw = _written_out(column, _plain(raw))
    if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal) or not _is_whole(raw):
        raise _wrong(column, "a whole number of milliseconds", raw)
    return _in_range(column, int(raw), raw)


def _is_finite(raw: float | Decimal) -> bool:
    return (
        raw.is_finite() if isinstance(raw, Decimal) else isinstance(raw, int) or math.isfinite(raw)
    )


def _is_whole(raw: float | Decimal) -> bool:
    if isinstance(raw, Decimal):
        return raw.is_finite() and raw == raw.to_integral_value()
    return isinstance(raw, int) or raw.is_integer()


def _read_number(column: Column, raw: Any) -> int:
    raw = _written_out(column, _plain(raw))
    if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal):
        raise _wrong(column, "a number", raw)
    if not _is_finite(raw):
        raise _wrong(column, "a finite number", raw)
    exact = _nearest_step(column, raw) if isinstance(raw, float) else None
    steps = exact if exact is not None else _rounded(column, raw)
    return _in_range(column, steps, raw)


def _written_out(column: Column, raw: Any) -> Any:
    """A value of which no decimal is too long to be written out; zero is zero with any exponent."""
    if not isinstance(raw, Decimal) or not raw.is_finite():
        return raw
    if not raw:
        return Decimal(0)
    if _digits(raw) > DIGITS_MAX:
        why = f"must be a number of at most {DIGITS_MAX} digits, not one of more"
        raise InvalidFieldError(column.name, why)
    return raw


def _digits(raw: Decimal) -> int:
    """The digits a decimal needs when it is written out: a bound on the work of reading it."""
    _, digits, exponent = raw.as_tuple()
    return len(digits) + abs(int(exponent))


def _nearest_step(column: Column, raw: float) -> int | None:
    """The step whose nearest double is `raw`: one multiplication, one rounding, one division."""
    scaled = raw * column.step_den / column.step_num
    if not abs(scaled) < 2**63:
        return column.hi + 1 if raw > 0 else column.lo - 1
    steps = round(scaled)
    return steps if steps * column.step_num / column.step_den == raw else None


def _rounded(column: Column, raw: float | Decimal) -> int:
    top, bottom = raw.as_integer_ratio()
    whole, rest = divmod(top * column.step_den, bottom * column.step_num)
    if rest == 0:
        return whole
    scaled = Fraction(raw) * column.step_den / column.step_num
    match column.rounding:
        case "up":
            return math.ceil(scaled)
        case "down":
            return math.floor(scaled)
        case "nearest":
            return math.floor(scaled + Fraction(1, 2))
        case _:
            step = Fraction(column.step_num, column.step_den)
            size = str(step) if step.denominator == 1 else str(float(step))
            raise InvalidFieldError(column.name, f"is {_shown(raw)}, must be a multiple of {size}")


def _read_member(column: Column, raw: Any) -> int:
    if not isinstance(raw, str) or raw not in column.members:
        raise _wrong(column, "one of " + ", ".join(column.members), raw)
    return column.members.index(raw)


def _read_set(column: Column, raw: Any) -> int:
    if not isinstance(raw, list | tuple | set | frozenset):
        raise _wrong(column, "a list of members", raw)
    mask = 0
    for member in raw:
        if column.name == APPROVED and isinstance(member, str) and member not in column.members:
            continue
        bit = 1 << _read_member(column, member)
        if mask & bit and column.name != APPROVED:
            raise InvalidFieldError(column.name, f"names `{member}` twice")
        mask |= bit
    return mask


def _read_text(column: Column, raw: Any) -> str:
    if not isinstance(raw, str):
        raise _wrong(column, "a text", raw)
    try:
        size = len(raw.encode())
    except UnicodeEncodeError:
        raise InvalidFieldError(column.name, "is not valid UTF-8") from None
    if size > column.max_bytes:
        why = f"is {size} bytes long, must be at most {column.max_bytes}"
        raise InvalidFieldError(column.name, why)
    if column.kind == "path":
        _refuse_escape(column, raw)
    return raw


def _refuse_escape(column: Column, raw: str) -> None:
    """Refuse what could leave a directory: then `under` is a plain prefix test."""
    if "\\" in raw or "\0" in raw:
        raise InvalidFieldError(column.name, "must not hold a backslash or NUL")
    if not raw:
        raise InvalidFieldError(column.name, "is empty, which a path must not be")
    if raw.startswith("/"):
        raise InvalidFieldError(column.name, "begins with `/`, which a path must not")
    if raw.endswith("/"):
        raise InvalidFieldError(column.name, "ends with `/`, which a path must not")
    for segment in raw.split("/"):
        if segment in ("", ".", ".."):
            shown = f"the segment `{segment}`" if segment else "an empty segment (`//`)"
            raise InvalidFieldError(column.name, f"has {shown}, which a path must not")
