"""JSON text with exact numbers: plain values and decimals in, text out, and back.

What always holds: a `Decimal` is written with its own digits, never through a binary float; reading gives
decimals for numbers with a fraction and refuses duplicate keys, NaN and infinity.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from govlang.native.errors import CodedError


def json_text(value: Any) -> str:
    """The JSON of a value, on one line."""
    match value:
        case Decimal():
            return _digits(value)
        case Mapping():
            pairs = (f"{json_text(str(k))}: {json_text(v)}" for k, v in value.items())
            return "{" + ", ".join(pairs) + "}"
        case list() | tuple():
            return "[" + ", ".join(json_text(item) for item in value) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _digits(value: Decimal) -> str:
    """Without an exponent, unless that would take more digits than anybody reads."""
    return format(value.normalize(), "f") if value and abs(value.adjusted()) < 400 else str(value)


def read_json(text: str, what: str) -> Any:
    """The value of some JSON text; `what` names it in messages.

    Raises:
        CodedError: GOV703 it does not parse, or an object holds a key twice.
    """
    try:
        return json.loads(
            text,
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_distinct,
        )
    except RecursionError:
        raise CodedError("GOV703", f"{what} is nested too deeply") from None
    except ValueError as error:
        raise CodedError(
            "GOV703", f"{what} is not JSON: {_why(error)}", "check quotes and commas"
        ) from None


def _why(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.lower()} at line {error.lineno}, column {error.colno}"
    return str(error)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"`{name}` is no number of JSON")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(k for i, (k, _) in enumerate(pairs) if k in dict(pairs[:i]))
        raise ValueError(f"the key `{twice[:40]}` stands twice")
    return found
