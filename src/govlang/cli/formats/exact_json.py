"""JSON text with exact numbers: plain values and decimals in, text out, and back.

What always holds: a `Decimal` is written with its own digits, never through a binary float; reading gives
decimals for numbers with a fraction and refuses duplicate keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from govlang.native.errors import CodedError
from govlang.runtime.json_request import DuplicateKeyError, JsonError
from govlang.runtime.json_request import read_json as read_exactly


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
    if not value or abs(value.adjusted()) >= 400:
        return str(value)
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def read_json(text: str, what: str) -> Any:
    """The value of some JSON text; `what` names it in messages.

    Raises:
        CodedError: GOV703 it does not parse, or an object holds a key twice.
    """
    try:
        return read_exactly(text)
    except DuplicateKeyError as error:
        why = f"the key `{error.key[:40]}` stands twice"
    except JsonError as error:
        why = error.message.partition(": ")[2]
    raise CodedError("GOV703", f"{what} is not JSON: {why}", "check quotes and commas")
