"""Reads a body and a query: bytes in, checked values out, or the refusal that says what is wrong where.

What always holds: JSON is read once, strictly: UTF-8, no key twice, no NaN, no lone surrogate, nothing after the value,
at most `DEPTH_MAX` deep; decimals are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, Final, get_args
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from govlang.native.request import legible
from govlang.runtime.http.refusal import RefusedError, refused
from govlang.runtime.json_request import DuplicateKeyError, JsonError, read_json

DEPTH_MAX: Final = 100
"""Objects and arrays in each other."""

VALUES_MAX: Final = 50_000
"""Values of a body, unless told otherwise."""

FAULTS_MAX: Final = 10
QUOTED_MAX: Final = 60
SUSPECT: Final = (b"\\u", b"NaN", b"Infinity")
"""What could be a lone surrogate or no number; a body with it is looked through."""


def read_strictly(raw: bytes, most: int = VALUES_MAX) -> Any:
    """The JSON value of a body that holds at most so many values: what is done with a body takes time for each.

    Raises:
        RefusedError: malformed_json · payload_too_large, it holds more of them.
    """
    if len(raw) > most and _holds_more(raw, most):
        raise refused(
            "payload_too_large",
            f"the body holds more than {most} values",
            field="body",
            expected=f"at most {most} values, lists and objects among them; large data as text",
        )
    try:
        value = read_json(raw)
    except DuplicateKeyError as error:
        raise refused(
            "malformed_json",
            str(error),
            field=legible(error.key, QUOTED_MAX),
            expected="each key once",
        ) from None
    except JsonError as error:
        raise _malformed(error.message.removeprefix("the request is not JSON: ")) from None
    escapes, nan, infinity = SUSPECT
    suspect = escapes in raw or nan in raw or infinity in raw
    if suspect or raw.count(b"{") + raw.count(b"[") > DEPTH_MAX:
        why = _fault(value)
        if why:
            raise _malformed(why)
    return value


def _holds_more(raw: bytes, most: int) -> bool:
    """Whether a body holds more than so many values, found without reading it: 10 ms for 2 MiB.

    Outside of texts each value but the first stands behind `,`, `[` or `{`; each text is a value or names one.
    """
    if 1 + _separators(raw) <= most:
        return False
    bare = raw.replace(rb"\\", b"").replace(rb"\"", b"")
    return bare.count(b'"') > 4 * most or 1 + _separators(b"".join(bare.split(b'"')[::2])) > most


def _separators(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _malformed(why: str) -> RefusedError:
    return refused("malformed_json", why, field="body", expected="one JSON value in UTF-8")


def _fault(value: Any) -> str | None:
    """Why a value that parsed is no JSON of ours, one level of nesting after another."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEPTH_MAX + 1:
            return f"it is nested more than {DEPTH_MAX} deep"
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below.extend(one)
                below.extend(one.values())
            elif isinstance(one, list):
                below.extend(one)
            elif isinstance(one, float):
                return "NaN and Infinity are no numbers of JSON"
            elif isinstance(one, str) and not one.isascii() and _is_torn(one):
                return "a text holds half of a surrogate pair"
        level = below
    return None


def _is_torn(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def checked(model: type[BaseModel], value: Any, place: str) -> dict[str, Any]:
    """The value as the model has it, defaults filled in; `place` is `body` or `query`.

    Raises:
        RefusedError: invalid_body, every fault named, the first in `field` and `expected`.
    """
    validate, is_flat = _validation(model)
    try:
        found = validate(value)
        read: dict[str, Any] = vars(found) if is_flat else found.model_dump(by_alias=True)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)[:FAULTS_MAX]
        named = [(_field(one["loc"], place), _expected(one, model)) for one in faults]
        detail = " · ".join(f"`{field}`: {expected}" for field, expected in named)
        raise refused("invalid_body", detail, field=named[0][0], expected=named[0][1]) from None
    return read


@cache
def _validation(model: type[BaseModel]) -> tuple[Callable[[Any], Any], bool]:
    """How a value is validated, and whether the members are what is read of it: no model in it, no other names."""
    fields = model.model_fields.values()
    is_flat = not any(one.alias or _holds_model(one.annotation) for one in fields)
    return model.__pydantic_validator__.validate_python, is_flat


def _holds_model(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    return any(_holds_model(one) for one in get_args(annotation))


def _field(loc: tuple[int | str, ...], place: str) -> str:
    words = [str(one) for one in loc if "[" not in str(one) and one != "constrained-str"]
    return legible(".".join(words), QUOTED_MAX) or place


_SAID: Final[Mapping[str, str]] = {
    "missing": "it must be there",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "dict_type": "an object",
    "list_type": "a list",
    "string_type": "a text",
    "int_type": "a whole number",
    "bool_type": "true or false",
}
"""What pydantic says in words of Python, or of our classes."""


def _expected(fault: ErrorDetails, model: type[BaseModel]) -> str:
    kind, loc = fault["type"], fault["loc"]
    match kind:
        case "extra_forbidden":
            known = [one.alias or name for name, one in model.model_fields.items()]
            near = get_close_matches(str(loc[0]), known, 1) if len(loc) == 1 else []
            return f"there is no such member{f', did you mean `{near[0]}`?' if near else ''}"
        case "string_pattern_mismatch":
            return f"a text that matches {fault['ctx']['pattern']}"
        case _:
            return _SAID.get(kind) or fault["msg"].removeprefix("Input should be ").removeprefix(
                "Input should have "
            )


def read_query(model: type[BaseModel] | None, query: bytes) -> dict[str, Any]:
    """The parameters of a query; none where the route takes none.

    Raises:
        RefusedError: invalid_body, a parameter is unknown, given twice, or of another kind.
    """
    if not query:
        return dict(_defaults(model)) if model else {}
    pairs = parse_qsl(query.decode("ascii", "replace"), keep_blank_values=True)
    given = dict(pairs)
    if len(given) < len(pairs):
        raise refused(
            "invalid_body", "a parameter is given twice", field="query", expected="each once"
        )
    known = model.model_fields if model else {}
    for name in given:
        if name not in known and not any(one.alias == name for one in known.values()):
            field = legible(name, QUOTED_MAX)
            raise refused(
                "invalid_body", f"`{field}`: no such parameter", field=field, expected=_names(known)
            )
    return checked(model, given, "query") if model else {}


@cache
def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    """The parameters where none is given; what was refused is not kept."""
    return checked(model, {}, "query")


def _names(known: Mapping[str, Any]) -> str:
    names = ", ".join(f"`{info.alias or name}`" for name, info in known.items())
    return names or "no parameter"
