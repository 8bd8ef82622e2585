"""Request values as they are kept: JSON in, text out, and back without a digit lost.

In: what the HTTP layer read (numbers that are no integers are `Decimal`).  Out: the form that evidence hashes and the
store keeps, in which every number of a request is the text that was written; and again what `Policy` takes.

What always holds: `revive(fields, written(request))` decides as `request` does (`written`: runtime/evidence/record.py).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Protocol

NUMERIC: Final = frozenset({"number", "time", "duration"})


NUMBER: Final = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", re.ASCII)
"""How JSON, and `str` of an int or a Decimal, write a finite number: no `1_0`, no ` 1`, no digits of other scripts."""


class Column(Protocol):
    """What must be known of a field."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...


def revive(fields: Iterable[Column], kept: Mapping[str, Any]) -> dict[str, Any]:
    """The request that was kept: texts of number fields are numbers again, all else is as it was."""
    kinds = {field.name: field.kind for field in fields}
    return {
        name: number_of(value) if kinds.get(name) in NUMERIC and isinstance(value, str) else value
        for name, value in kept.items()
    }


def number_of(text: str) -> Any:
    """The number that a text is; a text that is none stays what it is, and the policy says so."""
    if not NUMBER.fullmatch(text):
        return text
    try:
        return int(text) if text.lstrip("-").isdigit() else Decimal(text)
    except (ValueError, InvalidOperation):
        return text


def compact(value: Any) -> str:
    """JSON in one order and without blanks; numbers outside requests are doubles, as RFC 8259 section 6 has them.

    Raises:
        ValueError: a number that no double holds, or what is no JSON.
    """
    return _encode(value)


def _double(value: Any) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise ValueError(f"a {type(value).__name__} is no JSON")


_encode: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_double
).encode


DECIMAL: Final = "\udc00"
"""The member that stands for a decimal in a fingerprint.

INVARIANT: half of a surrogate pair stands in no body that was read (http/reading.py), so no body is taken for another.
"""


def fingerprint(body: Any) -> str:
    """The hash of a body by which it is known again; `1`, `1.0` and `"1"` are three bodies."""
    return sha256(json.dumps(body, sort_keys=True, default=lambda one: {DECIMAL: str(one)}))


def sha256(text: str) -> str:
    """The hash of a text, `sha256:` and hex."""
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
