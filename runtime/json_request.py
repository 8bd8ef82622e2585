"""Reads a request in JSON: decimals exactly, no key twice, and never a surprise.

In: text or bytes from a caller.  Out: what the text holds, decimals as `Decimal`, or a coded error.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from govlang.native.errors import CodedError
from govlang.native.request import NAME_MAX, legible

INTEGER_DIGITS_MAX: Final = 400
"""Longer integers are read as decimals: every field's range ends far below them."""


class JsonError(CodedError, ValueError):
    """The text is not JSON."""


class DuplicateKeyError(ValueError):
    """An object gives one key twice."""

    def __init__(self, key: str) -> None:
        super().__init__(f"`{legible(key, NAME_MAX)}` is given twice")
        self.key = key


def read_json(text: str | bytes | bytearray | memoryview) -> Any:
    """The value that the text holds.

    Raises:
        JsonError: GOV413, it is not JSON.
        DuplicateKeyError: an object gives one key twice.
    """
    try:
        read = text if isinstance(text, str) else str(text, "utf-8")
        return _read_short(read) if len(read) <= INTEGER_DIGITS_MAX else _DECODER.decode(read)
    except DuplicateKeyError:
        raise
    except json.JSONDecodeError as error:
        raise _unreadable(
            f"line {error.lineno} column {error.colno}: {error.msg.lower()}"
        ) from None
    except UnicodeDecodeError:
        raise _unreadable("it is not valid UTF-8") from None
    except RecursionError:
        raise _unreadable("it is nested too deeply") from None


def _read_short(text: str) -> Any:
    """The same of a text that is too short for an integer to be too long: C reads it but for objects and decimals.

    Whatever is not plain is read again by the decoder, which says what is wrong.
    """
    try:
        value, end = _SHORT.raw_decode(text)
    except (json.JSONDecodeError, InvalidOperation):
        return _DECODER.decode(text)
    return value if end == len(text) else _DECODER.decode(text)


def _unreadable(why: str) -> JsonError:
    return JsonError("GOV413", f"the request is not JSON: {why}", "send one JSON object")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise DuplicateKeyError(_twice(pairs))
    return read


def _twice(pairs: list[tuple[str, Any]]) -> str:
    """The first key that is given again."""
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    raise AssertionError("no key is given twice")


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= INTEGER_DIGITS_MAX else _number(digits)


def _number(digits: str) -> Decimal:
    """The decimal that was written; an exponent that no decimal can have is infinity."""
    try:
        return Decimal(digits)
    except InvalidOperation:
        return Decimal("Infinity")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_float=_number, parse_int=_integer
)
_SHORT: Final = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=Decimal)
