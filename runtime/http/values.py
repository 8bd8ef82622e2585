"""The kinds of values that bodies are made of, each with its JSON Schema; bounded, strict, closed.

In: what `read_json` made of a body (ints, Decimals, texts, lists, dicts).  Out: the same, checked; payloads as plain
JSON.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

JSON_NUMBER_MAX: Final = 2**53 - 1
"""Numbers of a payload beyond this are not the same to every reader of JSON (RFC 7493), nor to RFC 8785."""

NUMBERS: Final = frozenset({int, float, Decimal})
"""What a body's numbers are read as."""

ANY_JSON: Final = "AnyJson"
"""The component of the document that stands for any JSON value."""


class Closed(BaseModel):
    """A body or an answer: nothing that is not declared, nothing that is turned into another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _plain(value: Any) -> Any:
    """The value as plain JSON, decimals as floats."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is list:
        return [_plain(one) for one in value]
    if kind is dict:
        return {name: _plain(one) for name, one in value.items()}
    if kind not in NUMBERS:
        raise PydanticCustomError("json_value", "it is no JSON value")
    if not -JSON_NUMBER_MAX <= value <= JSON_NUMBER_MAX:
        raise PydanticCustomError("json_number", "a number is beyond ±(2^53 - 1): send it as text")
    return value if kind is int else float(value)


def _integral(value: Any) -> Any:
    """`12.0` is an integer in JSON Schema."""
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return int(value) if abs(value) <= JSON_NUMBER_MAX else value
    return value


def _exact(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float):
        raise PydanticCustomError("number", "Input should be a number")
    return value


NAME_PATTERN: Final = r"^[A-Za-z0-9_.-]{1,100}$"
POOL_PATTERN: Final = r"^(\*|[A-Za-z0-9_.-]{1,100})$"
"""Of a pool that a token names; `*` is every one."""
TEXT_PATTERN: Final = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
JOB_ID_PATTERN: Final = r"^[A-Za-z0-9_.-]{1,100}:[A-Za-z0-9_.-]{1,100}@[1-9][0-9]{0,8}$"
APPROVAL_ID_PATTERN: Final = r"^apr_[0-9a-f]{1,64}$"
LEASE_ID_PATTERN: Final = r"^lease_[0-9a-f]{1,64}$"
TOKEN_ID_PATTERN: Final = r"^tok_[0-9a-f]{1,64}$"  # noqa: S105  # a pattern of ids, no secret
APPROVAL_PLACE_PATTERN: Final = r"^[0-9]{1,16}\.apr_[0-9a-f]{1,64}$"
LETTER_PLACE_PATTERN: Final = r"^[0-9]{1,16}\." + JOB_ID_PATTERN.removeprefix("^")
"""Where a page of a list ended: a time in ms since 1970, and an id."""
AGENT_PATTERN: Final = r"^[^\x00-\x1f\x7f]{1,256}$"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
NamedPool = Annotated[str, StringConstraints(pattern=POOL_PATTERN)]
JobId = Annotated[
    str,
    StringConstraints(pattern=JOB_ID_PATTERN),
]
ApprovalId = Annotated[str, StringConstraints(pattern=APPROVAL_ID_PATTERN)]
ApprovalPlace = Annotated[str, StringConstraints(pattern=APPROVAL_PLACE_PATTERN)]
LetterPlace = Annotated[str, StringConstraints(pattern=LETTER_PLACE_PATTERN)]
LeaseId = Annotated[str, StringConstraints(pattern=LEASE_ID_PATTERN)]
TokenId = Annotated[str, StringConstraints(pattern=TOKEN_ID_PATTERN)]
Agent = Annotated[str, StringConstraints(pattern=AGENT_PATTERN)]
Word = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=TEXT_PATTERN)]
Text = Annotated[str, StringConstraints(max_length=10_000, pattern=TEXT_PATTERN)]
Hash = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
INTEGRAL: Final = BeforeValidator(_integral)
"""Stands after the bounds, so that they stand in the schema."""

Millis = Annotated[int, Field(ge=0, le=JSON_NUMBER_MAX), INTEGRAL]
Count = Annotated[int, Field(ge=0, le=JSON_NUMBER_MAX), INTEGRAL]

Json = Annotated[Any, AfterValidator(_plain), WithJsonSchema({"x-any-json": True})]
JsonObject = Annotated[
    dict[str, Any],
    Field(max_length=1000),
    AfterValidator(_plain),
    WithJsonSchema(
        {"type": "object", "maxProperties": 1000, "additionalProperties": {"x-any-json": True}}
    ),
]
Fields = Annotated[
    dict[Annotated[str, StringConstraints(max_length=200)], Any],
    Field(max_length=1000),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": 1000,
            "propertyNames": {"type": "string", "maxLength": 200},
            "additionalProperties": {"x-field-value": True},
        }
    ),
]
"""The fields of a request as they were written; the policy says what is wrong with them."""

Number = Annotated[Any, BeforeValidator(_exact), WithJsonSchema({"type": "number"})]
"""An int or a Decimal, as written."""


def _scalar(value: Any) -> Any:
    if isinstance(value, str) and len(value) > 1000:
        raise PydanticCustomError("scalar", "Input should have at most 1000 characters")
    if not isinstance(value, str | bool | int | Decimal):
        raise PydanticCustomError("scalar", "Input should be a text, a number, true or false")
    return value


Scalar = Annotated[
    Any,
    BeforeValidator(_scalar),
    WithJsonSchema({"type": ["string", "number", "boolean"], "maxLength": 1000}),
]


def _wait(value: Any) -> Any:
    if not 0 <= value <= 30:
        raise PydanticCustomError("wait", "Input should be from 0 to 30")
    return float(value)


WaitS = Annotated[
    Any,
    BeforeValidator(_exact),
    AfterValidator(_wait),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 30, "default": 0}),
]
