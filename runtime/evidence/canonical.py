"""Canonical JSON (RFC 8785): a JSON value in, the one text of it out, as UTF-8.

What always holds: the bytes are those of `rfc8785.dumps`.  Where nothing that the two would write differently occurs
(fractions, integers beyond 2^53, keys beyond the Basic Multilingual Plane, which UTF-16 orders otherwise, and values
that are no JSON), the encoder of the standard library writes them, some ten times as fast.
"""

from __future__ import annotations

import json
from typing import Any, Final

import rfc8785

INTEGER_MAX: Final = 2**53 - 1
"""The largest integer that a double, and so canonical JSON, holds exactly."""
BASIC_MAX: Final = "\uffff"

_encode: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


def canonical(value: Any) -> bytes:
    """The canonical JSON of a value.

    Raises:
        ValueError: the value is no JSON, holds text that is no UTF-8, an integer beyond 2^53 or no finite number.
        RecursionError: it is nested too deeply.
    """
    if _is_plain(value):
        text = _encode(value)
        if text.isascii():
            return text.encode()
        # a key beyond the plane may stand elsewhere in UTF-16; a surrogate is refused below
        if max(text) <= BASIC_MAX and not _has_surrogate(text):
            return text.encode()
    return rfc8785.dumps(value)


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _is_plain(value: Any) -> bool:
    """Whether the encoder of the standard library takes the value as RFC 8785 does."""
    kind = type(value)
    if kind is dict:
        return _is_plain_object(value)
    if kind is list or kind is tuple:
        return all(map(_is_plain, value))
    if kind is int:
        return bool(-INTEGER_MAX <= value <= INTEGER_MAX)
    return kind is str or kind is bool or value is None


def _is_plain_object(value: dict[Any, Any]) -> bool:
    for name, item in value.items():
        if type(name) is not str:
            return False
        kind = type(item)
        if kind is not str and kind is not bool and item is not None and not _is_plain(item):
            return False
    return True
