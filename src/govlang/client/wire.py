"""One request to a gateway as data, and the reading and writing of its JSON.

In: values.  Out: `Call`, which both clients send; nothing here does any I/O.

What always holds: `repeatable` says whether sending it again can do nothing twice: questions, and changes that
carry a key of their own (an Idempotency-Key, a lease, an approval).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

from govlang.client.answers import Page, read
from govlang.client.errors import Unwritable, unreadable

T = TypeVar("T")

BUNDLE: Final = "application/octet-stream"
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request to a gateway; `extra_s`: how much longer than others its answer may take."""

    method: str
    path: str
    reads: Callable[[bytes], T]
    content: bytes | None = None
    content_type: str = JSON
    params: tuple[tuple[str, str], ...] = ()
    key: str | None = None
    repeatable: bool = False
    extra_s: float = 0.0


def encode(value: Any) -> bytes:
    """A value as JSON, decimals as numbers, sets as lists.

    Raises:
        Unwritable: it holds what JSON has not.
    """
    try:
        return json.dumps(
            value, default=_plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Unwritable(str(error)) from None


def _plain(value: Any) -> Any:
    match value:
        case Decimal() if value.is_finite():
            return int(value) if value == value.to_integral_value() else float(value)
        case set() | frozenset():
            return sorted(value)
        case Mapping():
            return dict(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")


def decoded(body: bytes) -> Any:
    """The JSON of an answer.

    Raises:
        Unavailable: it is none.
    """
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise unreadable("it must be JSON") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def as_one(kind: type[T]) -> Callable[[bytes], T]:
    """Read an answer that is one record."""
    return lambda body: read(kind, decoded(body))


def as_list(kind: type[T], member: str) -> Callable[[bytes], tuple[T, ...]]:
    """Read an answer that holds records under a member."""

    def reads(body: bytes) -> tuple[T, ...]:
        found = read(dict[str, Any], decoded(body))
        listed = found.get(member)
        if not isinstance(listed, list):
            raise unreadable(f"`{member}` must be a list")
        return tuple(read(kind, one) for one in listed)

    return reads


def as_page(kind: type[T], member: str) -> Callable[[bytes], Page[T]]:
    """Read an answer that holds some of the records, and says where the rest begins."""

    def reads(body: bytes) -> Page[T]:
        listed = as_list(kind, member)(body)
        more = read(dict[str, Any], decoded(body)).get("more")
        return Page.of(listed, None if more is None else read(str, more, "`more`"))

    return reads


def as_text(body: bytes) -> str:
    """Read an answer that is text."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise unreadable("it must be UTF-8") from None


def path(*parts: str) -> str:
    """A path of segments; each stays one, whatever stands in it."""
    for part in parts:
        if part in {"", ".", ".."}:
            raise ValueError(f"`{part}` names nothing")
    return "/v1/" + "/".join(quote(part, safe=":@") for part in parts)


def present(**members: Any) -> dict[str, Any]:
    """The members that were given."""
    return {name: value for name, value in members.items() if value is not None}


def post(
    route: str,
    reads: Callable[[bytes], T],
    body: Any,
    *,
    repeatable: bool = False,
    extra_s: float = 0.0,
) -> Call[T]:
    """A POST of JSON."""
    return Call("POST", route, reads, encode(body), repeatable=repeatable, extra_s=extra_s)


def get(route: str, reads: Callable[[bytes], T], **params: Any) -> Call[T]:
    """A question."""
    written = tuple((name, str(value)) for name, value in present(**params).items())
    return Call("GET", route, reads, params=written, repeatable=True)
